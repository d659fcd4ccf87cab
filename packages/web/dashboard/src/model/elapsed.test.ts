import { expect, test } from 'vitest';
import type { Certainty } from './certainty.ts';
import { elapsedText, isWaiting } from './elapsed.ts';
import { aTask } from './samples.ts';

const now = new Date(2026, 10, 21, 14, 10).getTime();
const HOUR_MS = 3_600_000;
const live: Certainty = { state: 'live', asOf: now };
const late: Certainty = { state: 'stale', asOf: now - 20_000, reason: 'agent_unreachable' };

test('what runs counts on while it is vouched for, and stands at the last proof while it is not', () => {
  const task = aTask({ startedAt: now - 60_000 });
  expect(elapsedText(task, live, now)).toBe('1:00');
  expect(elapsedText(task, late, now)).toBe('0:40+');
});

test('a clock that differs from web’s changes no length of time', () => {
  for (const aheadMs of [-HOUR_MS, HOUR_MS]) {
    const task = aTask({ startedAt: now - 60_000 + aheadMs });
    expect(elapsedText(task, { ...live, aheadMs }, now)).toBe('1:00');
    expect(elapsedText(task, { ...late, aheadMs }, now)).toBe('0:40+');
    const claim = {
      worker: 'w',
      leaseExpiresAt: now + aheadMs - 5000,
      lastHeartbeatAt: now + aheadMs - 30_000,
    };
    expect(elapsedText({ ...task, claim }, { ...live, aheadMs }, now)).toBe('0:30+');
  }
});

test('a wait is as long as the wait: of a task that was queued again it begins with that, and is not made up', () => {
  const first = aTask({ status: 'queued', attempt: 0, createdAt: now - 9000 });
  const { startedAt: _, ...waiting } = first;
  expect(isWaiting(waiting)).toBe(true);
  expect(elapsedText(waiting, live, now)).toBe('0:09');
  const again = { ...waiting, attempt: 2, createdAt: now - HOUR_MS };
  expect(elapsedText(again, live, now, now - 3000)).toBe('0:03');
  expect(elapsedText({ ...again, statusAt: now - 3000 }, live, now)).toBe('0:03');
  expect(elapsedText(again, live, now)).toBe('');
});

test('what has ended took as long as it took', () => {
  const ended = { status: 'failed' as const, startedAt: now - 4000, endedAt: now - 2600 };
  expect(elapsedText(aTask(ended), live, now)).toBe('1.4 s');
});
