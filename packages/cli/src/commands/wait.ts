/**
 * `holdfast wait`: until tasks have ended. Guarantees: a line for each task as its end becomes known; the exit code is
 * 0 only if all completed, else that of the first in the order given which did not; 75 if its outcome is unknown.
 */
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { type Client, RefusedError, type SeenTask } from '../client.ts';
import { exitCodes, signalExitCode, taskExitCode } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
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
  problem?: { code?: string; status?: number; detail: string };
}

export function defineWait(command: Command, invocation: Invocation): void {
  command
    .argument('<ids...>', 'the tasks’ ids, or the beginnings of them')
    .option('--patience <duration>', 'how long an outcome may be unknown', DEFAULT_PATIENCE)
    .addHelpText(
      'after',
      `
Exit code: of one task, its own, as run --wait gives it (128+n for signal n, 1 if it was cancelled, 75 if its outcome
stays unknown for longer than --patience). Of several, 0 if all completed, else that of the first which did not.
Ctrl-C ends the wait; the tasks go on.

Examples:
  holdfast wait 0199aa3c && echo built
  holdfast wait $(holdfast list --session nightly --json | jq -r '.[].id')`,
    )
    .action(async (refs: string[], options: { patience: string }) => {
      const patienceMs = parseDuration(options.patience, '--patience');
      const client = invocation.openClient();
      const results = await waitForAll(invocation, client, refs, patienceMs);
      if (invocation.isJson) await invocation.printJson(results);
      invocation.exitCode = results.find((one) => one.exitCode !== exitCodes.ok)?.exitCode ?? exitCodes.ok;
    });
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
  async function work(): Promise<void> {
    while (next < refs.length && interrupt.signal === undefined) {
      const index = next;
      next += 1;
      results[index] = await waitForOne(invocation, client, refs[index]!, patienceMs);
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME, refs.length) }, work));
  } finally {
    release();
  }
  if (interrupt.signal === undefined) return results;
  invocation.say('holdfast: the wait has ended; the tasks go on');
  const exitCode = signalExitCode(interrupt.signal);
  // The interrupt decides the exit code, whatever has ended before.
  return refs.map((ref, index) => ({ ...(results[index] ?? { ref }), exitCode }));
}

async function waitForOne(
  invocation: Invocation,
  client: Client,
  ref: string,
  patienceMs: number,
): Promise<Result> {
  let id: string | undefined;
  try {
    id = await resolveTaskId(client, ref);
    const end = await waitForTask(invocation, { client, id, patienceMs, until: 'task' });
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
    const { code, status } = error instanceof RefusedError ? error.problem : {};
    invocation.sayError(
      new CliError(`${ref}: ${error.message}`, error.hint === undefined ? {} : { hint: error.hint }),
    );
    return {
      ref,
      ...(id === undefined ? {} : { id }),
      exitCode: error.exitCode,
      problem: { detail: error.message, ...(code === undefined ? {} : { code, status: status! }) },
    };
  }
}
