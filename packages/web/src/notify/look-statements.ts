/** The SQL of a look, each statement prepared once, and the records that it reads. */
import type { DoubtReason, ShownStatus, SqliteDatabase, TaskStatus } from '@holdfast/shared';
import { alertColumns, type AlertRecord, isOpen } from './alert-record.ts';

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

export interface Source {
  generation: number;
  base_seq: number;
  heard: number;
}

export function prepareLookStatements(database: SqliteDatabase) {
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
  };
}
