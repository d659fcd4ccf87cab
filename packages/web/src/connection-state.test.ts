import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { agentStates, type AgentState } from '@holdfast/shared';
import {
  deadlineOf,
  nextTickAt,
  startLink,
  stateAt,
  stepLink,
  type Link,
  type LinkEffect,
  type LinkEvent,
} from './connection-state.ts';

const HEARTBEAT_MS = 1000;
const LOST_AFTER_MS = 3000;

/** Runs events, each `[ms after the one before, event]`, and keeps every effect. */
function run(...steps: [number, LinkEvent][]): { link: Link; effects: LinkEffect[]; now: number } {
  let { link, effects } = startLink({ lostAfterMs: LOST_AFTER_MS }, 0);
  let now = 0;
  for (const [afterMs, event] of steps) {
    now += afterMs;
    const step = stepLink(link, event, now);
    link = step.link;
    effects = step.effects;
  }
  return { link, effects, now };
}

const dialled: LinkEvent = { kind: 'dialled' };
const hello: LinkEvent = { kind: 'hello', heartbeatMs: HEARTBEAT_MS };
const heartbeat: LinkEvent = { kind: 'heartbeat' };
const degraded: LinkEvent = { kind: 'heartbeat', degraded: 'its journal cannot be written' };
const vouched: LinkEvent = { kind: 'vouched', ageMs: 0 };
const dropped: LinkEvent = { kind: 'dropped', detail: 'cut' };
const refused: LinkEvent = { kind: 'refused', detail: 'wrong token' };
const bye: LinkEvent = { kind: 'bye', retryMs: 1000 };
const old = (ageMs: number): LinkEvent => ({ kind: 'vouched', ageMs });
const drops = (n: number): [number, LinkEvent][] => Array.from({ length: n }, () => [0, dropped]);
const tick: LinkEvent = { kind: 'tick' };
const live: [number, LinkEvent][] = [
  [0, dialled],
  [0, hello],
  [0, vouched],
];

test('the deadline is two heartbeats and 5 s, or what was set, and never below two heartbeats', () => {
  expect(deadlineOf(5000, undefined)).toBe(15_000);
  expect(deadlineOf(1000, 3000)).toBe(3000);
  expect(deadlineOf(5000, 3000)).toBe(10_000);
});

test('a link becomes live by a proof alone, and that orders to vouch once', () => {
  expect(run([0, dialled]).link.state).toBe('connecting');
  expect(run([0, dialled], [0, hello]).link.state).toBe('resyncing');
  expect(run([0, dialled], [0, hello], [10, heartbeat]).link.state).toBe('resyncing');
  const proved = run(...live);
  expect(proved.link.state).toBe('live');
  expect(proved.effects).toEqual([{ do: 'vouch' }]);
  expect(run(...live, [500, vouched]).effects).toEqual([]);
});

test('a missed heartbeat makes it late, a proof live again, the deadline lost and its rows unknown', () => {
  expect(run(...live, [1499, tick]).link.state).toBe('live');
  expect(run(...live, [1500, tick]).link).toMatchObject({ state: 'late', reason: 'agent_unreachable' });
  const again = run(...live, [1500, tick], [100, vouched]);
  expect(again.link).toMatchObject({ state: 'live', reason: undefined });
  expect(again.effects).toEqual([{ do: 'vouch' }]);
  const lost = run(...live, [1500, tick], [1500, tick]);
  expect(lost.link).toMatchObject({ state: 'lost', phase: 'waiting' });
  expect(lost.effects).toEqual([
    { do: 'markUnknown', reason: 'agent_unreachable' },
    { do: 'close' },
    { do: 'connect', floorMs: 0, spreadMs: 250 },
  ]);
});

test('an agent that cannot vouch is late at once and lost at the same deadline, as degraded (P2)', () => {
  const late = run(...live, [100, degraded]);
  expect(late.link).toMatchObject({
    state: 'late',
    reason: 'agent_degraded',
    detail: 'its journal cannot be written',
  });
  const lost = run(...live, [1000, degraded], [1000, degraded], [999, degraded], [1, tick]);
  expect(lost.link).toMatchObject({ state: 'lost', phase: 'open' });
  expect(lost.effects).toEqual([{ do: 'markUnknown', reason: 'agent_degraded' }]);
});

