/** The SQL of the AlertStore on SQLite, each statement prepared once, and the records that it reads. */
import type { AlertKind, DoubtReason, ShownStatus, SqliteDatabase, TaskStatus } from '@holdfast/shared';
import type { Lane } from './rules.ts';
import { MOST_ITEMS } from './wording.ts';

/** Alerts of one message. */
const MOST_TOLD = 10_000;
/** Rows read for its words: some twenty groups of doubts, and the first alerts of every other kind. */
const MOST_READ = 600;

/** What a lane of a channel asks for. */
interface LaneQuery {
  channel: string;
  /** JSON. */
  kinds: string;
  now: number;
  /** News that were noted before are news no more. */
  oldest: number;
  unknownAfterMs: number;
}

type TellingQuery = LaneQuery & { message: number | bigint };

export interface TaskRecord {
  version: number;
  id: string;
  agent_id: string | null;
  session_id: string;
  status: ShownStatus;
  stated_status: TaskStatus;
  generation: number;
  seq: number;
  unknown_since: number | null;
  doubt_reason: DoubtReason | null;
  last_status: TaskStatus | null;
  refused_message: string | null;
  refused_at: number | null;
  task: string;
}

export interface AlertRecord {
  id: number;
  kind: AlertKind;
  task_id: string | null;
  session_id: string | null;
  agent_id: string | null;
  agent_name: string | null;
  code: string | null;
  subject: string;
  detail: string;
  lasting: number;
  since_at: number;
  noted_at: number;
  resolved_at: number | null;
  resolution: string | null;
}

export interface MessageRecord {
  ordinal: number;
  id: string;
  channel: string;
  body: string;
  created_at: number;
  tries: number;
  next_try_at: number;
}

export interface Source {
  generation: number;
  base_seq: number;
  heard: number;
}

/** What a lane has to tell, and how it is told. */
interface TellingParts {
  /** FROM and WHERE: the alerts `a` that wait. */
  source: string;
  ripeAt: string;
  /** The column by which doubts of one agent are told together. */
  words: 'detail' | 'resolution';
  isFailure: string;
  /** Whether the largest groups of doubts are told, or the first. */
  largestFirst: boolean;
  /** What becomes of a telling. */
  mark: string;
}

/** What is told of one kind. */
interface ToldKind {
  kind: AlertKind;
  count: number;
  /** Groups of doubts. */
  groups: number;
  failures: number;
}

/** One of the first alerts of a group. */
export type ToldRecord = AlertRecord & { groupFirst: number; groupCount: number; groupSinceAt: number };

/** Statements whose cost in rows that are read is bounded, whatever waits; SQLite itself looks at all of it. */
function prepareTellings(database: SqliteDatabase, parts: TellingParts) {
  const { source, ripeAt, words, isFailure, largestFirst, mark } = parts;
  const ofLane = `${source} AND a.kind IN (SELECT value FROM json_each(@kinds))`;
  const told = `${ofLane} AND ${ripeAt} <= @now ORDER BY a.id LIMIT ${MOST_TOLD}`;
  const together = `CASE WHEN a.kind = 'unknown' THEN coalesce(a.agent_name, '') || char(10) || coalesce(a.${words}, '') END`;
  return {
    firstRipeAt: database.prepare<[LaneQuery], number | null>(`SELECT min(${ripeAt}) FROM ${ofLane}`).pluck(),
    kinds: database.prepare<[LaneQuery], ToldKind>(
      `SELECT kind, count(*) AS count, count(DISTINCT together) AS groups, sum(failed) AS failures
       FROM (SELECT a.kind, ${together} AS together, (${isFailure}) AS failed FROM ${told}) GROUP BY kind`,
    ),
    first: database.prepare<[LaneQuery], ToldRecord>(
      `WITH grouped AS (
         SELECT id, kind, together, row_number() OVER (PARTITION BY kind, together ORDER BY id) AS nth,
           count(*) OVER (PARTITION BY kind, together) AS size, min(id) OVER (PARTITION BY kind, together) AS first,
           min(since_at) OVER (PARTITION BY kind, together) AS since
         FROM (SELECT a.id, a.kind, a.since_at, ${together} AS together FROM ${told}))
       SELECT ${alertColumns}, g.first AS groupFirst, g.size AS groupCount, g.since AS groupSinceAt
       FROM (SELECT * FROM grouped WHERE nth <= ${MOST_ITEMS}
         ORDER BY kind = 'unknown', ${largestFirst ? '-size,' : ''} first, nth LIMIT ${MOST_READ}) AS g
         CROSS JOIN alerts AS a ON a.id = g.id
       ORDER BY g.kind = 'unknown', ${largestFirst ? '-g.size,' : ''} g.first, g.nth`,
    ),
    mark: database.prepare<[TellingQuery]>(
      `UPDATE alert_tellings SET ${mark} WHERE channel = @channel AND alert_id IN (SELECT a.id FROM ${told})`,
    ),
  };
}

const alertColumns =
  'a.id, a.kind, a.task_id, a.session_id, a.agent_id, a.agent_name, a.code, a.subject, a.detail, a.lasting, a.since_at, a.noted_at, a.resolved_at, a.resolution';

