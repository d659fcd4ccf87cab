import { expect, test } from 'vitest';
import type { ShownTask } from '@holdfast/shared';
import { Rows } from './rows.ts';
import { aTask } from './samples.ts';

test('a slow read never replaces what the feed said later', () => {
  const rows = new Rows<ShownTask>();
  rows.take(aTask({ status: 'completed' }), 20);
  expect(rows.take(aTask({ status: 'running' }), 12)).toBe(false);
  expect(rows.get(aTask().id)?.status).toBe('completed');
});

test('the same word twice is harmless', () => {
  const rows = new Rows<ShownTask>();
  rows.take(aTask(), 20);
  expect(rows.take(aTask({ status: 'failed' }), 20)).toBe(true);
  expect(rows.size).toBe(1);
});

test('rows heard of since a read are found', () => {
  const rows = new Rows<ShownTask>();
  rows.take(aTask({ id: 'old' }), 10);
  rows.take(aTask({ id: 'new' }), 11);
  expect(rows.newerThan(10).map((task) => task.id)).toEqual(['new']);
});

test('rows that nobody looks at are let go', () => {
  const rows = new Rows<ShownTask>();
  rows.take(aTask({ id: 'kept' }), 1);
  rows.take(aTask({ id: 'dropped' }), 1);
  expect(rows.prune((id) => id === 'kept')).toEqual(['dropped']);
  expect(rows.get('dropped')).toBeUndefined();
});

test('a read of everything drops what it lacks, but not what was heard of since', () => {
  const rows = new Rows<{ id: string }>();
  rows.take({ id: 'gone' }, 10);
  rows.take({ id: 'newer' }, 12);
  rows.takeAll([{ id: 'read' }], 11);
  expect(
    rows
      .all()
      .map((row) => row.id)
      .toSorted(),
  ).toEqual(['newer', 'read']);
});

test('a part without a version does not make its row newer', () => {
  const rows = new Rows<ShownTask>();
  rows.take(aTask(), 10);
  rows.patch(aTask().id, { outputBytes: 99 });
  expect(rows.get(aTask().id)?.outputBytes).toBe(99);
  expect(rows.take(aTask({ outputBytes: 5 }), 10)).toBe(true);
});

test('a row that was removed comes back only by a newer word, and only the newest removals are remembered', () => {
  const rows = new Rows<{ id: string }>();
  rows.take({ id: 'a' }, 5);
  expect(rows.remove('a', 4)).toBe(false);
  expect(rows.remove('a', 6)).toBe(true);
  rows.takeAll([{ id: 'a' }], 6);
  expect(rows.get('a')).toBeUndefined();
  rows.takeAll([{ id: 'a' }], 7);
  expect(rows.get('a')).toEqual({ id: 'a' });
  rows.remove('a', 8);
  for (let n = 0; n < 1000; n++) rows.remove(`other-${n}`, 9);
  expect(rows.take({ id: 'a' }, 7)).toBe(true);
});
