import { expect, test } from 'vitest';
import type { TaskEvent } from '@holdfast/shared';
import { attemptRows } from './attempts.ts';
import {
  eventSentence,
  gapText,
  groupsOf,
  kindCounts,
  lacksEventOf,
  lagText,
  recordOf,
  skewText,
  type WebDoubt,
} from './events.ts';
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

test('each event is a sentence', () => {
  expect(events.map(eventSentence)).toEqual([
    'Accepted into session calm-harbor.',
    'Attempt 1 takes a slot.',
    'Attempt 1 runs: process group 42 is confirmed.',
    'Queued again: its process vanished without a word; 1.2 kB of output. It counts against its attempts.',
    expect.stringMatching(/^Attempt 2 is claimed by worker ci-3, with a lease until [\d:.]+\.$/),
  ]);
  const end = { attempt: 2, at: 700, from: 'running', to: 'failed' } as const;
  const data = { outcome: { reason: 'exit' as const, exitCode: 7 }, endedAt: 690, outputBytes: 3 };
  expect(eventSentence({ ...base, ...end, seq: 7, kind: 'failed', data })).toBe(
    'Failed: exit 7; 3 B of output.',
  );
});

test('an event of a kind that this version does not know is named as it is', () => {
  const foreign: unknown = {
    ...base,
    seq: 9,
    kind: 'teleported',
    attempt: 1,
    at: 1,
    from: null,
    to: 'queued',
  };
  expect(eventSentence(foreign as TaskEvent)).toBe('teleported');
});

test('a lag is said when it is worth saying, and a clock that is ahead when that is certain', () => {
  expect([9, 1000, -1000, 1001, -2500].map(lagText)).toEqual(['', '', '', '+1.0 s', '−2.5 s']);
  const receivedWith = (lags: number[]) =>
    events.map(({ seq, at }, i) => ({ seq, receivedAt: at + (lags[i] ?? 0) }));
  // Late is no proof: it may have been on its way.
  expect(skewText(events, receivedWith([5000, 90_000, 5000, 5000, 5000]), 'build-2')).toBeUndefined();
  expect(skewText(events, receivedWith([9, -3400, 20, 9, 9]), 'build-2')).toBe(
    'The clock of build-2 is ahead of web’s by at least 3.4 s.',
  );
  expect(skewText(events, [], 'build-2')).toBeUndefined();
});

test('the record is told by attempts, and a gap where it stands', () => {
  const doubt: WebDoubt = { reason: 'agent_unreachable', lastStatus: 'running', asOf: 1, since: 450 };
  const received = events.map(({ seq, at }) => ({ seq, receivedAt: at }));
  const groups = groupsOf(recordOf(events, received, [doubt]));
  expect(
    groups.map(({ attempt, entries }) => [
      attempt,
      entries.map((entry) => (entry.kind === 'gap' ? 'gap' : entry.event.seq)),
    ]),
  ).toEqual([
    [0, [1]],
    [1, [2, 3, 'gap', 5]],
    [2, [6]],
  ]);
  expect(kindCounts(events)).toEqual([
    ['submitted', 1],
    ['claimed', 2],
    ['started', 1],
    ['requeued', 1],
  ]);
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

test('how two clocks differ is what the heartbeats show, either way, and else what the events prove', () => {
  const events = [{ seq: 1, at: 100_000 }];
  const received = [{ seq: 1, receivedAt: 60_000 }];
  expect(skewText(events, received, 'build-2', 3_480_000)).toBe(
    'The clock of build-2 is 58 min ahead of web’s.',
  );
  expect(skewText([], [], 'build-2', -3_480_000)).toBe('The clock of build-2 is 58 min behind web’s.');
  expect(skewText(events, received, 'build-2')).toMatch(/ahead of web’s by at least 40 s/);
});

test('a row whose own event is not there is ahead of its events, whatever an older journal counted to', () => {
  expect(lacksEventOf([{ seq: 900 }], { seq: 5 })).toBe(true);
  expect(lacksEventOf([{ seq: 4 }], { seq: 5 })).toBe(true);
  expect(lacksEventOf([{ seq: 4 }, { seq: 5 }, { seq: 7 }], { seq: 5 })).toBe(false);
  // No agent has stated it: there is nothing to wait for.
  expect(lacksEventOf([], { seq: 0 })).toBe(false);
});
