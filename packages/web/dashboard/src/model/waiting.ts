/**
 * Why a queued task waits, in words. Guarantees: pure; nothing is named that the agent did not say; while nobody vouches
 * for the agent, what it said is told as of then.
 */
import type { ShownAgent, ShownTask } from '@holdfast/shared';
import { byTasksClock, type Certainty } from './certainty.ts';
import { clockText, dayText, plural, secondText, withoutStop } from './words.ts';

/** Each reason is a clause of its own; none means that it is next. `webNow` is web's clock. */
export function waitReasons(
  task: ShownTask,
  agent: ShownAgent | undefined,
  certainty: Certainty,
  webNow: number,
): string[] {
  const reasons: string[] = [];
  const now = byTasksClock(webNow, certainty);
  if (task.notBeforeAt !== undefined && task.notBeforeAt > now) {
    const at = `${dayText(task.notBeforeAt, now)}${secondText(task.notBeforeAt)}`;
    reasons.push(
      certainty.state === 'live'
        ? `its next try is in ${untilText(task.notBeforeAt - now)} (${at})`
        : `it is not tried again before ${at}`,
    );
  }
  if (task.queue !== 'default') {
    reasons.push(`a worker of queue ${task.queue} has to claim it`);
    return reasons;
  }
  const pool = agent?.pool;
  if (pool !== undefined && agent !== undefined) {
    if (pool.draining) reasons.push(`${agent.name} is draining and starts nothing`);
    else if (pool.paused) reasons.push(`${agent.name} is paused and starts nothing`);
    for (const { message } of pool.attention ?? []) reasons.push(withoutStop(message));
    if (pool.running >= pool.slots)
      reasons.push(`${busyText(pool.slots)}, ${plural(pool.queued, 'task')} queued`);
  }
  if (task.spec.concurrencyKey !== undefined) {
    reasons.push(`of the tasks with the key “${task.spec.concurrencyKey}” one runs at a time`);
  }
  return reasons;
}

/** `47 s`, `12:40`: a wait that is counted down. */
function untilText(ms: number): string {
  return ms <= 60_000 ? `${Math.ceil(ms / 1000)} s` : clockText(ms);
}

function busyText(slots: number): string {
  if (slots === 0) return 'there is no slot';
  return slots === 1 ? 'its only slot is in use' : `all ${slots} slots are in use`;
}

/** ` It waits: a; b.`, or '' when nothing keeps it. */
export function waitText(reasons: readonly string[]): string {
  return reasons.length === 0 ? '' : ` It waits: ${reasons.join('; ')}.`;
}
