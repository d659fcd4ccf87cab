/**
 * A task followed until its outcome is known.
 *
 * Guarantees: no change is missed (each connection takes the stream's cursor first, reads the task second and opens
 * the stream from that cursor third); a lost link is not an outcome: it is taken up again with back-off, and every
 * time the task is read anew; `unknown` is reported only after a doubt, of web's or of ours, has lasted longer than
 * the stated patience.
 */
import type { Activity, FeedChange, TaskEvent } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { textOf } from './cli-error.ts';
import type { Client, SeenTask } from './client.ts';
import { RefusedError, UnreachableError } from './service-error.ts';
import { openTaskStream, reconnectDelayMs, type StreamEnd, type StreamOptions } from './task-stream.ts';
import { type Io, pause, type Timer } from './io.ts';
import { doubtText, mayRunText } from './task-text.ts';
import { spanText } from './words.ts';

export interface WatchOptions {
  client: Client;
  id: string;
  io: Pick<Io, 'startTimer' | 'random'>;
  /** How long the outcome may be in doubt. */
  patienceMs: number;
  /** The task is known to exist: not even the first read need succeed at once. */
  isAccepted?: boolean;
  /** Ends the watch without a verdict. */
  signal: AbortSignal;
  /** The newest state of the task; called for each change, the last one included. */
  onTask: (task: SeenTask) => void;
  /** Remarks for a person: the link was lost, is back, the task is in doubt. */
  say: (text: string) => void;
}

export type WatchEnd =
  | { kind: 'ended'; task: SeenTask }
  | { kind: 'unknown'; why: string; task: SeenTask | undefined }
  | { kind: 'aborted' };

/** Throws what the first read throws, unless the task is known to be accepted; later failures are doubts. */
export async function watchTask(options: WatchOptions): Promise<WatchEnd> {
  const { client, id, io, patienceMs, signal, onTask, say } = options;
  let last: SeenTask | undefined;
  let doubt: { why: string; timer: Timer } | undefined;
  const givenUp = new AbortController();
  const over = AbortSignal.any([signal, givenUp.signal]);
  let failures = 0;

  function beginDoubt(why: string, text: string): void {
    if (doubt !== undefined) {
      doubt.why = why;
      return;
    }
    doubt = { why, timer: io.startTimer(() => givenUp.abort(), patienceMs) };
    say(text);
  }

  function endDoubt(text: string): void {
    if (doubt === undefined) return;
    doubt.timer.cancel();
    doubt = undefined;
    say(text);
  }

  function take(task: SeenTask): void {
    last = task;
    if (task.status === 'unknown') {
      const why = `its status is unknown: ${doubtText(task) ?? 'nobody vouches for it'}`;
      const may = mayRunText(task).replace(/^t/, 'T');
      beginDoubt(why, `${may}; ${why}. Waiting up to ${spanText(patienceMs)} for the truth.`);
    } else {
      endDoubt(`The task is ${task.status}.`);
    }
    onTask(task);
  }

  try {
    for (;;) {
      const end = await followOnce({
        client,
        id,
        io,
        signal: over,
        onTask: take,
        onHello: () => (failures = 0),
        isFirst: last === undefined && options.isAccepted !== true,
      });
      if (last !== undefined && isEnded(last.status)) return { kind: 'ended', task: last };
      if (signal.aborted) return { kind: 'aborted' };
      if (givenUp.signal.aborted) return { kind: 'unknown', why: doubt?.why ?? 'no patience', task: last };
      if (end.kind === 'reset') continue;
      if (end.kind === 'blind' || end.kind === 'garbled') {
        beginDoubt(
          end.why,
          `${client.name}: ${end.why}. The task is not affected; trying again for ${spanText(patienceMs)}.`,
        );
      }
      await pause(io, reconnectDelayMs(failures, io.random), over);
      failures += 1;
    }
  } finally {
    doubt?.timer.cancel();
  }
}

/** `blind`: not even the task could be read. */
type ConnectionEnd = StreamEnd | { kind: 'blind'; why: string };

interface ConnectionOptions {
  client: Client;
  id: string;
  io: Pick<Io, 'startTimer'>;
  signal: AbortSignal;
  onTask: (task: SeenTask) => void;
  onHello: () => void;
  /** Refusals and failures of the very first read are the caller's. */
  isFirst: boolean;
}

/** One connection: until the task has ended, the stream wants a new read, or the link is cut. */
async function followOnce(options: ConnectionOptions): Promise<ConnectionEnd> {
  const { client, id, signal, onTask, isFirst } = options;
  if (signal.aborted) return { kind: 'over' };
  let cursor: string;
  let task: SeenTask;
  try {
    cursor = await client.readCursor(signal);
    task = await client.readTask(id, signal);
  } catch (error) {
    if (signal.aborted) return { kind: 'over' };
    const isAnswer = error instanceof RefusedError || error instanceof UnreachableError;
    if (isFirst || !isAnswer) throw error;
    return { kind: 'blind', why: error instanceof UnreachableError ? error.why : error.message };
  }
  if (signal.aborted) return { kind: 'over' };
  onTask(task);
  if (isEnded(task.status)) return { kind: 'over' };
  return followStream(options, cursor, task);
}

function followStream(options: ConnectionOptions, cursor: string, first: SeenTask): Promise<StreamEnd> {
  const { client, id, io, signal, onTask, onHello } = options;
  let task = first;

  function take(newest: SeenTask): void {
    task = newest;
    onTask(task);
    if (isEnded(task.status)) stream.end({ kind: 'over' });
  }

  function reread(): void {
    client.readTask(id, signal).then(
      (newest) => {
        // Answers of several reads may come in any order.
        if (!stream.isOver() && newest.seq >= task.seq) take(newest);
      },
      // The next connection begins with the same read, and reports why it fails.
      (error: unknown) => stream.end({ kind: 'cut', why: textOf(error) }),
    );
  }

  const webFrames: StreamOptions['frames'] = {
    change(data) {
      const { tasks = [], removed = [] }: FeedChange = JSON.parse(data);
      const row = tasks.find((one) => one.id === id);
      if (row !== undefined) take(row);
      else if (removed.some((one) => one.kind === 'task' && one.id === id)) reread();
    },
  };
  // The agent's stream tells of events, not of rows.
  const agentFrames: StreamOptions['frames'] = {
    task(data) {
      const { taskId }: TaskEvent = JSON.parse(data);
      if (taskId === id) reread();
    },
    activity(data) {
      const { tasks }: Activity = JSON.parse(data);
      const entry = tasks.find((one) => one.id === id);
      if (entry !== undefined && entry.attempt === task.attempt)
        take({ ...task, outputBytes: entry.outputBytes });
    },
  };
  const frames = client.kind === 'web' ? webFrames : agentFrames;
  const stream = openTaskStream({ client, cursor, io, signal, onHello, frames });
  return stream.ended;
}
