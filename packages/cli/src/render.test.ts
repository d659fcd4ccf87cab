import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { canColor, cutText, painter, renderTable, textWidth, wrapText } from './render.ts';

const columns = [
  { head: 'ID' },
  { head: 'NAME', least: 6 },
  { head: 'N', align: 'right' as const },
  { head: 'TASK', least: 8 },
];
const rows = [
  ['a', 'somebody-with-a-name', '7', 'a rather long description of it'],
  ['bb', 'x', '12', 'short'],
];
const paint = painter(false);

test('a table without a width is whole and aligned', () => {
  expect(renderTable({ columns, rows, paint }).split('\n')).toEqual([
    'ID  NAME                   N  TASK',
    'a   somebody-with-a-name   7  a rather long description of it',
    'bb  x                     12  short',
  ]);
});

test('a table fits its terminal by cutting what may be cut, widest first, and never below the least', () => {
  for (const width of [60, 44, 30]) {
    for (const line of renderTable({ columns, rows, paint, width }).split('\n'))
      expect(textWidth(line)).toBeLessThanOrEqual(width);
  }
  const narrow = renderTable({ columns, rows, paint, width: 1 }).split('\n');
  expect(narrow[1]).toBe('a   someb…   7  a rathe…');
});

test('wide letters, emoji and combining marks count as the columns they take', () => {
  expect(textWidth('漢字')).toBe(4);
  expect(textWidth('🚀')).toBe(2);
  expect(textWidth('e\u0301')).toBe(1);
  expect(cutText('漢字漢字', 5)).toBe('漢字…');
});

test('colours are for terminals that want them', () => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true });
  expect(canColor(new PassThrough(), {}, true)).toBe(false);
  expect(canColor(terminal, {}, true)).toBe(true);
  expect(canColor(terminal, { NO_COLOR: '1' }, true)).toBe(false);
  expect(canColor(terminal, { NO_COLOR: '' }, true)).toBe(true);
  expect(canColor(terminal, { TERM: 'dumb' }, true)).toBe(false);
  expect(canColor(terminal, {}, false)).toBe(false);
});

test('text is wrapped at spaces by the columns it takes, and a word is never broken', () => {
  expect(wrapText('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrapText('漢字 漢字 ab', 7)).toEqual(['漢字', '漢字 ab']);
  expect(wrapText('a much-longer-word b', 4)).toEqual(['a', 'much-longer-word', 'b']);
  expect(wrapText('whole', Infinity)).toEqual(['whole']);
});
