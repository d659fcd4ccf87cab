import { expect, test } from 'vitest';
import { certaintyOf } from './certainty.ts';
import type { LinkState } from './link.ts';
import { anAgent, aTask } from './samples.ts';
import { agentSentence, agentWord, linkText, outcomeText, pendingText, taskSentence } from './sentence.ts';
import type { ShownAgent, ShownTask } from '@holdfast/shared';

const now = new Date(2026, 10, 21, 14, 10).getTime();
const startedAt = new Date(2026, 10, 21, 14, 2).getTime();
const live: LinkState = { state: 'live', ageMs: 200 };
const say = (
  task: ShownTask,
  agent: ShownAgent | undefined = anAgent({ asOf: now - 800 }),
  link: LinkState = live,
): string => taskSentence({ task, agent, certainty: certaintyOf(task, agent, link, now), now });

test('a vouched running task says where, since when and when it last spoke', () => {
  expect(say(aTask({ startedAt, lastOutputAt: now - 3000 }))).toBe(
    'Running on build-2 since 14:02; last output 3 s ago.',
  );
});

test('a stale one says first what was said and then why it may be wrong, with no age that grows', () => {
  const late = anAgent({ state: 'late', asOf: now - 12_000 });
  expect(say(aTask({ startedAt, lastOutputAt: now - 20_000 }), late)).toBe(
    'Running on build-2 since 14:02; last output seen at 14:09. That is 12 s old: build-2 has not been heard since.',
  );
});

test('an unknown one says the doubt first', () => {
  const task = aTask({
    status: 'unknown',
    lastStatus: 'running',
    knowledge: { state: 'unknown', asOf: now - 40_000, reason: 'agent_unreachable' },
  });
  expect(say(task, anAgent({ state: 'lost', asOf: now - 40_000 }))).toBe(
    'Unknown: build-2 has been silent for 40 s; it was running; the process may still run.',
  );
});

test('a browser that hears nothing asserts nothing', () => {
  expect(say(aTask({ startedAt }), anAgent({ asOf: now }), { state: 'blind', ageMs: 21_000 })).toBe(
    'Unknown: the web service has been silent for 21 s; it was running; the process may still run.',
  );
});

test('each link that is not heard has an age of its own', () => {
  const late = anAgent({ state: 'live', asOf: now - 12_000 });
  expect(say(aTask({ startedAt }), late, { state: 'stale', ageMs: 9000 })).toMatch(
    / That is 12 s old: the web service has been silent for 9 s\.$/,
  );
  const task = aTask({
    status: 'unknown',
    lastStatus: 'running',
    knowledge: { state: 'unknown', asOf: now - 49_000, reason: 'agent_unreachable' },
  });
  expect(say(task, anAgent({ state: 'lost', asOf: now - 49_000 }), { state: 'blind', ageMs: 9000 })).toBe(
    'Unknown: the web service has been silent for 9 s, before that build-2 had been silent for 40 s; it was running; the process may still run.',
  );
});

test('a verdict says what was known when it was given, and the truth that replaces it says that it did', () => {
  const verdict = { at: startedAt };
  expect(say(aTask({ status: 'lost', lastStatus: 'running', verdict }))).toBe(
    'Lost: it was running when web stopped hearing of it; given up by a person at 14:02.',
  );
  expect(say(aTask({ status: 'lost', verdict: { ...verdict, note: 'host burnt' } }))).toBe(
    'Lost: given up by a person at 14:02: “host burnt”.',
  );
  const overruled = ' It had been given up as lost at 14:02; its agent’s word replaced that.';
  const ended = { startedAt, endedAt: startedAt + 95_000, outcome: { reason: 'exit' as const, exitCode: 0 } };
  expect(say(aTask({ ...ended, status: 'completed', verdict }))).toBe(
    `Completed on build-2 at 14:03 after 1:35, exit 0.${overruled}`,
  );
  expect(say(aTask({ startedAt, verdict }))).toBe(
    `Running on build-2 since 14:02; no output yet.${overruled}`,
  );
});

