/**
 * `holdfast retry`: runs ended tasks again, each as a new task. Standard output holds the new ids, one a line; a retry
 * whose answer was lost is exit code 75, with the id by which it can be looked up.
 */
import type { Command } from 'commander';
import { uuidv7 } from 'uuidv7';
import type { Client, SeenTask } from '../client.ts';
import { actOnEach } from '../each-task.ts';
import type { Invocation } from '../invocation.ts';
import { afterLostAnswer } from '../lost-answer.ts';

export function defineRetry(command: Command, invocation: Invocation): void {
  command
    .argument('<ids...>', 'the tasks’ ids, or the beginnings of them')
    .addHelpText(
      'after',
      `
The old task stays as it ended; the new one names it (retryOf), and runs on the same agent.

Examples:
  holdfast retry 0199aa3c
  holdfast wait $(holdfast retry 0199aa3c)`,
    )
    .action((refs: string[]) => actOnEach(invocation, { refs, act: retryTask, describe: (task) => task.id }));
}

async function retryTask(client: Client, id: string): Promise<SeenTask> {
  const newId = uuidv7();
  try {
    return (await client.call<SeenTask>('POST', `/tasks/${id}/retry`, { body: { id: newId } })).value;
  } catch (error) {
    throw afterLostAnswer(client, error, {
      whether: 'the retry was accepted',
      hint: `Before you repeat it, look whether there is the new task: holdfast show ${newId}`,
    });
  }
}
