import { expect, test } from 'vitest';
import { forecastText, groupItems, portionsOf, resultText, type BulkItem } from './bulk.ts';

const items: BulkItem[] = [
  { id: '1', result: 'wouldDo' },
  { id: '2', result: 'refused', code: 'already_ended', message: 'ended' },
  { id: '3', result: 'wouldDo' },
  { id: '4', result: 'wouldDo', message: 'build-2 is away' },
  { id: '5', result: 'refused', code: 'already_ended', message: 'ended' },
];

test('rows are grouped by result and reason, refusals first, the most frequent first', () => {
  expect(groupItems(items)).toEqual([
    { result: 'refused', message: 'ended', ids: ['2', '5'] },
    { result: 'wouldDo', message: undefined, ids: ['1', '3'] },
    { result: 'wouldDo', message: 'build-2 is away', ids: ['4'] },
  ]);
});

test('a dry run is told with exact numbers', () => {
  expect(forecastText('cancel', items, 5)).toBe('Would cancel 3 tasks. 2 tasks would be refused.');
  expect(forecastText('retry', [items[1]!], 1)).toBe('Nothing to retry. 1 task would be refused.');
  expect(forecastText('cancel', [items[0]!, items[2]!], 12)).toBe(
    'Would cancel 2 tasks. The newest 2 matches are taken; 10 more stay as they are.',
  );
});

test('a result tells apart what was done, promised, refused and not answered', () => {
  expect(
    resultText('reclaim', [
      { id: '1', result: 'done' },
      { id: '2', result: 'promised' },
      { id: '3', result: 'refused' },
      { id: '4', result: 'notAsked' },
    ]),
  ).toBe('1 reclaimed, 1 on record, to be delivered when the agent answers, 1 refused, 1 without an answer.');
  expect(resultText('cancel', [])).toBe('Nothing was asked.');
});

test('portions hold everything once, in order', () => {
  expect(portionsOf([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  expect(portionsOf([], 2)).toEqual([]);
});
