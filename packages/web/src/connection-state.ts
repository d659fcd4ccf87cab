/**
 * Web's link to one agent, as a pure machine: events with the time come in, the next link and effects come out.
 * `table` is the specification: state × event, and the compiler refuses a missing cell. Its rows are of three kinds.
 *
 *                     hello                 vouched
 *   connecting ────────────────▶ resyncing ─────────▶ live ──── no proof for 1.5 heartbeats, or degraded ───▶ late
 *     ▲   │                        │    ▲              ▲  ◀──────────────────── vouched ──────────────────────┘ │
 *     │   └── no proof for the     │    │ hello        │                                                        │
 *     │       deadline ──▶ lost ───┼────┘              └── vouched ── lost ◀── no proof for the deadline ───────┘
 *     └──── dropped, silent, web slept: from live, late, resyncing
 *   any state: refused ──▶ refused;  bye ──▶ stopped;  both leave by hello. `lost`, `stopped` and `refused` stay so
 *   while web goes on trying; `resyncing` stays so while heartbeats come, though its rows become unknown.
 *
 * What holds (P2), whatever the events:
 * - `live` only while the last proof is younger than the deadline (see `stateAt` for a look between ticks).
 * - Without a proof for a deadline, `markUnknown` is ordered, and again after each further one: what the agent says
 *   meanwhile without vouching is stale for a deadline at most.
 * - `vouch` is ordered exactly when a proof makes the link live.
 *
 * All times are of a monotonic clock, ms. What a proof is, the subscription decides: applied up to the head of a
 * heartbeat in which the agent said that its journal can be written and its sweep is on time.
 */
import type { AgentState, DoubtReason } from '@holdfast/shared';

export interface LinkSettings {
  /** Silence after which the agent is lost; default 2 heartbeats + 5 s, and never below 2 heartbeats. */
  lostAfterMs: number | undefined;
}

export interface Link {
  readonly state: AgentState;
  readonly settings: LinkSettings;
  /** `waiting` for the next try, `dialling` until hello, then `open`. */
  readonly phase: 'waiting' | 'dialling' | 'open';
  /** The agent's own word once it said hello. */
  readonly heartbeatMs: number;
  /** The last proof. */
  readonly provedAt: number | undefined;
  /** Since when the deadline runs: the last proof, or the last time that it passed. */
  readonly windowAt: number;
  /** When the connection last gave a sign of life; while dialling, when that began. */
  readonly heardAt: number;
  /** When this connection first vouched. */
  readonly healthyAt: number | undefined;
  /** Whether the deadline passed since the last proof. */
  readonly isOver: boolean;
  /** Connections in a row that failed. */
  readonly failures: number;
  /** Why its rows cannot be vouched for. */
  readonly reason: DoubtReason | undefined;
  /** The same in words for a person. */
  readonly detail: string | undefined;
}

/** What can happen, and what it brings. */
interface LinkEvents {
  /** A connection is being opened. */
  dialled: object;
  hello: { heartbeatMs: number };
  /** A heartbeat came; `degraded` says why it cannot vouch whatever was applied. */
  heartbeat: { degraded?: string };
  /** Some other sign of life. */
  heard: object;
  /** The proof of P2, by a heartbeat that came `ageMs` ago: what it proves is as old. */
  vouched: { ageMs: number };
  /** The connection ended, never opened, or was given up; not to be tried again before `pauseMs`. */
  dropped: { detail: string; pauseMs?: number };
  /** The agent cannot be talked to as it is: a wrong token, another protocol, another agent. */
  refused: { detail: string };
  /** The agent stops; it asks for this pause. */
  bye: { retryMs: number };
  /** Web itself was not running for a while: what it knows is old, and silence in that time proves nothing. */
  slept: object;
  /** A person asks to try now. */
  retry: object;
  /** Time passed. */
  tick: object;
}

export type LinkEvent<K extends keyof LinkEvents = keyof LinkEvents> = {
  [P in K]: { kind: P } & LinkEvents[P];
}[K];

export type LinkEffect =
  | { do: 'close' }
  /** Open a connection after `floorMs` and a random part of `spreadMs` (full jitter). */
  | { do: 'connect'; floorMs: number; spreadMs: number }
  | { do: 'markUnknown'; reason: DoubtReason }
  | { do: 'vouch' };

export interface Step {
  link: Link;
  effects: LinkEffect[];
}

type Row = { readonly [K in keyof LinkEvents]: (link: Link, event: LinkEvent<K>, now: number) => Step };

const DEFAULT_HEARTBEAT_MS = 5000;
const SPARE_MS = 5000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;
const FIRST_REFUSED_RETRY_MS = 2000;
const LAST_REFUSED_RETRY_MS = 30_000;
const HEALTHY_MS = 60_000;
const DEFAULT_SWEEP_MS = 5000;

/** Silence after which an agent is lost (README.md, Settings). */
export function deadlineOf(heartbeatMs: number, lostAfterMs: number | undefined): number {
  return Math.max(lostAfterMs ?? 2 * heartbeatMs + SPARE_MS, 2 * heartbeatMs);
}

