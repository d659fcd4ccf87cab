import { expect, test } from 'vitest';
import { placeFromUrl, placeToUrl, type Place } from './place.ts';

const read = (path: string): Place => placeFromUrl(new URL(path, 'http://holdfast.test'));

test('each place has one URL and comes back from it', () => {
  const places: Place[] = [
    { filter: { statuses: [] }, tab: 'log' },
    { filter: { statuses: ['failed'], text: 'a b' }, tab: 'log' },
    { filter: { statuses: [], sessionId: 's.1' }, tab: 'log' },
    { filter: { statuses: ['running'], sessionId: 's.1' }, taskId: '019a', tab: 'events' },
    {
      filter: { statuses: [] },
      taskId: '019a',
      tab: 'log',
      logAttempt: 2,
      mark: { kind: 'lines', from: 3, to: 9 },
    },
    {
      filter: { statuses: [], attempt: '>1' },
      taskId: '019a',
      tab: 'log',
      mark: { kind: 'byte', offset: 7 },
    },
    { filter: { statuses: [], is: ['stale'], order: 'oldest' }, agentId: 'a 1', tab: 'log' },
  ];
  for (const place of places) expect(read(placeToUrl(place))).toEqual(place);
});

test('a session has its own address', () => {
  expect(placeToUrl({ filter: { statuses: ['failed'], sessionId: 's.1' }, tab: 'log' })).toBe(
    '/sessions/s.1?status=failed',
  );
});

test('a path that names nothing is nowhere, and keeps its address', () => {
  for (const path of ['/what/ever', '/tasks', '/tasks/a/b', '/sessions/']) {
    expect(read(path)).toEqual({ filter: { statuses: [] }, tab: 'log', nowhere: path });
    expect(placeToUrl(read(path))).toBe(path);
  }
  expect(read('/index.html').nowhere).toBe('/index.html');
});

test('a stray percent sign in a hand-written URL breaks nothing', () => {
  expect(read('/tasks/%E0%A4%A').taskId).toBe('%E0%A4%A');
});

test('what belongs to the log is no part of the address of another tab', () => {
  const place: Place = {
    filter: { statuses: [] },
    taskId: 't',
    tab: 'raw',
    logAttempt: 2,
    mark: { kind: 'byte', offset: 7 },
  };
  expect(placeToUrl(place)).toBe('/tasks/t?tab=raw');
  expect(read('/tasks/t?tab=raw&log=2#L3')).toEqual({ filter: { statuses: [] }, taskId: 't', tab: 'raw' });
});
