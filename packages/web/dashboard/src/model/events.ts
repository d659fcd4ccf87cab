/**
 * The events of a task as a record for people. Guarantees: pure; every event is a sentence, a kind that this version does
 * not know is shown as it is; between them stands each stretch in which web could not see; two clocks that disagree are
 * said to.
 */
import type { DoubtReason } from '@holdfast/shared/status';
import type { ShownTask, TaskEvent } from '@holdfast/shared';
import { clockHint } from './agent-clock.ts';
import { outcomeText } from './sentence.ts';
import { bytesText, capitalized, dayText, preciseTimeText, spanText, withoutStop } from './words.ts';

/** An agent of a newer version may send a kind that is not named here. */
const kindWords: Partial<Record<string, string>> = {
  submitted: 'Accepted',
  claimed: 'Claimed',
  started: 'Started',
  adopted: 'Adopted',
  requeued: 'Queued again',
  stopRequested: 'Stop requested',
  reported: 'Reported its id',
  attention: 'Attention',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

export function eventWord(kind: string): string {
  return kindWords[kind] ?? kind;
}

/** What happened, as a sentence. */
export function eventSentence(event: TaskEvent): string {
  switch (event.kind) {
    case 'submitted':
      return `Accepted into session ${event.data.task.sessionId}.`;
    case 'claimed': {
      const claim = event.data?.claim;
      return claim === undefined
        ? `Attempt ${event.attempt} takes a slot.`
        : `Attempt ${event.attempt} is claimed by worker ${claim.worker}, with a lease until ${preciseTimeText(claim.leaseExpiresAt)}.`;
    }
    case 'started': {
      const { process, claim } = event.data ?? {};
      const why =
        process !== undefined
          ? `: process group ${process.pid} is confirmed`
          : claim !== undefined
            ? `: worker ${claim.worker} sent its first heartbeat`
            : '';
      return `Attempt ${event.attempt} runs${why}.`;
    }
    case 'adopted':
      return `Process group ${event.data.process.pid} was verified alive after a restart of the agent.`;
    case 'requeued': {
      const { outcome, charged, notBeforeAt, outputBytes } = event.data;
      const charge = charged ? 'It counts' : 'It does not count';
      const wait =
        notBeforeAt === undefined ? '' : ` Not tried again before ${preciseTimeText(notBeforeAt)}.`;
      return `Queued again: ${outcomeText(outcome)}; ${bytesText(outputBytes)} of output. ${charge} against its attempts.${wait}`;
    }
    case 'stopRequested':
      return `A stop was requested: ${withoutStop(event.data.message ?? stopWords[event.data.cause])}.`;
    case 'reported':
      return `Its runner reported its own id: ${event.data.externalId}`;
    case 'attention':
      return 'cleared' in event.data
        ? `${capitalized(event.data.code.replaceAll('_', ' '))} is over.`
        : `Needs attention: ${withoutStop(event.data.message)}.`;
    case 'completed':
    case 'failed':
    case 'cancelled': {
      const how = [outcomeText(event.data.outcome), `${bytesText(event.data.outputBytes)} of output`];
      return `${eventWord(event.kind)}: ${how.filter((part) => part !== '').join('; ')}.`;
    }
    default: {
      // The compiler knows all kinds; an agent of a newer version may know more.
      const { kind }: { kind: string } = event satisfies never;
      return eventWord(kind);
    }
  }
}

const stopWords = {
  cancel: 'a person asked to cancel it',
  reclaim: 'a person reclaimed it',
  timeout: 'its time was over',
  idle_timeout: 'it was silent for too long',
  output_limit: 'it printed too much',
} as const;

/** A doubt of web's: from `asOf`, the last proof, to `resolvedAt`, when truth or a verdict replaced it. */
export interface WebDoubt {
  reason: DoubtReason;
  lastStatus: string;
  asOf: number;
  since: number;
  resolvedAt?: number;
  resolvedTo?: string;
}

export type RecordEntry =
  | { kind: 'event'; event: TaskEvent; receivedAt: number | undefined }
  | { kind: 'gap'; doubt: WebDoubt };

/** Events in order, each gap before the first event that web had only after the doubt began. */
export function recordOf(
  events: readonly TaskEvent[],
  received: readonly { seq: number; receivedAt: number }[],
  doubts: readonly WebDoubt[],
): RecordEntry[] {
  const receivedAt = new Map(received.map((entry) => [entry.seq, entry.receivedAt]));
  const entries: RecordEntry[] = [];
  const gaps = doubts.toSorted((a, b) => a.since - b.since);
  for (const event of events) {
    const at = receivedAt.get(event.seq);
    const begun = at === undefined ? 0 : gaps.filter((doubt) => doubt.since <= at).length;
    entries.push(...gaps.splice(0, begun).map((doubt) => ({ kind: 'gap' as const, doubt })));
    entries.push({ kind: 'event', event, receivedAt: at });
  }
  return [...entries, ...gaps.map((doubt) => ({ kind: 'gap' as const, doubt }))];
}

/** What web could not see, from when to when, and what it turned out to be. Web's clock. */
export function gapText(doubt: WebDoubt, agentName: string, now: number): string {
  const until = doubt.resolvedAt ?? now;
  const from = preciseTimeText(doubt.asOf);
  const why = gapReasons[doubt.reason].replace('{agent}', agentName);
  const length = spanText(until - doubt.asOf);
  if (doubt.resolvedAt === undefined) {
    return `Since ${from} (${length}) ${why}. It was ${doubt.lastStatus}; what is true now is not known.`;
  }
  const to = doubt.resolvedTo === undefined ? '' : `; then the truth: ${doubt.resolvedTo}`;
  return `${dayText(doubt.asOf, now)}${from} to ${preciseTimeText(until)} (${length}): ${why}. It was ${doubt.lastStatus}${to}.`;
}

const gapReasons: Record<DoubtReason, string> = {
  agent_unreachable: 'nothing was heard from {agent}',
  agent_stopped: '{agent} was stopped',
  agent_degraded: '{agent} could not vouch for its tasks',
  not_on_agent: '{agent} did not know this task',
  agent_removed: 'its agent was not followed',
  web_down: 'web was down, and heard nothing from {agent}',
};

/** Two clocks this close agree: the way from one to the other takes time. */
const AGREEING_MS = 1000;

/** By how much web's clock says later than the agent's, when that is worth saying; '' else. */
export function lagText(lagMs: number): string {
  if (Math.abs(lagMs) <= AGREEING_MS) return '';
  return `${lagMs < 0 ? '−' : '+'}${spanText(Math.abs(lagMs))}`;
}

/**
 * What is known of the two clocks. `aheadMs`: as the agent's heartbeats show it. Without it, what the events prove: web
 * cannot have received an event before it happened, so the smallest lag is how far the agent's clock is ahead, at least.
 * That it is behind cannot be told from an event that came late.
 */
export function skewText(
  events: readonly Pick<TaskEvent, 'seq' | 'at'>[],
  received: readonly { seq: number; receivedAt: number }[],
  agentName: string,
  aheadMs?: number,
): string | undefined {
  const hint = clockHint(agentName, aheadMs);
  if (hint !== undefined) return `${capitalized(hint)}.`;
  const receivedAt = new Map(received.map((entry) => [entry.seq, entry.receivedAt]));
  const lags = events.flatMap(({ seq, at }) => {
    const had = receivedAt.get(seq);
    return had === undefined ? [] : [had - at];
  });
  const least = Math.min(...lags);
  if (!(least < -AGREEING_MS)) return undefined;
  return `The clock of ${agentName} is ahead of web’s by at least ${spanText(-least)}.`;
}

/** What happened in one attempt, and before the first one (0). */
export interface RecordGroup {
  attempt: number;
  entries: RecordEntry[];
}

/** The record by attempts, in order; a gap belongs where it stands. */
export function groupsOf(entries: readonly RecordEntry[]): RecordGroup[] {
  const groups: RecordGroup[] = [];
  for (const entry of entries) {
    const last = groups.at(-1);
    const attempt = entry.kind === 'event' ? entry.event.attempt : (last?.attempt ?? 0);
    if (last?.attempt === attempt) last.entries.push(entry);
    else groups.push({ attempt, entries: [entry] });
  }
  return groups;
}

/** Which kinds there are, and how many of each, in the order of their first event. */
export function kindCounts(events: readonly { kind: string }[]): [kind: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { kind } of events) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts];
}

/**
 * Whether the event that made the row is missing. Not told by greater numbers: before the first event of a new journal
 * is there, those of the old one are.
 */
export function lacksEventOf(
  events: readonly Pick<TaskEvent, 'seq'>[],
  { seq }: Pick<ShownTask, 'seq'>,
): boolean {
  return seq > 0 && !events.some((event) => event.seq === seq);
}