test('an ended one says how, when and after how long', () => {
  const ended = { startedAt, endedAt: startedAt + 95_000 };
  expect(say(aTask({ ...ended, status: 'completed', outcome: { reason: 'exit', exitCode: 0 } }))).toBe(
    'Completed on build-2 at 14:03 after 1:35, exit 0.',
  );
  expect(say(aTask({ ...ended, status: 'failed', outcome: { reason: 'exit', exitCode: 7 } }))).toBe(
    'Failed on build-2 at 14:03 after 1:35: exit 7.',
  );
});

test('a task that nobody took says what it waits for', () => {
  const { agentId: _, ...unassigned } = aTask({ status: 'submitted' });
  expect(say(unassigned, undefined)).toBe('Submitted; it waits for an agent to be live.');
});

test('a pending cancel says that it will be delivered, not that it is done', () => {
  const task = aTask({
    pending: [{ intent: 'i', action: 'cancel', sinceAt: 1, lastError: 'connect refused' }],
  });
  expect(pendingText(task, anAgent({ state: 'lost' }))).toBe(
    'Cancel will be delivered when build-2 returns (last try: connect refused).',
  );
  expect(pendingText(task, anAgent())).toMatch(/^Cancel is being delivered to build-2/);
  expect(pendingText(aTask(), anAgent())).toBeUndefined();
  expect(pendingText(aTask(), anAgent(), now)).toBeUndefined();
  expect(pendingText(task, anAgent(), startedAt + 11_000)).toBe(
    'Cancel was being delivered to build-2 (last try: connect refused) as of 14:02:11, when web was last heard. What became of it since is not known.',
  );
  expect(pendingText(task, anAgent({ state: 'lost' }), startedAt)).toMatch(
    /^Cancel was to be delivered when build-2 returns .* as of 14:02:00/,
  );
});

test('an exit code above 128 is told as it is, the signal as a reading', () => {
  expect(outcomeText({ reason: 'exit', exitCode: 137, signal: 'SIGKILL' })).toBe(
    'exit 137 (perhaps SIGKILL)',
  );
});

test('an agent that never spoke is not said to be silent since 1970', () => {
  expect(agentSentence(anAgent({ state: 'connecting', asOf: 0 }), now)).toBe('Connecting; never heard.');
});

test('an agent that answers but cannot vouch is not called silent', () => {
  const words = [
    anAgent({ state: 'lost', reason: 'agent_degraded' }),
    anAgent({ state: 'lost', reason: 'agent_unreachable' }),
    anAgent({ state: 'refused' }),
  ].map(agentWord);
  expect(words).toEqual(['degraded', 'silent', 'refused']);
});

test('the truth bar says how old the picture is and when it is tried again', () => {
  expect(linkText({ state: 'live', ageMs: 800 }, false)).toBe('Live · proof 0.8 s ago');
  expect(linkText({ state: 'live', ageMs: 800 }, true)).toBe('Resyncing');
  expect(linkText({ state: 'stale', ageMs: 12_000, retryInMs: 2400 }, false)).toBe(
    'Stale 12 s · retry in 3 s',
  );
});

test('a stale claim says so although its agent vouches for the row', () => {
  const claim = { worker: 'ci-3', leaseExpiresAt: now - 5000, lastHeartbeatAt: now - 65_000 };
  expect(say(aTask({ startedAt, claim }))).toBe(
    'Running on build-2 since 14:02, by worker ci-3. Stale: The lease of worker ci-3 ran out 5 s ago.',
  );
});

test('why an agent itself starts nothing is part of what is said of it', () => {
  const attention = [
    { code: 'low_disk', message: '12 MB are left on its disk; it starts nothing', sinceAt: now },
  ];
  const pool = { slots: 4, running: 1, queued: 2, paused: false, draining: false, attention };
  expect(agentSentence(anAgent({ asOf: now - 800, pool }), now)).toBe(
    'Live, last vouched 0.8 s ago. 1 of 4 slots in use, 2 queued. 12 MB are left on its disk; it starts nothing.',
  );
});

