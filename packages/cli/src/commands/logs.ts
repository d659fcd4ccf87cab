/**
 * `holdfast logs`: the output of a task, byte for byte. Guarantees: with `-f` the exit code 0 means that the end was
 * reached, 75 that it could not be read up to the end.
 */
import type { Command } from 'commander';
import { usageError } from '../cli-error.ts';
import type { Client } from '../client.ts';
import { RefusedError, UnreachableError } from '../service-error.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { writeTo } from '../io.ts';
import { resolveTaskId } from '../task-ref.ts';
import { concludeWait, DEFAULT_PATIENCE, waitForTask } from '../wait.ts';
import { parseDuration, parseWhole } from '../words.ts';

interface LogsOptions {
  follow?: boolean;
  attempt?: string;
  patience: string;
}

const PIECE_BYTES = 1024 * 1024;
const MOST_ATTEMPTS = 1_000_000;

export function defineLogs(command: Command, invocation: Invocation): void {
  command
    .argument('<id>', 'the task’s id, or the beginning of it')
    .option('-f, --follow', 'go on until the task has ended')
    .option('--attempt <n>', 'of this attempt; default: the last')
    .option('--patience <duration>', 'with -f: how long the task may be out of sight', DEFAULT_PATIENCE)
    .action(async (ref: string, options: LogsOptions) => {
      if (invocation.isJson) throw usageError('logs prints the output as it is; there is no JSON of it');
      const patienceMs = parseDuration(options.patience, '--patience');
      const attempt =
        options.attempt === undefined
          ? undefined
          : parseWhole(options.attempt, '--attempt', 1, MOST_ATTEMPTS);
      const client = invocation.openClient();
      const id = await resolveTaskId(client, ref);
      if (options.follow !== true) {
        invocation.exitCode = await printLog(invocation, client, id, attempt);
        return;
      }
      const follow = attempt === undefined ? {} : { attempt };
      // How the task ends is not what was asked for.
      const end = await waitForTask(invocation, { client, id, patienceMs, until: 'output', follow });
      invocation.exitCode = concludeWait(invocation, id, end, patienceMs);
    });
  addManual(command, {
    guarantees: [
      'Prints what the task wrote, byte for byte, standard output and standard error in the order in which they came. With -f it goes on to the end over lost links and restarts of web, without a gap and without a repetition.',
    ],
    exits: {
      ok: 'what there is was printed; with -f: the end was reached',
      refused: 'there is no task of that id, no such attempt, or its log was truncated',
      unknown: 'the output is not complete: the rest cannot be read now',
      more: [['130', 'Ctrl-C ended it; the task goes on']],
    },
    examples: [
      'holdfast logs 0199aa3c | grep error',
      'holdfast logs -f 0199aa3c',
      'holdfast logs 0199aa3c --attempt 1',
    ],
  });
}

/** What there is now. */
async function printLog(
  invocation: Invocation,
  client: Client,
  id: string,
  wanted?: number,
): Promise<number> {
  const task = await client.readTask(id);
  const attempt = wanted ?? task.attempt;
  if (attempt === 0) {
    invocation.say('The task has not started: there is no output yet.');
    return exitCodes.ok;
  }
  let offset = 0;
  let totalBytes: number;
  try {
    do {
      const piece = await client.readOutput(id, { attempt, offset, limit: PIECE_BYTES });
      if (piece.bytes.length === 0) return exitCodes.ok;
      await writeTo(invocation.io.stdout, piece.bytes);
      offset += piece.bytes.length;
      ({ totalBytes } = piece);
    } while (offset < totalBytes);
    return exitCodes.ok;
  } catch (error) {
    const isPassing =
      error instanceof UnreachableError || (error instanceof RefusedError && error.problem.status >= 500);
    if (!isPassing || offset === 0) throw error;
    invocation.sayError(error);
    invocation.say(`  The output above is not complete: it ends at byte ${offset}.`);
    return exitCodes.unknown;
  }
}
