/** A task as a command line, on the clipboard. */
import type { ShownTask } from '@holdfast/shared';
import { cliOf } from '../model/cli.ts';
import { agentOf } from './agents.ts';
import { copyText } from './copy.ts';

export function copyCli(task: ShownTask): void {
  const { line, leftOut } = cliOf(task, agentOf(task)?.name);
  const more = leftOut.length === 0 ? '' : '; what it leaves out is said under Command';
  copyText(line, `it as a command line${more}`);
}
