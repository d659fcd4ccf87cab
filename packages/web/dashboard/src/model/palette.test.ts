import { expect, test } from 'vitest';
import { findEntries, type PaletteEntry } from './palette.ts';

const entries: PaletteEntry[] = [
  { id: '1', name: 'Needs you', kind: 'View' },
  { id: '2', name: 'Running', kind: 'View' },
  { id: '3', name: 'nightly run', kind: 'Session', detail: 'nightly-1' },
  { id: '4', name: 'prune', kind: 'Task' },
  { id: '5', name: 'Theme: dark', kind: 'Action' },
];
const ids = (query: string, most = 9): string[] => findEntries(entries, query, most).map(({ id }) => id);

test('the beginning of a name comes first, then of a word, then the rest', () => {
  expect(ids('run')).toEqual(['2', '3', '4']);
});

test('all words must occur, in name, kind or detail', () => {
  expect(ids('session NIGHT')).toEqual(['3']);
  expect(ids('nightly-1')).toEqual(['3']);
  expect(ids('dark view')).toEqual([]);
});

test('without a query everything is offered in its order, no more than asked for', () => {
  expect(ids(' ', 2)).toEqual(['1', '2']);
});
