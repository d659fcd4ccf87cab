/**
 * `holdfast wait`: until tasks have ended. Guarantees: a line for each task as its end becomes known; the exit code is
 * 0 only if all completed, else that of the first in the order given which did not; 75 if its outcome is unknown.
 */
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { Client, SeenTask } from '../client.ts';
import { type ProblemReport, RefusedError, reportOf, UnreachableError } from '../service-error.ts';
import { exitCodes, signalExitCode, taskExitCode } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import type { StopSignal } from '../io.ts';
import { resolveTaskId } from '../task-ref.ts';
import { endText } from '../task-text.ts';
import { concludeWait, DEFAULT_PATIENCE, waitForTask } from '../wait.ts';
import { parseDuration } from '../words.ts';

/** Each wait holds a stream: so many at a time, in the order given, are enough to be there for every end. */
const AT_A_TIME = 16;

interface Result {
  ref: string;
  id?: string;
  /** As it was last seen. */
  task?: SeenTask | null;
  exitCode: number;
  problem?: ProblemReport;
}

export function defineWait(command: Command, invocation: Invocation): void {
  command
    .argument('<ids...>', 'the tasks’ ids, or the beginnings of them')
    .option('--patience <duration>', 'how long an outcome may be unknown', DEFAULT_PATIENCE)
    .action(async (refs: string[], options: { patience: string }) => {
      const patienceMs = parseDuration(options.patience, '--patience');
      const client = openClient(invocation);
      const results = await waitForAll(invocation, client, refs, patienceMs);
      if (invocation.isJson) await invocation.printJson(results);
      invocation.exitCode = results.find((one) => one.exitCode !== exitCodes.ok)?.exitCode ?? exitCodes.ok;
    });
  addManual(command, {
    guarantees: [
      'A line for each task as its end becomes known. A lost link, or a task that is unknown for a while, is no end: it is waited for up to --patience. Ctrl-C ends the wait; the tasks go on.',
    ],
    exits: {
      ok: 'every task completed',
      failed: 'a task was cancelled, or failed without a code',
      refused: 'there is no task of that id, or its agent refused it',
      unknown:
        'how a task ended is not known after --patience, it was given up as lost, or web does not run or gives no answer',
      more: [
        [
          'n',
          'the exit code of the task; of several, of the first in the order given which did not complete',
        ],
        ['128+n', 'signal n ended the task; 130: Ctrl-C ended the wait'],
      ],
    },
    examples: [
      'holdfast wait 0199aa3c && echo built',
      "holdfast wait $(holdfast list --session nightly --json | jq -r '.[].id')",
    ],
  });
}

/** Where web does not run nobody says how a task stands: as little is known as when it gives no answer. */
function openClient(invocation: Invocation): Client {
  try {
    return invocation.openClient();
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== exitCodes.failed) throw error;
    const { message, hint, cause } = error;
    throw new CliError(message, {
      exitCode: exitCodes.unknown,
      ...(hint === undefined ? {} : { hint }),
      cause,
    });
  }
}

async function waitForAll(
  invocation: Invocation,
  client: Client,
  refs: readonly string[],
  patienceMs: number,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const interrupt: { signal?: StopSignal } = {};
  const release = invocation.io.onStopSignal((signal) => (interrupt.signal ??= signal));
  /** One wait that fails, for standard output is gone, leaves no other behind. */
  const over = new AbortController();
  async function work(): Promise<void> {
    while (next < refs.length && interrupt.signal === undefined && !over.signal.aborted) {
      const index = next;
      next += 1;
      results[index] = await waitForOne(invocation, {
        client,
        ref: refs[index]!,
        patienceMs,
        signal: over.signal,
      });
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME, refs.length) }, work));
  } finally {
    over.abort();
    release();
  }
  if (interrupt.signal === undefined) return results;
  invocation.say('holdfast: the wait has ended; the tasks go on');
  const exitCode = signalExitCode(interrupt.signal);
  // The interrupt decides the exit code, whatever has ended before.
  return refs.map((ref, index) => ({ ...(results[index] ?? { ref }), exitCode }));
}

/** Nobody has said how the task stands: that is no failure of the task. */
function isSilence(error: CliError): boolean {
  return error instanceof UnreachableError || (error instanceof RefusedError && error.problem.status >= 500);
}

async function waitForOne(
  invocation: Invocation,
  wanted: { client: Client; ref: string; patienceMs: number; signal: AbortSignal },
): Promise<Result> {
  const { client, ref, patienceMs, signal } = wanted;
  let id: string | undefined;
  try {
    id = await resolveTaskId(client, ref);
    const end = await waitForTask(invocation, { client, id, patienceMs, signal, until: 'task' });
    switch (end.kind) {
      case 'ended': {
        if (!invocation.isJson) await invocation.print(`${id}  ${endText(end.task)}`);
        return { ref, id, task: end.task, exitCode: taskExitCode(end.task) ?? exitCodes.unknown };
      }
      case 'interrupted':
        return { ref, id, task: null, exitCode: signalExitCode(end.signal) };
      case 'unknown':
        return { ref, id, task: end.task ?? null, exitCode: concludeWait(invocation, id, end, patienceMs) };
      case 'outputEnded':
        throw new Error('no output was followed');
      default:
        return end satisfies never;
    }
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    invocation.sayErrorOf(ref, error);
    return {
      ref,
      ...(id === undefined ? {} : { id }),
      exitCode: isSilence(error) ? exitCodes.unknown : error.exitCode,
      problem: reportOf(error),
    };
  }
}
