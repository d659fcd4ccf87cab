/**
 * `holdfast retry`: runs ended tasks again, each as a new task. Standard output holds the new ids, one a line; a retry
 * whose answer was lost is exit code 75, with the id by which it can be looked up.
 */
import type { Command } from 'commander';
import { uuidv7 } from 'uuidv7';
import type { Client, SeenTask } from '../client.ts';
import { actOnEach } from '../each-task.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { askOnce } from '../lost-answer.ts';

export function defineRetry(command: Command, invocation: Invocation): void {
  command
    .argument('<ids...>', 'the tasks’ ids, or the beginnings of them')
    .action((refs: string[]) => actOnEach(invocation, { refs, act: retryTask, describe: (task) => task.id }));
  addManual(command, {
    guarantees: [
      'The old task stays as it ended; the new one names it (retryOf), and runs on the same agent. Standard output holds the new ids, one a line, in the order given.',
    ],
    exits: {
      ok: 'each was accepted as a new task',
      refused: 'a task has not ended yet, or there is none of that id',
      unknown: 'whether a retry was accepted is not known; the id by which to look is printed',
    },
    examples: ['holdfast retry 0199aa3c', 'holdfast wait $(holdfast retry 0199aa3c)'],
  });
}

async function retryTask(client: Client, id: string): Promise<SeenTask> {
  const newId = uuidv7();
  const lost = {
    whether: 'the retry was accepted',
    hint: `Before you repeat it, look whether there is the new task: holdfast show ${newId}`,
  };
  const body = { id: newId };
  return (await askOnce(client, lost, () => client.call<SeenTask>('POST', `/tasks/${id}/retry`, { body })))
    .value;
}