test('a long replay stays resyncing, yet its rows become unknown at each deadline', () => {
  const steps: [number, LinkEvent][] = [
    [0, dialled],
    [0, hello],
    [1000, heartbeat],
    [1000, heartbeat],
    [1000, heartbeat],
  ];
  const once = run(...steps);
  expect(once.link.state).toBe('resyncing');
  expect(once.effects).toEqual([{ do: 'markUnknown', reason: 'agent_degraded' }]);
  const more = run(...steps, [1000, heartbeat], [1000, heartbeat]);
  expect(more.effects).toEqual([]);
  const twice = run(...steps, [1000, heartbeat], [1000, heartbeat], [1000, heartbeat]);
  expect(twice.effects).toEqual([{ do: 'markUnknown', reason: 'agent_degraded' }]);
});

test('at web’s own start rows are stale until the agent vouches and unknown after the deadline', () => {
  expect(run([2999, tick]).effects).toEqual([]);
  const lost = run([3000, tick]);
  expect(lost.effects).toEqual([]);
  const patient = run([9999, tick], [5001, tick]);
  expect(patient.link.state).toBe('lost');
  expect(patient.effects).toEqual([{ do: 'markUnknown', reason: 'agent_unreachable' }]);
});

test('a frame just after the last proof does not make a silent agent a degraded one', () => {
  const silent = run(...live, [5, { kind: 'heard' }], [1000, tick], [1995, tick]);
  expect(silent.effects).toEqual([{ do: 'markUnknown', reason: 'agent_unreachable' }]);
  expect(silent.link.reason).toBe('agent_unreachable');
});

test('a cut link keeps the window of its last proof', () => {
  const cut = run(...live, [1000, dropped]);
  expect(cut.link.state).toBe('connecting');
  const back = run(...live, [1000, dropped], [100, dialled], [100, hello], [1000, heartbeat], [800, tick]);
  expect(back.effects).toEqual([{ do: 'markUnknown', reason: 'agent_degraded' }]);
});

test('bye makes it stopped, and the deadline its rows unknown as stopped; it goes on trying', () => {
  const stopped = run(...live, [0, bye]);
  expect(stopped.link.state).toBe('stopped');
  expect(stopped.effects).toEqual([{ do: 'close' }, { do: 'connect', floorMs: 1000, spreadMs: 250 }]);
  const failed = run(...live, [0, bye], [1000, dialled], [0, dropped]);
  expect(failed.link).toMatchObject({ state: 'stopped', reason: 'agent_stopped' });
  const over = run(...live, [0, bye], [1000, dialled], [0, dropped], [2000, tick]);
  expect(over.link.state).toBe('stopped');
  expect(over.effects).toEqual([{ do: 'markUnknown', reason: 'agent_stopped' }]);
  expect(run(...live, [0, bye], [1000, dialled], [0, hello]).link.state).toBe('resyncing');
});

test('a refusal is shown at once and tried again slowly, ever slower', () => {
  const once = run([0, dialled], [0, refused]);
  expect(once.link).toMatchObject({ state: 'refused', detail: 'wrong token' });
  expect(once.effects[1]).toEqual({ do: 'connect', floorMs: 1000, spreadMs: 1000 });
  const many = run(...Array.from({ length: 9 }, (): [number, LinkEvent] => [0, refused]));
  expect(many.effects[1]).toEqual({ do: 'connect', floorMs: 15_000, spreadMs: 15_000 });
  expect(run([0, refused], [0, dialled], [0, dropped]).link.state).toBe('connecting');
});

