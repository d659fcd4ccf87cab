/**
 * Waiting for a task, with its output or without, and what to say at the end.
 *
 * Guarantees: the exit code is the task's own only if its outcome is known; giving up is 75, and leaves the task
 * alone; so does an interrupt, which says how to come back.
 */
import type { Client, SeenTask } from './client.ts';
import { exitCodes, signalExitCode, taskExitCode } from './exit-codes.ts';
import { type FollowEnd, followOutput, type FollowOptions } from './follow-output.ts';
import type { Invocation } from './invocation.ts';
import type { StopSignal } from './io.ts';
import { endText } from './task-text.ts';
import { type WatchEnd, watchTask } from './watch-task.ts';
import { spanText } from './words.ts';

export const DEFAULT_PATIENCE = '60s';

export interface WaitOptions {
  client: Client;
  id: string;
  patienceMs: number;
  /** The task was just accepted: a link that is lost now is no failure of the command. */
  isAccepted?: boolean;
  /** Ends the wait as an interrupt does. */
  signal?: AbortSignal;
  /** What ends the wait: the task's end, or that of the output that is followed. */
  until: 'task' | 'output';
  /** Copy the output to standard output; of one attempt only, if it is named; from a place, if it is given. */
  follow?: Pick<FollowOptions, 'attempt' | 'from'>;
}

export type WaitEnd =
  | { kind: 'ended'; task: SeenTask; output?: FollowEnd }
  | { kind: 'outputEnded'; output: FollowEnd }
  | { kind: 'unknown'; why: string; task: SeenTask | undefined }
  | { kind: 'interrupted'; signal: StopSignal };

/** Throws refusals of the first read, and of the output. */
export async function waitForTask(invocation: Invocation, options: WaitOptions): Promise<WaitEnd> {
  const { io } = invocation;
  const { client, id, patienceMs, until, follow, isAccepted = false } = options;
  const stop = new AbortController();
  const giveUp = (): void => stop.abort();
  options.signal?.addEventListener('abort', giveUp);
  if (options.signal?.aborted === true) giveUp();
  let interruptedBy: StopSignal | undefined;
  const release = io.onStopSignal((signal) => {
    interruptedBy ??= signal;
    stop.abort();
  });
  const say = (text: string): void => invocation.say(`holdfast: ${text}`);
  try {
    const shared = { client, id, io, patienceMs, say, signal: stop.signal };
    const follower =
      follow === undefined ? undefined : followOutput({ ...shared, output: io.stdout, ...follow });
    const watch = watchTask({ ...shared, isAccepted, onTask: (task) => follower?.update(task) });
    const end = await (follower === undefined ? watch : firstEnd(watch, follower.done, until));
    if (interruptedBy !== undefined || end.kind === 'aborted') {
      return { kind: 'interrupted', signal: interruptedBy ?? 'SIGINT' };
    }
    if (end.kind !== 'ended' || follower === undefined) return end;
    const output = await follower.done;
    return interruptedBy === undefined ? { ...end, output } : { kind: 'interrupted', signal: interruptedBy };
  } finally {
    options.signal?.removeEventListener('abort', giveUp);
    stop.abort();
    release();
  }
}

type FirstEnd = WatchEnd | { kind: 'outputEnded'; output: FollowEnd };

/** A refusal of the output ends either kind of wait; its end, only the one that is for the output. */
function firstEnd(
  watch: Promise<WatchEnd>,
  followed: Promise<FollowEnd>,
  until: 'task' | 'output',
): Promise<FirstEnd> {
  const never = new Promise<never>(() => undefined);
  const isForOutput = until === 'output';
  return Promise.race<FirstEnd>([
    followed.then((output) => (isForOutput ? { kind: 'outputEnded', output } : never)),
    watch.then((end) => (isForOutput && end.kind === 'ended' ? never : end)),
  ]);
}

/** Says how the wait ended, and gives the exit code. */
export function concludeWait(invocation: Invocation, id: string, end: WaitEnd, patienceMs: number): number {
  switch (end.kind) {
    case 'ended': {
      if (end.output?.kind === 'stopped') sayIncomplete(invocation, id, end.output.why);
      if (end.task.status !== 'completed') invocation.say(`holdfast: task ${id} ${endText(end.task)}`);
      return taskExitCode(end.task) ?? exitCodes.unknown;
    }
    case 'outputEnded':
      if (end.output.kind === 'complete') return exitCodes.ok;
      sayIncomplete(invocation, id, end.output.why);
      return exitCodes.unknown;
    case 'unknown':
      invocation.say(
        `holdfast: the outcome of task ${id} is not known after ${spanText(patienceMs)}: ${end.why}`,
      );
      invocation.say(`  The task was left alone. Look again with: holdfast show ${id}`);
      return exitCodes.unknown;
    case 'interrupted':
      invocation.say(`holdfast: detached; task ${id} goes on`);
      invocation.say(`  Return to it with: holdfast logs -f ${id}   Stop it with: holdfast cancel ${id}`);
      return signalExitCode(end.signal);
    default:
      return end satisfies never;
  }
}

function sayIncomplete(invocation: Invocation, id: string, why: string): void {
  invocation.say(`holdfast: the output above is not complete: ${why}`);
  invocation.say(`  Read it again with: holdfast logs ${id}`);
}
