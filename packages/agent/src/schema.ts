/** The journal's tables. `task` and `json` hold what readers are sent; columns beside them serve queries alone. */
import { sql } from 'drizzle-orm';
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** Facts of the journal itself: epoch, floor, floorChain, aliveAt, and what the pool was told. */
export const meta = sqliteTable('meta', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
});

/** One row a task: its current state, as the fold of its events. */
export const tasks = sqliteTable(
  'tasks',
  {
    id: text('id').primaryKey(),
    status: text('status').notNull(),
    queue: text('queue').notNull(),
    priority: integer('priority').notNull(),
    /** The seq of its first event: the order of submission. */
    createdSeq: integer('created_seq').notNull(),
    /** The seq of its last event. */
    seq: integer('seq').notNull(),
    sessionId: text('session_id').notNull(),
    attempt: integer('attempt').notNull(),
    concurrencyKey: text('concurrency_key'),
    notBeforeAt: integer('not_before_at'),
    /** Requeues so far that count against the budget, and those that do not. */
    charged: integer('charged').notNull().default(0),
    uncharged: integer('uncharged').notNull().default(0),
    /** Lower-case text that `q` is looked for in. */
    search: text('search').notNull(),
    /** SHA-256 over the whole submit: whether the same id came with the same content. */
    submitHash: text('submit_hash').notNull(),
    /** The values of `spec.env` (JSON). They stay here. */
    env: text('env'),
    /** The Task as readers see it (JSON). */
    task: text('task').notNull(),
  },
  (table) => [
    index('tasks_queued')
      .on(table.queue, sql`${table.priority} desc`, table.createdSeq)
      .where(sql`status = 'queued'`),
    index('tasks_live')
      .on(table.createdSeq)
      .where(sql`status in ('starting', 'running')`),
    index('tasks_busy_key')
      .on(table.concurrencyKey)
      .where(sql`status in ('starting', 'running') and concurrency_key is not null`),
    index('tasks_not_before')
      .on(table.notBeforeAt)
      .where(sql`status = 'queued' and not_before_at is not null`),
    index('tasks_created').on(table.createdSeq),
    index('tasks_session').on(table.sessionId, table.createdSeq),
    index('tasks_ended')
      .on(table.seq)
      .where(sql`status in ('completed', 'failed', 'cancelled')`),
  ],
);

/** One row an attempt: what is needed to find its processes again, and how it ended. */
export const attempts = sqliteTable(
  'attempts',
  {
    taskId: text('task_id').notNull(),
    attempt: integer('attempt').notNull(),
    /** Random: tells this launch from one that an older copy of the journal made under the same number. */
    launchId: text('launch_id').notNull(),
    claimedAt: integer('claimed_at').notNull(),
    startedAt: integer('started_at'),
    endedAt: integer('ended_at'),
    /** The boot of the machine in which it was claimed: pids mean something only within it. */
    bootId: text('boot_id').notNull(),
    /** The shim: pid, and start time in clock ticks (or its text on macOS). */
    pid: integer('pid'),
    startTicks: text('start_ticks'),
    /** The directory it was given to work in, to be released at its end (JSON). */
    workspace: text('workspace'),
    outcome: text('outcome'),
    outputBytes: integer('output_bytes').notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.taskId, table.attempt] })],
);

/** One row a claim: the attempt that a worker took over HTTP, and until when it may be silent. */
export const claims = sqliteTable(
  'claims',
  {
    taskId: text('task_id').notNull(),
    attempt: integer('attempt').notNull(),
    /** Chosen by the worker: the same id is the same claim. */
    claimId: text('claim_id').notNull().unique(),
    /** The fence: whoever shows it speaks for this attempt, and for no other. */
    token: text('token').notNull().unique(),
    worker: text('worker').notNull(),
    leaseMs: integer('lease_ms').notNull(),
    leaseExpiresAt: integer('lease_expires_at').notNull(),
    lastHeartbeatAt: integer('last_heartbeat_at').notNull(),
    /** Terms that it was given for times in which nobody could be heard, since it was heard last. */
    givenTerms: integer('given_terms').notNull().default(0),
    progress: text('progress'),
    /** The worker's last word (its kind and a hash of its content), once it was said: the same word may be repeated. */
    lastWord: text('last_word'),
  },
  (table) => [
    primaryKey({ columns: [table.taskId, table.attempt] }),
    index('claims_worker').on(table.worker),
  ],
);

/** The log. `seq` is assigned by the journal, never by SQLite: rowids are reused or leave holes. */
export const events = sqliteTable(
  'events',
  {
    seq: integer('seq').primaryKey(),
    chain: text('chain').notNull(),
    taskId: text('task_id').notNull(),
    at: integer('at').notNull(),
    json: text('json').notNull(),
  },
  (table) => [index('events_task').on(table.taskId, table.seq)],
);