/**
 * Why a heartbeat vouches for nothing, in words for a person; undefined if it does. A sweep is on time within three
 * of the agent's periods (`sweepMs`, from its hello) or the deadline, whichever is longer.
 */
export function degradedBy(
  heartbeat: { journalOk: boolean; at: number; sweptAt: number },
  link: Link,
  sweepMs = DEFAULT_SWEEP_MS,
): string | undefined {
  if (!heartbeat.journalOk) return 'its journal cannot be written';
  // Both times are the agent's own, so that its clock need not agree with web's.
  const isOverdue = heartbeat.at - heartbeat.sweptAt > Math.max(3 * sweepMs, deadline(link));
  return isOverdue ? 'its sweep over the live tasks is overdue' : undefined;
}

/**
 * Web starts to follow an agent: its rows are stale until it vouches, and unknown after the deadline. `heartbeatMs`: as
 * it was known before, until the agent says it again.
 */
export function startLink(settings: LinkSettings, now: number, heartbeatMs = DEFAULT_HEARTBEAT_MS): Step {
  const link: Link = {
    state: 'connecting',
    settings,
    phase: 'waiting',
    heartbeatMs,
    provedAt: undefined,
    windowAt: now,
    heardAt: now,
    healthyAt: undefined,
    isOver: false,
    failures: 0,
    reason: undefined,
    detail: undefined,
  };
  return { link, effects: [{ do: 'connect', floorMs: 0, spreadMs: 0 }] };
}

/** Time passes first, whatever happens then; but not the time that web slept. */
export function stepLink(link: Link, event: LinkEvent, now: number): Step {
  if (event.kind === 'tick' || event.kind === 'slept') return handle(link, event, now);
  const passed = handle(link, { kind: 'tick' }, now);
  const { link: next, effects } = handle(passed.link, event, now);
  return { link: next, effects: [...passed.effects, ...effects] };
}

function handle<K extends keyof LinkEvents>(link: Link, event: LinkEvent<K>, now: number): Step {
  const row: Row = table[link.state];
  return row[event.kind](link, event, now);
}

/** The state at `now`, between two steps: a proof that grew old since is none. */
export function stateAt(link: Link, now: number): AgentState {
  if (link.state !== 'live') return link.state;
  if (now - link.provedAt! >= deadline(link)) return 'lost';
  return isLate(link, now) ? 'late' : 'live';
}

/** When the next `tick` has something to do. */
export function nextTickAt(link: Link): number {
  const times = [link.windowAt + deadline(link)];
  if (link.phase !== 'waiting') times.push(link.heardAt + deadline(link));
  if (link.state === 'live') times.push(link.provedAt! + lateAfterMs(link));
  return Math.min(...times);
}

/** What the state has no say in. */
const always = { dialled: dial, hello: greet, dropped: drop, refused: refuse, bye: stop, slept: wake, tick };

/** No connection that said hello: a frame is of one that is gone. */
const closed: Row = { ...always, heartbeat: stay, heard: stay, vouched: stay, retry: hurry };

/** It says what it can: trying again would bring nothing more. */
const open: Row = { ...always, heartbeat: beat, heard: hear, vouched: prove, retry: stay };

/** The connection may be open still: an agent that cannot vouch is lost to us with a heartbeat as well. */
const doubted: Row = { ...open, retry: redial };

const table: { readonly [S in AgentState]: Row } = {
  connecting: closed,
  resyncing: open,
  live: open,
  late: doubted,
  lost: doubted,
  stopped: closed,
  refused: closed,
};

function stay(link: Link): Step {
  return { link, effects: [] };
}

function dial(link: Link, _event: LinkEvent, now: number): Step {
  const state = link.phase === 'open' ? disconnected(link) : link.state;
  return { link: { ...link, state, phase: 'dialling', heardAt: now, healthyAt: undefined }, effects: [] };
}

function greet(link: Link, event: { heartbeatMs: number }, now: number): Step {
  const next: Link = {
    ...link,
    state: 'resyncing',
    phase: 'open',
    heartbeatMs: event.heartbeatMs,
    heardAt: now,
    // After the deadline passed, what the agent states now gets a window of its own.
    windowAt: link.isOver ? now : link.windowAt,
    reason: undefined,
    detail: undefined,
  };
  return { link: next, effects: [] };
}

function hear(link: Link, _event: LinkEvent, now: number): Step {
  return { link: link.phase === 'open' ? { ...link, heardAt: now } : link, effects: [] };
}

function beat(link: Link, event: { degraded?: string }, now: number): Step {
  if (link.phase !== 'open') return stay(link);
  const heard: Link = { ...link, heardAt: now };
  if (event.degraded === undefined) return stay(heard);
  return stay({
    ...heard,
    state: link.state === 'live' ? 'late' : link.state,
    reason: 'agent_degraded',
    detail: event.degraded,
  });
}

