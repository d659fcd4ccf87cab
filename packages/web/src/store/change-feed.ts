/**
 * The rows above a version, for the feed; and the lists of sessions. Read between transactions, so that everything
 * seen is durable.
 */
import { formatFeedCursor, type ShownSession, type SqliteDatabase } from '@holdfast/shared';
import type { Changes } from '../session-store.ts';
import type { Derived } from './derived.ts';
import type { SessionRecord, SessionTable } from './session-table.ts';
import { formatAfter, parseAfter } from './task-list.ts';
import type { TaskRecord, TaskTable } from './task-table.ts';

type Removed = Changes['removed'][number];

export interface SessionPage {
  items: ShownSession[];
  next?: string;
  cursor: string;
}

export class ChangeFeed {
  readonly #derived: Derived;
  readonly #tasks: TaskTable;
  readonly #sessions: SessionTable;
  readonly #epoch: string;
  readonly #taskRows;
  readonly #sessionRows;
  readonly #agentRows;
  readonly #tombstones;
  readonly #sessionPage;

  constructor(
    database: SqliteDatabase,
    derived: Derived,
    tasks: TaskTable,
    sessions: SessionTable,
    epoch: string,
  ) {
    this.#derived = derived;
    this.#tasks = tasks;
    this.#sessions = sessions;
    this.#epoch = epoch;
    const above = 'WHERE version > ? ORDER BY version LIMIT ?';
    this.#taskRows = database.prepare<[number, number], TaskRecord>(`SELECT * FROM tasks ${above}`);
    this.#sessionRows = database.prepare<[number, number], SessionRecord>(`SELECT * FROM sessions ${above}`);
    this.#agentRows = database.prepare<[number, number], { id: string; version: number }>(
      'SELECT id, version FROM agents WHERE version > ? AND removed = 0 ORDER BY version LIMIT ?',
    );
    this.#tombstones = database.prepare<[number, number], Removed & { version: number }>(
      `SELECT kind, id, version FROM tombstones ${above}`,
    );
    this.#sessionPage = database.prepare<[Record<string, unknown>], SessionRecord>(
      `SELECT * FROM sessions INDEXED BY sessions_updated
       WHERE (@archived IS NULL OR archived = @archived)
         AND (@q IS NULL OR instr(lower(id), @q) > 0 OR instr(lower(coalesce(title, '')), @q) > 0)
         AND (updated_at, id) < (@time, @id)
       ORDER BY updated_at DESC, id DESC LIMIT @limit`,
    );
  }

  changesAfter(version: number, limit: number): Changes {
    const most = limit + 1;
    const tasks = this.#taskRows.all(version, most);
    const sessions = this.#sessionRows.all(version, most);
    const agents = this.#agentRows.all(version, most);
    const removed = this.#tombstones.all(version, most);
    const versions = [tasks, sessions, agents, removed].flatMap((rows) => rows.map((row) => row.version));
    const isCut = versions.length > limit;
    const reached = isCut ? versions.toSorted((a, b) => a - b)[limit - 1]! : this.#derived.version;
    const isReached = (row: { version: number }): boolean => row.version <= reached;
    return {
      tasks: tasks.filter(isReached).map((record) => this.#tasks.toRow(record)),
      sessions: sessions.filter(isReached).map((record) => this.#sessions.toShown(record)),
      agents: agents.filter(isReached).map(({ id }) => id),
      removed: removed.filter(isReached).map(({ kind, id }) => ({ kind, id })),
      version: reached,
    };
  }

  sessions(filter: { archived?: boolean; q?: string }, page: { limit: number; after?: string }): SessionPage {
    const { q } = filter;
    const after =
      page.after === undefined ? { time: Number.MAX_SAFE_INTEGER, id: '' } : parseAfter(page.after);
    const found = this.#sessionPage.all({
      archived: filter.archived === undefined ? null : Number(filter.archived),
      q: q === undefined || q === '' ? null : q.toLowerCase(),
      ...after,
      limit: page.limit + 1,
    });
    const shown = found.slice(0, page.limit);
    const last = shown.at(-1);
    return {
      items: shown.map((record) => this.#sessions.toShown(record)),
      ...(found.length > page.limit && last !== undefined
        ? { next: formatAfter({ time: last.updated_at, id: last.id }) }
        : {}),
      cursor: formatFeedCursor({ epoch: this.#epoch, version: this.#derived.version }),
    };
  }
}
