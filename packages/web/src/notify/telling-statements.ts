/** The SQL by which messages are composed, each statement prepared once. */
import type { AlertKind, SqliteDatabase } from '@holdfast/shared';
import { alertColumns, type AlertRecord } from './alert-record.ts';
import type { Lane } from './rules.ts';

/** What a lane of a channel asks for. */
export interface LaneQuery {
  channel: string;
  /** JSON. */
  kinds: string;
  now: number;
  /** News that were noted before are news no more. */
  oldest: number;
  unknownAfterMs: number;
}

/** Alerts of one page that are told together. */
export interface PageGroup {
  kind: AlertKind;
  /** Of doubts: the agent and the words; null for everything else. */
  together: string | null;
  count: number;
  sinceAt: number;
  /** 1 if something of it ended badly. */
  failed: number;
  /** JSON: the ids of all of them. */
  ids: string;
}

/** What a lane has to tell, and how it is told. */
interface TellingParts {
  /** FROM and WHERE: the alerts `a` that wait. */
  source: string;
  ripeAt: string;
  /** The column by which doubts of one agent are told together. */
  words: 'detail' | 'resolution';
  isFailure: string;
  /** What becomes of a telling. */
  mark: string;
}

/** `page` and `mark` cost what they take; `firstRipeAt` looks at all that waits, in SQLite alone. */
function prepareTellings(database: SqliteDatabase, parts: TellingParts) {
  const { source, ripeAt, words, isFailure, mark } = parts;
  const ofLane = `${source} AND a.kind IN (SELECT value FROM json_each(@kinds))`;
  const together = `CASE WHEN a.kind = 'unknown' THEN coalesce(a.agent_name, '') || char(10) || coalesce(a.${words}, '') END`;
  return {
    firstRipeAt: database.prepare<[LaneQuery], number | null>(`SELECT min(${ripeAt}) FROM ${ofLane}`).pluck(),
    page: database.prepare<[LaneQuery & { after: number; limit: number }], PageGroup>(
      `SELECT kind, together, count(*) AS count, min(since_at) AS sinceAt, max(failed) AS failed,
         json_group_array(id) AS ids
       FROM (SELECT a.id, a.kind, a.since_at, ${together} AS together, (${isFailure}) AS failed
         FROM ${ofLane} AND t.alert_id > @after AND ${ripeAt} <= @now ORDER BY t.alert_id LIMIT @limit)
       GROUP BY kind, together`,
    ),
    mark: database.prepare<[{ channel: string; ids: string; message: number | bigint }]>(
      `UPDATE alert_tellings SET ${mark} WHERE channel = @channel AND alert_id IN (SELECT value FROM json_each(@ids))`,
    ),
  };
}

export function prepareTellingStatements(database: SqliteDatabase) {
  const ofLane = 'channel = ? AND lane = ?';
  return {
    waiting: prepareTellings(database, {
      source: `alert_tellings AS t INDEXED BY alert_tellings_state CROSS JOIN alerts AS a ON a.id = t.alert_id
        WHERE t.channel = @channel AND t.state = 'waiting' AND (a.lasting = 1 OR a.noted_at > @oldest)`,
      // `ripeAt` of rules.ts, in SQL.
      ripeAt: `CASE WHEN a.kind IN ('unknown', 'agentLost') THEN max(a.noted_at, a.since_at + @unknownAfterMs)
        ELSE a.noted_at END`,
      words: 'detail',
      isFailure: `a.kind = 'failed' OR (a.kind = 'sessionEnded' AND a.detail LIKE '% failed%')`,
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
      // The message that it takes back stays named.
      mark: `state = 'done'`,
    }),
    alerts: database.prepare<[string], AlertRecord>(
      `SELECT ${alertColumns} FROM alerts AS a WHERE a.id IN (SELECT value FROM json_each(?))`,
    ),
    laneLastAt: database
      .prepare<[string, Lane], number | null>(
        `SELECT max(created_at) FROM alert_messages WHERE ${ofLane} AND state <> 'gathering'`,
      )
      .pluck(),
    laneBusy: database.prepare<[string, Lane]>(
      `SELECT 1 FROM alert_messages WHERE ${ofLane} AND state = 'waiting'`,
    ),
    gathering: database.prepare<[string, Lane], { ordinal: number; body: string }>(
      `SELECT ordinal, body FROM alert_messages WHERE ${ofLane} AND state = 'gathering'`,
    ),
    begin: database.prepare(
      `INSERT INTO alert_messages (id, channel, lane, body, created_at, state, next_try_at)
       VALUES (@id, @channel, @lane, '', @now, 'gathering', @now)`,
    ),
    keep: database.prepare(`UPDATE alert_messages SET body = ? WHERE ordinal = ?`),
    finish: database.prepare(
      `UPDATE alert_messages SET state = 'waiting', body = @body, created_at = @now, next_try_at = @now
       WHERE ordinal = @ordinal`,
    ),
  };
}
