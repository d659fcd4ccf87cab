import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { TaskList } from './task-list.ts';

const at = (createdAt: number, id = `id-${createdAt}`) => ({ id, createdAt, status: 'queued' as const });
const ran = (startedAt: number, id: string, endedAt?: number) => ({
  id,
  createdAt: 1,
  startedAt,
  status: endedAt === undefined ? ('running' as const) : ('completed' as const),
  ...(endedAt === undefined ? {} : { endedAt }),
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

test('a fresh read under the pointer moves nothing: what it brings waits, and what it lacks stays, marked', () => {
  const list = read(40, 30, 20, 10);
  list.hold();
  list.refresh({ items: [at(50), at(40), at(20)], next: 'x', total: 9 });
  // What stands below it is shown once it is read.
  expect(list.order).toEqual(['id-40', 'id-30', 'id-20']);
  expect(list.isLeaving('id-30')).toBe(true);
  expect([list.waiting, list.total, list.isTotalExact, list.next]).toEqual([1, 9, true, 'x']);
  list.place(at(10), true);
  expect(list.order).toEqual(['id-40', 'id-30', 'id-20']);
  list.release();
  expect(list.order).toEqual(['id-50', 'id-40', 'id-20']);
  list.refresh({ items: [at(60)], total: 1 });
  expect(list.order).toEqual(['id-60']);
});

test('an empty list shows what a fresh read brings, under the pointer too', () => {
  const list = read();
  list.hold();
  list.refresh({ items: [at(10)], total: 1 });
  expect(list.order).toEqual(['id-10']);
});

test('whatever was shown and however a fresh read differs: nothing moves, and on release it is that read', () => {
  const task = fc.record({ id: fc.nat(12), startedAt: fc.integer({ min: 2, max: 9 }) });
  const tasks = fc
    .uniqueArray(task, { selector: ({ id }) => id, maxLength: 12 })
    .map((all) => all.map(({ id, startedAt }) => ran(startedAt, `t${String(id).padStart(2, '0')}`)));
  fc.assert(
    fc.property(tasks, tasks, tasks, fc.nat(12), (before, between, after, length) => {
      const inOrder = (all: typeof before) => {
        const fresh = new TaskList();
        fresh.replace({ items: [], total: 0 }, 'longest');
        for (const one of all) fresh.place(one, true);
        return fresh.order.map((id) => all.find((one) => one.id === id)!);
      };
      const list = new TaskList();
      list.replace({ items: inOrder(before), total: before.length }, 'longest');
      list.hold();
      for (const one of between) list.place(one, one.startedAt > 4);
      const page = inOrder(after).slice(0, Math.max(1, length));
      const more = page.length < after.length ? { next: 'x' } : {};
      const was = [...list.order];
      list.refresh({ items: page, total: after.length, ...more });
      if (was.length > 0) expect(list.order).toEqual(was.filter((id) => list.order.includes(id)));
      if (was.length > 0 && more.next === undefined) expect(list.order).toEqual(was);
      list.release();
      expect(list.order).toEqual(page.map(({ id }) => id));
      expect([list.total, list.waiting, list.moved]).toEqual([after.length, 0, 0]);
    }),
    { numRuns: 500 },
  );
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
  list.append({ items: [at(10), at(5)] });
  expect(list.order).toEqual(['id-30', 'id-20', 'id-10', 'id-5']);
  expect(list.isTotalExact).toBe(false);
  list.setTotal(51);
  expect(list.isTotalExact).toBe(true);
});

test('a page that overlaps what is shown shows nothing twice', () => {
  const list = read(20, 10);
  list.append({ items: [at(10), at(5)] });
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
  list.replace({ items: [at(1, 'a'), at(3, 'c')], next: 'x', total: 3 }, 'oldest');
  expect(list.place(at(4, 'd'), true)).toBe(false);
  expect(list.isTotalExact).toBe(false);
  expect(list.place(at(2, 'b'), true)).toBe(true);
  expect(list.order).toEqual(['a', 'b', 'c']);
  list.append({ items: [at(4, 'd')] });
  list.hold();
  list.place(at(6, 'f'), true);
  list.place(at(5, 'e'), true);
  expect([list.order, list.waiting]).toEqual([['a', 'b', 'c', 'd'], 2]);
  list.release();
  expect(list.order).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});

test('longest: what is in hand, then what waits, then what took longest; equal ones by id', () => {
  const list = new TaskList();
  list.replace({ items: [], total: 0 }, 'longest');
  for (const task of [
    ran(5, 'b', 9),
    ran(5, 'a', 9),
    ran(1, 'c', 99),
    at(3, 'w'),
    ran(8, 'r'),
    ran(7, 'q'),
  ]) {
    list.place(task, true);
  }
  expect(list.order).toEqual(['q', 'r', 'w', 'c', 'a', 'b']);
});

test('newest and changed turn ids round as well, as the server does', () => {
  for (const order of ['newest', 'changed'] as const) {
    const list = new TaskList();
    list.replace({ items: [], total: 0 }, order);
    for (const id of ['a', 'ab', 'b']) list.place(at(1, id), true);
    expect(list.order).toEqual(['b', 'ab', 'a']);
  }
});

test('a held row whose place changes stays and is counted; it goes there on release', () => {
  const list = new TaskList();
  list.replace({ items: [ran(30, 'c'), ran(20, 'b'), ran(10, 'a')], total: 3 }, 'changed');
  list.hold();
  expect(list.place(ran(10, 'a', 40), true)).toBe(true);
  expect([list.order, list.moved]).toEqual([['c', 'b', 'a'], 1]);
  expect(list.place(ran(10, 'a', 50), true)).toBe(false);
  list.release();
  expect([list.order, list.moved, list.total]).toEqual([['a', 'c', 'b'], 0, 3]);
});

test('a row whose key changes without leaving its place has not moved', () => {
  const list = new TaskList();
  list.replace({ items: [ran(30, 'c'), ran(20, 'b')], total: 2 }, 'changed');
  list.hold();
  expect(list.place(ran(30, 'c', 45), true)).toBe(false);
  expect(list.moved).toBe(0);
});

test('a row that goes below the part that was read leaves the screen and still counts', () => {
  const list = new TaskList();
  list.replace({ items: [ran(1, 'a'), ran(2, 'b')], next: 'more', total: 9 }, 'longest');
  list.place(ran(1, 'a', 3), true);
  expect([list.order, list.total]).toEqual([['b'], 9]);
  // The part that was read ends where it ended, whatever has left it.
  expect(list.place(ran(3, 'c'), true)).toBe(false);
});

test('however rows move and however it is held, it ends in the order of a fresh read', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('place' as const),
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      from: fc.integer({ min: 1, max: 9 }),
      took: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
      belongs: fc.boolean(),
    }),
    fc.record({ kind: fc.constantFrom('hold' as const, 'release' as const, 'settle' as const) }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom('changed' as const, 'longest' as const),
      fc.array(step, { maxLength: 40 }),
      (order, steps) => {
        const list = new TaskList();
        list.replace({ items: [], total: 0 }, order);
        const truth = new Map<string, ReturnType<typeof ran>>();
        for (const action of steps) {
          if (action.kind !== 'place') {
            list[action.kind]();
            continue;
          }
          const task = ran(
            action.from,
            action.id,
            action.took === undefined ? undefined : action.from + action.took,
          );
          list.place(task, action.belongs);
          if (action.belongs) truth.set(action.id, task);
          else truth.delete(action.id);
        }
        list.release();
        const fresh = new TaskList();
        fresh.replace({ items: [], total: 0 }, order);
        for (const task of truth.values()) fresh.place(task, true);
        expect(list.order).toEqual(fresh.order);
        expect(list.total).toBe(truth.size);
      },
    ),
    { numRuns: 500 },
  );
});

test('a held row that a fresh read lacks because its place is below is not counted twice', () => {
  const list = new TaskList();
  list.replace({ items: [ran(1, 'a'), ran(2, 'b')], next: 'x', total: 3 }, 'longest');
  list.hold();
  list.refresh({ items: [ran(2, 'b'), ran(3, 'c')], next: 'x', total: 3 });
  list.place(ran(9, 'a'), true);
  expect([list.total, list.isTotalExact]).toEqual([3, false]);
  list.release();
  expect([list.order, list.total]).toEqual([['b', 'c'], 3]);
});
