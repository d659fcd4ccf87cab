/**
 * Opening a SQLite database so that what was committed is on the disk (P1), and group commit.
 *
 * - `synchronous=FULL` in WAL mode (better-sqlite3 silently builds with NORMAL), `fullfsync` for macOS, and the
 *   busy time-out before any other statement.
 * - Migrations are drizzle-kit's files. Before one is applied the database is copied beside itself; a database
 *   from a newer version, or one that fails its check, is refused with what to do. Nothing is changed then: it
 *   is judged on a read-only connection, because a writing one folds the write-ahead log into the file when it closes.
 * - Databases and copies are readable by their owner alone: a journal holds the values of `spec.env`.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { z } from 'zod';
import { messageOf } from './errors.ts';

export type SqliteDatabase = Database.Database;

export class DatabaseError extends Error {
  readonly code: 'database_corrupt' | 'database_newer' | 'database_unusable';
  constructor(code: DatabaseError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DatabaseError';
    this.code = code;
  }
}

/** The key in `meta` of a journal that marks a copy (`holdfast backup`): whoever opens it mints a new epoch. */
export const COPY_MARK = 'isCopy';

export interface OpenDatabaseOptions {
  /** A file path, or `:memory:`. */
  path: string;
  /** The folder that drizzle-kit wrote (`meta/_journal.json` and `*.sql`). */
  migrations: string;
}

/**
 * Opens, checks and migrates a database. Throws `DatabaseError`: one that is damaged, newer or cannot be migrated
 * in order is left as it was, byte for byte; a migration that fails is rolled back.
 */
export function openDatabase(options: OpenDatabaseOptions): SqliteDatabase {
  const { path } = options;
  let database: SqliteDatabase | undefined;
  try {
    const journal = readMigrations(options.migrations);
    if (path !== ':memory:') {
      if (existsSync(path)) judgeDatabase(path, journal);
      else makePrivateFile(path);
    }
    database = new Database(path);
    database.pragma('busy_timeout = 5000');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('fullfsync = ON');
    database.pragma('checkpoint_fullfsync = ON');
    database.pragma('journal_size_limit = 67108864');
    if (database.pragma('synchronous', { simple: true }) !== 2) {
      throw new DatabaseError('database_unusable', `${path}: SQLite did not accept synchronous=FULL`);
    }
    migrateDatabase(database, options, journal);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof DatabaseError) throw error;
    const corrupt = isCorruption(error);
    throw new DatabaseError(
      corrupt ? 'database_corrupt' : 'database_unusable',
      corrupt ? corruptMessage(path, messageOf(error)) : `${path} cannot be opened: ${messageOf(error)}`,
      error,
    );
  }
}

/** True for what a full or failing disk answers: the fault is the storage's, not the change's. */
export function isStorageError(error: unknown): boolean {
  return error instanceof Database.SqliteError && /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN)/.test(error.code);
}

function isCorruption(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError &&
    (error.code.startsWith('SQLITE_CORRUPT') || error.code.startsWith('SQLITE_NOTADB'))
  );
}

function corruptMessage(path: string, what: string): string {
  return (
    `${path} is damaged (${what}). Nothing was changed. Restore a copy made with "holdfast backup", ` +
    `or move the file (with its -wal and -shm) aside to start anew.`
  );
}

/** An empty file is an empty database to SQLite, and its log files take their mode from it. */
function makePrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
}

/** Throws if the database must not be opened for writing. */
function judgeDatabase(path: string, journal: MigrationJournal): void {
  const database = new Database(path, { readonly: true });
  try {
    database.pragma('busy_timeout = 5000');
    const answer: unknown = database.pragma('quick_check(1)', { simple: true });
    if (answer !== 'ok') throw new DatabaseError('database_corrupt', corruptMessage(path, String(answer)));
    const applied = appliedMigrations(database);
    if (applied.some((when) => journal.entries.every((entry) => entry.when !== when))) {
      throw new DatabaseError(
        'database_newer',
        `${path} was written by a newer version of Holdfast. Nothing was changed. Use that version, or move the file aside to start anew.`,
      );
    }
    // Migrations build on one another: one that is older than what was applied cannot be put underneath.
    const newest = Math.max(...applied);
    const skipped = journal.entries.find((entry) => entry.when < newest && !applied.includes(entry.when));
    if (skipped !== undefined) throw skippedError(path, skipped.tag);
  } finally {
    database.close();
  }
}

function skippedError(path: string, tag: string): DatabaseError {
  return new DatabaseError(
    'database_unusable',
    `${path}: the migration ${tag} is missing from a database that has later ones, and cannot be applied any more. ` +
      'Use the version of Holdfast that wrote it, or move the file aside to start anew.',
  );
}

const MigrationJournalSchema = z.object({
  entries: z.array(z.object({ tag: z.string(), when: z.number() })),
});
type MigrationJournal = z.infer<typeof MigrationJournalSchema>;

function readMigrations(folder: string): MigrationJournal {
  return MigrationJournalSchema.parse(
    JSON.parse(readFileSync(join(folder, 'meta', '_journal.json'), 'utf8')),
  );
}

function migrateDatabase(
  database: SqliteDatabase,
  options: OpenDatabaseOptions,
  journal: MigrationJournal,
): void {
  const { path, migrations } = options;
  const applied = appliedMigrations(database);
  const missing = journal.entries.find((entry) => !applied.includes(entry.when));
  if (missing === undefined) return;
  if (applied.length > 0) copyDatabase(database, `${path}.before-${missing.tag}`);
  // A migration that rebuilds a table drops the old one; with foreign keys on that deletes the children.
  database.pragma('foreign_keys = OFF');
  applyMigrations(database, migrations, applied);
  database.pragma('foreign_keys = ON');
}

/**
 * Applies what drizzle-kit wrote and keeps its books (`__drizzle_migrations`), all in one transaction. Drizzle's own
 * migrator does the same, but its driver alone takes 200 MB of memory.
 */
function applyMigrations(database: SqliteDatabase, folder: string, applied: readonly number[]): void {
  const missing = readMigrationFiles({ migrationsFolder: folder }).filter(
    ({ folderMillis }) => !applied.includes(folderMillis),
  );
  database
    .transaction(() => {
      database.exec(
        'CREATE TABLE IF NOT EXISTS __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)',
      );
      const insert = database.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)');
      for (const { sql, hash, folderMillis } of missing) {
        for (const statement of sql) database.exec(statement);
        insert.run(hash, folderMillis);
      }
    })
    .immediate();
}

/** One consistent copy, whatever is still in the write-ahead log; whole and on the disk under its name, or absent. */
function copyDatabase(database: SqliteDatabase, copy: string): void {
  const draft = `${copy}.partial`;
  rmSync(draft, { force: true });
  makePrivateFile(draft);
  database.prepare('VACUUM INTO ?').run(draft);
  const file = openSync(draft, 'r+');
  fsyncSync(file);
  closeSync(file);
  renameSync(draft, copy);
}

function appliedMigrations(database: SqliteDatabase): number[] {
  const table = database
    .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '__drizzle_migrations'")
    .get();
  if (table === undefined) return [];
  return z
    .array(z.number())
    .parse(database.prepare('SELECT created_at FROM __drizzle_migrations').pluck().all());
}
