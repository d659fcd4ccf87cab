/**
 * Lists of tasks in each of their orders, by keyset: a page costs what it shows, however deep it is.
 *
 * A list is read in *lanes*, one for each status asked for: each lane is a range of one index in its order, and
 * the lanes are merged. The orders by status change and by length have an index each, which also holds what most
 * filters ask for: rows that a filter passes over are not read. What is pending, was refused or retried another task is
 * found by an index of those few alone. SQLite is told which index to use, as it keeps no statistics here that could
 * tell it.
 */
import { formatFeedCursor, shownStatuses, type SqliteDatabase } from '@holdfast/shared';
import {
  type PageRequest,
  StoreError,
  type TaskFilter,
  type TaskOrder,
  type TaskPage,
  type TaskRows,
} from '../session-store.ts';
import type { Derived } from './derived.ts';
import { StatementCache } from './statement-cache.ts';
import { conditionsOf } from './task-conditions.ts';
import type { TaskRecord, TaskTable } from './task-table.ts';

export interface Keyset {
  time: number;
  id: string;
}

/** The opaque `after` of a list. */
export function formatAfter(key: Keyset): string {
  return Buffer.from(`${key.time}.${key.id}`).toString('base64url');
}

/** Throws `StoreError` `bad_page` for a text that `formatAfter` did not make. */
export function parseAfter(after: string): Keyset {
  const match = /^(\d{1,16})\.(.+)$/s.exec(Buffer.from(after, 'base64url').toString());
  if (match === null) throw new StoreError('bad_page', '"after" is not the "next" of an earlier page');
  return { time: Number(match[1]), id: match[2]! };
}

interface Lane {
  index: string;
  conditions: string[];
  values: (string | number)[];
}

interface Candidate {
  row: number;
  key: number;
  id: string;
}

interface Order {
  column: string;
  isAscending: boolean;
  /** The index of a lane in this order; absent for that of the lane itself. */
  index?: string;
}

const orders: Record<TaskOrder, Order> = {
  newest: { column: 'created_at', isAscending: false },
  oldest: { column: 'created_at', isAscending: true },
  changed: { column: 'changed_at', isAscending: false, index: 'tasks_changed' },
  longest: { column: 'length_rank', isAscending: true, index: 'tasks_length' },
};

export class TaskList {
  readonly #derived: Derived;
  readonly #tasks: TaskTable;
  readonly #epoch: string;
  readonly #byRow;
  readonly #labels;
  readonly #statements: StatementCache;

