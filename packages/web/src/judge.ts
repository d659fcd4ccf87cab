/**
 * What can be refused before any agent is asked. Pure.
 *
 * Web refuses only what can never work, whatever its agent may say: for everything else the agent decides, and
 * its answer may come later. So a dry run and the action itself refuse the same.
 */
import { isEnded, isTerminal, ProblemError } from '@holdfast/shared';
import type { TaskRow } from './session-store.ts';

export type Action = 'cancel' | 'retry' | 'reclaim' | 'resolve';

/** Why `action` cannot be done to the task, or undefined. `isFollowed` tells whether web still follows an agent. */
export function refusalOf(
  action: Action,
  row: TaskRow,
  isFollowed: (agentId: string) => boolean,
): ProblemError | undefined {
  const hasAgent = row.agentId !== undefined && isFollowed(row.agentId);
  switch (action) {
    case 'cancel':
      if (isEnded(row.status)) {
        return new ProblemError('already_ended', `The task has already ended: ${row.status}.`, {
          extra: { taskStatus: row.status },
        });
      }
      // Of a task that was not sent yet nobody but web has to know.
      return hasAgent || row.status === 'submitted' ? undefined : agentRemoved();
    case 'retry':
      if (!isEnded(row.status)) {
        return new ProblemError(
          'not_ended',
          `The task is ${row.status}; only one that has ended can be repeated.`,
        );
      }
      if (row.agentId === undefined || row.task.seq === 0) {
        return new ProblemError(
          'no_such_task',
          'No agent ever had this task, so none can repeat it. Submit it anew.',
        );
      }
      // It repeats on its own agent alone: without it, it would be promised for ever.
      return hasAgent ? undefined : agentRemoved('submit the task anew');
    case 'reclaim':
      // A verdict `lost` yields to the agent's word, and what it gave up may still be held by a worker.
      if (isTerminal(row.status)) {
        return new ProblemError('not_claimable', `The task has ended: ${row.status}. Retry makes a new one.`);
      }
      if (row.status === 'submitted') {
        return new ProblemError(
          'not_claimable',
          'No agent has acknowledged the task, so no attempt has begun.',
        );
      }
      return hasAgent ? undefined : agentRemoved();
    case 'resolve':
      // A submit whose agent was removed: whether it ever arrived nobody will tell.
      return row.status === 'unknown' ||
        (row.status === 'submitted' && row.agentId !== undefined && !hasAgent)
        ? undefined
        : notUnknown();
    default:
      return action satisfies never;
  }
}

export function agentRemoved(instead = 'resolve the task'): ProblemError {
  return new ProblemError(
    'agent_unreachable',
    `Its agent was removed here. Add the agent again, or ${instead}.`,
  );
}

export function notUnknown(): ProblemError {
  return new ProblemError('not_unknown', 'Only a task whose status is unknown can be given a verdict.');
}
