/**
 * The events of a task as a record for people. Guarantees: pure; every event is there, a kind that this version does not
 * know is shown as it is; between them stands each stretch in which web could not see.
 */
import type { DoubtReason } from '@holdfast/shared/status';
import type { TaskEvent } from '@holdfast/shared';
import { outcomeText } from './sentence.ts';
import { bytesText, preciseTimeText, spanText, timeText } from './words.ts';

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

/** Its data in words; '' where the kind says everything. */
export function eventText(event: TaskEvent): string {
  switch (event.kind) {
    case 'submitted':
      return `session ${event.data.task.sessionId}`;
    case 'claimed':
      return event.data?.claim === undefined
        ? `attempt ${event.attempt} takes a slot`
        : `attempt ${event.attempt}, by worker ${event.data.claim.worker}, lease until ${preciseTimeText(event.data.claim.leaseExpiresAt)}`;
    case 'started': {
      const { process, claim } = event.data ?? {};
      if (process !== undefined) return `process group ${process.pid} confirmed`;
      return claim === undefined ? '' : `first heartbeat of worker ${claim.worker}`;
    }
    case 'adopted':
      return `process group ${event.data.process.pid} verified alive after a restart of the agent`;
    case 'requeued': {
      const { outcome, charged, notBeforeAt, outputBytes } = event.data;
      const charge = charged ? 'counts against its attempts' : 'does not count against its attempts';
      const wait = notBeforeAt === undefined ? '' : `, not before ${preciseTimeText(notBeforeAt)}`;
      return `${outcomeText(outcome)}; ${charge}${wait}; ${bytesText(outputBytes)} of output`;
    }
    case 'stopRequested':
      return event.data.message ?? stopWords[event.data.cause];
    case 'reported':
      return event.data.externalId;
    case 'attention':
      return 'cleared' in event.data ? `${event.data.code.replaceAll('_', ' ')} is over` : event.data.message;
    case 'completed':
    case 'failed':
    case 'cancelled':
      return [outcomeText(event.data.outcome), `${bytesText(event.data.outputBytes)} of output`]
        .filter((part) => part !== '')
        .join('; ');
    default:
      return event satisfies never;
  }
}

const stopWords = {
  cancel: 'a person asked to cancel it',
  reclaim: 'a person reclaimed it',
  timeout: 'its time was over',
  idle_timeout: 'it was silent for too long',
  output_limit: 'it printed too much',
} as const;

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
  const day = timeText(doubt.asOf, now).includes(',') ? `${timeText(doubt.asOf, now).split(',')[0]}, ` : '';
  return `${day}${from} to ${preciseTimeText(until)} (${length}): ${why}. It was ${doubt.lastStatus}${to}.`;
}

const gapReasons: Record<DoubtReason, string> = {
  agent_unreachable: 'nothing was heard from {agent}',
  agent_stopped: '{agent} was stopped',
  agent_degraded: '{agent} could not vouch for its tasks',
  not_on_agent: '{agent} did not know this task',
  agent_removed: 'its agent was not followed',
};