test('tries back off to 10 s, and a healthy minute forgives what was before', () => {
  expect(run(...drops(1)).effects[1]).toEqual({ do: 'connect', floorMs: 0, spreadMs: 250 });
  expect(run(...drops(3)).effects[1]).toEqual({ do: 'connect', floorMs: 0, spreadMs: 1000 });
  expect(run(...drops(40)).effects[1]).toEqual({ do: 'connect', floorMs: 0, spreadMs: 10_000 });
  const proofs = Array.from({ length: 59 }, (): [number, LinkEvent][] => [
    [1000, heartbeat],
    [0, vouched],
  ]).flat();
  const after = (ms: number): LinkEffect | undefined =>
    run(...drops(5), ...live, ...proofs, [ms, dropped]).effects.at(-1);
  expect(after(999)).toMatchObject({ spreadMs: 8000 });
  expect(after(1000)).toMatchObject({ spreadMs: 250 });
});

test('a web that slept takes nothing for silence: stale at once, a new window, a new connection', () => {
  const slept = run(...live, [60_000, { kind: 'slept' }]);
  expect(slept.link).toMatchObject({ state: 'connecting', windowAt: 60_000 });
  expect(slept.effects).toEqual([{ do: 'close' }, { do: 'connect', floorMs: 0, spreadMs: 0 }]);
  expect(run(...live, [60_000, { kind: 'slept' }], [2999, tick]).effects).toEqual([]);
});

test('a person’s retry dials at once, gives up a connection that cannot vouch, and leaves a good one alone', () => {
  const retry: LinkEvent = { kind: 'retry' };
  const now: LinkEffect[] = [{ do: 'close' }, { do: 'connect', floorMs: 0, spreadMs: 0 }];
  expect(run(...live, [0, retry]).effects).toEqual([]);
  expect(run([0, dialled], [0, hello], [0, retry]).effects).toEqual([]);
  for (const steps of [[dropped], [refused], [bye]]) {
    expect(run(...steps.map((event): [number, LinkEvent] => [0, event]), [0, retry]).effects).toEqual(now);
  }
  expect(run(...live, [0, degraded], [0, retry]).effects).toEqual(now);
});

test('what a connection proved that is gone makes nothing live', () => {
  for (const end of [dropped, refused, bye]) {
    expect(run(...live, [0, end], [0, vouched]).link.state).not.toBe('live');
    expect(run(...live, [0, end], [0, heartbeat]).link.heardAt).toBe(0);
  }
});

test('a proof is as old as its heartbeat', () => {
  const opened: [number, LinkEvent][] = [
    [0, dialled],
    [1000, hello],
  ];
  expect(run(...opened, [1000, old(400)]).link).toMatchObject({
    state: 'live',
    provedAt: 1600,
    windowAt: 1600,
  });
  expect(run(...opened, [1000, old(1500)]).link.state).toBe('resyncing');
  expect(run(...opened, [0, vouched], [1000, old(1400)]).link).toMatchObject({
    state: 'live',
    provedAt: 1000,
  });
});

test('a connection that hangs while dialling is given up at the deadline', () => {
  const hung = run(...live, [0, dropped], [2000, dialled], [3000, tick]);
  expect(hung.link).toMatchObject({ state: 'lost', phase: 'waiting' });
  expect(hung.effects.map((effect) => effect.do)).toEqual(['markUnknown', 'close', 'connect']);
});

