import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { axisOf, lanesOf, scaleOf, spansOf } from './timeline.ts';

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

test('since the last heartbeat of a stale claim its worker is not heard; while its agent is not, that is why', () => {
  const stale = { code: 'claim_silent', provenAt: 30 } as const;
  const spans = spansOf({ events, doubts: [], certainty: live, stale, now: 100 });
  expect(spans.slice(2).map(({ fromAt, toAt, doubt, isOpen }) => [fromAt, toAt, doubt?.by, isOpen])).toEqual([
    [20, 30, undefined, false],
    [30, 100, 'worker', true],
  ]);
  const unheard = { state: 'stale', asOf: 70, reason: 'agent_unreachable' } as const;
  expect(
    spansOf({ events, doubts: [], certainty: unheard, stale, now: 100 })
      .slice(2)
      .map(({ toAt, doubt }) => [toAt, doubt?.by]),
  ).toEqual([
    [30, undefined],
    [70, 'worker'],
    [100, 'web'],
  ]);
  const unverified = { code: 'probe_failed', provenAt: 60 } as const;
  expect(spansOf({ events, doubts: [], certainty: live, stale: unverified, now: 100 }).at(-1)?.doubt).toEqual(
    { by: 'agent' },
  );
});

test('the axis goes on to the end of a lease, and says where the present is', () => {
  const spans = spansOf({ events, doubts: [], certainty: live, now: 100 });
  const { scale, toAt, nowAt } = axisOf(spans, 200);
  expect([toAt, nowAt]).toEqual([200, 100]);
  expect(scale.position(100)).toBeGreaterThan(0.3);
  expect(scale.position(100)).toBeLessThan(0.7);
  expect(axisOf(spans, 90)).toMatchObject({ toAt: 100 });
  for (const axis of [axisOf(spans), axisOf(spans, 90)]) {
    expect(axis.nowAt).toBeUndefined();
    expect(axis.scale.position(100)).toBe(1);
  }
});

test('it stops where the task ended', () => {
  const ended = [...events, { kind: 'completed', to: 'completed', attempt: 1, at: 50 }];
  expect(spansOf({ events: ended, doubts: [], certainty: live, now: 100 }).at(-1)?.toAt).toBe(50);
});

test('it ends with its process, however late that was put on record', () => {
  const data = { endedAt: 45 };
  const late = [...events, { kind: 'completed', to: 'completed', attempt: 1, at: 90, data }];
  const input = { events: late, doubts: [], certainty: live, now: 100 };
  expect(spansOf(input).at(-1)).toMatchObject({ phase: 'running', toAt: 45 });
  expect(lanesOf(input)[0]?.end?.at).toBe(45);
  const atOnce = { ...late[3]!, at: 22, data: { endedAt: 15 } };
  expect(spansOf({ ...input, events: [...events, atOnce] }).at(-1)).toMatchObject({ fromAt: 20, toAt: 22 });
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

test('what this page did not hear is marked apart; where web saw nothing either, that is the reason', () => {
  const spans = spansOf({
    events,
    doubts: [{ asOf: 40, since: 50, resolvedAt: 60, reason: 'agent_unreachable' }],
    ownGaps: [{ fromAt: 50, toAt: 80 }],
    certainty: live,
    now: 100,
  });
  expect(spans.slice(2).map(({ fromAt, toAt, doubt }) => [fromAt, toAt, doubt?.by])).toEqual([
    [20, 40, undefined],
    [40, 60, 'web'],
    [60, 80, 'page'],
    [80, 100, undefined],
  ]);
  const blind = { state: 'unknown', asOf: 70, reason: 'web_unreachable' } as const;
  expect(spansOf({ events, doubts: [], certainty: blind, now: 100 }).at(-1)?.doubt).toEqual({ by: 'page' });
});

test('from the request to stop on it is being stopped, and the next attempt waits in a lane of its own', () => {
  const outcome = { reason: 'reclaimed' } as const;
  const lanes = lanesOf({
    events: [
      ...events,
      { kind: 'stopRequested', to: 'running', attempt: 1, at: 30 },
      { kind: 'requeued', to: 'queued', attempt: 1, at: 45, data: { charged: false, outcome } },
      { kind: 'claimed', to: 'starting', attempt: 2, at: 60 },
    ],
    doubts: [],
    certainty: live,
    now: 100,
  });
  expect(
    lanes.map(({ attempt, spans }) => [
      attempt,
      spans.map(({ phase, fromAt, toAt }) => [phase, fromAt, toAt]),
    ]),
  ).toEqual([
    [
      1,
      [
        ['queued', 0, 10],
        ['starting', 10, 20],
        ['running', 20, 30],
        ['stopping', 30, 45],
      ],
    ],
    [
      2,
      [
        ['queued', 45, 60],
        ['starting', 60, 100],
      ],
    ],
  ]);
  expect(lanes[0]?.end).toEqual({ at: 45, kind: 'requeued', outcome, isCharged: false });
  expect(lanes[1]?.end).toBeUndefined();
  expect(lanes[1]?.spans.at(-1)?.isOpen).toBe(true);
});

test('on the strip time stays in order, and every stretch can be pointed at', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 10 ** 9 }), { minLength: 2, maxLength: 300 }),
      (moments) => {
        const all = { fromAt: 0, toAt: 10 ** 9 };
        const { position } = scaleOf(moments, moments[0]! % 2 === 0 ? [all] : []);
        const places = moments.toSorted((a, b) => a - b).map(position);
        expect(places[0]).toBe(0);
        expect(places.at(-1)).toBeCloseTo(1, 9);
        const least = Math.min(0.012, 0.5 / (moments.length - 1)) / 2;
        for (let i = 1; i < places.length; i += 1) expect(places[i]! - places[i - 1]!).toBeGreaterThan(least);
      },
    ),
  );
});

