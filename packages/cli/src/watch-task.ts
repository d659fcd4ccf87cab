/**
 * A task followed until its outcome is known.
 *
 * Guarantees: no change is missed (each connection takes the stream's cursor first, reads the task second and opens
 * the stream from that cursor third); a lost link is not an outcome: it is taken up again with back-off, and every
 * time the task is read anew; `unknown` is reported only after a doubt, of web's or of ours, has lasted longer than
 * the stated patience.
 */
import type { Activity, FeedChange, FeedHello, Hello, TaskEvent } from '@holdfast/shared';
import type { EventSource } from 'eventsource';
import { isEnded } from '@holdfast/shared/status';
import { textOf } from './cli-error.ts';
import { type Client, RefusedError, type SeenTask, UnreachableError } from './client.ts';
import { type Io, pause, type Timer } from './io.ts';
import { doubtText } from './task-text.ts';
import { spanText } from './words.ts';

export interface WatchOptions {
  client: Client;
  id: string;
  io: Pick<Io, 'startTimer' | 'random'>;
  /** How long the outcome may be in doubt. */
  patienceMs: number;
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

const FIRST_DELAY_MS = 250;
const MOST_DELAY_MS = 5000;
/** Until `hello` has said how often the stream's heart beats. */
const HEARTBEAT_MS = 5000;
const SLACK_MS = 5000;

/** Throws what the first read throws; later failures are doubts. */
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
      beginDoubt(why, `The task may still run; ${why}. Waiting up to ${spanText(patienceMs)} for the truth.`);
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
        isFirst: last === undefined,
      });
      if (last !== undefined && isEnded(last.status)) return { kind: 'ended', task: last };
      if (signal.aborted) return { kind: 'aborted' };
      if (givenUp.signal.aborted) return { kind: 'unknown', why: doubt?.why ?? 'no patience', task: last };
      if (end.kind === 'reset') continue;
      if (end.kind === 'blind') {
        beginDoubt(
          end.why,
          `${client.name}: ${end.why}. The task is not affected; trying again for ${spanText(patienceMs)}.`,
        );
      }
      const ceilingMs = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 10));
      failures += 1;
      await pause(io, (0.5 + io.random() / 2) * ceilingMs, over);
    }
  } finally {
    doubt?.timer.cancel();
  }
}

type ConnectionEnd =
  | { kind: 'over' }
  | { kind: 'reset' }
  /** The stream ended; the next read tells whether that matters. */
  | { kind: 'cut' }
  /** Not even the task could be read. */
  | { kind: 'blind'; why: string };

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
  return followStream(options, client.openEvents(cursor), task);
}

function followStream(
  options: ConnectionOptions,
  source: EventSource,
  first: SeenTask,
): Promise<ConnectionEnd> {
  const { client, id, io, signal, onTask, onHello } = options;
  const { promise, resolve } = Promise.withResolvers<ConnectionEnd>();
  let task = first;
  let heartbeatMs = HEARTBEAT_MS;
  let watchdog: Timer | undefined;
  let isOver = false;

  function end(how: ConnectionEnd): void {
    isOver = true;
    watchdog?.cancel();
    source.close();
    signal.removeEventListener('abort', abort);
    resolve(how);
  }

  function abort(): void {
    end({ kind: 'over' });
  }

  /** A frame has come; the next is due. */
  function hear(): void {
    watchdog?.cancel();
    watchdog = io.startTimer(() => end({ kind: 'cut' }), 2 * heartbeatMs + SLACK_MS);
  }

  function take(newest: SeenTask): void {
    task = newest;
    onTask(task);
    if (isEnded(task.status)) end({ kind: 'over' });
  }

  function reread(): void {
    client.readTask(id, signal).then(
      (newest) => {
        // Answers of several reads may come in any order.
        if (!isOver && newest.seq >= task.seq) take(newest);
      },
      // The next connection begins with the same read, and reports why it fails.
      () => {
        if (!isOver) end({ kind: 'cut' });
      },
    );
  }

  /** A frame that cannot be used ends the connection: a listener that throws would be a silent loss. */
  function on(name: string, handle: (data: string) => void): void {
    source.addEventListener(name, (event: MessageEvent) => {
      if (isOver) return;
      hear();
      try {
        handle(String(event.data));
      } catch (error) {
        end({ kind: 'blind', why: `it sent something that cannot be understood: ${textOf(error)}` });
      }
    });
  }

  on('hello', (data) => {
    const hello: FeedHello | Hello = JSON.parse(data);
    ({ heartbeatMs } = hello);
    hear();
    onHello();
  });
  on('heartbeat', () => undefined);
  on('bye', () => end({ kind: 'cut' }));
  if (client.kind === 'web') {
    on('change', (data) => {
      const { tasks = [], removed = [] }: FeedChange = JSON.parse(data);
      const row = tasks.find((one) => one.id === id);
      if (row !== undefined) take(row);
      else if (removed.some((one) => one.kind === 'task' && one.id === id)) reread();
    });
    on('reset', () => end({ kind: 'reset' }));
  } else {
    // The agent's stream tells of events, not of rows.
    on('task', (data) => {
      const { taskId }: TaskEvent = JSON.parse(data);
      if (taskId === id) reread();
    });
    on('activity', (data) => {
      const { tasks }: Activity = JSON.parse(data);
      const entry = tasks.find((one) => one.id === id);
      if (entry !== undefined && entry.attempt === task.attempt)
        take({ ...task, outputBytes: entry.outputBytes });
    });
    on('snapshotEnd', reread);
  }
  source.addEventListener('error', () => {
    if (!isOver) end({ kind: 'cut' });
  });
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  else hear();
  return promise;
}
