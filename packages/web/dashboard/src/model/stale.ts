/**
 * When a task that is said to be worked on looks as if nobody does. Guarantees: pure; a task whose process its agent
 * verified is never stale, however quiet; while nobody vouches, a lease is judged as of the last proof, because its
 * worker may have renewed it since.
 */
import type { ShownTask } from '@holdfast/shared';
import { assertedStatus, byTasksClock, type Certainty } from './certainty.ts';
import { ageText, timeText } from './words.ts';

export interface Stale {
  code: 'lease_expired' | 'claim_silent' | 'probe_failed';
  /** A few words for a badge. */
  badge: string;
  /** One sentence: what is missing. */
  text: string;
  /** Since when it counts as stale (the task's clock, as what follows). */
  sinceAt: number;
  /** The last time anything proved that somebody worked on it: clocks stand still here. */
  provenAt: number;
}

/** `webNow`: web's clock (ms); the times of the result are by the task's clock. */
export function staleOf(task: ShownTask, certainty: Certainty, webNow: number): Stale | undefined {
  if (!isUnderWay(task)) return undefined;
  const now = byTasksClock(webNow, certainty);
  const at = certainty.state === 'live' ? now : byTasksClock(certainty.asOf, certainty);
  const { claim } = task;
  if (claim !== undefined && claim.leaseExpiresAt <= at) {
    const said =
      certainty.state === 'live'
        ? `${ageText(now - claim.leaseExpiresAt)} ago`
        : clock(claim.leaseExpiresAt, now);
    return {
      code: 'lease_expired',
      badge: 'stale: lease over',
      text: `The lease of worker ${claim.worker} ran out ${said}.`,
      sinceAt: claim.leaseExpiresAt,
      provenAt: claim.lastHeartbeatAt,
    };
  }
  const entry = task.attention?.find(({ code }) => isStaleCode(code));
  if (entry === undefined) return undefined;
  const isClaim = entry.code === 'claim_silent';
  return {
    code: isClaim ? 'claim_silent' : 'probe_failed',
    badge: isClaim ? 'stale: worker silent' : 'stale: not verified',
    text: sentence(entry.message),
    sinceAt: entry.sinceAt,
    provenAt: claim?.lastHeartbeatAt ?? entry.sinceAt,
  };
}

/** Whether an `attention` of this code says that its task is stale. */
export function isStaleCode(code: string): boolean {
  return code === 'claim_silent' || code === 'probe_failed';
}

/** Whether an attempt is under way, as far as was last asserted: only then can one be reclaimed. */
export function isUnderWay(task: ShownTask): boolean {
  const status = assertedStatus(task);
  return status === 'starting' || status === 'running';
}

function clock(at: number, now: number): string {
  return `at ${timeText(at, now)}`;
}

/** An agent's message as a sentence of its own. */
function sentence(message: string): string {
  const text = message === '' ? message : message[0]!.toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