test('every state answers every event as the drawing says', () => {
  const starts: Record<AgentState, [number, LinkEvent][]> = {
    connecting: [],
    resyncing: [
      [0, dialled],
      [0, hello],
    ],
    live,
    late: [...live, [100, degraded]],
    lost: [...live, [1500, degraded], [1499, degraded], [1, tick]],
    stopped: [...live, [0, bye]],
    refused: [[0, refused]],
  };
  const events: Record<LinkEvent['kind'], LinkEvent> = {
    dialled,
    hello,
    heartbeat: degraded,
    heard: { kind: 'heard' },
    vouched,
    dropped,
    refused,
    bye,
    slept: { kind: 'slept' },
    retry: { kind: 'retry' },
    tick,
  };
  // In the order of `events`.
  const expected: Record<AgentState, string> = {
    connecting:
      'connecting resyncing connecting connecting connecting connecting refused stopped connecting connecting connecting',
    resyncing:
      'connecting resyncing resyncing resyncing live connecting refused stopped connecting resyncing resyncing',
    live: 'connecting resyncing late live live connecting refused stopped connecting live live',
    late: 'connecting resyncing late late live connecting refused stopped connecting connecting late',
    lost: 'lost resyncing lost lost live lost refused stopped lost lost lost',
    stopped: 'stopped resyncing stopped stopped stopped stopped refused stopped stopped stopped stopped',
    refused: 'refused resyncing refused refused refused connecting refused stopped refused refused refused',
  };
  for (const state of agentStates) {
    expect(run(...starts[state]).link.state).toBe(state);
    const reached = Object.values(events).map((event) => run(...starts[state], [0, event]).link.state);
    expect(`${state}: ${reached.join(' ')}`).toBe(`${state}: ${expected[state]}`);
  }
});

test('no sequence of events leaves an agent live past the deadline without a proof (P2)', () => {
  const property = fc.property(fc.array(stepArbitrary, { maxLength: 80 }), (steps) => {
    let { link } = startLink({ lostAfterMs: LOST_AFTER_MS }, 0);
    let now = 0;
    let provedAt = Number.NEGATIVE_INFINITY;
    const isLiar = (state: AgentState): boolean =>
      state === 'live' && now - provedAt >= deadlineOf(link.heartbeatMs, LOST_AFTER_MS);
    for (const [afterMs, event] of steps) {
      now += afterMs;
      // Between two events the view is asked at any time.
      if (isLiar(stateAt(link, now))) return false;
      link = stepLink(link, event, now).link;
      if (event.kind === 'vouched') provedAt = now;
      if (isLiar(link.state)) return false;
    }
    return true;
  });
  expect(fc.check(property, { numRuns: 1000 })).toMatchObject({ failed: false });
});

test('whatever an agent says without vouching is unknown a deadline later, and taken back by a proof (P2, P9)', () => {
  const property = fc.property(fc.array(stepArbitrary, { maxLength: 80 }), (steps) => {
    let { link } = startLink({ lostAfterMs: LOST_AFTER_MS }, 0);
    let now = 0;
    // Since when something unvouched may be shown; what web slept through does not count.
    let since = 0;
    let isDoubted = false;
    for (const [afterMs, event] of steps) {
      now += afterMs;
      const before = link;
      const step = stepLink(link, event, now);
      link = step.link;
      for (const effect of step.effects) {
        if (effect.do === 'markUnknown') {
          since = now;
          isDoubted = true;
        } else if (effect.do === 'vouch') {
          isDoubted = false;
        }
      }
      if (event.kind === 'slept' || (event.kind === 'hello' && before.isOver)) since = now;
      if (event.kind === 'vouched' && link.state === 'live') since = now;
      const isTooOld = now - since >= deadlineOf(before.heartbeatMs, LOST_AFTER_MS);
      const isTickMissed = event.kind !== 'hello' && nextTickAt(link) <= now;
      // There is always a connection, one being opened, or one ordered.
      const isAlone =
        link.phase === 'waiting' && before.phase !== 'waiting' && step.effects.at(-1)?.do !== 'connect';
      if ((link.state === 'live' && isDoubted) || isTooOld || isTickMissed || isAlone) return false;
    }
    return true;
  });
  expect(fc.check(property, { numRuns: 1000 })).toMatchObject({ failed: false });
});

const stepArbitrary: fc.Arbitrary<[number, LinkEvent]> = fc.tuple(
  fc.oneof(fc.integer({ min: 0, max: 800 }), fc.integer({ min: 0, max: 5000 })),
  fc.constantFrom<LinkEvent>(
    dialled,
    hello,
    hello,
    heartbeat,
    degraded,
    vouched,
    vouched,
    dropped,
    refused,
    bye,
    { kind: 'slept' },
    { kind: 'retry' },
    { kind: 'heard' },
    tick,
    tick,
    tick,
  ),
);
