import { expect, test } from 'vitest';
import type { TaskEvent } from '@holdfast/shared';
import { attemptRows } from './attempts.ts';
import { eventText, eventWord, gapText, recordOf, type WebDoubt } from './events.ts';
import { aTask } from './samples.ts';

const base = { taskId: 't', sessionId: 's' };
const task = { ...aTask(), agentId: 'a1', status: 'queued' as const };
const outcome = { reason: 'process_vanished' as const };
const events: TaskEvent[] = [
  { ...base, seq: 1, kind: 'submitted', attempt: 0, at: 100, from: null, to: 'queued', data: { task } },
  { ...base, seq: 2, kind: 'claimed', attempt: 1, at: 200, from: 'queued', to: 'starting' },
  {
    ...base,
    seq: 3,
    kind: 'started',
    attempt: 1,
    at: 300,
    from: 'starting',
    to: 'running',
    data: { process: { pid: 42, startedAt: 290, verifiedAt: 300 } },
  },
  {
    ...base,
    seq: 5,
    kind: 'requeued',
    attempt: 1,
    at: 500,
    from: 'running',
    to: 'queued',
    data: { charged: true, outcome, outputBytes: 1200 },
  },
  {
    ...base,
    seq: 6,
    kind: 'claimed',
    attempt: 2,
    at: 600,
    from: 'queued',
    to: 'starting',
    data: { claim: { worker: 'ci-3', leaseExpiresAt: 900, lastHeartbeatAt: 600 } },
  },
];

test('each event is told in words', () => {
  expect(events.map((event) => `${eventWord(event.kind)}: ${eventText(event)}`)).toEqual([
    'Accepted: session calm-harbor',
    'Claimed: attempt 1 takes a slot',
    'Started: process group 42 confirmed',
    'Queued again: its process vanished without a word; counts against its attempts; 1.2 kB of output',
    expect.stringMatching(/^Claimed: attempt 2, by worker ci-3, lease until /),
  ]);
  expect(eventWord('teleported')).toBe('teleported');
});

test('attempts are known from the events alone, and their agent adds to them', () => {
  expect(attemptRows(events)).toEqual([
    { attempt: 2, claimedAt: 600, worker: 'ci-3' },
    {
      attempt: 1,
      claimedAt: 200,
      startedAt: 300,
      pid: 42,
      endedAt: 500,
      outcome,
      isCharged: true,
      outputBytes: 1200,
    },
  ]);
  const said = [{ attempt: 2, claimedAt: 600, startedAt: 610, outputBytes: 7 }];
  expect(attemptRows(events, said)[0]).toEqual({
    attempt: 2,
    claimedAt: 600,
    startedAt: 610,
    worker: 'ci-3',
    outputBytes: 7,
  });
});

test('a gap stands before the first event that was learned after it began', () => {
  const doubt: WebDoubt = {
    reason: 'agent_unreachable',
    lastStatus: 'running',
    asOf: 350,
    since: 400,
    resolvedAt: 700,
  };
  const received = [1, 2, 3, 5, 6].map((seq) => ({ seq, receivedAt: seq < 5 ? seq * 100 : 700 }));
  const kinds = (doubts: WebDoubt[]) =>
    recordOf(events, received, doubts).map((entry) => (entry.kind === 'gap' ? 'gap' : entry.event.seq));
  expect(kinds([doubt])).toEqual([1, 2, 3, 'gap', 5, 6]);
  expect(kinds([{ ...doubt, since: 900 }])).toEqual([1, 2, 3, 5, 6, 'gap']);
});

test('a gap says why, how long, and what it turned out to be', () => {
  const at = new Date(2026, 10, 21, 14, 2, 11).getTime();
  const doubt: WebDoubt = { reason: 'agent_unreachable', lastStatus: 'running', asOf: at, since: at + 10 };
  expect(
    gapText({ ...doubt, resolvedAt: at + 40_000, resolvedTo: 'completed' }, 'build-2', at + 50_000),
  ).toBe(
    '14:02:11.000 to 14:02:51.000 (40 s): nothing was heard from build-2. It was running; then the truth: completed.',
  );
  expect(gapText(doubt, 'build-2', at + 40_000)).toBe(
    'Since 14:02:11.000 (40 s) nothing was heard from build-2. It was running; what is true now is not known.',
  );
});
