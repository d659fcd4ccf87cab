/**
 * `holdfast retry`: runs ended tasks again, each as a new task. Standard output holds the new ids, one a line; a retry
 * whose answer was lost is exit code 75, with the command that repeats it so that nothing runs twice.
 */
import type { Command } from 'commander';
import { uuidv7 } from 'uuidv7';
import { actOnMatching, addBulkOptions, type BulkOptions } from '../bulk.ts';
import { usageError } from '../cli-error.ts';
import type { Client, SeenTask } from '../client.ts';
import { actOnEach } from '../each-task.ts';
import { addFilterOptions, refuseMixture } from '../filter-options.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { askOnce } from '../lost-answer.ts';

interface RetryOptions extends BulkOptions {
  id?: string;
}

export function defineRetry(command: Command, invocation: Invocation): void {
  command
    .usage('[options] <ids...>\n       holdfast retry --session <id> [options]')
    .argument('[ids...]', 'the tasks’ ids, or the beginnings of them')
    .optionsGroup('One task that is named:')
    .option('--id <uuid>', 'the new task’s id, a UUIDv7: repeating a retry with the same id is harmless')
    .optionsGroup('All tasks that fit, instead of ids:');
  addBulkOptions(addFilterOptions(command, '; default: failed, cancelled, lost')).action(
    (refs: string[], options: RetryOptions) => {
      const { id } = options;
      if (id !== undefined && refs.length !== 1)
        throw usageError('--id is the id of one new task', 'Name the one task that is to run again.');
      if (refuseMixture('retry', refs, options) === 'ids')
        return actOnEach(invocation, {
          refs,
          act: (client, old) => retryTask(client, old, id ?? uuidv7()),
          describe: (task) => task.id,
        });
      return actOnMatching(invocation, options, {
        action: 'retry',
        statuses: ['failed', 'cancelled', 'lost'],
        describe: (item) => item.newId ?? item.id,
      });
    },
  );
  addManual(command, {
    guarantees: [
      'The old task stays as it ended; the new one names it (retryOf), and runs on the same agent. Standard output holds the new ids, one a line, in the order given.',
      'By what they are instead of ids, tasks are counted and shown first, and a person is asked; without a terminal it needs -y. Each task is retried so once: repeating the command prints the same new ids, and runs nothing twice.',
    ],
    exits: {
      ok: 'each was accepted as a new task, or no task fits',
      refused: 'a task has not ended yet, there is none of that id, or web refused the choice',
      unknown: 'whether a retry was accepted is not known; the command that repeats it harmlessly is printed',
    },
    examples: [
      'holdfast retry 0199aa3c',
      'holdfast wait $(holdfast retry 0199aa3c)',
      'holdfast retry --session nightly --status failed',
    ],
  });
}

async function retryTask(client: Client, id: string, newId: string): Promise<SeenTask> {
  const lost = {
    whether: 'the retry was accepted',
    hint: `Repeat it with: holdfast retry ${id} --id ${newId}. If it was accepted, nothing runs twice.`,
  };
  const body = { id: newId };
  return (await askOnce(client, lost, () => client.call<SeenTask>('POST', `/tasks/${id}/retry`, { body })))
    .value;
}
