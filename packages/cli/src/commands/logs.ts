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
  tail?: string;
  patience: string;
}

const PIECE_BYTES = 1024 * 1024;
const TAIL_BYTES = 64 * 1024;
const MOST_LINES = 1_000_000;
const MOST_ATTEMPTS = 1_000_000;

export function defineLogs(command: Command, invocation: Invocation): void {
  command
    .argument('<id>', 'the task’s id, or the beginning of it')
    .option('-f, --follow', 'go on until the task has ended')
    .option('--attempt <n>', 'of this attempt; default: the last')
    .option('--tail <n>', 'only the last n lines of what there is; with -f, and what follows')
    .option('--patience <duration>', 'with -f: how long the task may be out of sight', DEFAULT_PATIENCE)
    .action(async (ref: string, options: LogsOptions) => {
      if (invocation.isJson) throw usageError('logs prints the output as it is; there is no JSON of it');
      const patienceMs = parseDuration(options.patience, '--patience');
      const attempt =
        options.attempt === undefined
          ? undefined
          : parseWhole(options.attempt, '--attempt', 1, MOST_ATTEMPTS);
      const tail = options.tail === undefined ? undefined : parseWhole(options.tail, '--tail', 0, MOST_LINES);
      const client = invocation.openClient();
      const id = await resolveTaskId(client, ref);
      const from = tail === undefined ? undefined : await findTail(client, { id, attempt, lines: tail });
      if (options.follow !== true) {
        invocation.exitCode = await printLog(invocation, client, { id, attempt, from });
        return;
      }
      const follow = {
        ...(attempt === undefined ? {} : { attempt }),
        ...(from === undefined ? {} : { from }),
      };
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
      'holdfast logs -f --tail 20 0199aa3c',
      'holdfast logs 0199aa3c --attempt 1',
    ],
  });
}

/** A byte of an attempt's output. */
interface Place {
  attempt: number;
  offset: number;
}

const NEWLINE = 0x0a;

/**
 * Where the last `lines` lines begin, looked for from the end; a last line without a newline is one too. Undefined for
 * a task that has not started. What was read on the way is not kept: the output may be larger than the memory.
 */
async function findTail(
  client: Client,
  wanted: { id: string; attempt: number | undefined; lines: number },
): Promise<Place | undefined> {
  const { id, lines } = wanted;
  const attempt = wanted.attempt ?? (await client.readTask(id)).attempt;
  if (attempt === 0) return undefined;
  const { totalBytes } = await client.readOutput(id, { attempt, offset: 0, limit: 1 });
  if (lines === 0) return { attempt, offset: totalBytes };
  let left = lines;
  for (let end = totalBytes; end > 0;) {
    const offset = Math.max(0, end - TAIL_BYTES);
    const { bytes } = await client.readOutput(id, { attempt, offset, limit: end - offset });
    for (let at = bytes.length - 1; at >= 0; at -= 1) {
      // The newline at the very end ends the last line, and begins none.
      if (bytes[at] !== NEWLINE || offset + at === totalBytes - 1) continue;
      left -= 1;
      if (left === 0) return { attempt, offset: offset + at + 1 };
    }
    end = offset;
  }
  return { attempt, offset: 0 };
}

/** What there is now. */
async function printLog(
  invocation: Invocation,
  client: Client,
  wanted: { id: string; attempt: number | undefined; from: Place | undefined },
): Promise<number> {
  const { id, from } = wanted;
  const attempt = from?.attempt ?? wanted.attempt ?? (await client.readTask(id)).attempt;
  if (attempt === 0) {
    invocation.say('The task has not started: there is no output yet.');
    return exitCodes.ok;
  }
  const start = from?.offset ?? 0;
  let offset = start;
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
    if (!isPassing || offset === start) throw error;
    invocation.sayError(error);
    invocation.say(`  The output above is not complete: it ends at byte ${offset}.`);
    return exitCodes.unknown;
  }
}
