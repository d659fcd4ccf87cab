/**
 * `holdfast cancel`: asks for tasks to be stopped. Guarantees: says how far the request has come, and never that a
 * task is stopped before its agent said so.
 */
import type { Command } from 'commander';
import { isEnded } from '@holdfast/shared/status';
import { actOnMatching, addBulkOptions, type BulkItem, type BulkOptions } from '../bulk.ts';
import type { Client, SeenTask } from '../client.ts';
import { actOnEach } from '../each-task.ts';
import { addFilterOptions, refuseMixture } from '../filter-options.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { askOnce } from '../lost-answer.ts';
import { endText } from '../task-text.ts';

const PENDING = 'cancel pending: it will be delivered when the task’s agent answers';

export function defineCancel(command: Command, invocation: Invocation): void {
  command
    .usage('[options] <ids...>\n       holdfast cancel --session <id> [options]')
    .argument('[ids...]', 'the tasks’ ids, or the beginnings of them')
    .optionsGroup('All tasks that fit, instead of ids:');
  addBulkOptions(addFilterOptions(command, '; default: all that have not ended')).action(
    (refs: string[], options: BulkOptions) => {
      if (refuseMixture('cancel', refs, options) === 'ids')
        return actOnEach(invocation, { refs, act: cancelTask, describe: describeCancel });
      return actOnMatching(invocation, options, {
        action: 'cancel',
        statuses: ['submitted', 'queued', 'starting', 'running', 'unknown'],
        describe: describeItem,
      });
    },
  );
  addManual(command, {
    guarantees: [
      'All processes of a task are asked to end, and killed if they have not after the grace (HOLDFAST_KILL_GRACE_MS). The task is cancelled when all of them are gone, and not before; what is printed says how far the request has come.',
      'If its agent is out of sight, the request is kept and delivered when it answers. One task that is refused does not keep the others from theirs.',
      'By what they are instead of ids, tasks are counted and shown first, and a person is asked; without a terminal it needs -y. What is cancelled is what was counted, and nothing that comes to fit meanwhile.',
    ],
    exits: {
      ok: 'every request was taken, or no task fits; that the tasks are gone is told by: holdfast wait',
      refused: 'a task has ended already, there is none of that id, or web refused the choice',
      unknown: 'whether a request was taken is not known; repeating it is harmless',
    },
    examples: [
      'holdfast cancel 0199aa3c',
      'holdfast cancel --session nightly --dry-run',
      'holdfast cancel --status queued --label branch=main -y',
    ],
  });
}

async function cancelTask(client: Client, id: string): Promise<SeenTask> {
  const lost = {
    whether: 'the request was taken',
    hint: 'Repeat the command: a second request changes nothing.',
  };
  const path = `/tasks/${id}/cancel`;
  return (await askOnce(client, lost, () => client.call<SeenTask>('POST', path, { body: {} }))).value;
}

function describeCancel(task: SeenTask): string {
  if (isEnded(task.status)) return `${task.id}  ${endText(task)}`;
  if (task.stopRequested !== undefined) return `${task.id}  stopping: its agent has the request`;
  return `${task.id}  ${PENDING}`;
}

function describeItem({ id, result, message }: BulkItem): string {
  return `${id}  ${result === 'promised' ? PENDING : (message ?? 'its agent has the request')}`;
}
