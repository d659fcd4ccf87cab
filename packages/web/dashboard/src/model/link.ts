/**
 * The browser's link to web, as data. Guarantees: `linkState` never says `live` unless a frame was received
 * within the deadline that web's own heartbeat sets, whatever the phase claims; time arrives as an argument.
 *
 *   starting ──▶ connecting ──▶ open ──▶ waiting ──▶ connecting …      signedOut ──(signed in)──▶ connecting
 */

type LinkPhase = 'starting' | 'connecting' | 'open' | 'waiting' | 'signedOut';

/** What is known of the link. Times are the browser's own clock (ms); 0 means never. */
export interface LinkFacts {
  phase: LinkPhase;
  /** When the last frame of any kind arrived. */
  lastFrameAt: number;
  /** When the connection that we had, or tried to get, went away; absent while it stands. */
  brokenAt?: number;
  /** When the next attempt will be made, in phase `waiting`. */
  retryAt?: number;
  /** Why the last attempt failed, in words. */
  lastError?: string;
  heartbeatMs: number;
  reconnects: number;
  cursor?: string;
  /** The newest happenings of the link, newest last; bounded. */
  recent: { at: number; text: string }[];
}

const DEFAULT_HEARTBEAT_MS = 5000;
/** A connection that breaks and is back within this time is not worth alarming anyone. */
const GRACE_MS = 1000;
const RECENT_KEPT = 8;

export function newLink(): LinkFacts {
  return { phase: 'starting', lastFrameAt: 0, heartbeatMs: DEFAULT_HEARTBEAT_MS, reconnects: 0, recent: [] };
}

/** The link with `text` noted as its newest happening. */
export function noteLink(link: LinkFacts, at: number, text: string): LinkFacts {
  return { ...link, recent: [...link.recent, { at, text }].slice(-RECENT_KEPT) };
}

/** Silence after which a connection counts as dead: two heartbeats and 5 s (the same rule web has for agents). */
export function deadlineMs(heartbeatMs: number): number {
  return 2 * heartbeatMs + 5000;
}

export type LinkState =
  /** Web speaks to us. */
  | { state: 'live'; ageMs: number }
  /** It did until a moment ago; what is shown may be out of date. */
  | ({ state: 'stale'; ageMs: number } & Effort)
  /** It has not for longer than the deadline; nothing that can change may be vouched for. */
  | ({ state: 'blind'; ageMs: number } & Effort)
  | ({ state: 'connecting' } & Effort)
  | { state: 'signedOut' };

/** What is done about it: a try is under way, or the next one comes. */
interface Effort {
  isTrying?: boolean;
  retryInMs?: number;
}

/** What may be said of the link at `now` (browser ms). */
export function linkState(link: LinkFacts, now: number): LinkState {
  if (link.phase === 'signedOut') return { state: 'signedOut' };
  const retry: Effort = {
    ...(link.phase === 'connecting' ? { isTrying: true } : {}),
    ...(link.retryAt === undefined ? {} : { retryInMs: Math.max(0, link.retryAt - now) }),
  };
  if (link.lastFrameAt === 0) return { state: 'connecting', ...retry };
  const ageMs = Math.max(0, now - link.lastFrameAt);
  if (ageMs > deadlineMs(link.heartbeatMs)) return { state: 'blind', ageMs, ...retry };
  if (ageMs > 1.5 * link.heartbeatMs + GRACE_MS) return { state: 'stale', ageMs, ...retry };
  if (link.brokenAt !== undefined && now - link.brokenAt >= GRACE_MS)
    return { state: 'stale', ageMs, ...retry };
  return { state: 'live', ageMs };
}

const BACK_OFF_MIN_MS = 250;
const BACK_OFF_MAX_MS = 10_000;

/** The wait before attempt number `attempt` (from 0): exponential with full jitter, `random` in [0, 1). */
export function backOffMs(attempt: number, random: number): number {
  const ceiling = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MIN_MS * 2 ** Math.min(attempt + 1, 16));
  return Math.round(BACK_OFF_MIN_MS + random * (ceiling - BACK_OFF_MIN_MS));
}

/** A feed cursor `<epoch>.<version>`; undefined when it is not one. */
export function parseCursor(cursor: string): { epoch: string; version: number } | undefined {
  const dot = cursor.lastIndexOf('.');
  if (dot <= 0) return undefined;
  const digits = cursor.slice(dot + 1);
  if (!/^\d{1,16}$/.test(digits)) return undefined;
  return { epoch: cursor.slice(0, dot), version: Number(digits) };
}
