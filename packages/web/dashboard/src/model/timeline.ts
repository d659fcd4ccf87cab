/**
 * A task's life as spans of time, from its events, web's doubts and this page's own gaps. Guarantees: spans are in order,
 * do not overlap and leave no gap; where nobody vouched the span says so, even if the truth was learned later (P9); a
 * span that goes on ends at `now`, never after it. All of it is by the task's clock: what web and this page say is moved
 * by how far the two differ.
 */
import type { Outcome } from '@holdfast/shared';
import { byTasksClock, type Certainty, type CertaintyReason } from './certainty.ts';
import type { Stale } from './stale.ts';

export type Phase = 'queued' | 'starting' | 'running' | 'stopping';

export interface Span {
  phase: Phase;
  /** The attempt that it belongs to; time in the queue belongs to the attempt that it waits for. */
  attempt: number;
  fromAt: number;
  toAt: number;
  /** Nobody here could see it. */
  isDoubted: boolean;
  /** Who could not: web its agent, this page web, the agent the claim’s worker, or the agent the process. */
  doubt?: Doubt;
  /** It has not ended. */
  isOpen: boolean;
  /** When web had the event that began it (web's clock). */
  receivedAt?: number;
}

interface Doubt {
  by: 'web' | 'page' | 'worker' | 'agent';
  reason?: CertaintyReason;
}

/** One attempt, with the time that it waited. */
export interface Lane {
  attempt: number;
  spans: Span[];
  /** How it ended, and whether that was the end of the task. */
  end?: { at: number; kind: string; outcome?: Outcome; isCharged?: boolean };
}

interface TimelineEvent {
  kind: string;
  attempt: number;
  to: string;
  at: number;
  data?: object | undefined;
  /** When web received it (web's clock): an event is the agent's word as much as a heartbeat is. */
  receivedAt?: number | undefined;
}

/** Web's clock. */
interface TimelineDoubt {
  asOf: number;
  since: number;
  resolvedAt?: number;
  reason?: CertaintyReason;
}

export interface TimelineInput {
  /** Oldest first, the agent's clock. */
  events: readonly TimelineEvent[];
  doubts: readonly TimelineDoubt[];
  /** When this page could not hear web (web's clock). */
  ownGaps?: readonly { fromAt: number; toAt?: number }[];
  certainty: Certainty;
  /** Its agent answers, but nothing proves that anybody works on it (the task's clock). */
  stale?: Pick<Stale, 'code' | 'provenAt'> | undefined;
  /** Web's clock. */
  now: number;
  /** When a person gave it up (web's clock), while that holds: nothing is known beyond it. */
  givenUpAt?: number | undefined;
}

interface Blank {
  fromAt: number;
  toAt: number;
  doubt: Doubt;
}

type Whole = Omit<Span, 'isDoubted' | 'doubt'>;

export function spansOf(input: TimelineInput): Span[] {
  const blanks = blanksOf(input).map(({ fromAt, toAt, doubt }) => ({
    fromAt: byTasksClock(fromAt, input.certainty),
    toAt: byTasksClock(toAt, input.certainty),
    doubt,
  }));
  const { now, givenUpAt } = input;
  return wholeSpans(input.events, byTasksClock(givenUpAt ?? now, input.certainty), givenUpAt !== undefined)
    .flatMap((span) => split(span, blanks))
    .filter((span) => span.toAt > span.fromAt);
}

/** The attempts in order; the first one holds the time before it began. */
export function lanesOf(input: TimelineInput): Lane[] {
  const lanes = new Map<number, Lane>();
  for (const span of spansOf(input)) {
    const lane = lanes.get(span.attempt);
    if (lane === undefined) lanes.set(span.attempt, { attempt: span.attempt, spans: [span] });
    else lane.spans.push(span);
  }
  for (const event of input.events) {
    const isOver = phaseOf(event.to) === undefined;
    if (!isOver && event.kind !== 'requeued') continue;
    const lane = lanes.get(Math.max(1, event.attempt));
    if (lane === undefined) continue;
    const data: { outcome?: Outcome; charged?: boolean } = event.data ?? {};
    lane.end = {
      at: overAt(event),
      kind: event.kind,
      ...(data.outcome === undefined ? {} : { outcome: data.outcome }),
      ...(data.charged === undefined ? {} : { isCharged: data.charged }),
    };
  }
  const all = [...lanes.values()].toSorted((a, b) => a.attempt - b.attempt);
  const last = all.at(-1);
  if (input.givenUpAt !== undefined && last !== undefined) {
    last.end = { at: byTasksClock(input.givenUpAt, input.certainty), kind: 'lost' };
  }
  return all;
}

