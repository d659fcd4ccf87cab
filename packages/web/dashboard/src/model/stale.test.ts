import { expect, test } from 'vitest';
import type { Certainty } from './certainty.ts';
import { aTask } from './samples.ts';
import { isUnderWay, staleOf } from './stale.ts';

const now = new Date(2026, 10, 21, 14, 10).getTime();
const live: Certainty = { state: 'live', asOf: now - 500 };
const claim = { worker: 'ci-3', leaseExpiresAt: now + 30_000, lastHeartbeatAt: now - 30_000 };

test('a task that its agent vouches for is not stale, however quiet it is', () => {
  const quiet = aTask({ lastOutputAt: 0, process: { pid: 4, startedAt: 0, verifiedAt: 0 } });
  expect(staleOf(quiet, live, now)).toBeUndefined();
  expect(staleOf(aTask({ claim }), live, now)).toBeUndefined();
});

test('a lease that has run out by web’s clock makes its claim stale, proven last by its heartbeat', () => {
  const over = { ...claim, leaseExpiresAt: now - 5000, lastHeartbeatAt: now - 65_000 };
  expect(staleOf(aTask({ claim: over }), live, now)).toEqual({
    code: 'lease_expired',
    badge: 'stale: lease over',
    text: 'The lease of worker ci-3 ran out 5 s ago.',
    sinceAt: now - 5000,
    provenAt: now - 65_000,
  });
});

test('while nobody vouches, a lease is judged as of the last proof: its worker may have renewed it', () => {
  const blind: Certainty = { state: 'stale', asOf: now - 60_000, reason: 'agent_unreachable' };
  const since = { ...claim, leaseExpiresAt: now - 10_000 };
  expect(staleOf(aTask({ claim: since }), blind, now)).toBeUndefined();
  const before = { ...claim, leaseExpiresAt: now - 70_000 };
  expect(staleOf(aTask({ claim: before }), blind, now)).toMatchObject({
    code: 'lease_expired',
    text: 'The lease of worker ci-3 ran out at 14:08.',
  });
});

test('what its agent finds stale is said in the agent’s words', () => {
  const silent = [
    { code: 'claim_silent', message: 'worker ci-3 has been silent for 40 s', sinceAt: now - 9000 },
  ];
  expect(staleOf(aTask({ claim, attention: silent }), live, now)).toMatchObject({
    code: 'claim_silent',
    badge: 'stale: worker silent',
    text: 'Worker ci-3 has been silent for 40 s.',
    sinceAt: now - 9000,
    provenAt: claim.lastHeartbeatAt,
  });
  const unseen = [
    { code: 'output_lost', message: 'm', sinceAt: now },
    { code: 'probe_failed', message: '/proc cannot be read.', sinceAt: now - 8000 },
  ];
  expect(staleOf(aTask({ attention: unseen }), live, now)).toMatchObject({
    code: 'probe_failed',
    text: '/proc cannot be read.',
    provenAt: now - 8000,
  });
  expect(staleOf(aTask({ attention: unseen.slice(0, 1) }), live, now)).toBeUndefined();
});

test('only what is under way, as far as is known, can be stale', () => {
  const over = { ...claim, leaseExpiresAt: now - 5000 };
  for (const status of ['queued', 'submitted', 'completed', 'failed', 'cancelled', 'lost'] as const) {
    expect(staleOf(aTask({ status, claim: over }), live, now)).toBeUndefined();
  }
  const unknown = aTask({ status: 'unknown', lastStatus: 'running', claim: over });
  expect(isUnderWay(unknown)).toBe(true);
  expect(staleOf(unknown, { state: 'unknown', asOf: now }, now)).toMatchObject({ code: 'lease_expired' });
  expect(isUnderWay(aTask({ status: 'unknown', lastStatus: 'queued' }))).toBe(false);
});

test('a lease is judged by the clock that it was given by', () => {
  for (const aheadMs of [-3_600_000, 3_600_000]) {
    const moved = (left: number) => ({ ...claim, leaseExpiresAt: now + aheadMs + left });
    expect(staleOf(aTask({ claim: moved(30_000) }), { ...live, aheadMs }, now)).toBeUndefined();
    expect(staleOf(aTask({ claim: moved(-5000) }), { ...live, aheadMs }, now)?.text).toMatch(
      /ran out 5 s ago/,
    );
  }
});
