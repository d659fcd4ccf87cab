/**
 * Takes a deleted secret off the disk. `secure_delete` overwrites it in the file, but the write-ahead log still has the page
 * as it was, for as long as nothing is written over that part of it.
 *
 * Guarantees: with the commit that deletes one the log is folded into the file and cut, at most once in `EVERY_MS` however
 * many there are, and when the store is opened. Nobody waits for it: where another process reads just then, or the disk
 * refuses, it is done with a later commit.
 */
import { isStorageError, type SqliteDatabase } from '@holdfast/shared';

/** Many deliveries share one; the proofs of agents bring a later commit. */
const EVERY_MS = 5000;

export class SecretWipe {
  readonly #database: SqliteDatabase;
  readonly #monotonic: () => number;
  #isOwed: boolean;
  #wipedAt = Number.NEGATIVE_INFINITY;

  constructor(database: SqliteDatabase, monotonic: () => number) {
    this.#database = database;
    this.#monotonic = monotonic;
    // Who had it open before may have been killed while it owed one.
    this.#isOwed = !this.#cutLog();
  }

  /** This transaction deletes one. */
  owe(): void {
    this.#isOwed = true;
  }

  /** A transaction is on the disk. */
  committed(): void {
    const now = this.#monotonic();
    if (!this.#isOwed || now - this.#wipedAt < EVERY_MS) return;
    this.#wipedAt = now;
    this.#isOwed = !this.#cutLog();
  }

  #cutLog(): boolean {
    const database = this.#database;
    const patienceMs = database.pragma('busy_timeout', { simple: true }) as number;
    database.pragma('busy_timeout = 0');
    try {
      const [answer] = database.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number }];
      return answer.busy === 0;
    } catch (error) {
      // What is committed stands; a disk that fails is told by the next commit.
      if (!isStorageError(error)) throw error;
      return false;
    } finally {
      database.pragma(`busy_timeout = ${patienceMs}`);
    }
  }
}
