/** The rows of `sessions`: made when first named, titled by their earliest task, never counted in the table. */
import { sessionStatus, type ShownSession, type SqliteDatabase, type Task } from '@holdfast/shared';
import type { Derived } from './derived.ts';

export interface SessionRecord {
  id: string;
  title: string | null;
  named: number;
  archived: number;
  created_at: number;
  first_task: string;
  updated_at: number;
  version: number;
}

export class SessionTable {
  readonly #derived: Derived;
  readonly #load;
  readonly #meet;
  readonly #touch;
  readonly #rename;

  constructor(database: SqliteDatabase, derived: Derived) {
    this.#derived = derived;
    this.#load = database.prepare<[string], SessionRecord>('SELECT * FROM sessions WHERE id = ?');
    // The earliest task gives title and time, so that a rebuilt store has the same (P12).
    this.#meet = database.prepare(
      `INSERT INTO sessions (id, title, created_at, first_task, updated_at, version) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET
         version = excluded.version,
         updated_at = max(updated_at, excluded.updated_at),
         title = CASE WHEN named = 0 AND ${earlier} THEN excluded.title ELSE title END,
         created_at = CASE WHEN ${earlier} THEN excluded.created_at ELSE created_at END,
         first_task = CASE WHEN ${earlier} THEN excluded.first_task ELSE first_task END`,
    );
    this.#touch = database.prepare(
      'UPDATE sessions SET version = ?, updated_at = max(updated_at, ?) WHERE id = ?',
    );
    this.#rename = database.prepare(
      `UPDATE sessions SET title = coalesce(?, title), named = named OR ?, archived = coalesce(?, archived), version = ?
       WHERE id = ?`,
    );
  }

  /** A task of the session was seen for the first time, or is another than it was. */
  meet(task: Task, happenedAt: number): void {
    this.#meet.run(
      task.sessionId,
      titleOf(task),
      task.createdAt,
      task.id,
      happenedAt,
      this.#derived.nextVersion(),
    );
  }

  /** Something happened in a session that is there. */
  touch(sessionId: string, happenedAt: number): void {
    this.#touch.run(this.#derived.nextVersion(), happenedAt, sessionId);
  }

  /** False if there is no such session. */
  rename(sessionId: string, change: { title?: string; archived?: boolean }): boolean {
    const archived = change.archived === undefined ? null : Number(change.archived);
    const named = Number(change.title !== undefined);
    const { changes } = this.#rename.run(
      change.title ?? null,
      named,
      archived,
      this.#derived.nextVersion(),
      sessionId,
    );
    return changes > 0;
  }

  shown(sessionId: string): ShownSession | undefined {
    const record = this.#load.get(sessionId);
    return record === undefined ? undefined : this.toShown(record);
  }

  toShown(record: SessionRecord): ShownSession {
    const counts = this.#derived.sessionCounts(record.id);
    return {
      id: record.id,
      ...(record.title === null ? {} : { title: record.title }),
      archived: record.archived === 1,
      createdAt: record.created_at,
      updatedAt: record.updated_at,
      status: sessionStatus(counts),
      counts,
    };
  }
}

const earlier =
  '(excluded.first_task = first_task OR (excluded.created_at, excluded.first_task) < (created_at, first_task))';

const MAX_TITLE_CHARACTERS = 200;

/** Its own title, else the first line of what it runs. */
function titleOf(task: Task): string | null {
  const { command, shell, prompt } = task.spec;
  const text = task.title ?? prompt ?? command?.join(' ') ?? shell;
  const line = text?.trim().split('\n', 1)[0] ?? '';
  return line === '' ? null : line.slice(0, MAX_TITLE_CHARACTERS);
}
