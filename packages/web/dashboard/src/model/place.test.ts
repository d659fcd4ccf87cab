import { expect, test } from 'vitest';
import { placeFromUrl, placeToUrl, type Place } from './place.ts';

const read = (path: string): Place => placeFromUrl(new URL(path, 'http://holdfast.test'));

test('each place has one URL and comes back from it', () => {
  const places: Place[] = [
    { filter: { statuses: [] }, tab: 'log' },
    { filter: { statuses: ['failed'], text: 'a b' }, tab: 'log' },
    { filter: { statuses: [], sessionId: 's.1' }, tab: 'log' },
    { filter: { statuses: ['running'], sessionId: 's.1' }, taskId: '019a', tab: 'events' },
  ];
  for (const place of places) expect(read(placeToUrl(place))).toEqual(place);
});

test('a session has its own address', () => {
  expect(placeToUrl({ filter: { statuses: ['failed'], sessionId: 's.1' }, tab: 'log' })).toBe(
    '/sessions/s.1?status=failed',
  );
});

test('a path that names nothing is the list', () => {
  expect(read('/what/ever')).toEqual({ filter: { statuses: [] }, tab: 'log' });
});

test('a stray percent sign in a hand-written URL breaks nothing', () => {
  expect(read('/tasks/%E0%A4%A').taskId).toBe('%E0%A4%A');
});