export function prepareStatements(database: SqliteDatabase) {
  const isOpen = 'lasting = 1 AND resolved_at IS NULL';
  return {
    getMeta: database.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck(),
    setMeta: database.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)'),
    newestVersion: database.prepare<[], number | null>('SELECT max(version) FROM tasks').pluck(),

    stored: database.prepare<
      [string],
      { name: string; generation: number; epoch: string; reach_seq: number }
    >('SELECT name, generation, epoch, reach_seq FROM agents WHERE id = ? AND removed = 0'),
    source: database.prepare<[string], Source>(
      'SELECT generation, base_seq, heard FROM alert_sources WHERE agent_id = ?',
    ),
    begin: database.prepare(
      `INSERT INTO alert_sources (agent_id, generation, base_seq) VALUES (?, ?, ?)
       ON CONFLICT (agent_id) DO UPDATE SET generation = excluded.generation, base_seq = excluded.base_seq
       WHERE generation <> excluded.generation`,
    ),
    hear: database.prepare('UPDATE alert_sources SET heard = 1 WHERE agent_id = ?'),

    pageEnd: database.prepare<[number, number], { newest: number | null; rows: number }>(
      `SELECT max(version) AS newest, count(*) AS rows FROM
         (SELECT version FROM tasks WHERE version > ? ORDER BY version LIMIT ?)`,
    ),
    changed: database.prepare<[{ from: number; to: number; ends: string }], TaskRecord>(
      `SELECT version, id, agent_id, session_id, status, stated_status, generation, seq, unknown_since, doubt_reason,
         last_status, refused_message, refused_at, task
       FROM tasks INDEXED BY tasks_version WHERE version > @from AND version <= @to
         AND (stated_status IN (SELECT value FROM json_each(@ends)) OR status = 'unknown' OR refused_at IS NOT NULL
           OR (stated_status IN ('queued', 'starting', 'running') AND json_extract(task, '$.attention') IS NOT NULL))
       ORDER BY version`,
    ),
    // CROSS JOIN keeps SQLite from reading every open alert instead of the few rows that changed.
    openOfChanged: database.prepare<
      [{ from: number; to: number }],
      AlertRecord & { task: string; status: ShownStatus }
    >(
      `SELECT ${alertColumns}, coalesce(t.answer, t.task) AS task, t.status
       FROM tasks AS t INDEXED BY tasks_version CROSS JOIN alerts AS a
         ON a.task_id = t.id AND a.lasting = 1 AND a.resolved_at IS NULL
       WHERE t.version > @from AND t.version <= @to`,
    ),
    openOfTask: database.prepare<[string, string, string | null]>(
      `SELECT 1 FROM alerts WHERE task_id = ? AND kind = ? AND code IS ? AND ${isOpen}`,
    ),
    openOfAgent: database.prepare<[string, string, string | null]>(
      `SELECT 1 FROM alerts WHERE task_id IS NULL AND agent_id = ? AND kind = ? AND code IS ? AND ${isOpen}`,
    ),
    openOfAgents: database.prepare<[], AlertRecord>(
      `SELECT ${alertColumns} FROM alerts AS a WHERE a.task_id IS NULL AND a.agent_id IS NOT NULL AND ${isOpen}`,
    ),
    liveInSession: database.prepare<[string]>(
      `SELECT 1 FROM tasks INDEXED BY tasks_session
       WHERE session_id = ? AND status IN ('submitted', 'queued', 'starting', 'running', 'unknown') LIMIT 1`,
    ),
    sessionCounts: database.prepare<[string], { status: ShownStatus; n: number }>(
      `SELECT status, count(*) AS n FROM tasks INDEXED BY tasks_session
       WHERE session_id = ? GROUP BY status ORDER BY n DESC`,
    ),
    newestInSession: database
      .prepare<[string], number | null>('SELECT max("row") FROM tasks WHERE session_id = ?')
      .pluck(),
    sessionTitle: database
      .prepare<[string], string | null>('SELECT title FROM sessions WHERE id = ?')
      .pluck(),

    insertAlert: database.prepare(
      `INSERT INTO alerts (key, kind, task_id, session_id, agent_id, agent_name, code, subject, detail, lasting, since_at,
         noted_at)
       VALUES (@key, @kind, @taskId, @sessionId, @agentId, @agentName, @code, @subject, @detail, @lasting, @sinceAt, @at)
       ON CONFLICT (key) DO NOTHING`,
    ),
    insertTelling: database.prepare(
      `INSERT INTO alert_tellings (channel, alert_id, state) VALUES (?, ?, 'waiting')`,
    ),
    resolveAlert: database.prepare('UPDATE alerts SET resolved_at = ?, resolution = ? WHERE id = ?'),
    forgetWaiting: database.prepare(`DELETE FROM alert_tellings WHERE alert_id = ? AND state = 'waiting'`),
    oweTold: database.prepare(
      `UPDATE alert_tellings SET state = 'owed' WHERE alert_id = ? AND state = 'told'`,
    ),

    waiting: prepareTellings(database, {
      source: `alert_tellings AS t INDEXED BY alert_tellings_state CROSS JOIN alerts AS a ON a.id = t.alert_id
        WHERE t.channel = @channel AND t.state = 'waiting' AND (a.lasting = 1 OR a.noted_at > @oldest)`,
      // `ripeAt` of rules.ts, in SQL.
      ripeAt: `CASE WHEN a.kind IN ('unknown', 'agentLost') THEN max(a.noted_at, a.since_at + @unknownAfterMs)
        ELSE a.noted_at END`,
      words: 'detail',
      isFailure: `a.kind = 'failed' OR (a.kind = 'sessionEnded' AND a.detail LIKE '% failed%')`,
      largestFirst: false,
      mark: `state = (SELECT CASE WHEN a.lasting = 1 THEN 'told' ELSE 'done' END FROM alerts AS a
        WHERE a.id = alert_tellings.alert_id), message = @message`,
    }),
    owed: prepareTellings(database, {
      source: `alert_tellings AS t INDEXED BY alert_tellings_state CROSS JOIN alerts AS a ON a.id = t.alert_id
          CROSS JOIN alert_messages AS m ON m.ordinal = t.message
        WHERE t.channel = @channel AND t.state = 'owed' AND m.state = 'delivered'`,
      ripeAt: 'coalesce(a.resolved_at, @now)',
      words: 'resolution',
      isFailure: `a.resolution LIKE 'failed%'`,
      largestFirst: true,
      // The message that it takes back stays named.
      mark: `state = 'done'`,
    }),
    laneLastAt: database
      .prepare<[string, Lane], number | null>(
        'SELECT max(created_at) FROM alert_messages WHERE channel = ? AND lane = ?',
      )
      .pluck(),
    laneBusy: database.prepare<[string, Lane]>(
      `SELECT 1 FROM alert_messages WHERE channel = ? AND lane = ? AND state = 'waiting'`,
    ),
    insertMessage: database.prepare(
      `INSERT INTO alert_messages (id, channel, lane, body, created_at, state, next_try_at)
       VALUES (@id, @channel, @lane, @body, @now, 'waiting', @now)`,
    ),
    nextMessage: database.prepare<[string], MessageRecord>(
      `SELECT ordinal, id, channel, body, created_at, tries, next_try_at FROM alert_messages
         INDEXED BY alert_messages_waiting
       WHERE channel = ? AND state = 'waiting' ORDER BY ordinal LIMIT 1`,
    ),
    settle: database.prepare(
      'UPDATE alert_messages SET state = ?, tries = tries + 1, tried_at = ?, error = ? WHERE id = ?',
    ),
    postpone: database.prepare(
      'UPDATE alert_messages SET tries = tries + 1, tried_at = ?, next_try_at = ?, error = ? WHERE id = ?',
    ),
    forgetToldBy: database.prepare(
      `DELETE FROM alert_tellings WHERE message = (SELECT ordinal FROM alert_messages WHERE id = ?)
         AND state IN ('told', 'owed')`,
    ),

    lastTry: database.prepare<[string], { tried_at: number; state: string; error: string | null }>(
      `SELECT tried_at, state, error FROM alert_messages WHERE channel = ? AND tried_at IS NOT NULL
       ORDER BY tried_at DESC, ordinal DESC LIMIT 1`,
    ),
    countMessages: database
      .prepare<[string, string], number>(
        `SELECT count(*) FROM alert_messages WHERE channel = ? AND state = ? AND lane <> 'test'`,
      )
      .pluck(),
    newest: database.prepare<[number, number], AlertRecord>(
      `SELECT ${alertColumns} FROM alerts AS a WHERE a.id < ? ORDER BY a.id DESC LIMIT ?`,
    ),
    forgetTellings: database.prepare(
      'DELETE FROM alert_tellings WHERE channel NOT IN (SELECT value FROM json_each(?))',
    ),
    forgetMessages: database.prepare(
      'DELETE FROM alert_messages WHERE channel NOT IN (SELECT value FROM json_each(?))',
    ),
    forgetOld: database.prepare(
      `DELETE FROM alert_tellings WHERE state = 'waiting' AND alert_id IN
         (SELECT id FROM alerts INDEXED BY alerts_noted WHERE noted_at < ? AND lasting = 0)`,
    ),
    // What still lasts is kept: it is to be resolved some day.
    pruneAlerts: database.prepare(
      `DELETE FROM alerts WHERE id IN (SELECT id FROM alerts INDEXED BY alerts_noted
         WHERE noted_at < ? AND NOT (${isOpen}) LIMIT ?)`,
    ),
    pruneMessages: database.prepare(
      `DELETE FROM alert_messages WHERE ordinal IN (SELECT ordinal FROM alert_messages AS m
         WHERE m.created_at < ? AND m.state <> 'waiting'
           AND NOT EXISTS (SELECT 1 FROM alert_tellings AS t WHERE t.message = m.ordinal AND t.state IN ('told', 'owed'))
         LIMIT ?)`,
    ),
    pruneTellings: database.prepare(
      'DELETE FROM alert_tellings WHERE NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.id = alert_tellings.alert_id)',
    ),
  };
}
