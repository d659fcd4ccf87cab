/**
 * Tasks followed as they change.
 *
 * Guarantees: no change between the first list and the stream is missed (each connection takes the stream's cursor
 * first, reads the list second and opens the stream from that cursor third); a lost link is told at once, with the
 * time up to which what is known was true, and is taken up again with back-off for as long as anybody watches.
 */
import type { FeedChange, TaskEvent } from '@holdfast/shared';
import { textOf } from './cli-error.ts';
import type { Client, SeenTask } from './client.ts';
import { RefusedError, UnreachableError } from './service-error.ts';
import {
  openTaskStream,
  reconnectDelayMs,
  type StreamEnd,
  type StreamOptions,
  type TaskStream,
} from './task-stream.ts';
import { type Io, pause } from './io.ts';

export type TaskChange =
  /** Everything there is to show; what was known before is void. */
  | { kind: 'all'; tasks: SeenTask[] }
  | { kind: 'some'; tasks: SeenTask[] }
  | { kind: 'removed'; ids: string[] };

/** `lost`: since `at` nobody knows; what was shown was true then. */
export type LinkState = { kind: 'live' } | { kind: 'lost'; why: string; at: number };

export interface FollowTasksOptions {
  client: Client;
  io: Pick<Io, 'startTimer' | 'random' | 'now'>;
  /** What to begin with. */
  read: (signal: AbortSignal) => Promise<SeenTask[]>;
  signal: AbortSignal;
  onChange: (change: TaskChange) => void;
  onLink: (link: LinkState) => void;
}

/** Resolves when `signal` is aborted. Throws what the very first read throws; later failures are told. */
export async function followTasks(options: FollowTasksOptions): Promise<void> {
  const { client, io, read, signal, onChange, onLink } = options;
  let isFirst = true;
  let failures = 0;
  let heardAt = io.now();
  while (!signal.aborted) {
    let why = 'the connection was cut';
    try {
      const cursor = await client.readCursor(signal);
      const tasks = await read(signal);
      if (signal.aborted) return;
      isFirst = false;
      heardAt = io.now();
      onChange({ kind: 'all', tasks });
      onLink({ kind: 'live' });
      const end = await followStream(options, cursor, {
        onHello: () => (failures = 0),
        onFrame: () => (heardAt = io.now()),
      });
      if (end.kind === 'reset') continue;
      if (end.kind !== 'over') ({ why } = end);
    } catch (error) {
      if (signal.aborted) return;
      const isAnswer = error instanceof RefusedError || error instanceof UnreachableError;
      if (isFirst || !isAnswer) throw error;
      why = error instanceof UnreachableError ? error.why : error.message;
    }
    if (signal.aborted) return;
    onLink({ kind: 'lost', why, at: heardAt });
    await pause(io, reconnectDelayMs(failures, io.random), signal);
    failures += 1;
  }
}

/** The frames that tell of tasks: web's feed of rows, an agent's stream of events. */
function followStream(
  { client, io, signal, onChange }: FollowTasksOptions,
  cursor: string,
  listeners: { onHello: () => void; onFrame: () => void },
): Promise<StreamEnd> {
  const open = (frames: StreamOptions['frames']): TaskStream =>
    openTaskStream({ client, cursor, io, signal, ...listeners, frames });
  if (client.kind === 'web') {
    return open({
      change(data) {
        const { tasks = [], removed = [] }: FeedChange = JSON.parse(data);
        if (tasks.length > 0) onChange({ kind: 'some', tasks });
        const ids = removed.filter((one) => one.kind === 'task').map((one) => one.id);
        if (ids.length > 0) onChange({ kind: 'removed', ids });
      },
    }).ended;
  }
  const reread = rereader(client, signal, {
    onTask: (task) => {
      if (!stream.isOver()) onChange({ kind: 'some', tasks: [task] });
    },
    // The next connection begins with a read of everything, and tells why it fails.
    onFailure: (error) => stream.end({ kind: 'cut', why: textOf(error) }),
  });
  const stream = open({
    task(data) {
      const { taskId }: TaskEvent = JSON.parse(data);
      reread(taskId);
    },
  });
  return stream.ended;
}

/** The agent's stream tells of events, not of rows: each task that has one is read, one at a time, newest state only. */
function rereader(
  client: Client,
  signal: AbortSignal,
  { onTask, onFailure }: { onTask: (task: SeenTask) => void; onFailure: (error: unknown) => void },
): (id: string) => void {
  const due = new Set<string>();
  let isReading = false;
  async function readDue(): Promise<void> {
    isReading = true;
    try {
      for (const id of due) {
        due.delete(id);
        onTask(await client.readTask(id, signal));
      }
    } finally {
      // In the turn in which nothing was due any more: what comes a moment later begins anew.
      isReading = false;
    }
  }
  return (id) => {
    due.add(id);
    if (!isReading) readDue().catch(onFailure);
  };
}
