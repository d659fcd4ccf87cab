import { expect, test } from 'vitest';
import { durationText } from './duration.ts';

test.each([
  [-5, '0 s'],
  [40_000, '40 s'],
  [119_000, '119 s'],
  [150_000, '3 min'],
  [7_200_000, '2 h'],
  [3 * 86_400_000, '3 days'],
])('%d ms are told as %s', (ms, expected) => {
  expect(durationText(ms)).toBe(expected);
});
