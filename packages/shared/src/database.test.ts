import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { DatabaseError, isStorageError, openDatabase } from './database.ts';
import { makeFolder } from './test-support.ts';

interface Migration {
  tag: string;
  when: number;
  sql: string;
}

const first: Migration = {
  tag: '0000_first',
  when: 1000,
  sql: `CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT NOT NULL);--> statement-breakpoint
CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parents(id) ON DELETE CASCADE);`,
};
/** What drizzle-kit writes to change a column: a new table, a copy, a drop, a rename. */
const rebuild: Migration = {
  tag: '0001_rebuild',
  when: 2000,
  sql: `PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE __new_parents (id INTEGER PRIMARY KEY, name TEXT);--> statement-breakpoint
INSERT INTO __new_parents SELECT id, name FROM parents;--> statement-breakpoint
DROP TABLE parents;--> statement-breakpoint
ALTER TABLE __new_parents RENAME TO parents;--> statement-breakpoint
PRAGMA foreign_keys=ON;`,
};
const third: Migration = {
  tag: '0002_third',
  when: 3000,
  sql: 'ALTER TABLE parents ADD COLUMN age INTEGER;',
};

function makeHome() {
  const folder = makeFolder();
  let folders = 0;
  return {
    path: join(folder.path, 'home', 'agent.db'),
    folder: join(folder.path, 'home'),
    migrations: (...list: Migration[]) => {
      folders += 1;
      const path = join(folder.path, `migrations-${folders}`);
      mkdirSync(join(path, 'meta'), { recursive: true });
      const entries = list.map(({ tag, when }, idx) => ({ idx, version: '6', when, tag, breakpoints: true }));
      writeFileSync(
        join(path, 'meta', '_journal.json'),
        JSON.stringify({ version: '7', dialect: 'sqlite', entries }),
      );
      for (const { tag, sql } of list) writeFileSync(join(path, `${tag}.sql`), sql);
      return path;
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

function errorOf(run: () => unknown): DatabaseError {
  try {
    run();
  } catch (error) {
    if (error instanceof DatabaseError) return error;
    throw error;
  }
  throw new Error('it was opened');
}

const rows = (database: Database.Database, sql: string) => database.prepare(sql).raw().all();

/** A database as SIGKILL leaves it: content in the write-ahead log that is not in the file yet. */
function leaveWithLog(from: string, to: string): void {
  const database = new Database(from);
  database.pragma('wal_autocheckpoint = 0');
  database.exec("INSERT INTO parents (name) VALUES ('only in the log')");
  for (const end of ['', '-wal']) copyFileSync(from + end, to + end);
  database.close();
}

test('P1: a commit is on the disk before it returns: synchronous=FULL in WAL, fullfsync for macOS', () => {
  using home = makeHome();
  const database = openDatabase({ path: home.path, migrations: home.migrations(first) });
  const pragma = (name: string) => database.pragma(name, { simple: true });
  expect(pragma('journal_mode')).toBe('wal');
  expect(pragma('synchronous')).toBe(2);
  expect(pragma('fullfsync')).toBe(1);
  expect(pragma('checkpoint_fullfsync')).toBe(1);
  expect(pragma('busy_timeout')).toBe(5000);
  expect(pragma('foreign_keys')).toBe(1);
  database.close();
});

test('a new database has its tables, and opens again with its rows', () => {
  using home = makeHome();
  const migrations = home.migrations(first);
  const database = openDatabase({ path: home.path, migrations });
  database.exec("INSERT INTO parents (name) VALUES ('a')");
  database.close();
  const again = openDatabase({ path: home.path, migrations });
  expect(rows(again, 'SELECT name FROM parents')).toEqual([['a']]);
  expect(again.pragma('foreign_keys', { simple: true })).toBe(1);
  again.close();
  expect(readdirSync(home.folder)).toEqual(['agent.db']);
});

test('database, logs and copies are private: a journal holds the values of env', () => {
  using home = makeHome();
  openDatabase({ path: home.path, migrations: home.migrations(first) }).close();
  const database = openDatabase({ path: home.path, migrations: home.migrations(first, rebuild) });
  database.exec("INSERT INTO parents (name) VALUES ('a')");
  const files = readdirSync(home.folder);
  expect(files.toSorted()).toEqual([
    'agent.db',
    'agent.db-shm',
    'agent.db-wal',
    'agent.db.before-0001_rebuild',
  ]);
  for (const file of files) expect(statSync(join(home.folder, file)).mode & 0o777).toBe(0o600);
  database.close();
});

test('a database in memory works too', () => {
  using home = makeHome();
  const database = openDatabase({ path: ':memory:', migrations: home.migrations(first) });
  expect(rows(database, 'SELECT * FROM parents')).toEqual([]);
  database.close();
});

test('the children of a table survive its rebuild, and a copy from before lies beside', () => {
  using home = makeHome();
  const old = openDatabase({ path: home.path, migrations: home.migrations(first) });
  old.exec("INSERT INTO parents VALUES (1, 'a'); INSERT INTO children VALUES (7, 1)");
  old.close();
  const database = openDatabase({ path: home.path, migrations: home.migrations(first, rebuild) });
  expect(rows(database, 'SELECT id, parent FROM children')).toEqual([[7, 1]]);
  expect(database.pragma('foreign_keys', { simple: true })).toBe(1);
  expect(() => database.exec('INSERT INTO children VALUES (8, 99)')).toThrow(/FOREIGN KEY/);
  database.close();
  const copy = new Database(`${home.path}.before-0001_rebuild`, { readonly: true });
  expect(rows(copy, 'SELECT * FROM children')).toEqual([[7, 1]]);
  expect(rows(copy, 'SELECT created_at FROM __drizzle_migrations')).toEqual([[1000]]);
  copy.close();
});

test('the copy holds what only the write-ahead log has', () => {
  using home = makeHome();
  openDatabase({ path: home.path, migrations: home.migrations(first) }).close();
  const killed = join(home.folder, 'killed.db');
  leaveWithLog(home.path, killed);
  openDatabase({ path: killed, migrations: home.migrations(first, rebuild) }).close();
  const copy = new Database(`${killed}.before-0001_rebuild`, { readonly: true });
  expect(rows(copy, 'SELECT name FROM parents')).toEqual([['only in the log']]);
  copy.close();
});

test('the copy is of now: one that a crash or an earlier migration left is replaced', () => {
  using home = makeHome();
  const old = openDatabase({ path: home.path, migrations: home.migrations(first) });
  old.exec("INSERT INTO parents VALUES (1, 'now')");
  old.close();
  const name = `${home.path}.before-0001_rebuild`;
  writeFileSync(name, 'half a copy');
  writeFileSync(`${name}.partial`, 'half a copy');
  openDatabase({ path: home.path, migrations: home.migrations(first, rebuild) }).close();
  const copy = new Database(name, { readonly: true });
  expect(rows(copy, 'SELECT name FROM parents')).toEqual([['now']]);
  copy.close();
  expect(readdirSync(home.folder)).not.toContain('agent.db.before-0001_rebuild.partial');
});

test('a migration that fails is rolled back whole, and the older version can go on', () => {
  using home = makeHome();
  const old = openDatabase({ path: home.path, migrations: home.migrations(first) });
  old.exec("INSERT INTO parents VALUES (1, 'a')");
  old.close();
  const broken = { ...third, sql: `${third.sql}--> statement-breakpoint\nINSERT INTO nowhere VALUES (1);` };
  const error = errorOf(() =>
    openDatabase({ path: home.path, migrations: home.migrations(first, rebuild, broken) }),
  );
  expect(error).toMatchObject({ code: 'database_unusable' });
  expect(error.message).toContain(home.path);
  const database = openDatabase({ path: home.path, migrations: home.migrations(first) });
  expect(rows(database, 'SELECT * FROM parents')).toEqual([[1, 'a']]);
  database.close();
});

/** Damages a page of a table in the middle of the file. */
function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0xab, 4096, 2 * 4096);
  writeFileSync(path, bytes);
}

test.each([
  ['is no database', (path: string) => writeFileSync(path, 'this is a letter to my mother'.repeat(400))],
  ['has a damaged page', damage],
  [
    'has lost its tail',
    (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 2 * 4096 + 100)),
  ],
])('a file that %s is refused with what to do, and not a byte of it changes', (_what, spoil) => {
  using home = makeHome();
  const migrations = home.migrations(first);
  openDatabase({ path: home.path, migrations }).close();
  const killed = join(home.folder, 'killed.db');
  leaveWithLog(home.path, killed);
  spoil(home.path);
  const bytes = readFileSync(home.path);
  const error = errorOf(() => openDatabase({ path: home.path, migrations }));
  expect(error.code).toBe('database_corrupt');
  expect(error.message).toMatch(/agent\.db is damaged .*Nothing was changed.*holdfast backup.*aside/s);
  expect(readFileSync(home.path).equals(bytes)).toBe(true);
});

