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
    /** How often it says that it is alive, as it said last. */
    heartbeatMs: integer('heartbeat_ms'),
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
    /** The task that a person retried by it. */
    retryOf: text('retry_of'),
    version: integer('version').notNull(),
    updatedAt: integer('updated_at').notNull(),
    /** Keys of the lists by the last change of the status, and by length: `changedAt` and `lengthRank` of shared. */
    changedAt: integer('changed_at').notNull().default(0),
    lengthRank: integer('length_rank').notNull().default(0),
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
    lastLine: text('last_line'),
    progress: text('progress'),
    leaseExpiresAt: integer('lease_expires_at'),
    lastHeartbeatAt: integer('last_heartbeat_at'),
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
    // With all that most filters ask for, so that what they pass over is not read.
    index('tasks_changed').on(
      table.status,
      table.changedAt,
      table.id,
      table.sessionId,
      table.agentId,
      table.queue,
    ),
    index('tasks_length').on(
      table.status,
      table.lengthRank,
      table.id,
      table.sessionId,
      table.agentId,
      table.queue,
    ),
    index('tasks_session').on(table.sessionId, table.status, table.createdAt, table.id),
    index('tasks_agent').on(table.agentId, table.status, table.createdAt, table.id),
    index('tasks_live')
      .on(table.agentId)
      .where(sql`on_agent = 1 and stated_status in ('queued', 'starting', 'running')`),
    index('tasks_pending')
      .on(table.createdAt, table.id)
      .where(sql`pending > 0`),
    index('tasks_retries')
      .on(table.retryOf)
      .where(sql`retry_of is not null`),
    index('tasks_refused')
      .on(table.createdAt, table.id)
      .where(sql`refused_at is not null`),
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
    /** Of a reclaim: the generation of its agent's journal in which its attempt was known; null if in none. */
    askedGeneration: integer('asked_generation'),
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

/** How far each agent's tasks are past: what ended at or below `baseSeq` of `generation` is no news. */
export const alertSources = sqliteTable('alert_sources', {
  agentId: text('agent_id').primaryKey(),
  generation: integer('generation').notNull(),
  baseSeq: integer('base_seq').notNull(),
  /** 1 once it was heard live: an agent that never was cannot be lost. */
  heard: integer('heard').notNull().default(0),
});

/** What happened that people may want to be told, for 7 days. */
export const alerts = sqliteTable(
  'alerts',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    /** Of what happened: the same is never noted twice. */
    key: text('key').notNull(),
    kind: text('kind').notNull(),
    taskId: text('task_id'),
    sessionId: text('session_id'),
    agentId: text('agent_id'),
    agentName: text('agent_name'),
    /** Of an `attention`: which one. */
    code: text('code'),
    /** What it happened to, for people. */
    subject: text('subject').notNull(),
    detail: text('detail').notNull(),
    /** 1 for what lasts until it is resolved. */
    lasting: integer('lasting').notNull(),
    sinceAt: integer('since_at').notNull(),
    notedAt: integer('noted_at').notNull(),
    resolvedAt: integer('resolved_at'),
    /** How it was resolved, for people. */
    resolution: text('resolution'),
  },
  (table) => [
    uniqueIndex('alerts_key').on(table.key),
    index('alerts_noted').on(table.notedAt),
    index('alerts_open')
      .on(table.taskId, table.kind)
      .where(sql`lasting = 1 and resolved_at is null`),
  ],
);

/** What a channel is to be told, or was. */
export const alertTellings = sqliteTable(
  'alert_tellings',
  {
    channel: text('channel').notNull(),
    alertId: integer('alert_id').notNull(),
    /** `waiting` → `told` → `owed` (it was resolved: the channel must hear of it) → `done`. */
    state: text('state').notNull(),
    message: integer('message'),
  },
  (table) => [
    primaryKey({ columns: [table.channel, table.alertId] }),
    index('alert_tellings_alert').on(table.alertId),
    index('alert_tellings_state').on(table.channel, table.state, table.alertId),
    index('alert_tellings_message').on(table.message),
  ],
);

/** The outbox: each message to each channel, under an id that is the same with every try. */
export const alertMessages = sqliteTable(
  'alert_messages',
  {
    /** The order in which a channel gets them. */
    ordinal: integer('ordinal').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    channel: text('channel').notNull(),
    lane: text('lane').notNull(),
    body: text('body').notNull(),
    createdAt: integer('created_at').notNull(),
    /** `gathering` (its alerts are still being gathered: nobody sees it) → `waiting` → `delivered` or `dropped`. */
    state: text('state').notNull(),
    tries: integer('tries').notNull().default(0),
    triedAt: integer('tried_at'),
    nextTryAt: integer('next_try_at').notNull(),
    error: text('error'),
  },
  (table) => [
    uniqueIndex('alert_messages_id').on(table.id),
    index('alert_messages_channel').on(table.channel, table.lane, table.createdAt),
    index('alert_messages_tried').on(table.channel, table.triedAt),
    index('alert_messages_waiting')
      .on(table.channel, table.lane, table.ordinal)
      .where(sql`state = 'waiting'`),
    // Asked for at each look, and hardly ever there: without it all that the lane ever sent is read.
    index('alert_messages_gathering')
      .on(table.channel, table.lane)
      .where(sql`state = 'gathering'`),
  ],
);
