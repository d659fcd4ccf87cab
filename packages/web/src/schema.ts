/**
 * The SessionStore's tables. What agents said: `agents`, `events`, and the stated columns of `tasks`. What web adds
 * of its own: doubts, verdicts, intents, titles. Counts are derived in memory and never stored.
 *
 * `task`, `answer` and `json` hold JSON as readers are sent it; the columns beside them serve queries alone.
 */
import { sql } from 'drizzle-orm';
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

/** Facts of the store itself: `epoch`, `version` (the newest one given), `oldestVersion` (see `tombstones`). */
export const meta = sqliteTable('meta', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
});

/** One row an agent ever known. A removed one stays, so that it resumes where it was if it is added again. */
export const agents = sqliteTable(
  'agents',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    url: text('url').notNull(),
    removed: integer('removed').notNull().default(0),
    /** 0 until the first snapshot was taken; `epoch`, `seq` and `chain` mean nothing before. */
    generation: integer('generation').notNull().default(0),
    epoch: text('epoch').notNull().default(''),
    seq: integer('seq').notNull().default(0),
    chain: text('chain').notNull().default(''),
    /** How far its rows were stated: the position, or the head of the last snapshot while that is ahead of it. */
    reachSeq: integer('reach_seq').notNull().default(0),
    reachChain: text('reach_chain').notNull().default(''),
    asOf: integer('as_of').notNull().default(0),
    version: integer('version').notNull(),
  },
  (table) => [uniqueIndex('agents_version').on(table.version)],
);

export const sessions = sqliteTable(
  'sessions',
  {
    id: text('id').primaryKey(),
    title: text('title'),
    /** 1 once a person chose the title: no task changes it then. */
    named: integer('named').notNull().default(0),
    archived: integer('archived').notNull().default(0),
    /** The earliest of its tasks, which gives the title and the time: the same whatever order they came in. */
    createdAt: integer('created_at').notNull(),
    firstTask: text('first_task').notNull(),
    /** The newest thing that happened in it, by the clock of whoever it happened to. */
    updatedAt: integer('updated_at').notNull(),
    version: integer('version').notNull(),
  },
  (table) => [
    uniqueIndex('sessions_version').on(table.version),
    index('sessions_updated').on(table.updatedAt, table.id),
  ],
);

export const tasks = sqliteTable(
  'tasks',
  {
    /** The rowid: what `task_texts` and `task_labels` refer to. */
    row: integer('row').primaryKey(),
    id: text('id').notNull(),
    agentId: text('agent_id'),
    sessionId: text('session_id').notNull(),
    /** What people are shown. */
    status: text('status').notNull(),
    createdAt: integer('created_at').notNull(),
    queue: text('queue').notNull(),
    version: integer('version').notNull(),
    updatedAt: integer('updated_at').notNull(),
    /** Where in which log the agent stated `task`; generation and seq 0 while its stream never named the task. */
    generation: integer('generation').notNull().default(0),
    seq: integer('seq').notNull().default(0),
    /** 1 while the agent's journal is known to hold the task: it counts for the live digest. */
    onAgent: integer('on_agent').notNull().default(0),
    attempt: integer('attempt').notNull().default(0),
    statedStatus: text('stated_status').notNull(),
    lastStatus: text('last_status'),
    unknownSince: integer('unknown_since'),
    doubtReason: text('doubt_reason'),
    doubtAsOf: integer('doubt_as_of'),
    verdictAt: integer('verdict_at'),
    verdictNote: text('verdict_note'),
    refusedAction: text('refused_action'),
    refusedMessage: text('refused_message'),
    refusedAt: integer('refused_at'),
    /** How many intents of the task are open. */
    pending: integer('pending').notNull().default(0),
    /** SHA-256 over the whole submit, secrets included; only where web itself took the submit. */
    submitHash: text('submit_hash'),
    /** The last `activity`, and the attempt that it belongs to. */
    activityAttempt: integer('activity_attempt'),
    outputBytes: integer('output_bytes'),
    lastOutputAt: integer('last_output_at'),
    progress: text('progress'),
    /** The Task as its agent's log states it; before that, as it was submitted. */
    task: text('task').notNull(),
    /** The Task as its agent answered a request, while that is ahead of the log. */
    answer: text('answer'),
    answerSeq: integer('answer_seq'),
  },
  (table) => [
    uniqueIndex('tasks_id').on(table.id),
    uniqueIndex('tasks_version').on(table.version),
    index('tasks_created').on(table.createdAt, table.id, table.queue),
    index('tasks_status').on(table.status, table.createdAt, table.id),
    index('tasks_session').on(table.sessionId, table.status, table.createdAt, table.id),
    index('tasks_agent').on(table.agentId, table.status, table.createdAt, table.id),
    index('tasks_live')
      .on(table.agentId)
      .where(sql`on_agent = 1 and stated_status in ('queued', 'starting', 'running')`),
    index('tasks_ended')
      .on(table.agentId, table.generation, table.seq)
      .where(sql`stated_status in ('completed', 'failed', 'cancelled')`),
  ],
);

