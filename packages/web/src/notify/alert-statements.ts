/** The SQL of the outbox, of what is shown and of what is forgotten, each statement prepared once. */
import type { SqliteDatabase } from '@holdfast/shared';
import { alertColumns, type AlertRecord, isOpen } from './alert-record.ts';

export interface MessageRecord {
  ordinal: number;
  id: string;
  channel: string;
  body: string;
  created_at: number;
  tries: number;
  next_try_at: number;
}

export function prepareStatements(database: SqliteDatabase) {
  return {
    insertTest: database.prepare(
      `INSERT INTO alert_messages (id, channel, lane, body, created_at, state, next_try_at)
       VALUES (@id, @channel, 'test', @body, @now, 'waiting', @now)`,
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
         WHERE m.created_at < ? AND m.state NOT IN ('waiting', 'gathering')
           AND NOT EXISTS (SELECT 1 FROM alert_tellings AS t WHERE t.message = m.ordinal AND t.state IN ('told', 'owed'))
         LIMIT ?)`,
    ),
    pruneTellings: database.prepare(
      'DELETE FROM alert_tellings WHERE NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.id = alert_tellings.alert_id)',
    ),
  };
}
