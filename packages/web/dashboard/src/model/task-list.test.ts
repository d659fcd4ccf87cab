import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { TaskList } from './task-list.ts';

const at = (createdAt: number, id = `id-${createdAt}`): { id: string; createdAt: number } => ({
  id,
  createdAt,
});
const read = (...times: number[]): TaskList => {
  const list = new TaskList();
  list.replace({ items: times.map((time) => at(time)), total: times.length });
  return list;
};

test('a new task joins at the front', () => {
  const list = read(30, 20, 10);
  list.place(at(40), true);
  expect(list.order).toEqual(['id-40', 'id-30', 'id-20', 'id-10']);
  expect(list.total).toBe(4);
});

test('a task that comes to match takes its place by age', () => {
  const list = read(30, 10);
  list.place(at(20), true);
  expect(list.order).toEqual(['id-30', 'id-20', 'id-10']);
});

test('nothing moves while the list is held: what joins is counted', () => {
  const list = read(20, 10);
  list.hold();
  list.place(at(30), true);
  list.place(at(40), true);
  list.place(at(40), true);
  expect(list.order).toEqual(['id-20', 'id-10']);
  expect(list.waiting).toBe(2);
  list.release();
  expect(list.order).toEqual(['id-40', 'id-30', 'id-20', 'id-10']);
  expect(list.waiting).toBe(0);
});

test('while the list is held a row that no longer matches stays, marked, and goes on release', () => {
  const list = read(20, 10);
  list.hold();
  list.place(at(20), false);
  expect(list.order).toEqual(['id-20', 'id-10']);
  expect(list.isLeaving('id-20')).toBe(true);
  expect(list.total).toBe(1);
  list.release();
  expect(list.order).toEqual(['id-10']);
});

test('a row that matches again before the release stays', () => {
  const list = read(20, 10);
  list.hold();
  list.place(at(20), false);
  list.place(at(20), true);
  list.release();
  expect(list.order).toEqual(['id-20', 'id-10']);
  expect(list.total).toBe(2);
});

test('what waits is shown when a person asks, and the hold goes on', () => {
  const list = read(10);
  list.hold();
  list.place(at(20), true);
  list.settle();
  list.place(at(30), true);
  expect(list.order).toEqual(['id-20', 'id-10']);
  expect(list.waiting).toBe(1);
});

test('a task below the part that was read is not shown, and the total is known to be inexact', () => {
  const list = new TaskList();
  list.replace({ items: [at(30), at(20)], next: 'more', total: 50 });
  expect(list.place(at(5), true)).toBe(false);
  expect(list.order).toEqual(['id-30', 'id-20']);
  expect(list.isTotalExact).toBe(false);
  list.append({ items: [at(10), at(5)], total: 51 });
  expect(list.order).toEqual(['id-30', 'id-20', 'id-10', 'id-5']);
  expect(list.isTotalExact).toBe(true);
});

test('a page that overlaps what is shown shows nothing twice', () => {
  const list = read(20, 10);
  list.append({ items: [at(10), at(5)], total: 3 });
  expect(list.order).toEqual(['id-20', 'id-10', 'id-5']);
});

test('however it was held and released, it ends as a fresh read would show it', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('place' as const),
      time: fc.integer({ min: 1, max: 12 }),
      belongs: fc.boolean(),
    }),
    fc.record({ kind: fc.constantFrom('hold' as const, 'release' as const, 'settle' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = read(9, 6, 3);
      const truth = new Map([9, 6, 3].map((time) => [time, true]));
      for (const action of steps) {
        if (action.kind === 'place') {
          truth.set(action.time, action.belongs);
          list.place(at(action.time), action.belongs);
        } else list[action.kind]();
      }
      list.release();
      const expected = [...truth].filter(([, belongs]) => belongs).map(([time]) => time);
      expect(list.order).toEqual(expected.toSorted((a, b) => b - a).map((time) => `id-${time}`));
      expect(list.total).toBe(expected.length);
    }),
    { numRuns: 500 },
  );
});

test('oldest first: what joins comes last, and only once everything before it was read', () => {
  const list = new TaskList();
  const at = (id: string, createdAt: number): { id: string; createdAt: number } => ({ id, createdAt });
  list.replace({ items: [at('a', 1), at('c', 3)], next: 'x', total: 3 }, 'oldest');
  expect(list.place(at('d', 4), true)).toBe(false);
  expect(list.isTotalExact).toBe(false);
  expect(list.place(at('b', 2), true)).toBe(true);
  expect(list.order).toEqual(['a', 'b', 'c']);
  list.append({ items: [at('d', 4)], total: 4 });
  list.hold();
  list.place(at('f', 6), true);
  list.place(at('e', 5), true);
  expect([list.order, list.waiting]).toEqual([['a', 'b', 'c', 'd'], 2]);
  list.release();
  expect(list.order).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});