/** Lower-case text that `q` is looked for in: apart, so that a search reads little. */
export const taskTexts = sqliteTable('task_texts', {
  row: integer('row').primaryKey(),
  text: text('text').notNull(),
});

export const taskLabels = sqliteTable(
  'task_labels',
  {
    row: integer('row').notNull(),
    key: text('key').notNull(),
    value: text('value').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.row, table.key] }),
    index('task_labels_key').on(table.key, table.value),
  ],
);

/** The agents' logs, each text exactly as it was chained and sent. `at` is the agent's clock, `receivedAt` web's. */
export const events = sqliteTable(
  'events',
  {
    agentId: text('agent_id').notNull(),
    generation: integer('generation').notNull(),
    seq: integer('seq').notNull(),
    taskId: text('task_id').notNull(),
    at: integer('at').notNull(),
    receivedAt: integer('received_at').notNull(),
    json: text('json').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.agentId, table.generation, table.seq] }),
    index('events_task').on(table.taskId, table.generation, table.seq),
  ],
);

/** Every doubt, open or resolved. */
export const knowledge = sqliteTable(
  'knowledge',
  {
    row: integer('row').primaryKey(),
    taskId: text('task_id').notNull(),
    reason: text('reason').notNull(),
    lastStatus: text('last_status').notNull(),
    asOf: integer('as_of').notNull(),
    since: integer('since').notNull(),
    resolvedAt: integer('resolved_at'),
    resolvedTo: text('resolved_to'),
  },
  (table) => [index('knowledge_task').on(table.taskId, table.row)],
);

/** Open intents alone: one that was answered is deleted, and its secrets with it. */
export const intents = sqliteTable(
  'intents',
  {
    /** The order in which people asked. */
    ordinal: integer('ordinal').primaryKey(),
    id: text('id').notNull(),
    taskId: text('task_id').notNull(),
    action: text('action').notNull(),
    agentId: text('agent_id'),
    body: text('body').notNull(),
    createdAt: integer('created_at').notNull(),
    sentAt: integer('sent_at'),
    /** The generation of its agent's journal at the first send. */
    sentGeneration: integer('sent_generation'),
    tries: integer('tries').notNull().default(0),
    lastError: text('last_error'),
  },
  (table) => [uniqueIndex('intents_id').on(table.id), index('intents_task').on(table.taskId, table.ordinal)],
);

/** What was removed, for 7 days. A reader whose cursor is older must read everything again. */
export const tombstones = sqliteTable(
  'tombstones',
  {
    version: integer('version').primaryKey(),
    kind: text('kind').notNull(),
    id: text('id').notNull(),
    at: integer('at').notNull(),
  },
  (table) => [uniqueIndex('tombstones_id').on(table.kind, table.id), index('tombstones_at').on(table.at)],
);
