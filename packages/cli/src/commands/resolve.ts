/**
 * `holdfast resolve`: a person's verdict on tasks whose status nobody knows. Guarantees: only unknown tasks take one, and
 * those that were submitted to an agent that was removed; it yields to what their agent may still say.
 */
import type { Command } from 'commander';
import { usageError } from '../cli-error.ts';
import type { Client, SeenTask } from '../client.ts';
import { actOnEach } from '../each-task.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { askOnce } from '../lost-answer.ts';
import { endText } from '../task-text.ts';

interface ResolveOptions {
  lost?: boolean;
  note?: string;
}

export function defineResolve(command: Command, invocation: Invocation): void {
  command
    .argument('<ids...>', 'the tasks’ ids, or the beginnings of them')
    .option('--lost', 'the verdict: nobody will ever say how it ended')
    .option('--note <text>', 'why, for the record')
    .action((refs: string[], options: ResolveOptions) => {
      if (options.lost !== true)
        throw usageError('--lost is missing', 'It is the verdict: nobody will ever say how the task ended.');
      if (invocation.options.agentUrl !== undefined)
        throw usageError(
          'a verdict is web’s; an agent knows its tasks, or has lost them',
          'Leave out --agent-url.',
        );
      const body = { verdict: 'lost', ...(options.note === undefined ? {} : { note: options.note }) };
      return actOnEach(invocation, {
        refs,
        act: (client, id) => resolveTask(client, id, body),
        describe: (task) => `${task.id}  ${endText(task)}`,
      });
    });
  addManual(command, {
    guarantees: [
      'For a task that is unknown because its agent is gone for good, or that was submitted to an agent that was removed: it stops counting as work in progress. Nothing is stopped by it. If the agent comes back after all, its word replaces the verdict.',
    ],
    exits: {
      ok: 'every verdict was taken',
      refused: 'the status of a task is known, or there is none of that id',
      unknown: 'whether a verdict was taken is not known',
    },
    examples: [
      'holdfast list --status unknown',
      'holdfast resolve 0199aa3c --lost --note "build-2 was scrapped"',
    ],
  });
}

async function resolveTask(client: Client, id: string, body: object): Promise<SeenTask> {
  const lost = { whether: 'the verdict was taken', hint: `See it with: holdfast show ${id}` };
  const path = `/tasks/${id}/resolve`;
  return (await askOnce(client, lost, () => client.call<SeenTask>('POST', path, { body }))).value;
}
