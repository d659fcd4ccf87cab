/**
 * Tasks followed as they change.
 *
 * Guarantees: no change between the first list and the stream is missed (each connection takes the stream's cursor
 * first, reads the list second and opens the stream from that cursor third); a lost link is told at once, with the
 * time up to which what is known was true, and is taken up again with back-off for as long as anybody watches.
 */
import type { FeedChange, FeedHello, Hello, TaskEvent } from '@holdfast/shared';
import type { EventSource } from 'eventsource';
import { textOf } from './cli-error.ts';
import { type Client, RefusedError, type SeenTask, UnreachableError } from './client.ts';
import { type Io, pause, type Timer } from './io.ts';

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

const FIRST_DELAY_MS = 250;
const MOST_DELAY_MS = 5000;
/** Until `hello` has said how often the stream's heart beats. */
const HEARTBEAT_MS = 5000;
const SLACK_MS = 5000;

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
      const end = await followStream(options, client.openEvents(cursor), {
        onHello: () => (failures = 0),
        onFrame: () => (heardAt = io.now()),
      });
      if (end.kind === 'reset') continue;
      if (end.kind === 'cut' && end.why !== undefined) ({ why } = end);
    } catch (error) {
      if (signal.aborted) return;
      const isAnswer = error instanceof RefusedError || error instanceof UnreachableError;
      if (isFirst || !isAnswer) throw error;
      why = error instanceof UnreachableError ? error.why : error.message;
    }
    if (signal.aborted) return;
    onLink({ kind: 'lost', why, at: heardAt });
    const ceilingMs = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 10));
    failures += 1;
    await pause(io, (0.5 + io.random() / 2) * ceilingMs, signal);
  }
}

type StreamEnd = { kind: 'over' } | { kind: 'reset' } | { kind: 'cut'; why?: string };

interface StreamListeners {
  onHello: () => void;
  onFrame: () => void;
}

function followStream(
  { client, io, signal, onChange }: FollowTasksOptions,
  source: EventSource,
  { onHello, onFrame }: StreamListeners,
): Promise<StreamEnd> {
  const { promise, resolve } = Promise.withResolvers<StreamEnd>();
  let heartbeatMs = HEARTBEAT_MS;
  let watchdog: Timer | undefined;
  let isOver = false;

  function end(how: StreamEnd): void {
    if (isOver) return;
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
    onFrame();
    watchdog?.cancel();
    watchdog = io.startTimer(
      () => end({ kind: 'cut', why: 'it has fallen silent' }),
      2 * heartbeatMs + SLACK_MS,
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
        end({ kind: 'cut', why: `it sent something that cannot be understood: ${textOf(error)}` });
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
  on('bye', () => end({ kind: 'cut', why: 'it is stopping' }));
  on('reset', () => end({ kind: 'reset' }));
  if (client.kind === 'web') {
    on('change', (data) => {
      const { tasks = [], removed = [] }: FeedChange = JSON.parse(data);
      if (tasks.length > 0) onChange({ kind: 'some', tasks });
      const ids = removed.filter((one) => one.kind === 'task').map((one) => one.id);
      if (ids.length > 0) onChange({ kind: 'removed', ids });
    });
  } else {
    const reread = rereader(client, signal, {
      onTask: (task) => {
        if (!isOver) onChange({ kind: 'some', tasks: [task] });
      },
      // The next connection begins with a read of everything, and tells why it fails.
      onFailure: (error) => end({ kind: 'cut', why: textOf(error) }),
    });
    on('task', (data) => {
      const { taskId }: TaskEvent = JSON.parse(data);
      reread(taskId);
    });
  }
  source.addEventListener('error', () => end({ kind: 'cut' }));
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  else hear();
  return promise;
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
    for (const id of due) {
      due.delete(id);
      onTask(await client.readTask(id, signal));
    }
  }
  return (id) => {
    due.add(id);
    if (isReading) return;
    isReading = true;
    readDue()
      .catch(onFailure)
      .finally(() => (isReading = false));
  };
}
