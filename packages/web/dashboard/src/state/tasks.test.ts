import { fakeWeb, pageOf } from './fake-page.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ShownTask } from '@holdfast/shared';
import { newLink } from '../model/link.ts';
import { aTask } from '../model/samples.ts';
import { noteFrame, takeLink } from './clock.ts';
import { place } from './navigation.ts';
import {
  beginAt,
  holdList,
  list,
  loadTask,
  readList,
  readMore,
  releaseList,
  setFilter,
  startListClock,
  takeTasks,
  taskProblem,
  watchTask,
} from './tasks.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  fakeWeb.asked = [];
  place.value = { filter: { statuses: [] }, tab: 'log' };
});

test('the open task is asked for until it was answered, also where an old row of it is shown', async () => {
  const id = 'open-1';
  place.value = { filter: { statuses: [] }, tab: 'log', taskId: id };
  fakeWeb.answer = () => Response.json(aTask({ id }));
  await loadTask(id);
  fakeWeb.answer = () => Response.json({}, { status: 503 });
  await loadTask(id);
  expect(taskProblem.value?.status).toBe(503);
  fakeWeb.answer = () => Response.json(aTask({ id, status: 'completed' }));
  await vi.advanceTimersByTimeAsync(2000);
  expect([watchTask(id).value?.status, taskProblem.value]).toEqual(['completed', undefined]);
  expect(fakeWeb.asked).toHaveLength(3);
});

test('nobody asks again for a task that is no longer open', async () => {
  place.value = { filter: { statuses: [] }, tab: 'log', taskId: 'open-2' };
  fakeWeb.answer = () => Response.error();
  await loadTask('open-2');
  place.value = { filter: { statuses: [] }, tab: 'log' };
  await vi.advanceTimersByTimeAsync(60_000);
  expect(fakeWeb.asked).toHaveLength(1);
});

test('an open task that is removed is said to be gone, not read for ever', async () => {
  place.value = { filter: { statuses: [] }, tab: 'log', taskId: 'open-3' };
  takeTasks([aTask({ id: 'open-3' })], [], 5);
  fakeWeb.answer = () => Response.json({}, { status: 404 });
  takeTasks([], ['open-3'], 6);
  await vi.advanceTimersByTimeAsync(1);
  expect([watchTask('open-3').value, taskProblem.value?.status]).toEqual([undefined, 404]);
  // So is one whose removal nobody told of.
  takeTasks([aTask({ id: 'open-3' })], [], 7);
  await loadTask('open-3');
  expect(watchTask('open-3').value).toBeUndefined();
});

test('a read that was under way when a task was removed does not bring it back', async () => {
  const answer = Promise.withResolvers<Response>();
  fakeWeb.answer = () => answer.promise;
  const read = readList();
  takeTasks([], ['b'], 12);
  answer.resolve(pageOf(11, [aTask({ id: 'a' }), aTask({ id: 'b' })]));
  await read;
  expect(list.value.order).toEqual(['a']);
});

test('a row that a fresh read lacks and that keeps its place tells what became of it, and is asked for until it does', async () => {
  beginAt(20, false);
  fakeWeb.answer = () => pageOf(20, [aTask({ id: 'k' }), aTask({ id: 'm' })]);
  await readList();
  holdList();
  let answer = Response.json({}, { status: 503 });
  fakeWeb.answer = (path) => (path.includes('?') ? pageOf(30, [aTask({ id: 'm' })]) : answer);
  await readList();
  expect(list.value.order).toEqual(['k', 'm']);
  await vi.advanceTimersByTimeAsync(1);
  answer = Response.json(aTask({ id: 'k', status: 'completed' }));
  await vi.advanceTimersByTimeAsync(2000);
  expect(watchTask('k').value?.status).toBe('completed');
  expect(fakeWeb.asked).toEqual([expect.any(String), expect.any(String), '/api/tasks/k', '/api/tasks/k']);
  releaseList();
});

