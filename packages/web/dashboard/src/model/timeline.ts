/**
 * A task's life as spans of time, from its events and web's doubts. Guarantees: spans are in order, do not overlap
 * and leave no gap; where nobody vouched the span says so, even if the truth was learned later (P9).
 */
import type { Certainty } from './certainty.ts';

export interface Span {
  phase: 'queued' | 'starting' | 'running';
  attempt: number;
  fromAt: number;
  toAt: number;
  isDoubted: boolean;
}

interface TimelineEvent {
  kind: string;
  attempt: number;
  to: string;
  at: number;
  /** When web received it (web's clock): an event is the agent's word as much as a heartbeat is. */
  receivedAt?: number | undefined;
}

interface TimelineDoubt {
  asOf: number;
  since: number;
  resolvedAt?: number;
}

export interface TimelineInput {
  /** Oldest first, the agent's clock. */
  events: readonly TimelineEvent[];
  doubts: readonly TimelineDoubt[];
  certainty: Certainty;
  /** Web's clock. */
  now: number;
}

export function spansOf({ events, doubts, certainty, now }: TimelineInput): Span[] {
  const phases: Omit<Span, 'isDoubted'>[] = [];
  for (const [index, event] of events.entries()) {
    const phase = phaseOf(event.to);
    if (phase === undefined) break;
    const toAt = Math.max(event.at, events[index + 1]?.at ?? now);
    const last = phases.at(-1);
    if (last !== undefined && last.phase === phase && last.attempt === event.attempt) last.toAt = toAt;
    else phases.push({ phase, attempt: event.attempt, fromAt: event.at, toAt });
  }
  /** The last word before `before`: a heartbeat that vouched, or an event that came after it. */
  const heardAt = (asOf: number, before: number): number =>
    Math.max(asOf, ...events.map((event) => event.receivedAt ?? asOf).filter((at) => at <= before));
  const blanks = doubts.map(({ asOf, since, resolvedAt }) => ({
    fromAt: heardAt(asOf, since),
    toAt: resolvedAt ?? now,
  }));
  if (certainty.state !== 'live') blanks.push({ fromAt: heardAt(certainty.asOf, now), toAt: now });
  return phases.flatMap((phase) => split(phase, blanks)).filter((span) => span.toAt > span.fromAt);
}

function phaseOf(status: string): Span['phase'] | undefined {
  return status === 'queued' || status === 'starting' || status === 'running' ? status : undefined;
}

function split(phase: Omit<Span, 'isDoubted'>, blanks: readonly { fromAt: number; toAt: number }[]): Span[] {
  const cuts = new Set([phase.fromAt, phase.toAt]);
  for (const at of blanks.flatMap((blank) => [blank.fromAt, blank.toAt])) {
    if (at > phase.fromAt && at < phase.toAt) cuts.add(at);
  }
  const points = [...cuts].toSorted((a, b) => a - b);
  const spans: Span[] = [];
  for (let i = 0; i + 1 < points.length; i += 1) {
    const fromAt = points[i]!;
    const toAt = points[i + 1]!;
    const isDoubted = blanks.some((blank) => blank.fromAt <= fromAt && blank.toAt >= toAt);
    const last = spans.at(-1);
    if (last !== undefined && last.isDoubted === isDoubted) last.toAt = toAt;
    else spans.push({ ...phase, fromAt, toAt, isDoubted });
  }
  return spans;
}
