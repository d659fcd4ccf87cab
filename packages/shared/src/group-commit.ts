/**
 * Group commit: the changes that are asked for in one turn of the event loop share one transaction and one
 * fsync (DeWitt et al. 1984). Each runs in its own SAVEPOINT, so that a bad one fails alone, and each caller is
 * answered only when the transaction is on the disk (P1).
 * An owner whose own callback throws is a fault that nobody is asked to handle: it comes out as an uncaught
 * exception, after the callers were answered.
 *
 * If the commit itself fails, every change of the group is refused with the same error, `onRollback` puts what
 * the owner holds in memory back to what the disk holds, and nothing is published.
 */
import { isStorageError, type SqliteDatabase } from './database.ts';

export interface GroupCommitOptions {
  database: SqliteDatabase;
  /** In the transaction, before the first change. */
  onBegin?: () => void;
  /** In the transaction, after the last change. */
  onEnd?: () => void;
  /** The transaction is on the disk; called before any caller is answered. */
  onCommit?: () => void;
  /** The transaction failed as a whole: memory must equal the disk again when this returns. */
  onRollback?: (error: unknown) => void;
  /** One change failed and was undone: memory must equal what it was when `onSavepoint` was called. */
  onSavepoint?: () => void;
  onUndo?: () => void;
}

interface Change {
  /** Makes the change; what it returns tells the caller. */
  run: () => () => void;
  reject: (error: unknown) => void;
}

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #begin;
  readonly #commit;
  readonly #rollback;
  readonly #savepoint;
  readonly #release;
  readonly #undo;
  #changes: Change[] = [];
  #scheduled = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    const { database } = options;
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
    this.#rollback = database.prepare('ROLLBACK');
    this.#savepoint = database.prepare('SAVEPOINT change');
    this.#release = database.prepare('RELEASE change');
    this.#undo = database.prepare('ROLLBACK TO change');
  }

  /**
   * Runs `change` inside the next group and resolves with what it returned once that is durable. `change` is
   * synchronous. Rejects with what it threw (it alone is undone), or with the error of the commit.
   */
  run<T>(change: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const run = () => {
      const value = change();
      return () => resolve(value);
    };
    this.#changes.push({ run, reject });
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.flush());
    }
    return promise;
  }

  /** Commits what is waiting, now. Used at stop; otherwise the turn's end does it. */
  flush(): void {
    this.#scheduled = false;
    const changes = this.#changes;
    if (changes.length === 0) return;
    this.#changes = [];
    const { database, onBegin, onEnd, onCommit, onRollback } = this.#options;
    const answers: (() => void)[] = [];
    try {
      this.#begin.run();
      onBegin?.();
      for (const change of changes) answers.push(this.#attempt(change));
      onEnd?.();
      this.#commit.run();
    } catch (error) {
      try {
        if (database.inTransaction) this.#rollback.run();
        onRollback?.(error);
      } finally {
        for (const change of changes) change.reject(error);
      }
      return;
    }
    try {
      onCommit?.();
    } finally {
      for (const answer of answers) answer();
    }
  }

  #attempt(change: Change): () => void {
    this.#savepoint.run();
    this.#options.onSavepoint?.();
    try {
      const answer = change.run();
      this.#release.run();
      return answer;
    } catch (error) {
      // A failing disk may have ended the whole transaction, and with it the savepoint: the group fails.
      if (isStorageError(error) || !this.#options.database.inTransaction) throw error;
      this.#undo.run();
      this.#release.run();
      this.#options.onUndo?.();
      return () => change.reject(error);
    }
  }
}
