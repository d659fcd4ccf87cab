import { expect, test } from 'vitest';
import {
  ageText,
  bytesText,
  countText,
  parseDuration,
  parseWhole,
  plainText,
  quoteWord,
  spanText,
} from './words.ts';

const durationOf = (text: string): number => parseDuration(text, '--timeout');

test('a duration is a number and a unit', () => {
  expect(['500ms', '60s', '30m', '30min', '1.5h', '2d'].map(durationOf)).toEqual([
    500, 60_000, 1_800_000, 1_800_000, 5_400_000, 172_800_000,
  ]);
  for (const text of ['', '30', 's', '-1s', '1 s', '1w', '1e3s', 'Infinitys'])
    expect(() => durationOf(text)).toThrow('--timeout');
});

test('a whole number has bounds and no other spelling', () => {
  expect(parseWhole('-3', '--priority', -5, 5)).toBe(-3);
  for (const text of ['', '1.5', '6', '0x1', ' 1', '1e0'])
    expect(() => parseWhole(text, '--priority', -5, 5)).toThrow('--priority');
});

test('ages are coarse and never negative; spans are as precise as they are short', () => {
  expect([-5, 999, 59_999, 60_000, 3_600_000, 90_000_000].map(ageText)).toEqual([
    '0 s',
    '0 s',
    '59 s',
    '1 min',
    '1 h',
    '1 d',
  ]);
  expect([84, 1400, 42_000, 760_000, 10_931_000].map(spanText)).toEqual([
    '84 ms',
    '1.4 s',
    '0:42',
    '12:40',
    '3:02:11',
  ]);
  expect([0, 999, 1400, 18_000_000, 999_600].map(bytesText)).toEqual([
    '0 B',
    '999 B',
    '1.4 kB',
    '18 MB',
    '1.0 MB',
  ]);
});

test('text is one line without anything that a terminal obeys', () => {
  expect(plainText('a\u001b]0;title\u0007b\u001b[31mc\r\n\td\u202ee\u0085f')).toBe('abc d e f');
  expect(plainText('漢字 🚀 é')).toBe('漢字 🚀 é');
});

test('a word is quoted as a POSIX shell reads it back', () => {
  expect(['a/b-c', '', 'it’s', "it's", 'a b'].map(quoteWord)).toEqual([
    'a/b-c',
    "''",
    "'it’s'",
    String.raw`'it'\''s'`,
    "'a b'",
  ]);
});

test('one is one, none and several are many', () => {
  expect([0, 1, 2].map((n) => countText(n, 'live task'))).toEqual([
    '0 live tasks',
    '1 live task',
    '2 live tasks',
  ]);
  expect(countText(1, 'task waits', 'tasks wait')).toBe('1 task waits');
  expect(countText(3, 'task waits', 'tasks wait')).toBe('3 tasks wait');
});
