/**
 * The retry budget: what becomes of a task whose attempt did not end it.
 *
 * A lost attempt is charged; an attempt that the infrastructure ended (a reboot, an interrupted dispatch) is not,
 * but such requeues are capped too, so nothing circles for ever. Delays double from the first one (of those that are
 * not charged: from the second) up to a minute, with full jitter (Brooker, "Exponential Backoff And Jitter", 2015).
 */
import type { Outcome, Reason } from '@holdfast/shared';

const MOST_UNCHARGED = 10;
/** No delay is longer. */
export const MOST_DELAY_MS = 60_000;

export interface RetryPolicy {
  maxAttempts: number;
  retryDelayMs: number;
  /** In [0, 1). */
  random: () => number;
}

export type RetryDecision =
  | { kind: 'requeue'; charged: boolean; notBeforeAt?: number }
  | { kind: 'exhausted'; outcome: Outcome };

/**
 * Decides after an attempt that was lost or failed for `outcome.reason`. `charged` and `uncharged` count the
 * requeues before this one; `maxAttempts` counts attempts, so a budget of 3 is two charged requeues.
 */
export function decideRetry(
  policy: RetryPolicy,
  history: { charged: number; uncharged: number },
  attempt: { outcome: Outcome; charged: boolean },
  now: number,
): RetryDecision {
  const { outcome, charged } = attempt;
  const used = charged ? history.charged + 1 >= policy.maxAttempts : history.uncharged >= MOST_UNCHARGED;
  if (used)
    return { kind: 'exhausted', outcome: exhausted(outcome, charged ? policy.maxAttempts : MOST_UNCHARGED) };
  // A restart delays nobody; what is interrupted again and again waits, or it would be out of tries at once.
  if (!charged && history.uncharged === 0) return { kind: 'requeue', charged };
  const before = charged ? history.charged : history.uncharged - 1;
  const most = Math.min(MOST_DELAY_MS, policy.retryDelayMs * 2 ** before);
  const delayMs = Math.round(policy.random() * most);
  return delayMs === 0
    ? { kind: 'requeue', charged }
    : { kind: 'requeue', charged, notBeforeAt: now + delayMs };
}

function exhausted(last: Outcome, attempts: number): Outcome {
  const reason: Reason = 'attempts_exhausted';
  const how = [last.reason, last.signal ?? last.exitCode].filter((part) => part !== undefined).join(' ');
  const cause = last.message === undefined ? how : `${how}: ${last.message}`;
  return { ...last, reason, message: `no attempt is left after ${attempts}; the last one: ${cause}` };
}