function wholeSpans(events: readonly TimelineEvent[], now: number, isOver: boolean): Whole[] {
  const spans: Whole[] = [];
  let stoppingAttempt = -1;
  for (const [index, event] of events.entries()) {
    const status = phaseOf(event.to);
    if (status === undefined) break;
    if (event.kind === 'stopRequested') stoppingAttempt = event.attempt;
    const isStopping = status !== 'queued' && stoppingAttempt === event.attempt;
    const phase = isStopping ? 'stopping' : status;
    const attempt = status === 'queued' ? event.attempt + 1 : event.attempt;
    const next = events[index + 1];
    const overBy = next === undefined ? now : overAt(next);
    // A process may be gone before its start was on record: its span is not empty for that.
    const toAt = overBy > event.at ? overBy : Math.max(event.at, next?.at ?? now);
    const isOpen = next === undefined && !isOver;
    const last = spans.at(-1);
    if (last !== undefined && last.phase === phase && last.attempt === attempt)
      Object.assign(last, { toAt, isOpen });
    else {
      const { receivedAt } = event;
      spans.push({
        phase,
        attempt,
        fromAt: event.at,
        toAt,
        isOpen,
        ...(receivedAt === undefined ? {} : { receivedAt }),
      });
    }
  }
  return spans;
}

/** In web's clock. */
function blanksOf({ events, doubts, ownGaps = [], certainty, stale, now }: TimelineInput): Blank[] {
  /** The last word before `before`: a heartbeat that vouched, or an event that came after it. */
  const heardAt = (asOf: number, before: number): number => {
    let heard = asOf;
    for (const { receivedAt } of events) {
      if (receivedAt !== undefined && receivedAt <= before && receivedAt > heard) heard = receivedAt;
    }
    return heard;
  };
  const ofWeb = (reason: CertaintyReason | undefined): Doubt =>
    reason === undefined ? { by: 'web' } : { by: 'web', reason };
  const blanks: Blank[] = doubts.map(({ asOf, since, resolvedAt, reason }) => ({
    fromAt: heardAt(asOf, since),
    toAt: resolvedAt ?? now,
    doubt: ofWeb(reason),
  }));
  if (certainty.state !== 'live') {
    const isPage = certainty.reason === 'web_unreachable';
    const doubt: Doubt = isPage ? { by: 'page' } : ofWeb(certainty.reason);
    blanks.push({ fromAt: heardAt(certainty.asOf, now), toAt: now, doubt });
  }
  if (stale !== undefined) {
    const by = stale.code === 'probe_failed' ? 'agent' : 'worker';
    const provenAt = stale.provenAt - (certainty.aheadMs ?? 0);
    blanks.push({ fromAt: provenAt, toAt: now, doubt: { by } });
  }
  // Web's doubts come first: where it could not see either, that is the better explanation.
  for (const { fromAt, toAt } of ownGaps) blanks.push({ fromAt, toAt: toAt ?? now, doubt: { by: 'page' } });
  return blanks;
}

/** The event that ends a task may be put on record long after its process was gone: an agent that was down learns late. */
function overAt(event: TimelineEvent): number {
  const { endedAt }: { endedAt?: number } = event.data ?? {};
  return phaseOf(event.to) === undefined ? Math.min(event.at, endedAt ?? event.at) : event.at;
}

function phaseOf(status: string): 'queued' | 'starting' | 'running' | undefined {
  return status === 'queued' || status === 'starting' || status === 'running' ? status : undefined;
}

function split(span: Whole, blanks: readonly Blank[]): Span[] {
  const cuts = new Set([span.fromAt, span.toAt]);
  for (const at of blanks.flatMap((blank) => [blank.fromAt, blank.toAt])) {
    if (at > span.fromAt && at < span.toAt) cuts.add(at);
  }
  const points = [...cuts].toSorted((a, b) => a - b);
  const parts: Span[] = [];
  for (let i = 0; i + 1 < points.length; i += 1) {
    const fromAt = points[i]!;
    const toAt = points[i + 1]!;
    const doubt = blanks.find((blank) => blank.fromAt <= fromAt && blank.toAt >= toAt)?.doubt;
    const isOpen = span.isOpen && toAt === span.toAt;
    const last = parts.at(-1);
    if (last !== undefined && last.doubt === doubt) Object.assign(last, { toAt, isOpen });
    else {
      const { receivedAt, ...rest } = span;
      parts.push({
        ...rest,
        fromAt,
        toAt,
        isOpen,
        isDoubted: doubt !== undefined,
        ...(doubt && { doubt }),
        // It is the beginning that was on record then, not what came after a gap.
        ...(receivedAt === undefined || fromAt !== span.fromAt ? {} : { receivedAt }),
      });
    }
  }
  return parts;
}

