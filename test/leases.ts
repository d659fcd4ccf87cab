/**
 * Leases as time leaves them, without waiting for it: what is left of one, and an absence of the agent, are written into
 * the journal. Who has to act within a lease gets a long one.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { MOST_GIVEN_TERMS } from '../packages/agent/src/claim-store.ts';
import type { System } from './system.ts';

/** Long enough for whatever a test does within it. */
export const LEASE_MS = 600_000;

/**
 * From now on so much is left of the lease by which a task is held; 0: it has run out. Only its worker's heartbeat renews
 * it: not the agent, which would give it a new term where it was not awake for a while.
 */
export function leaveOfLease(system: System, taskId: string, leftMs: number): void {
  write(
    system,
    'UPDATE claims SET lease_expires_at = ?, given_terms = ? WHERE task_id = ?',
    Date.now() + leftMs,
    MOST_GIVEN_TERMS,
    taskId,
  );
}

/** As if the agent, which does not run, had been away for so much longer. */
export function extendAbsence(system: System, ms: number): void {
  write(
    system,
    'UPDATE claims SET lease_expires_at = lease_expires_at - ?, last_heartbeat_at = last_heartbeat_at - ?',
    ms,
    ms,
  );
  // It is text.
  write(system, `UPDATE meta SET value = CAST(value AS INTEGER) - ? WHERE key = 'aliveAt'`, BigInt(ms));
}

function write(system: System, sql: string, ...values: (string | number | bigint)[]): void {
  const database = new Database(join(system.home, 'agent.db'));
  try {
    const { changes } = database.prepare(sql).run(...values);
    if (changes === 0) throw new Error(`nothing was changed by: ${sql}`);
  } finally {
    database.close();
  }
}
