/**
 * `holdfast cancel`: asks for tasks to be stopped. Guarantees: says how far the request has come, and never that a
 * task is stopped before its agent said so.
 */
import type { Command } from 'commander';
import { isEnded } from '@holdfast/shared/status';
import type { SeenTask } from '../client.ts';
import { actOnEach } from '../each-task.ts';
import type { Invocation } from '../invocation.ts';
import { endText } from '../task-text.ts';

export function defineCancel(command: Command, invocation: Invocation): void {
  command.argument('<ids...>', 'the tasks’ ids, or the beginnings of them').action((refs: string[]) =>
    actOnEach(invocation, {
      refs,
      act: async (client, id) =>
        (await client.call<SeenTask>('POST', `/tasks/${id}/cancel`, { body: {} })).value,
      describe: describeCancel,
    }),
  );
}

function describeCancel(task: SeenTask): string {
  if (isEnded(task.status)) return `${task.id}  ${endText(task)}`;
  if (task.stopRequested !== undefined) return `${task.id}  stopping: its agent has the request`;
  return `${task.id}  cancel pending: it will be delivered when the task’s agent answers`;
}