/** Time on a strip: `at` → 0 to 1, in order. */
export interface Scale {
  position: (at: number) => number;
  /** Stretches that are drawn shorter than they were, in order. */
  cuts: { fromAt: number; toAt: number }[];
}

/**
 * The axis under `spans`, up to the end of a lease that goes on beyond them. `nowAt`: the present, where that is not the
 * axis's end.
 */
export function axisOf(
  spans: readonly Span[],
  leaseExpiresAt?: number,
): { scale: Scale; toAt: number; nowAt?: number } {
  const moments = spans.flatMap((span) => [span.fromAt, span.toAt]);
  if (leaseExpiresAt !== undefined) moments.push(leaseExpiresAt);
  const waits = spans.filter((span) => span.phase === 'queued');
  const scale = scaleOf(moments, waits);
  const last = spans.at(-1);
  const seenTo = last?.toAt ?? 0;
  const toAt = Math.max(seenTo, leaseExpiresAt ?? seenTo);
  return { scale, toAt, ...(last?.isOpen === true && toAt > seenTo ? { nowAt: seenTo } : {}) };
}

/** No stretch between two moments is drawn narrower than this, as long as there is room. */
const LEAST = 0.012;
/** Beside work, all waiting together takes no more than this: the work is what people look for. */
const MOST_WAITING = 0.15;
/** Less is not worth a break in the axis, and a line that says so. */
const WORTH_CUTTING_MS = 1000;

/**
 * To scale, but for two things: a moment is never too narrow to be pointed at, and waiting in which nothing changed
 * (Temporal's UI collapses it) is shortened, which `cuts` says. `waits` are the stretches that may be.
 */
export function scaleOf(
  moments: readonly number[],
  waits: readonly { fromAt: number; toAt: number }[] = [],
): Scale {
  const points = [...new Set(moments)].toSorted((a, b) => a - b);
  const first = points[0] ?? 0;
  const count = points.length - 1;
  if (count < 1) return { position: () => 0, cuts: [] };
  const lengths = points.slice(1).map((point, i) => point - points[i]!);
  const isWait = lengths.map((_, i) =>
    waits.some(({ fromAt, toAt }) => fromAt <= points[i]! && toAt >= points[i + 1]!),
  );
  const waited = sum(lengths.filter((_, i) => isWait[i]));
  const worked = sum(lengths) - waited;
  const isCut = worked > 0 && waited >= WORTH_CUTTING_MS && waited / (waited + worked) > MOST_WAITING;
  const waiting = isCut ? MOST_WAITING : waited / (waited + worked);
  const least = Math.min(LEAST, 0.5 / count);
  const weights = lengths.map((length, i) =>
    Math.max(least, isWait[i] ? (length / waited) * waiting : (length / worked) * (1 - waiting)),
  );
  const total = sum(weights);
  const starts = [0];
  for (const weight of weights) starts.push(starts.at(-1)! + weight / total);
  return {
    cuts: isCut ? stretchesOf(points, isWait) : [],
    position(at) {
      if (at <= first) return 0;
      const index = points.findIndex((point) => point > at) - 1;
      if (index < 0) return 1;
      const part = (at - points[index]!) / (points[index + 1]! - points[index]!);
      return starts[index]! + part * (starts[index + 1]! - starts[index]!);
    },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

/** The marked stretches between points, those that touch as one. */
function stretchesOf(points: readonly number[], isMarked: readonly boolean[]): Scale['cuts'] {
  const stretches: Scale['cuts'] = [];
  for (const [i, marked] of isMarked.entries()) {
    if (!marked) continue;
    const fromAt = points[i]!;
    const toAt = points[i + 1]!;
    const last = stretches.at(-1);
    if (last?.toAt === fromAt) last.toAt = toAt;
    else stretches.push({ fromAt, toAt });
  }
  return stretches;
}
