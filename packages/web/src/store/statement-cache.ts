/**
 * Prepared statements whose text depends on what was asked for: each is prepared once while it is among the last that
 * were used. At most `most` are kept, so texts without number (each number of ids or labels makes another) cost no
 * memory without bound.
 */
import type { Statement } from 'better-sqlite3';
import type { SqliteDatabase } from '@holdfast/shared';

const MOST_STATEMENTS = 100;

export class StatementCache {
  readonly #database: SqliteDatabase;
  readonly #most: number;
  /** The one used last comes last. */
  readonly #statements = new Map<string, Statement>();

  constructor(database: SqliteDatabase, most = MOST_STATEMENTS) {
    this.#database = database;
    this.#most = most;
  }

  get size(): number {
    return this.#statements.size;
  }

  /** Throws what `prepare` throws. */
  prepare(text: string): Statement {
    const statement = this.#statements.get(text) ?? this.#database.prepare(text);
    this.#statements.delete(text);
    this.#statements.set(text, statement);
    if (this.#statements.size > this.#most) {
      const [oldest] = this.#statements.keys();
      this.#statements.delete(oldest!);
    }
    return statement;
  }
}
