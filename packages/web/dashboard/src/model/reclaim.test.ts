import { expect, test } from 'vitest';
import type { ShownTask, TaskEvent } from '@holdfast/shared';
import type { Certainty } from './certainty.ts';
import {
  canReclaim,
  claimFacts,
  notStaleText,
  reclaimConsequence,
  reclaimEvidence,
  reclaimProgress,
} from './reclaim.ts';
import { anAgent, aTask } from './samples.ts';
import { staleOf } from './stale.ts';

const now = new Date(2026, 10, 21, 14, 10).getTime();
const agent = anAgent();
const live: Certainty = { state: 'live', asOf: now };
const claim = { worker: 'ci-3', leaseExpiresAt: now - 5000, lastHeartbeatAt: now - 65_000 };

const requeued = (attempt: number, reason: 'reclaimed' | 'lease_expired' = 'reclaimed'): TaskEvent => ({
  seq: 4,
  kind: 'requeued',
  taskId: 't',
  sessionId: 's',
  attempt,
  from: 'running',
  to: 'queued',
  at: now - 60_000,
  data: { charged: false, outcome: { reason }, outputBytes: 0 },
});

const statesOf = (task: ShownTask, events: TaskEvent[] = []) =>
  reclaimProgress(task, events, agent, now)?.steps.map(({ name, state }) => `${name} ${state}`);

test('a reclaim is asked, then acknowledged, then followed by the next attempt', () => {
  const pending = [{ intent: 'i', action: 'reclaim' as const, sinceAt: now - 3000 }];
  expect(statesOf(aTask({ claim, pending }))).toEqual(['asked done', 'acknowledged now', 'next waiting']);
  const queued = aTask({ status: 'queued', outcome: { reason: 'reclaimed' } });
  expect(statesOf(queued)).toEqual(['asked done', 'acknowledged done', 'next now']);
  expect(statesOf(queued, [requeued(1)])).toEqual(['asked done', 'acknowledged done', 'next now']);
  const next = aTask({ attempt: 2, claim: { ...claim, worker: 'ci-4' } });
  expect(statesOf(next, [requeued(1)])).toEqual(['asked done', 'acknowledged done', 'next done']);
  expect(reclaimProgress(next, [requeued(1)], agent, now)).toMatchObject({
    attempt: 1,
    steps: [{}, { text: 'Attempt 1 given up by build-2 at 14:09' }, { text: 'Attempt 2 began, worker ci-4' }],
  });
});

test('a managed task is shown as stopping until its processes are gone', () => {
  const stopping = aTask({ stopRequested: { cause: 'reclaim', at: now } });
  expect(statesOf(stopping)).toEqual(['asked done', 'acknowledged now', 'next waiting']);
  expect(canReclaim(stopping)).toBe(false);
  expect(statesOf(aTask({ stopRequested: { cause: 'timeout', at: now } }))).toBeUndefined();
});

test('an agent that is away is waited for, and nothing is shown as acknowledged', () => {
  const pending = [{ intent: 'i', action: 'reclaim' as const, sinceAt: now - 3000 }];
  const away = anAgent({ state: 'lost' });
  const progress = reclaimProgress(aTask({ claim, pending }), [], away, now);
  expect(progress?.steps[1]).toEqual({
    name: 'acknowledged',
    state: 'now',
    text: 'Waits for build-2 to return',
  });
});

test('an old reclaim is no news: not after a further attempt, not once the task has ended, not if it was lost otherwise', () => {
  expect(statesOf(aTask({ attempt: 3 }), [requeued(1)])).toBeUndefined();
  expect(statesOf(aTask({ status: 'completed', attempt: 2 }), [requeued(1)])).toBeUndefined();
  expect(statesOf(aTask({ attempt: 2 }), [requeued(1, 'lease_expired')])).toBeUndefined();
});

test('the evidence says since when, which attempt and whose it is', () => {
  const task = aTask({ attempt: 2, claim: { ...claim, progress: 'half' } });
  expect(reclaimEvidence(task, staleOf(task, live, now), live, now)).toEqual([
    ['Stale since', '5 s ago'],
    ['Attempt', '2'],
    ['Worker', 'ci-3'],
    ['Last heartbeat', '1 min ago'],
    ['Lease', 'over for 5 s'],
    ['Progress', 'half'],
  ]);
  const managed = aTask({ process: { pid: 42, startedAt: 0, verifiedAt: now - 4000 } });
  expect(reclaimEvidence(managed, undefined, live, now)).toEqual([
    ['Attempt', '1'],
    ['Process', 'pid 42, put on record 4 s ago'],
  ]);
  expect(notStaleText(live)).toMatch(/^It is not stale/);
});

test('while nobody vouches, a claim’s facts are times of day, and a lease may have been renewed', () => {
  const blind: Certainty = { state: 'unknown', asOf: now - 60_000 };
  expect(claimFacts(claim, blind, now)).toEqual([
    ['Worker', 'ci-3'],
    ['Last heartbeat', 'at 14:08'],
    ['Lease', 'until 14:09, if it was not renewed'],
  ]);
  expect(notStaleText(blind)).toMatch(/what holds now is not known/);
});

test('what a reclaim does is said before it is asked for', () => {
  expect(reclaimConsequence(aTask(), agent)).toMatch(/^Its processes are stopped first/);
  expect(reclaimConsequence(aTask({ claim }), agent)).toMatch(/^The claim is taken back at once/);
  expect(reclaimConsequence(aTask({ attempt: 2, claim }), anAgent({ state: 'lost' }))).toMatch(
    /delivered when it returns, and does nothing if attempt 2 is over by then\.$/,
  );
});

test('a claim is as old as it is, whatever the clock its times are from', () => {
  const moved = { ...claim, leaseExpiresAt: now + 3_655_000, lastHeartbeatAt: now + 3_595_000 };
  expect(claimFacts(moved, { ...live, aheadMs: 3_600_000 }, now)).toMatchObject([
    ['Worker', 'ci-3'],
    ['Last heartbeat', '5 s ago'],
    ['Lease', 'for 55 s more'],
  ]);
});
