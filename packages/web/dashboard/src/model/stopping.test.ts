import { expect, test } from 'vitest';
import { anAgent, aTask } from './samples.ts';
import { stopSteps } from './stopping.ts';

const now = new Date(2026, 10, 21, 14, 10).getTime();
const live = { state: 'live', asOf: now } as const;
const steps = (
  change: Parameters<typeof aTask>[0],
  agent = anAgent(),
  certainty: Parameters<typeof stopSteps>[2] = live,
) => stopSteps(aTask(change), agent, certainty, now)?.map(({ state, text }) => `${state}: ${text}`);

test('nobody asked to stop it, or a reclaim tells of itself: there are no steps', () => {
  expect(steps({})).toBeUndefined();
  expect(steps({ stopRequested: { cause: 'reclaim', at: now } })).toBeUndefined();
  expect(steps({ status: 'cancelled', stopRequested: { cause: 'cancel', at: now } })).toBeUndefined();
});

test('a cancel that is not delivered waits for the agent', () => {
  const pending = [{ intent: 'i', action: 'cancel' as const, sinceAt: now - 5000 }];
  expect(steps({ pending }, anAgent({ state: 'lost' }))).toEqual([
    'done: Cancel asked 5 s ago',
    'now: Waits for build-2 to return',
    'waiting: Its processes are gone',
  ]);
  const unheard = { state: 'stale', asOf: now - 9000, heardAt: now - 9000 } as const;
  expect(steps({ pending }, anAgent(), unheard)?.[1]).toBe(
    'now: Whether it was delivered is not known: web is not heard',
  );
});

test('an acknowledged one shows how long the ladder has taken, and what cannot be killed', () => {
  const stopRequested = { cause: 'timeout' as const, at: now - 12_000 };
  expect(steps({ stopRequested })).toEqual([
    'done: Its time is over',
    'done: On record at build-2 since 14:09:48',
    'now: Its processes were sent SIGTERM 0:12 ago; those that stay get SIGKILL after the agent’s grace',
  ]);
  const attention = [{ code: 'unkillable', message: 'pid 7 cannot be killed', sinceAt: now }];
  expect(steps({ stopRequested, attention })?.at(-1)).toBe('now: pid 7 cannot be killed');
});

test('while nobody vouches, it is not said that anything was sent', () => {
  const stopRequested = { cause: 'cancel' as const, at: now - 12_000 };
  expect(steps({ stopRequested }, anAgent(), { state: 'unknown', asOf: now })?.at(-1)).toBe(
    'now: Whether its processes are gone is not known',
  );
});

test('a stop is as old as it is, whatever the clock it was put on record by', () => {
  const stopRequested = { cause: 'cancel' as const, at: now + 3_600_000 - 4000 };
  const text = steps({ stopRequested }, anAgent(), { ...live, aheadMs: 3_600_000 })?.at(-1);
  expect(text).toContain('SIGTERM 0:04 ago');
});

test('a limit that was passed is named', () => {
  const message = 'its output passed the limit of 256 MiB';
  expect(steps({ stopRequested: { cause: 'output_limit', at: now, message } })?.[0]).toBe(
    'done: Its output passed the limit of 256 MiB',
  );
  expect(steps({ stopRequested: { cause: 'output_limit', at: now } })?.[0]).toBe('done: Printed too much');
});
