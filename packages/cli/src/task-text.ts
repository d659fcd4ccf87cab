/**
 * A task in words. Guarantees: a status that nobody vouches for is marked, with the age of the last proof, and its
 * clock stands still there (P2); shape and word, never colour alone; nothing a task brought along reaches the
 * terminal as anything but text.
 */
import type { ShownStatus } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import type { SeenTask } from './client.ts';
import type { Style } from './render.ts';
import { ageText, plainText, spanText } from './words.ts';

const shapes: Record<ShownStatus, string> = {
  submitted: '↑',
  queued: '○',
  starting: '◔',
  running: '●',
  completed: '✓',
  failed: '✗',
  cancelled: '⊘',
  unknown: '?',
  lost: '!',
};

const styles: Record<ShownStatus, Style> = {
  submitted: 'dim',
  queued: 'dim',
  starting: 'blue',
  running: 'blue',
  completed: 'green',
  failed: 'red',
  cancelled: 'dim',
  unknown: 'magenta',
  lost: 'magenta',
};

/** Shape and word: `● running`, `◌ running?  as of 12 s ago`, `? unknown (was running)  as of 40 s ago`. */
export function statusText(task: SeenTask, now: number): { text: string; style: Style } {
  const { status, knowledge } = task;
  if (knowledge?.state === 'stale') {
    return {
      text: `◌ ${status}?  as of ${proofAge(knowledge.asOf, now)}${stopText(task)}${attentionText(task)}`,
      style: 'yellow',
    };
  }
  const was = status === 'unknown' && task.lastStatus !== undefined ? ` (was ${task.lastStatus})` : '';
  const proof =
    status === 'unknown' && knowledge !== undefined ? `  as of ${proofAge(knowledge.asOf, now)}` : '';
  const attention = attentionText(task);
  const text = `${shapes[status]} ${status}${was}${proof}${stopText(task)}${attention}`;
  return { text, style: attention === '' ? styles[status] : 'yellow' };
}

/** What a person should see of a task that is alive: a silent worker, a process that cannot be looked at. */
function attentionText({ attention = [], status }: SeenTask): string {
  if (isEnded(status) || attention.length === 0) return '';
  return `, ! ${plainText(attention.map((one) => one.code).join(', '))}`;
}

function proofAge(asOf: number, now: number): string {
  return asOf === 0 ? 'no proof yet' : `${ageText(now - asOf)} ago`;
}

function stopText(task: SeenTask): string {
  if (isEnded(task.status)) return '';
  if (task.stopRequested !== undefined) return ', stopping';
  const pending = task.pending?.findLast((one) => one.action === 'cancel' || one.action === 'reclaim');
  return pending === undefined ? '' : `, ${pending.action} pending`;
}

/** How long it has been running, up to the last proof if nobody vouches for more (`12:40+`). */
export function elapsedText(task: SeenTask, now: number): string {
  const { startedAt, endedAt, knowledge } = task;
  if (startedAt === undefined) return '';
  if (endedAt !== undefined) return spanText(endedAt - startedAt);
  if (isEnded(task.status) || task.status === 'queued') return '';
  if (knowledge === undefined || knowledge.state === 'live') return spanText(now - startedAt);
  return `${spanText(Math.max(0, knowledge.asOf - startedAt))}+`;
}

/** `0`, `3`, `SIGKILL`, `timeout`: how it ended, in a word, where the status does not say it. */
export function exitText(task: SeenTask): string {
  if (!isEnded(task.status) || task.status === 'cancelled' || task.outcome === undefined) return '';
  const { exitCode, signal, reason } = task.outcome;
  if (reason === 'worker_completed') return '';
  if (reason !== 'exit' && reason !== 'signal') return reason;
  return signal ?? (exitCode === undefined ? reason : String(exitCode));
}

/** The command as one line. */
function commandText({ spec }: Pick<SeenTask, 'spec'>): string {
  if (spec.shell !== undefined) return plainText(spec.shell);
  if (spec.command !== undefined) return plainText(spec.command.join(' '));
  if (spec.runner !== undefined) return plainText(`${spec.runner}: ${spec.prompt ?? ''}`);
  return '';
}

/** What a row is called: its title, else its command. */
export function taskName(task: Pick<SeenTask, 'title' | 'spec'>): string {
  return task.title === undefined ? commandText(task) : plainText(task.title);
}

const doubts: Record<NonNullable<NonNullable<SeenTask['knowledge']>['reason']>, string> = {
  agent_unreachable: 'its agent cannot be reached',
  agent_stopped: 'its agent was stopped',
  agent_degraded: 'its agent cannot vouch for its tasks (journal or sweep)',
  not_on_agent: 'its agent no longer has it',
  agent_removed: 'its agent was removed',
  web_down: 'web did not run, and has not heard from its agent since',
};

/** Why nobody vouches for the status, or undefined if somebody does. */
export function doubtText(task: SeenTask): string | undefined {
  const { knowledge } = task;
  if (knowledge === undefined || knowledge.state === 'live') return undefined;
  return knowledge.reason === undefined ? 'nobody vouches for it' : doubts[knowledge.reason];
}

/** What a task of which nobody knows may do: one that was seen waiting may have begun since. */
export function mayRunText({ status, lastStatus }: SeenTask): string {
  const known = status === 'unknown' ? lastStatus : status;
  return known === 'queued' || known === 'submitted' ? 'the task may run by now' : 'the task may still run';
}

/** How an ended task ended: `failed: exit 3`, `cancelled`, `lost`. */
export function endText(task: SeenTask): string {
  const { outcome, status } = task;
  if (outcome === undefined) {
    return task.refused === undefined ? status : `${status}: ${plainText(task.refused.message)}`;
  }
  const { reason, exitCode, signal } = outcome;
  const code = exitCode === undefined ? '' : ` (exit ${exitCode})`;
  const message = outcome.message === undefined ? '' : `, ${plainText(outcome.message)}`;
  if (status === 'completed' || reason === 'cancelled_by_user') return `${status}${message}`;
  if (reason === 'exit') return `${status}: exit ${exitCode ?? '?'}${message}`;
  if (reason === 'signal') return `${status}: ${signal ?? 'a signal'}${code}${message}`;
  return `${status}: ${reason}${code}${message}`;
}
