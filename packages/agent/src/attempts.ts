/**
 * Attempts: one row for each execution of a task, with what finds its processes again after a crash.
 * Written inside the same change as the event that it belongs to.
 */
import type { Attempt, Outcome, SqliteDatabase } from '@holdfast/shared';

/** The shim of an attempt, as it was verified right after its start; it means something only within one boot. */
export interface ShimIdentity {
  pid: number;
  startTicks: string;
}

export interface AttemptRecord {
  taskId: string;
  attempt: number;
  launchId: string;
  claimedAt: number;
  startedAt: number | undefined;
  /** The boot of the machine in which it was claimed (process.ts). */
  bootId: string;
  shim: ShimIdentity | undefined;
  /** What prepared its workspace left to be released (JSON of workspace.ts). */
  workspace: string | undefined;
}

interface AttemptColumns {
  task_id: string;
  attempt: number;
  launch_id: string;
  claimed_at: number;
  started_at: number | null;
  ended_at: number | null;
  pid: number | null;
  start_ticks: string | null;
  boot_id: string;
  workspace: string | null;
  outcome: string | null;
  output_bytes: number;
}

export class AttemptStore {
  readonly #insert;
  readonly #workspace;
  readonly #start;
  readonly #end;
  readonly #get;
  readonly #list;
  readonly #endedWorkspaces;

  constructor(database: SqliteDatabase) {
    this.#insert = database.prepare(
      `INSERT INTO attempts (task_id, attempt, launch_id, claimed_at, boot_id)
       VALUES (@taskId, @attempt, @launchId, @claimedAt, @bootId)`,
    );
    this.#workspace = database.prepare('UPDATE attempts SET workspace = ? WHERE task_id = ? AND attempt = ?');
    this.#start = database.prepare(
      `UPDATE attempts SET started_at = @startedAt, pid = @pid, start_ticks = @startTicks
       WHERE task_id = @taskId AND attempt = @attempt`,
    );
    this.#end = database.prepare(
      `UPDATE attempts SET ended_at = @endedAt, outcome = @outcome, output_bytes = @outputBytes
       WHERE task_id = @taskId AND attempt = @attempt`,
    );
    this.#get = database.prepare('SELECT * FROM attempts WHERE task_id = ? AND attempt = ?');
    this.#list = database.prepare(
      `SELECT attempts.*, claims.worker FROM attempts LEFT JOIN claims USING (task_id, attempt)
       WHERE task_id = ? ORDER BY attempt`,
    );
    this.#endedWorkspaces = database.prepare(
      'SELECT task_id AS taskId, workspace FROM attempts WHERE workspace IS NOT NULL AND ended_at IS NOT NULL',
    );
  }

  claim(attempt: {
    taskId: string;
    attempt: number;
    launchId: string;
    claimedAt: number;
    bootId: string;
  }): void {
    this.#insert.run(attempt);
  }

  /** An attempt whose processes are its worker's, wherever they are: it has no run directory here. */
  claimForWorker({
    taskId,
    attempt,
    claimedAt,
  }: {
    taskId: string;
    attempt: number;
    claimedAt: number;
  }): void {
    this.#insert.run({ taskId, attempt, launchId: '', claimedAt, bootId: '' });
  }

  /** Its worker was heard for the first time. */
  beginForWorker({
    taskId,
    attempt,
    startedAt,
  }: {
    taskId: string;
    attempt: number;
    startedAt: number;
  }): void {
    this.#start.run({ taskId, attempt, startedAt, pid: null, startTicks: null });
  }

  /** Before anything is made on disk for it, so that a crash leaves the name of what to undo. */
  setWorkspace(taskId: string, attempt: number, workspace: string): void {
    this.#workspace.run(workspace, taskId, attempt);
  }

  start(attempt: { taskId: string; attempt: number; startedAt: number } & ShimIdentity): void {
    this.#start.run(attempt);
  }

  end(attempt: {
    taskId: string;
    attempt: number;
    endedAt: number;
    outcome: Outcome;
    outputBytes: number;
  }): void {
    this.#end.run({ ...attempt, outcome: JSON.stringify(attempt.outcome) });
  }

  get(taskId: string, attempt: number): AttemptRecord | undefined {
    const row = this.#get.get(taskId, attempt) as AttemptColumns | undefined;
    if (row === undefined) return undefined;
    const { pid, start_ticks: startTicks } = row;
    return {
      taskId: row.task_id,
      attempt: row.attempt,
      launchId: row.launch_id,
      claimedAt: row.claimed_at,
      startedAt: row.started_at ?? undefined,
      bootId: row.boot_id,
      shim: pid === null || startTicks === null ? undefined : { pid, startTicks },
      workspace: row.workspace ?? undefined,
    };
  }

  /** How an attempt ended, if it did. */
  outcomeOf(taskId: string, attempt: number): Outcome | undefined {
    const outcome = (this.#get.get(taskId, attempt) as AttemptColumns | undefined)?.outcome ?? undefined;
    return outcome === undefined ? undefined : (JSON.parse(outcome) as Outcome);
  }

  /** The names of the run directories of all attempts of a task that are on record (run-directory.ts). */
  runNames(taskId: string): Set<string> {
    const rows = this.#list.all(taskId) as AttemptColumns[];
    return new Set(rows.map((row) => `${row.attempt}-${row.launch_id}`));
  }

  /** What was prepared for attempts that have ended (JSON of workspace.ts). */
  endedWorkspaces(): { taskId: string; workspace: string }[] {
    return this.#endedWorkspaces.all() as { taskId: string; workspace: string }[];
  }

  /** As readers see them, oldest first. */
  list(taskId: string): Attempt[] {
    return (this.#list.all(taskId) as (AttemptColumns & { worker: string | null })[]).map((row) => ({
      attempt: row.attempt,
      claimedAt: row.claimed_at,
      ...(row.started_at === null ? {} : { startedAt: row.started_at }),
      ...(row.ended_at === null ? {} : { endedAt: row.ended_at }),
      ...(row.pid === null ? {} : { pid: row.pid }),
      ...(row.boot_id === '' ? {} : { bootId: row.boot_id }),
      ...(row.worker === null ? {} : { worker: row.worker }),
      ...(row.outcome === null ? {} : { outcome: JSON.parse(row.outcome) as Outcome }),
      outputBytes: row.output_bytes,
    }));
  }
}