test('a queued one says why it waits', () => {
  const pool = { slots: 1, running: 1, queued: 2, paused: false, draining: false };
  const task = aTask({ status: 'queued', attempt: 0, createdAt: startedAt });
  expect(say(task, anAgent({ asOf: now - 800, pool }))).toBe(
    'Queued on build-2 since 14:02. It waits: its only slot is in use, 2 tasks queued.',
  );
});

test('one that is being stopped says why and since when', () => {
  const stopRequested = { cause: 'timeout' as const, at: startedAt + 60_000 };
  expect(say(aTask({ startedAt, stopRequested }))).toBe(
    'Running on build-2 since 14:02; its time is over, it is being stopped since 14:03.',
  );
});

test('a submit that its agent refused is said to be refused: it never ran', () => {
  const refused = { action: 'submit' as const, message: 'no such directory', at: startedAt };
  const task = aTask({ status: 'failed', seq: 0, attempt: 0, endedAt: startedAt, refused });
  const { startedAt: _, ...never } = task;
  expect(say(never)).toBe('Refused by build-2 at 14:02: it never ran.');
  // One that ran, and of which a later action was refused, failed as it failed.
  expect(say(aTask({ ...task, seq: 5, attempt: 1, outcome: { reason: 'exit', exitCode: 7 } }))).toMatch(
    /^Failed on build-2 .*exit 7/,
  );
});

test('a cancel that took SIGKILL says so', () => {
  const stopRequested = { cause: 'cancel' as const, at: startedAt + 60_000 };
  const ended = { status: 'cancelled' as const, startedAt, endedAt: startedAt + 64_000, stopRequested };
  const outcome = { reason: 'cancelled_by_user' as const, exitCode: 137, signal: 'SIGKILL' };
  expect(say(aTask({ ...ended, outcome }))).toBe(
    'Cancelled on build-2 at 14:03 after 1:04: SIGTERM was ignored, SIGKILL after 4.0 s.',
  );
  expect(say(aTask({ ...ended, outcome: { ...outcome, exitCode: 143, signal: 'SIGTERM' } }))).toBe(
    'Cancelled on build-2 at 14:03 after 1:04.',
  );
});

test('ages do not depend on the agent’s clock; its times are as it says them, with how far it is off', () => {
  const HOUR_MS = 3_600_000;
  const ahead = anAgent({ asOf: now - 800, clockAheadMs: HOUR_MS });
  const task = aTask({ startedAt: startedAt + HOUR_MS, lastOutputAt: now + HOUR_MS - 3000 });
  expect(say(task, ahead)).toBe(
    'Running on build-2 since 15:02; last output 3 s ago. The clock of build-2 is 1 h ahead of web’s.',
  );
  const behind = anAgent({ asOf: now - 800, clockAheadMs: -HOUR_MS });
  const ended = { status: 'completed' as const, startedAt, endedAt: startedAt + 95_000 };
  expect(say(aTask(ended), behind)).toBe(
    'Completed on build-2 at 14:03 after 1:35. The clock of build-2 is 1 h behind web’s.',
  );
});

test('that neither link is heard is said in one sentence', () => {
  const late = anAgent({ state: 'late', asOf: now - 12_000, reason: 'agent_unreachable' });
  expect(say(aTask({ startedAt }), late, { state: 'stale', ageMs: 5000 })).toMatch(
    / That is 12 s old: build-2 has not been heard since, and the web service has been silent for 5 s\.$/,
  );
});

test('a task that printed too much says what its limit was, while it is stopped and after', () => {
  const passed = 'its output passed the limit of 256 MiB';
  const stopRequested = { cause: 'output_limit' as const, at: startedAt + 60_000, message: passed };
  expect(say(aTask({ startedAt, stopRequested }))).toBe(
    `Running on build-2 since 14:02; ${passed}, it is being stopped since 14:03.`,
  );
  const outcome = { reason: 'output_limit' as const, message: `stopped because ${passed}` };
  expect(say(aTask({ status: 'failed', startedAt, endedAt: startedAt + 61_000, outcome }))).toBe(
    `Failed on build-2 at 14:03 after 1:01: printed too much (${passed}).`,
  );
});
