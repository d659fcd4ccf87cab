/**
 * The databases of a home, looked at from outside while a service may be writing to them.
 *
 * Guarantees: a look opens read-only and changes nothing; a failure to look is told apart from damage (P10).
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { COPY_MARK } from '@holdfast/shared';
import Database from 'better-sqlite3';
import { isObject, parseObject } from './json.ts';
import { textOf } from './cli-error.ts';

export interface DatabaseFile {
  /** Its name in the home. */
  name: 'agent.db' | 'web.db';
  what: 'journal' | 'store';
  service: 'agent' | 'web';
}

export const journalFile: DatabaseFile = { name: 'agent.db', what: 'journal', service: 'agent' };
export const storeFile: DatabaseFile = { name: 'web.db', what: 'store', service: 'web' };

export type Inspection =
  /** `schema`: the newest migration of this version that it has; null if it has none. */
  | { kind: 'sound'; schema: string | null; isNewer: boolean; missing: string[]; meta: Map<string, string> }
  | { kind: 'damaged'; message: string }
  | { kind: 'unseen'; message: string };

/** SQLite's result codes (https://sqlite.org/rescode.html), with what extends them. */
const DAMAGE = /^SQLITE_(CORRUPT|NOTADB)/;

/** Reads all of it: seconds for a large one. */
export function inspectDatabase(path: string, { service }: DatabaseFile): Inspection {
  let database: Database.Database | undefined;
  try {
    database = new Database(path, { readonly: true, timeout: 5000 });
    const said = quickCheck(database);
    if (said !== 'ok') return { kind: 'damaged', message: said };
    const known = readMigrations(service);
    const applied = appliedMigrations(database);
    return {
      kind: 'sound',
      schema: known.findLast((one) => applied.includes(one.when))?.tag ?? null,
      isNewer: applied.some((when) => known.every((one) => one.when !== when)),
      missing: known.filter((one) => !applied.includes(one.when)).map((one) => one.tag),
      meta: applied.length === 0 ? new Map() : readMeta(database),
    };
  } catch (error) {
    return { kind: isDamage(error) ? 'damaged' : 'unseen', message: textOf(error) };
  } finally {
    database?.close();
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof Database.SqliteError && DAMAGE.test(error.code);
}

/** `ok`, or what is wrong with the file. */
function quickCheck(database: Database.Database): string {
  return String(database.pragma('quick_check(1)', { simple: true }));
}

interface Migration {
  tag: string;
  /** What drizzle keeps of an applied one. */
  when: number;
}

/** The migrations of this version, oldest first. */
function readMigrations(service: 'agent' | 'web'): Migration[] {
  const entry = createRequire(import.meta.url).resolve(`@holdfast/${service}`);
  const path = join(dirname(entry), '..', 'drizzle', 'meta', '_journal.json');
  const entries = parseObject(readFileSync(path, 'utf8'))?.entries;
  if (!Array.isArray(entries)) throw new Error(`${path} holds no migrations`);
  return entries.filter(isMigration);
}

function isMigration(value: unknown): value is Migration {
  return isObject(value) && typeof value.tag === 'string' && typeof value.when === 'number';
}

function appliedMigrations(database: Database.Database): number[] {
  const table = database
    .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '__drizzle_migrations'")
    .get();
  if (table === undefined) return [];
  return database
    .prepare<[], number>('SELECT created_at FROM __drizzle_migrations')
    .pluck()
    .all()
    .map(Number);
}

function readMeta(database: Database.Database): Map<string, string> {
  const rows = database.prepare<[], { key: string; value: string }>('SELECT key, value FROM meta').all();
  return new Map(rows.map(({ key, value }) => [key, value]));
}

/**
 * A consistent copy of a database that a service may be writing to, whole and on the disk under its name, or absent;
 * readable by its owner alone. It is marked as a copy: whoever opens it gives it a new identity (epoch), so that a
 * reader of the original never goes on from it as if it were the same.
 *
 * `VACUUM INTO` reads in one transaction, which delays no writer; the backup API starts again with each write of
 * another connection, and never ends under load.
 */
export function copyDatabase(path: string, target: string, { service }: DatabaseFile): void {
  fillWhole(target, (draft) => {
    const source = new Database(path, { readonly: true, timeout: 5000 });
    try {
      // To SQLite the empty draft is an empty database, which keeps its mode.
      source.prepare('VACUUM INTO ?').run(draft);
    } finally {
      source.close();
    }
    markCopy(draft, service);
  });
}

/** A copy of a small file, with the same guarantees. */
export function copyFile(path: string, target: string): void {
  fillWhole(target, (draft) => writeFileSync(draft, readFileSync(path)));
}

/** What `fill` makes of a draft beside it becomes `target`, once it is whole and on the disk. */
function fillWhole(target: string, fill: (draft: string) => void): void {
  const draft = `${target}.partial`;
  rmSync(draft, { force: true });
  closeSync(openSync(draft, 'wx', 0o600));
  try {
    fill(draft);
    syncFile(draft);
    renameSync(draft, target);
  } finally {
    rmSync(draft, { force: true });
  }
  syncFile(dirname(target));
}

function markCopy(path: string, service: 'agent' | 'web'): void {
  const copy = new Database(path);
  try {
    if (service === 'agent')
      copy.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(COPY_MARK, '1');
    // Web mints the epoch of its store where there is none.
    else copy.prepare("DELETE FROM meta WHERE key = 'epoch'").run();
    const said = quickCheck(copy);
    if (said !== 'ok') throw new Error(`${path} is damaged: ${said}`);
  } finally {
    copy.close();
  }
}

function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
