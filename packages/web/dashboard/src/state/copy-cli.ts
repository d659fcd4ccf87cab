/** Tasks as command lines, on the clipboard. */
import type { ShownTask } from '@holdfast/shared';
import { cliOf } from '../model/cli.ts';
import { agentOf } from './agents.ts';
import { copyText } from './copy.ts';

export function copyCli(...tasks: ShownTask[]): void {
  const made = tasks.map((task) => cliOf(task, agentOf(task)?.name ?? task.agentId));
  const what = made.length === 1 ? 'it as a command line' : `${made.length} command lines`;
  const more = made.some(({ leftOut }) => leftOut.length > 0)
    ? '; what is left out is said under Command'
    : '';
  copyText(made.map(({ line }) => line).join('\n'), `${what}${more}`);
}
