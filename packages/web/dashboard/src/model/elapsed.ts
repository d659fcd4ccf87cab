/**
 * How long a task has been at it. Guarantees: pure; the clock of what is in doubt stands at the last proof and says so with
 * a plus; a wait begins with the wait, not with the task; whose clock the task's times are from does not matter.
 */
import type { ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { assertedStatus, byTasksClock, type Certainty } from './certainty.ts';
import { staleOf } from './stale.ts';
import { clockText, spanText } from './words.ts';

/** Whether it waits for an attempt, as far as was last asserted. */
export function isWaiting(task: ShownTask): boolean {
  const status = assertedStatus(task);
  return (status === 'queued' || status === 'submitted') && task.startedAt === undefined;
}

/**
 * How long it ran, has run, or has waited; '' where that is not known. `now`: web's clock; `requeuedAt`: when it was queued
 * again (the task's clock), where that is known.
 */
export function elapsedText(task: ShownTask, certainty: Certainty, now: number, requeuedAt?: number): string {
  if (isEnded(task.status)) {
    return task.startedAt === undefined || task.endedAt === undefined
      ? ''
      : spanText(task.endedAt - task.startedAt);
  }
  const from = isWaiting(task) ? (requeuedAt ?? waitingSince(task)) : task.startedAt;
  if (from === undefined) return '';
  const stale = staleOf(task, certainty, now);
  if (certainty.state === 'live' && stale === undefined) {
    return clockText(byTasksClock(now, certainty) - from);
  }
  const vouchedAt = byTasksClock(certainty.asOf, certainty);
  const provenAt = Math.min(vouchedAt, stale?.provenAt ?? vouchedAt);
  return `${clockText(Math.max(0, provenAt - from))}+`;
}

/** Since when it waits for its next attempt (the task's clock); undefined where its row does not tell. */
function waitingSince(task: ShownTask): number | undefined {
  // Attempts may lie between its creation and this wait.
  return task.statusAt ?? (task.attempt > 0 ? undefined : task.createdAt);
}
