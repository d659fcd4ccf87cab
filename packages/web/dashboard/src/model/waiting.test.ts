import { expect, test } from 'vitest';
import { anAgent, aTask } from './samples.ts';
import { waitReasons, waitText } from './waiting.ts';

const now = new Date(2026, 10, 21, 14, 10).getTime();
const live = { state: 'live', asOf: now } as const;
const pool = { slots: 4, running: 1, queued: 2, paused: false, draining: false };
const queued = aTask({ status: 'queued', attempt: 0 });
const why = (task = queued, more: Partial<typeof pool> & { attention?: [] } = {}): string[] =>
  waitReasons(task, anAgent({ pool: { ...pool, ...more } }), live, now);

test('with a free slot nothing keeps a task', () => {
  expect(why()).toEqual([]);
  expect(waitText([])).toBe('');
});

test('a full, paused or draining pool is named', () => {
  expect(why(queued, { running: 4, queued: 12 })).toEqual(['all 4 slots are in use, 12 tasks queued']);
  expect(why(queued, { paused: true })).toEqual(['build-2 is paused and starts nothing']);
  expect(why(queued, { paused: true, draining: true })).toEqual(['build-2 is draining and starts nothing']);
});

test('a full disk is told in the agent’s own words', () => {
  const attention = [{ code: 'low_disk', message: '12 MB are left on its disk.', sinceAt: now }];
  const agent = anAgent({ pool: { ...pool, attention } });
  expect(waitReasons(queued, agent, live, now)).toEqual(['12 MB are left on its disk']);
});

test('a retry that waits for its time counts down, while somebody vouches', () => {
  const task = aTask({ status: 'queued', notBeforeAt: now + 65_000 });
  expect(why(task)).toEqual(['its next try is in 1:05 (14:11:05)']);
  expect(why({ ...task, notBeforeAt: now + 46_200 })).toEqual(['its next try is in 47 s (14:10:46)']);
  expect(why({ ...task, notBeforeAt: now + 24 * 3_600_000 })).toEqual([
    'its next try is in 1 d 0 h (22 Nov, 14:10:00)',
  ]);
  // Its time is the agent's own: by an hour too late it is not due an hour earlier.
  const ahead = { ...live, aheadMs: 3_600_000 };
  expect(waitReasons({ ...task, notBeforeAt: now + 3_647_000 }, anAgent({ pool }), ahead, now)).toEqual([
    'its next try is in 47 s (15:10:47)',
  ]);
  expect(waitReasons(task, anAgent(), { state: 'stale', asOf: now }, now)).toEqual([
    'it is not tried again before 14:11:05',
  ]);
});

test('a task of another queue waits for a worker, however many slots are free', () => {
  expect(why(aTask({ status: 'queued', queue: 'ci' }), { paused: true })).toEqual([
    'a worker of queue ci has to claim it',
  ]);
});

test('a concurrency key is a reason of its own', () => {
  const task = aTask({ status: 'queued', spec: { shell: 'x', concurrencyKey: 'deploy' } });
  expect(waitText(why(task, { running: 4 }))).toBe(
    ' It waits: all 4 slots are in use, 2 tasks queued; of the tasks with the key “deploy” one runs at a time.',
  );
});
