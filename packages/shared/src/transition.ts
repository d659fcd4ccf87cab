/**
 * The life of a task as a pure machine: which event may follow which status, and what it makes of the task.
 *
 * `transitions` is the specification: a table of status × kind without a missing cell (the compiler checks it).
 * A cell holds the status that follows, or `null` where that event cannot happen. Nothing here reads a clock.
 *
 *   (none) ──submitted──▶ queued ──claimed──▶ starting ──started──▶ running ──completed│failed│cancelled──▶ end
 *                           ▲                    │                     │
 *                           └──────requeued──────┴─────────────────────┘
 */
import type { EventKind, TaskEvent } from './events.ts';
import type { TaskStatus } from './status.ts';
import type { Task } from './task.ts';

type Cell = TaskStatus | null;

export const transitions: Record<TaskStatus | 'none', Record<EventKind, Cell>> = {
  none: row({ submitted: 'queued' }),
  queued: row({
    claimed: 'starting',
    reported: 'queued',
    attention: 'queued',
    // A task that never started can still end: cancelled by its owner, or failed when its budget is gone.
    failed: 'failed',
    cancelled: 'cancelled',
  }),
  starting: row({
    started: 'running',
    requeued: 'queued',
    stopRequested: 'starting',
    reported: 'starting',
    attention: 'starting',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  }),
  running: row({
    adopted: 'running',
    requeued: 'queued',
    stopRequested: 'running',
    reported: 'running',
    attention: 'running',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  }),
  // Terminal is final (P5).
  completed: row({}),
  failed: row({}),
  cancelled: row({}),
};

function row(possible: Partial<Record<EventKind, TaskStatus>>): Record<EventKind, Cell> {
  return {
    submitted: null,
    claimed: null,
    started: null,
    adopted: null,
    requeued: null,
    stopRequested: null,
    reported: null,
    attention: null,
    completed: null,
    failed: null,
    cancelled: null,
    ...possible,
  };
}

export class IllegalTransitionError extends Error {
  readonly code = 'illegal_transition';
  constructor(from: TaskStatus | 'none', kind: EventKind) {
    super(`an event "${kind}" cannot follow the status "${from}"`);
    this.name = 'IllegalTransitionError';
  }
}

/** The status after `kind`. Throws `IllegalTransitionError` where the table has no such step. */
export function nextStatus(from: TaskStatus | 'none', kind: EventKind): TaskStatus {
  const to = transitions[from][kind];
  if (to === null) throw new IllegalTransitionError(from, kind);
  return to;
}

/**
 * The task after `event`. Pure: returns a new task. Agent and web both build their rows with it, so a row on
 * either side is a function of the log alone.
 *
 * Throws `IllegalTransitionError` if the event cannot follow the task's status.
 */
export function applyEvent(task: Task | undefined, event: TaskEvent): Task {
  const status = nextStatus(task?.status ?? 'none', event.kind);
  if (event.kind === 'submitted') return { ...event.data.task, status, seq: event.seq };
  // `nextStatus` lets nothing but `submitted` follow `none`.
  const next: Task = { ...task!, status, seq: event.seq };
  if (status !== task!.status) next.statusAt = event.at;
  switch (event.kind) {
    case 'claimed':
      next.attempt = event.attempt;
      next.outputBytes = 0;
      clear(next, [
        'startedAt',
        'notBeforeAt',
        'process',
        'outcome',
        'stopRequested',
        'lastOutputAt',
        'lastLine',
      ]);
      set(next, 'claim', event.data?.claim);
      break;
    case 'started':
      next.startedAt = event.at;
      // What it does not say again stays as it was claimed.
      if (event.data?.process !== undefined) next.process = event.data.process;
      if (event.data?.claim !== undefined) next.claim = event.data.claim;
      break;
    case 'adopted':
      next.process = event.data.process;
      break;
    case 'requeued':
      clear(next, ['process', 'claim', 'stopRequested', 'startedAt', 'attention']);
      // The last attempt's outcome stays visible while the task waits for the next one.
      next.outcome = event.data.outcome;
      set(next, 'notBeforeAt', event.data.notBeforeAt);
      next.outputBytes = event.data.outputBytes;
      set(next, 'lastOutputAt', event.data.lastOutputAt);
      set(next, 'lastLine', event.data.lastLine);
      break;
    case 'stopRequested':
      next.stopRequested = { cause: event.data.cause, at: event.at };
      if (event.data.message !== undefined) next.stopRequested.message = event.data.message;
      break;
    case 'reported':
      next.externalId = event.data.externalId;
      break;
    case 'attention': {
      const { data } = event;
      const others = (next.attention ?? []).filter((entry) => entry.code !== data.code);
      if (!('cleared' in data)) others.push({ code: data.code, message: data.message, sinceAt: event.at });
      set(next, 'attention', others.length === 0 ? undefined : others);
      break;
    }
    case 'completed':
    case 'failed':
    case 'cancelled':
      clear(next, ['process', 'claim', 'notBeforeAt', 'attention']);
      next.outcome = event.data.outcome;
      next.endedAt = event.data.endedAt;
      next.outputBytes = event.data.outputBytes;
      set(next, 'lastOutputAt', event.data.lastOutputAt);
      set(next, 'lastLine', event.data.lastLine);
      break;
    default:
      event satisfies never;
  }
  return next;
}

function clear(task: Task, keys: (keyof Task)[]): void {
  for (const key of keys) delete task[key];
}

function set<K extends keyof Task>(task: Task, key: K, value: Task[K] | undefined): void {
  if (value === undefined) delete task[key];
  else task[key] = value;
}