test('a damaged file with a write-ahead log beside it stays as it is, log and all', () => {
  using home = makeHome();
  const migrations = home.migrations(first);
  openDatabase({ path: home.path, migrations }).close();
  const killed = join(home.folder, 'killed.db');
  leaveWithLog(home.path, killed);
  damage(killed);
  const read = () => [readFileSync(killed), readFileSync(`${killed}-wal`)];
  const before = read();
  expect(errorOf(() => openDatabase({ path: killed, migrations })).code).toBe('database_corrupt');
  expect(read()).toEqual(before);
});

test('a database of a newer version is refused, and not a byte of it or of its log changes', () => {
  using home = makeHome();
  const newer = { ...third, when: 9000 };
  openDatabase({ path: home.path, migrations: home.migrations(first, newer) }).close();
  const killed = join(home.folder, 'killed.db');
  leaveWithLog(home.path, killed);
  const read = () => [readFileSync(killed), readFileSync(`${killed}-wal`)];
  const before = read();
  const error = errorOf(() => openDatabase({ path: killed, migrations: home.migrations(first) }));
  expect(error.code).toBe('database_newer');
  expect(error.message).toContain('newer version of Holdfast. Nothing was changed.');
  expect(read()).toEqual(before);
});

test('a database with a migration that this version does not know is refused, whatever its date', () => {
  using home = makeHome();
  openDatabase({ path: home.path, migrations: home.migrations(first, rebuild) }).close();
  const migrations = home.migrations(first, { ...third, when: 3000 });
  expect(errorOf(() => openDatabase({ path: home.path, migrations })).code).toBe('database_newer');
});

