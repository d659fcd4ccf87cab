/**
 * Claims: one row for each attempt that a worker took over HTTP, with its fence and its lease.
 *
 * Written inside the same change as the events that belong to it, so a lease that a worker was told of survives
 * anything. A claim is *live* while its attempt is the task's current one and has not ended: that is read off the
 * task's own row, so no second flag can disagree with it.
 */
import type { SqliteDatabase } from '@holdfast/shared';

export interface ClaimRecord {
  taskId: string;
  attempt: number;
  claimId: string;
  token: string;
  worker: string;
  leaseMs: number;
  leaseExpiresAt: number;
  lastHeartbeatAt: number;
  /** What its worker said of its progress, if anything. */
  progress: unknown;
  /** The word with which the worker gave the attempt up or ended it, once it was said. */
  lastWord: string | undefined;
}

interface ClaimColumns {
  task_id: string;
  attempt: number;
  claim_id: string;
  token: string;
  worker: string;
  lease_ms: number;
  lease_expires_at: number;
  last_heartbeat_at: number;
  progress: string | null;
  last_word: string | null;
}

/**
 * A term is given since nobody could be heard; a worker that lives is heard in it and starts anew. The three causes
 * (a restart, a sleep, a journal that could not be written) may follow each other so closely that it is not; more than
 * that is an agent that never stays up, and its claims must end all the same.
 */
export const MOST_GIVEN_TERMS = 3;

const LIVE = `(task_id, attempt) IN (SELECT id, attempt FROM tasks WHERE status IN ('starting', 'running'))`;

export class ClaimStore {
  readonly #insert;
  readonly #renew;
  readonly #renewAll;
  readonly #setLastWord;
  readonly #byToken;
  readonly #byClaimId;
  readonly #byAttempt;
  readonly #liveOf;
  readonly #live;

  constructor(database: SqliteDatabase) {
    this.#insert = database.prepare(
      `INSERT INTO claims (task_id, attempt, claim_id, token, worker, lease_ms, lease_expires_at, last_heartbeat_at)
       VALUES (@taskId, @attempt, @claimId, @token, @worker, @leaseMs, @leaseExpiresAt, @lastHeartbeatAt)`,
    );
    this.#renew = database.prepare(
      `UPDATE claims SET lease_expires_at = @leaseExpiresAt, last_heartbeat_at = @at, given_terms = 0,
         progress = coalesce(@progress, progress)
       WHERE task_id = @taskId AND attempt = @attempt`,
    );
    this.#renewAll = database.prepare(
      `UPDATE claims SET lease_expires_at = @now + lease_ms, given_terms = given_terms + 1
       WHERE lease_expires_at >= @since AND given_terms < ${MOST_GIVEN_TERMS} AND ${LIVE}`,
    );
    this.#setLastWord = database.prepare('UPDATE claims SET last_word = ? WHERE task_id = ? AND attempt = ?');
    this.#byToken = database.prepare('SELECT * FROM claims WHERE token = ?');
    this.#byClaimId = database.prepare('SELECT * FROM claims WHERE claim_id = ?');
    this.#byAttempt = database.prepare('SELECT * FROM claims WHERE task_id = ? AND attempt = ?');
    this.#liveOf = database.prepare(`SELECT * FROM claims WHERE worker = ? AND ${LIVE}`);
    this.#live = database.prepare(`SELECT * FROM claims WHERE ${LIVE}`);
  }

  insert(claim: Omit<ClaimRecord, 'progress' | 'lastWord'>): void {
    this.#insert.run(claim);
  }

  /** The worker was heard at `at`. */
  renew(claim: ClaimRecord, renewal: { at: number; leaseExpiresAt: number; progress: unknown }): void {
    const { at, leaseExpiresAt, progress } = renewal;
    const { taskId, attempt } = claim;
    const text = progress === undefined ? null : JSON.stringify(progress);
    this.#renew.run({ taskId, attempt, at, leaseExpiresAt, progress: text });
  }

  /**
   * Gives one full lease from `now` to every live claim whose lease had not run out at `since`, unless it was given
   * `MOST_GIVEN_TERMS` since it was heard last. Returns how many.
   */
  renewAll(since: number, now: number): number {
    return this.#renewAll.run({ since, now }).changes;
  }

  setLastWord(claim: ClaimRecord, word: string): void {
    this.#setLastWord.run(word, claim.taskId, claim.attempt);
  }

  byToken(token: string): ClaimRecord | undefined {
    return toRecord(this.#byToken.get(token));
  }

  byClaimId(claimId: string): ClaimRecord | undefined {
    return toRecord(this.#byClaimId.get(claimId));
  }

  byAttempt(taskId: string, attempt: number): ClaimRecord | undefined {
    return toRecord(this.#byAttempt.get(taskId, attempt));
  }

  /** The live claims of one worker. */
  liveOf(worker: string): ClaimRecord[] {
    return this.#liveOf.all(worker).map((row) => toRecord(row)!);
  }

  /** All live claims. */
  live(): ClaimRecord[] {
    return this.#live.all().map((row) => toRecord(row)!);
  }
}

function toRecord(row: unknown): ClaimRecord | undefined {
  if (row === undefined) return undefined;
  const columns = row as ClaimColumns;
  return {
    taskId: columns.task_id,
    attempt: columns.attempt,
    claimId: columns.claim_id,
    token: columns.token,
    worker: columns.worker,
    leaseMs: columns.lease_ms,
    leaseExpiresAt: columns.lease_expires_at,
    lastHeartbeatAt: columns.last_heartbeat_at,
    progress: columns.progress === null ? undefined : (JSON.parse(columns.progress) as unknown),
    lastWord: columns.last_word ?? undefined,
  };
}
