import { expect, test } from 'vitest';
import { countFitting } from './labels.ts';

const fitting = (roomPx: number, change: Partial<Parameters<typeof countFitting>[0]> = {}): number =>
  countFitting({
    name: 'Build the docs',
    isMono: false,
    labels: ['team=core', 'branch=main', 'kind=nightly'],
    badges: [],
    roomPx,
    ...change,
  });

test('labels give way before the title does, from the last on', () => {
  expect(fitting(600)).toBe(3);
  expect(fitting(310)).toBe(2);
  expect(fitting(220)).toBe(1);
  expect(fitting(120)).toBe(0);
});

test('a badge and a long title leave less room', () => {
  expect(fitting(300, { badges: ['stale: lease over'] })).toBe(0);
  expect(fitting(300, { name: 'x'.repeat(500) })).toBe(0);
  expect(fitting(600, { labels: [] })).toBe(0);
});