function prove(link: Link, event: { ageMs: number }, now: number): Step {
  const provedAt = now - event.ageMs;
  // What a connection proved that is gone, or so long ago that it would be doubted again, vouches for nothing now.
  if (link.phase !== 'open' || event.ageMs >= lateAfterMs(link)) return stay(link);
  if (link.provedAt !== undefined && provedAt < link.provedAt) return stay(link);
  const next: Link = {
    ...link,
    state: 'live',
    provedAt,
    windowAt: provedAt,
    healthyAt: link.healthyAt ?? now,
    isOver: false,
    reason: undefined,
    detail: undefined,
  };
  return { link: next, effects: link.state === 'live' ? [] : [{ do: 'vouch' }] };
}

function drop(link: Link, event: { detail: string; pauseMs?: number }, now: number): Step {
  const wasHealthy = link.healthyAt !== undefined && now - link.healthyAt >= HEALTHY_MS;
  const failures = wasHealthy ? 1 : link.failures + 1;
  const isStopped = link.state === 'stopped';
  const next: Link = {
    ...link,
    state: isStopped ? 'stopped' : disconnected(link),
    phase: 'waiting',
    healthyAt: undefined,
    failures,
    reason: isStopped ? 'agent_stopped' : 'agent_unreachable',
    detail: event.detail,
  };
  const spreadMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 16));
  return { link: next, effects: [{ do: 'close' }, { do: 'connect', floorMs: event.pauseMs ?? 0, spreadMs }] };
}

function refuse(link: Link, event: { detail: string }): Step {
  const failures = link.state === 'refused' ? link.failures + 1 : 1;
  const next: Link = {
    ...link,
    state: 'refused',
    phase: 'waiting',
    healthyAt: undefined,
    failures,
    reason: 'agent_unreachable',
    detail: event.detail,
  };
  const retryMs = Math.min(LAST_REFUSED_RETRY_MS, FIRST_REFUSED_RETRY_MS * 2 ** Math.min(failures - 1, 16));
  return {
    link: next,
    effects: [{ do: 'close' }, { do: 'connect', floorMs: retryMs / 2, spreadMs: retryMs / 2 }],
  };
}

function stop(link: Link, event: { retryMs: number }): Step {
  const next: Link = {
    ...link,
    state: 'stopped',
    phase: 'waiting',
    healthyAt: undefined,
    failures: 0,
    reason: 'agent_stopped',
    detail: 'it was stopped',
  };
  const floorMs = Math.min(Math.max(event.retryMs, 0), LAST_RETRY_MS);
  return { link: next, effects: [{ do: 'close' }, { do: 'connect', floorMs, spreadMs: FIRST_RETRY_MS }] };
}

/** What waits in an old connection's buffers may be as old as the sleep: a new one tells what is so now. */
function wake(link: Link, _event: LinkEvent, now: number): Step {
  const next: Link = {
    ...link,
    state: link.phase === 'open' ? disconnected(link) : link.state,
    phase: 'waiting',
    windowAt: now,
    healthyAt: undefined,
  };
  return { link: next, effects: [{ do: 'close' }, { do: 'connect', floorMs: 0, spreadMs: 0 }] };
}

function hurry(link: Link): Step {
  const next: Link = { ...link, phase: 'waiting', failures: 0 };
  return { link: next, effects: [{ do: 'close' }, { do: 'connect', floorMs: 0, spreadMs: 0 }] };
}

/** A person sees that nothing comes: an open connection that cannot vouch is given up as well. */
function redial(link: Link): Step {
  return hurry({ ...link, state: disconnected(link), healthyAt: undefined });
}

function tick(link: Link, _event: LinkEvent, now: number): Step {
  const effects: LinkEffect[] = [];
  let next = link;
  const isSilent = now - next.heardAt >= deadline(next);
  if (now - next.windowAt >= deadline(next)) {
    const reason = doubtOf(next, now);
    // A replay that goes on is told apart from a loss, though neither vouches.
    const goesOn = next.state === 'resyncing' || next.state === 'stopped' || next.state === 'refused';
    next = { ...next, state: goesOn ? next.state : 'lost', windowAt: now, isOver: true, reason };
    effects.push({ do: 'markUnknown', reason });
  } else if (next.state === 'live' && isLate(next, now)) {
    next = { ...next, state: 'late', reason: doubtOf(next, now) };
  }
  if (next.phase !== 'waiting' && isSilent) {
    const dropped = drop(next, { detail: 'no answer in time' }, now);
    return { link: dropped.link, effects: [...effects, ...dropped.effects] };
  }
  return { link: next, effects };
}

/** An agent that is heard and does not vouch is degraded; a frame just after the last proof is not being heard. */
function doubtOf(link: Link, now: number): DoubtReason {
  if (link.state === 'stopped') return 'agent_stopped';
  const isHeard = link.phase === 'open' && now - link.heardAt < lateAfterMs(link);
  return isHeard ? 'agent_degraded' : 'agent_unreachable';
}

/** The state without a connection. */
function disconnected(link: Link): AgentState {
  return link.isOver ? 'lost' : 'connecting';
}

function deadline(link: Link): number {
  return deadlineOf(link.heartbeatMs, link.settings.lostAfterMs);
}

function lateAfterMs(link: Link): number {
  return 1.5 * link.heartbeatMs;
}

function isLate(link: Link, now: number): boolean {
  return now - link.provedAt! >= lateAfterMs(link);
}
