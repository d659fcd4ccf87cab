import { expect, test } from 'vitest';
import { ageText, bytesText, clockText, plural, spanText, timeText } from './words.ts';

test('an age is as coarse as a person would say it', () => {
  expect([0, 840, 12_900, 61_000, 7_300_000, 200_000_000].map(ageText)).toEqual([
    '0.0 s',
    '0.8 s',
    '12 s',
    '1 min',
    '2 h',
    '2 d',
  ]);
});

test('a clock that is ahead makes no negative age', () => {
  expect(ageText(-5000)).toBe('0.0 s');
  expect(clockText(-5000)).toBe('0:00');
});

test('elapsed time is a clock', () => {
  expect([7000, 760_000, 10_931_000, 97_200_000].map(clockText)).toEqual([
    '0:07',
    '12:40',
    '3:02:11',
    '1 d 3 h',
  ]);
});

test('what has ended is told to the precision that matters', () => {
  expect([84, 1400, 42_000, 95_000].map(spanText)).toEqual(['84 ms', '1.4 s', '42 s', '1:35']);
});

test('sizes are decimal and never 1000 of a unit', () => {
  expect([0, 999, 1400, 18_000_000, 999_600].map(bytesText)).toEqual([
    '0 B',
    '999 B',
    '1.4 kB',
    '18 MB',
    '1.0 MB',
  ]);
});

test('a time of another day names its day', () => {
  const now = new Date(2026, 10, 21, 14, 2).getTime();
  expect(timeText(now, now)).toBe('14:02');
  expect(timeText(new Date(2026, 10, 3, 9, 5).getTime(), now)).toBe('3 Nov, 09:05');
});

test('one is singular, large numbers are grouped', () => {
  expect([plural(1, 'task'), plural(12_408, 'task')]).toEqual(['1 task', '12,408 tasks']);
});