test('a further page that was asked for while a fresh picture came leaves no hole behind it', async () => {
  const rows = (...ids: number[]): ShownTask[] =>
    ids.map((id) => aTask({ id: `row-${id}`, createdAt: 1_000_000 + id }));
  beginAt(40, true);
  fakeWeb.answer = () => pageOf(40, rows(9, 8), { next: 'behind 8', total: 4 });
  await readList();
  const fresh = Promise.withResolvers<Response>();
  const more = Promise.withResolvers<Response>();
  fakeWeb.answer = (path) => (path.includes('after=') ? more.promise : fresh.promise);
  const reads = [readList(), readMore()];
  fresh.resolve(pageOf(41, rows(10, 9), { next: 'behind 9', total: 5 }));
  await vi.advanceTimersByTimeAsync(1);
  more.resolve(pageOf(41, rows(7, 6)));
  await Promise.all(reads);
  expect(list.value.order).toEqual(['row-10', 'row-9']);
  fakeWeb.answer = () => pageOf(41, rows(8, 7, 6));
  await readMore();
  expect(fakeWeb.asked.at(-1)).toContain('after=behind+9');
  expect(list.value.order).toEqual(['row-10', 'row-9', 'row-8', 'row-7', 'row-6']);
});

test('a total that could not be read, or is older than what the feed has told, is read again on a quiet feed too', async () => {
  beginAt(50, true);
  fakeWeb.answer = () => pageOf(50, [aTask({ id: 'z', createdAt: 9 })], { next: 'behind z', total: 2 });
  await readList();
  fakeWeb.answer = () => Response.error();
  takeTasks([aTask({ id: 'y', createdAt: 8 })], [], 51);
  await vi.advanceTimersByTimeAsync(5001);
  fakeWeb.answer = () => {
    takeTasks([aTask({ id: 'zz', createdAt: 10 })], [], 53);
    fakeWeb.answer = () => pageOf(53, [], { total: 4 });
    return pageOf(52, [], { total: 3 });
  };
  await vi.advanceTimersByTimeAsync(5001);
  expect(list.value.total).toBe(3);
  await vi.advanceTimersByTimeAsync(5001);
  expect(list.value.total).toBe(4);
});

test('a task that is no longer of today leaves the list of today, though no frame tells of midnight', async () => {
  const today = { statuses: ['failed' as const], since: 'today' };
  const failed = aTask({ id: 'f', status: 'failed', endedAt: Date.now() });
  let items = [failed];
  fakeWeb.answer = () => pageOf(60, items);
  beginAt(60, true);
  startListClock();
  setFilter(today);
  await vi.advanceTimersByTimeAsync(1);
  expect(list.value.order).toEqual(['f']);
  items = [];
  noteFrame(Date.now());
  takeLink({ ...newLink(), phase: 'open' });
  await vi.advanceTimersByTimeAsync(30_000);
  noteFrame(Date.now());
  await vi.advanceTimersByTimeAsync(30_000);
  expect(list.value.order).toEqual([]);
  // One that is longer than a read would be cut by it.
  items = Array.from({ length: 501 }, (_, n) => aTask({ ...failed, id: `f${n}`, endedAt: Date.now() }));
  setFilter({ statuses: ['failed'], since: '1d' });
  await vi.waitFor(() => expect(list.value.order).toHaveLength(501));
  fakeWeb.asked = [];
  noteFrame(Date.now());
  await vi.advanceTimersByTimeAsync(30_000);
  expect(list.value.order).toHaveLength(501);
  // The total alone may be asked for.
  expect(fakeWeb.asked.filter((path) => !path.includes('limit=1'))).toEqual([]);
  setFilter({ statuses: [] });
  items = [];
  await vi.advanceTimersByTimeAsync(1);
  const asked = fakeWeb.asked.length;
  await vi.advanceTimersByTimeAsync(90_000);
  expect(fakeWeb.asked).toHaveLength(asked);
});
