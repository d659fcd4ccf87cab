/**
 * One service a home: a lock that dies with its holder, however that ends.
 *
 * SQLite holds a file lock for as long as a write transaction is open, and the kernel drops it with the process:
 * no pid file can be stale, and no lock survives a SIGKILL.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { hasCode } from './errors.ts';

/** The home is another process's; the message names it and says what to do. */
export class AlreadyRunningError extends Error {
  readonly code = 'already_running';
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'AlreadyRunningError';
  }
}

export interface InstanceLockOptions {
  service: 'agent' | 'web';
  home: string;
  /** What the holder said of itself, if it did already. */
  holder: () => { pid: number; url: string } | undefined;
}

/** Takes the lock of a service's home, or throws `AlreadyRunningError` at once. Dispose of it to let go. */
export function takeInstanceLock(options: InstanceLockOptions): Disposable {
  const { service, home, holder } = options;
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const database = new Database(join(home, `${service}.lock.db`), { timeout: 0 });
  try {
    database.exec('BEGIN IMMEDIATE');
  } catch (error) {
    database.close();
    if (!hasCode(error, 'SQLITE_BUSY')) throw error;
    const other = holder();
    const who = other === undefined ? 'it is just starting' : `pid ${other.pid}, ${other.url}`;
    const what = service === 'agent' ? 'An agent' : 'A web service';
    throw new AlreadyRunningError(
      `${what} already runs for ${home} (${who}). Use it, stop it first, or choose another HOLDFAST_HOME.`,
      error,
    );
  }
  return { [Symbol.dispose]: () => database.close() };
}