test('beside work all waiting takes 15 % at most, in one stretch or in many, and it is said what was shortened', () => {
  const day = 86_400_000;
  const moments = [0, 3 * day, 3 * day + 2000, 3 * day + 5000];
  const { position, cuts } = scaleOf(moments, [{ fromAt: 0, toAt: 3 * day }]);
  expect(cuts).toEqual([{ fromAt: 0, toAt: 3 * day }]);
  expect(position(3 * day)).toBeCloseTo(0.15, 9);
  expect(position(3 * day + 2000)).toBeCloseTo(0.15 + 0.85 * 0.4, 9);

  // Two waits, the first of which nobody saw a part of.
  const many = scaleOf(
    [0, 10_000, 40_000, 50_000, 80_000, 90_000],
    [
      { fromAt: 0, toAt: 10_000 },
      { fromAt: 10_000, toAt: 40_000 },
      { fromAt: 50_000, toAt: 80_000 },
    ],
  );
  expect(many.cuts).toEqual([
    { fromAt: 0, toAt: 40_000 },
    { fromAt: 50_000, toAt: 80_000 },
  ]);
  expect(many.position(40_000) + many.position(80_000) - many.position(50_000)).toBeCloseTo(0.15, 9);
});

test('a wait that is short, by itself or beside the work, or is all that there is, stays to scale', () => {
  expect(scaleOf([0, 14, 100], [{ fromAt: 0, toAt: 14 }]).cuts).toEqual([]);
  expect(scaleOf([0, 14, 100], [{ fromAt: 0, toAt: 14 }]).position(14)).toBeCloseTo(0.14, 9);
  expect(scaleOf([0, 60, 100], [{ fromAt: 0, toAt: 60 }]).cuts).toEqual([]);
  expect(scaleOf([0, 9000, 20_000], [{ fromAt: 0, toAt: 20_000 }]).cuts).toEqual([]);
  expect(scaleOf([0, 60, 100]).cuts).toEqual([]);
});

test('only the part of a span that began it says when web had that on record', () => {
  const heard = events.map((event) => ({ ...event, receivedAt: event.at + 1 }));
  const spans = spansOf({
    events: heard,
    doubts: [{ asOf: 40, since: 55, resolvedAt: 60 }],
    certainty: live,
    now: 100,
  });
  expect(spans.slice(2).map(({ receivedAt }) => receivedAt)).toEqual([21, undefined, undefined]);
});

test('an agent whose clock differs has the same timeline, in its own time: nothing vanishes, gaps and the present stay', () => {
  const input = {
    doubts: [{ asOf: 40, since: 55, resolvedAt: 60 }],
    ownGaps: [{ fromAt: 62, toAt: 66 }],
    certainty: { state: 'stale', asOf: 80, reason: 'agent_unreachable' } as const,
    now: 100,
  };
  const usual = spansOf({
    ...input,
    events: events.map((event) => ({ ...event, receivedAt: event.at + 1 })),
  });
  expect(usual.filter(({ isDoubted }) => isDoubted)).toHaveLength(3);
  for (const aheadMs of [-3_600_000, 3_600_000]) {
    const moved = events.map((event) => ({ ...event, receivedAt: event.at + 1, at: event.at + aheadMs }));
    const spans = spansOf({ ...input, certainty: { ...input.certainty, aheadMs }, events: moved });
    expect(spans).toEqual(
      usual.map((span) => ({ ...span, fromAt: span.fromAt + aheadMs, toAt: span.toAt + aheadMs })),
    );
  }
});

test('the worker of a claim was heard last by the clock that the claim is from', () => {
  const aheadMs = 1000;
  const certainty = { ...live, aheadMs };
  const moved = events.map((event) => ({ ...event, at: event.at + aheadMs }));
  const stale = { code: 'claim_silent', provenAt: 30 + aheadMs } as const;
  const spans = spansOf({ events: moved, doubts: [], certainty, stale, now: 100 });
  expect(spans.at(-1)).toMatchObject({ fromAt: 1030, toAt: 1100, doubt: { by: 'worker' } });
});

test('from a verdict to the word that replaced it nobody could see it, and that is drawn', () => {
  const spans = spansOf({
    events,
    doubts: [
      { asOf: 40, since: 50, resolvedAt: 60, reason: 'agent_unreachable' },
      { asOf: 60, since: 60, resolvedAt: 80, reason: 'agent_unreachable' },
    ],
    certainty: live,
    now: 100,
  });
  const unseen = spans.filter(({ isDoubted }) => isDoubted);
  expect([unseen[0]?.fromAt, unseen.at(-1)?.toAt]).toEqual([40, 80]);
});

test('of a task that was given up nothing is drawn beyond the verdict', () => {
  const input = {
    events,
    doubts: [{ asOf: 40, since: 50, resolvedAt: 60, reason: 'agent_unreachable' as const }],
    certainty: live,
    now: 100,
    givenUpAt: 60,
  };
  expect(spansOf(input).at(-1)).toMatchObject({ toAt: 60, isDoubted: true, isOpen: false });
  expect(lanesOf(input).at(-1)?.end).toEqual({ at: 60, kind: 'lost' });
});
