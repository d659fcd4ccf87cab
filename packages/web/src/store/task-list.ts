/**
 * Lists of tasks, newest first, by keyset: a page costs what it shows, however deep it is.
 *
 * A list is read in *lanes*, one for each status asked for: each lane is a range of one index in its order, and
 * the lanes are merged. SQLite is told which index to use, as it keeps no statistics here that could tell it.
 */
import type { Statement } from 'better-sqlite3';
import { formatFeedCursor, shownStatuses, type ShownStatus, type SqliteDatabase } from '@holdfast/shared';
import { StoreError, type TaskFilter, type TaskPage } from '../session-store.ts';
import type { Derived } from './derived.ts';
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
  created_at: number;
  id: string;
}

export class TaskList {
  readonly #database: SqliteDatabase;
  readonly #derived: Derived;
  readonly #tasks: TaskTable;
  readonly #epoch: string;
  readonly #byRow;
  readonly #statements = new Map<string, Statement<unknown[], Candidate>>();
  readonly #counts = new Map<string, Statement<unknown[], number>>();

  constructor(database: SqliteDatabase, derived: Derived, tasks: TaskTable, epoch: string) {
    this.#database = database;
    this.#derived = derived;
    this.#tasks = tasks;
    this.#epoch = epoch;
    this.#byRow = database.prepare<[number], TaskRecord>('SELECT * FROM tasks WHERE row = ?');
  }

  read(filter: TaskFilter, page: { limit: number; after?: string }): TaskPage {
    const after = page.after === undefined ? undefined : parseAfter(page.after);
    const lanes = lanesOf(filter);
    const candidates = lanes.flatMap((lane) => this.#candidates(lane, page.limit + 1, after));
    if (lanes.length > 1) candidates.sort(newestFirst);
    const chosen = candidates.slice(0, page.limit);
    const last = chosen.at(-1);
    return {
      items: chosen.map(({ row }) => this.#tasks.toRow(this.#byRow.get(row)!)),
      ...(candidates.length > page.limit && last !== undefined
        ? { next: formatAfter({ time: last.created_at, id: last.id }) }
        : {}),
      total: this.#total(filter, lanes),
      cursor: formatFeedCursor({ epoch: this.#epoch, version: this.#derived.version }),
    };
  }

  #candidates(lane: Lane, limit: number, after: Keyset | undefined): Candidate[] {
    const conditions = [...lane.conditions];
    const values = [...lane.values];
    if (after !== undefined) {
      conditions.push('(created_at, id) < (?, ?)');
      values.push(after.time, after.id);
    }
    const text = `SELECT row, created_at, id FROM tasks INDEXED BY ${lane.index} ${where(conditions)}
      ORDER BY created_at DESC, id DESC LIMIT ?`;
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#database.prepare<unknown[], Candidate>(text);
      this.#statements.set(text, statement);
    }
    return statement.all(...values, limit);
  }

  /** Counted, never estimated; from memory where the filter names no more than session and status. */
  #total(filter: TaskFilter, lanes: readonly Lane[]): number {
    const { status, sessionId, agentId, queue, labels = [], q } = filter;
    if (agentId === undefined && queue === undefined && labels.length === 0 && (q ?? '') === '') {
      const counts =
        sessionId === undefined ? this.#derived.counts() : this.#derived.sessionCounts(sessionId);
      return statusesOf(status).reduce((sum, one) => sum + (counts[one] ?? 0), 0);
    }
    return lanes.reduce((sum, lane) => {
      const text = `SELECT count(*) FROM tasks INDEXED BY ${lane.index} ${where(lane.conditions)}`;
      return sum + this.#count(text, lane.values);
    }, 0);
  }

  #count(text: string, values: readonly unknown[]): number {
    let statement = this.#counts.get(text);
    if (statement === undefined) {
      statement = this.#database.prepare<unknown[], number>(text).pluck();
      this.#counts.set(text, statement);
    }
    return statement.get(...values) ?? 0;
  }
}

function lanesOf(filter: TaskFilter): Lane[] {
  const { status, sessionId, agentId } = filter;
  const conditions: string[] = [];
  const values: (string | number)[] = [];
  if (sessionId !== undefined) {
    conditions.push('session_id = ?');
    values.push(sessionId);
  }
  if (agentId !== undefined) {
    conditions.push('agent_id = ?');
    values.push(agentId);
  }
  if (filter.queue !== undefined) {
    conditions.push('queue = ?');
    values.push(filter.queue);
  }
  for (const label of filter.labels ?? []) {
    const split = label.indexOf('=');
    const isKeyOnly = split === -1;
    conditions.push(
      `EXISTS (SELECT 1 FROM task_labels AS l WHERE l.row = tasks.row AND l.key = ?${isKeyOnly ? '' : ' AND l.value = ?'})`,
    );
    values.push(isKeyOnly ? label : label.slice(0, split));
    if (!isKeyOnly) values.push(label.slice(split + 1));
  }
  if (filter.q !== undefined && filter.q !== '') {
    conditions.push('instr((SELECT text FROM task_texts AS t WHERE t.row = tasks.row), ?) > 0');
    values.push(filter.q.toLowerCase());
  }
  const prefix =
    sessionId !== undefined ? 'tasks_session' : agentId !== undefined ? 'tasks_agent' : undefined;
  if (status === undefined && prefix === undefined) return [{ index: 'tasks_created', conditions, values }];
  return statusesOf(status).map((one) => ({
    index: prefix ?? 'tasks_status',
    conditions: [...conditions, 'status = ?'],
    values: [...values, one],
  }));
}

function statusesOf(status: readonly ShownStatus[] | undefined): readonly ShownStatus[] {
  return status === undefined ? shownStatuses : [...new Set(status)];
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}

function newestFirst(a: Candidate, b: Candidate): number {
  return b.created_at - a.created_at || (a.id < b.id ? 1 : -1);
}
