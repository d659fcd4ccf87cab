import { expect, test } from 'vitest';
import { countFitting, MOST_LABELS, raisedLabels } from './labels.ts';

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

test('tasks that came since raise the labels that they have; one whose count is not known is not told', () => {
  const read = [
    { label: 'team=core', tasks: 7 },
    { label: 'kind=nightly', tasks: 2 },
  ];
  const further = [['kind=nightly', 'new=one'], ['kind=nightly']];
  expect(raisedLabels(read, further)).toEqual([
    { label: 'team=core', tasks: 7 },
    { label: 'kind=nightly', tasks: 4 },
    { label: 'new=one', tasks: 1 },
  ]);
  const many = Array.from({ length: MOST_LABELS }, (_, n) => ({ label: `n=${n}`, tasks: 9 }));
  expect(raisedLabels(many, further)).toEqual(many);
});