test('a migration that the migrator would skip in silence is noticed before anything is applied', () => {
  using home = makeHome();
  openDatabase({ path: home.path, migrations: home.migrations(first, third) }).close();
  const bytes = readFileSync(home.path);
  const fourth = { tag: '0003_fourth', when: 4000, sql: 'CREATE TABLE more (id INTEGER);' };
  const migrations = home.migrations(first, rebuild, third, fourth);
  const error = errorOf(() => openDatabase({ path: home.path, migrations }));
  expect(error.code).toBe('database_unusable');
  expect(error.message).toContain('the migration 0001_rebuild is missing');
  expect(readFileSync(home.path).equals(bytes)).toBe(true);
});

test('a path that cannot be opened is refused by its name, with the cause', () => {
  using home = makeHome();
  mkdirSync(home.path, { recursive: true });
  const error = errorOf(() => openDatabase({ path: home.path, migrations: home.migrations(first) }));
  expect(error.code).toBe('database_unusable');
  expect(error.message).toContain(`${home.path} cannot be opened`);
  expect(error.cause).toBeInstanceOf(Error);
});

test('what a full disk answers is an error of the storage, and a broken rule is not', () => {
  using home = makeHome();
  const database = openDatabase({ path: home.path, migrations: home.migrations(first) });
  const caught = (sql: string): unknown => {
    try {
      database.exec(sql);
      return undefined;
    } catch (error) {
      return error;
    }
  };
  expect(isStorageError(caught('INSERT INTO children VALUES (1, 99)'))).toBe(false);
  expect(isStorageError(new Error('SQLITE_FULL'))).toBe(false);
  database.pragma(`max_page_count = ${String(database.pragma('page_count', { simple: true }))}`);
  const full = caught('INSERT INTO parents VALUES (1, hex(zeroblob(100000)))');
  expect(full).toMatchObject({ code: 'SQLITE_FULL' });
  expect(isStorageError(full)).toBe(true);
  database.close();
});