  constructor(database: SqliteDatabase, derived: Derived, tasks: TaskTable, epoch: string) {
    this.#statements = new StatementCache(database);
    this.#derived = derived;
    this.#tasks = tasks;
    this.#epoch = epoch;
    this.#labels = database.prepare<[number], { key: string; value: string; tasks: number }>(
      'SELECT key, value, count(*) AS tasks FROM task_labels GROUP BY key, value ORDER BY tasks DESC, key, value LIMIT ?',
    );
    this.#byRow = database.prepare<[number], TaskRecord>('SELECT * FROM tasks WHERE row = ?');
  }

  read(filter: TaskFilter, page: PageRequest): TaskPage {
    const lanes = lanesOf(filter);
    return {
      ...this.rows(filter, page),
      total: this.#total(filter, lanes),
      cursor: formatFeedCursor({ epoch: this.#epoch, version: this.#derived.version }),
    };
  }

  rows(filter: TaskFilter, page: PageRequest): TaskRows {
    const order = orders[page.order ?? 'newest'];
    const lanes = lanesOf(filter, order);
    const after = page.after === undefined ? undefined : parseAfter(page.after);
    const candidates = lanes.flatMap((lane) => this.#candidates(lane, order, page.limit + 1, after));
    if (lanes.length > 1) {
      candidates.sort(order.isAscending ? ascending : (a, b) => ascending(b, a));
    }
    const chosen = candidates.slice(0, page.limit);
    const last = chosen.at(-1);
    return {
      items: chosen.map(({ row }) => this.#tasks.toRow(this.#byRow.get(row)!)),
      ...(candidates.length > page.limit && last !== undefined
        ? { next: formatAfter({ time: last.key, id: last.id }) }
        : {}),
    };
  }

  labels(limit: number): { label: string; tasks: number }[] {
    return this.#labels.all(limit).map(({ key, value, tasks }) => ({ label: `${key}=${value}`, tasks }));
  }

  #candidates(lane: Lane, order: Order, limit: number, after: Keyset | undefined): Candidate[] {
    const { column, isAscending } = order;
    const conditions = [...lane.conditions];
    const values = [...lane.values];
    if (after !== undefined) {
      conditions.push(`(${column}, id) ${isAscending ? '>' : '<'} (?, ?)`);
      values.push(after.time, after.id);
    }
    const direction = isAscending ? 'ASC' : 'DESC';
    const text = `SELECT row, ${column} AS key, id FROM tasks INDEXED BY ${lane.index} ${where(conditions)}
      ORDER BY ${column} ${direction}, id ${direction} LIMIT ?`;
    return this.#statements.prepare(text).all(...values, limit) as Candidate[];
  }

  /** Counted, never estimated; from memory where the filter names no more than session and status. */
  #total(filter: TaskFilter, lanes: readonly Lane[]): number {
    const { status, sessionId, q, ...rest } = filter;
    if (Object.values(rest).every((part) => isEmpty(part)) && (q ?? '') === '') {
      const counts =
        sessionId === undefined ? this.#derived.counts() : this.#derived.sessionCounts(sessionId);
      return [...new Set(status ?? shownStatuses)].reduce((sum, one) => sum + (counts[one] ?? 0), 0);
    }
    return lanes.reduce((sum, lane) => {
      const text = `SELECT count(*) AS n FROM tasks INDEXED BY ${lane.index} ${where(lane.conditions)}`;
      const { n } = this.#statements.prepare(text).get(...lane.values) as { n: number };
      return sum + n;
    }, 0);
  }
}

/** In the order of creation unless another one is given. */
function lanesOf(filter: TaskFilter, order: Order = orders.newest): Lane[] {
  const { statuses, texts, values } = conditionsOf(filter);
  const marks = filter.marks?.is ?? [];
  const few =
    filter.retryOf !== undefined
      ? retryLane
      : marks.includes('pending')
        ? pendingLane
        : marks.includes('refused')
          ? refusedLane
          : undefined;
  if (few !== undefined) {
    const all = statuses ?? shownStatuses;
    const isOneOf = `status IN (${all.map(() => '?').join(', ')})`;
    return [
      { index: few.index, conditions: [few.condition, isOneOf, ...texts], values: [...all, ...values] },
    ];
  }
  const prefix =
    filter.sessionId !== undefined
      ? 'tasks_session'
      : filter.agentId !== undefined
        ? 'tasks_agent'
        : undefined;
  if (statuses === undefined && prefix === undefined && order.index === undefined) {
    return [{ index: 'tasks_created', conditions: texts, values }];
  }
  return (statuses ?? shownStatuses).map((one) => {
    // Of all that ever failed, only those that were refused can need a person.
    const isRefused = one === 'failed' && marks.includes('needsYou');
    return {
      index: isRefused ? refusedLane.index : (order.index ?? prefix ?? 'tasks_status'),
      conditions: [...(isRefused ? [refusedLane.condition] : []), 'status = ?', ...texts],
      values: [one, ...values],
    };
  });
}

/** Each condition is word for word that of its partial index, so that SQLite may use it. */
const pendingLane = { index: 'tasks_pending', condition: 'pending > 0' };
const retryLane = { index: 'tasks_retries', condition: 'retry_of IS NOT NULL' };
const refusedLane = { index: 'tasks_refused', condition: 'refused_at IS NOT NULL' };

function isEmpty(part: unknown): boolean {
  return part === undefined || (Array.isArray(part) && part.length === 0);
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}

function ascending(a: Candidate, b: Candidate): number {
  return a.key - b.key || (a.id < b.id ? -1 : 1);
}
