import { expect, test } from 'vitest';
import { logAction } from './log-keys.ts';

test('keys of the output are those of a pager, and leave the page its own sequences', () => {
  expect(['G', 'n', 'N', '/', '.', 'w', 'Escape'].map((key) => logAction('', key))).toEqual([
    'end',
    'next',
    'previous',
    'search',
    'follow',
    'wrap',
    'unmark',
  ]);
  expect(logAction('', 'g')).toBeUndefined();
  expect(logAction('g', 'g')).toBe('start');
  expect(logAction('g', 'n')).toBeUndefined();
  expect(logAction('', ' ')).toBeUndefined();
});
