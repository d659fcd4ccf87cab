/**
 * The attempts of a task from its events, and what its agent adds when it can be asked. Guarantees: pure; the events, which
 * web holds, are enough for who, when and how it ended; what only the agent knows is absent while it cannot be reached.
 */
import type { Attempt, Outcome, TaskEvent } from '@holdfast/shared';

export interface AttemptRow {
  attempt: number;
  claimedAt?: number;
  startedAt?: number;
  endedAt?: number;
  /** Who worked on it, if somebody besides the agent did. */
  worker?: string;
  pid?: number;
  outcome?: Outcome;
  /** Whether it counts against the budget; absent while it goes on, and where it ended the task. */
  isCharged?: boolean;
  /** Only the agent says it, or the event that ended it. */
  outputBytes?: number;
}

/** The newest first. */
export function attemptRows(events: readonly TaskEvent[], said: readonly Attempt[] = []): AttemptRow[] {
  const rows = new Map<number, AttemptRow>();
  const rowOf = (attempt: number): AttemptRow => {
    let row = rows.get(attempt);
    if (row === undefined) {
      row = { attempt };
      rows.set(attempt, row);
    }
    return row;
  };
  for (const one of said) {
    const { attempt, claimedAt, startedAt, endedAt, worker, pid, outcome, outputBytes } = one;
    Object.assign(
      rowOf(attempt),
      defined({ claimedAt, startedAt, endedAt, worker, pid, outcome, outputBytes }),
    );
  }
  for (const event of events) {
    if (event.attempt > 0) takeEvent(rowOf(event.attempt), event);
  }
  return [...rows.values()].toSorted((a, b) => b.attempt - a.attempt);
}

function takeEvent(row: AttemptRow, event: TaskEvent): void {
  switch (event.kind) {
    case 'claimed':
      Object.assign(row, defined({ claimedAt: event.at, worker: event.data?.claim?.worker }));
      return;
    case 'started': {
      const worker = event.data?.claim?.worker;
      Object.assign(row, defined({ startedAt: event.at, pid: event.data?.process?.pid, worker }));
      return;
    }
    case 'adopted':
      row.pid = event.data.process.pid;
      return;
    case 'requeued': {
      const { outcome, charged, outputBytes } = event.data;
      Object.assign(row, { endedAt: row.endedAt ?? event.at, outcome, isCharged: charged, outputBytes });
      return;
    }
    case 'completed':
    case 'failed':
    case 'cancelled': {
      const { outcome, endedAt, outputBytes } = event.data;
      Object.assign(row, { endedAt, outcome, outputBytes });
      return;
    }
    case 'submitted':
    case 'stopRequested':
    case 'reported':
    case 'attention':
      return;
    default:
      event satisfies never;
  }
}

function defined<T extends object>(fields: T): Partial<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.assign({}, ...entries.map(([key, value]) => ({ [key]: value })));
}
