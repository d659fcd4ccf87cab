import { expect, test } from 'vitest';
import { spansOf } from './timeline.ts';

const events = [
  { kind: 'submitted', to: 'queued', attempt: 0, at: 0 },
  { kind: 'claimed', to: 'starting', attempt: 1, at: 10 },
  { kind: 'started', to: 'running', attempt: 1, at: 20 },
];
const live = { state: 'live', asOf: 100 } as const;

test('phases follow each other without a gap, the last one until now', () => {
  const spans = spansOf({ events, doubts: [], certainty: live, now: 100 });
  expect(spans.map(({ phase, fromAt, toAt }) => [phase, fromAt, toAt])).toEqual([
    ['queued', 0, 10],
    ['starting', 10, 20],
    ['running', 20, 100],
  ]);
});

test('what nobody saw is marked, also after the truth was learned', () => {
  const spans = spansOf({
    events,
    doubts: [{ asOf: 40, since: 55, resolvedAt: 60 }],
    certainty: live,
    now: 100,
  });
  expect(spans.slice(2).map(({ fromAt, toAt, isDoubted }) => [fromAt, toAt, isDoubted])).toEqual([
    [20, 40, false],
    [40, 60, true],
    [60, 100, false],
  ]);
});

test('since the last proof nothing is seen now', () => {
  const spans = spansOf({ events, doubts: [], certainty: { state: 'stale', asOf: 70 }, now: 100 });
  expect(spans.at(-1)).toMatchObject({ phase: 'running', fromAt: 70, toAt: 100, isDoubted: true });
});

test('it stops where the task ended', () => {
  const ended = [...events, { kind: 'completed', to: 'completed', attempt: 1, at: 50 }];
  expect(spansOf({ events: ended, doubts: [], certainty: live, now: 100 }).at(-1)?.toAt).toBe(50);
});

test('an event that changes no status makes no new span', () => {
  const more = [...events, { kind: 'adopted', to: 'running', attempt: 1, at: 50 }];
  expect(spansOf({ events: more, doubts: [], certainty: live, now: 100 })).toHaveLength(3);
});

test('an event is a proof too: what it told is not marked as unseen, unless it came after the doubt', () => {
  const told = events.map((event) => ({ ...event, receivedAt: event.at + 1 }));
  const late = { kind: 'completed', to: 'completed', attempt: 1, at: 50, receivedAt: 90 };
  const spans = spansOf({
    events: [...told, late],
    doubts: [{ asOf: 5, since: 60, resolvedAt: 90 }],
    certainty: live,
    now: 100,
  });
  expect(spans.map(({ fromAt, toAt, isDoubted }) => [fromAt, toAt, isDoubted])).toEqual([
    [0, 10, false],
    [10, 20, false],
    [20, 21, false],
    [21, 50, true],
  ]);
});
