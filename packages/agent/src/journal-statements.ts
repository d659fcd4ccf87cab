/** The journal's SQL, prepared once: every statement by which it reads and writes its tables (schema.ts). */
import type { SqliteDatabase } from '@holdfast/shared';

export function prepareStatements(database: SqliteDatabase) {
  const columns = 'task, env, created_seq, submit_hash, charged, uncharged';
  return {
    insertEvent: database.prepare(
      'INSERT INTO events (seq, chain, task_id, at, json) VALUES (?, ?, ?, ?, ?)',
    ),
    insertTask: database.prepare(
      `INSERT INTO tasks (id, status, queue, priority, created_seq, seq, session_id, attempt, concurrency_key, search, submit_hash, env, task)
       VALUES (@id, @status, @queue, @priority, @seq, @seq, @sessionId, 0, @concurrencyKey, @search, @submitHash, @env, @task)`,
    ),
    updateTask: database.prepare(
      `UPDATE tasks SET status = @status, seq = @seq, attempt = @attempt, not_before_at = @notBeforeAt,
       charged = @charged, uncharged = @uncharged, task = @task WHERE id = @id`,
    ),
    task: database.prepare(`SELECT ${columns} FROM tasks WHERE id = ?`),
    setMeta: database.prepare(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    ),
    getMeta: database.prepare('SELECT value FROM meta WHERE key = ?'),
    deleteMeta: database.prepare('DELETE FROM meta WHERE key = ?'),
    eventsAfter: database.prepare('SELECT seq, chain, json FROM events WHERE seq > ? ORDER BY seq LIMIT ?'),
    eventsOf: database.prepare('SELECT json FROM events WHERE task_id = ? ORDER BY seq'),
    eventAt: database.prepare('SELECT chain FROM events WHERE seq = ?'),
    lastEvent: database.prepare('SELECT seq, chain FROM events ORDER BY seq DESC LIMIT 1'),
    tasksAfterId: database.prepare('SELECT task FROM tasks WHERE id > ? ORDER BY id LIMIT ?'),
    taskCount: database.prepare('SELECT count(*) AS n FROM tasks'),
    liveAfter: database.prepare(
      `SELECT ${columns} FROM tasks WHERE status IN ('starting', 'running') AND created_seq > ? ORDER BY created_seq LIMIT ?`,
    ),
    unendedAfter: database.prepare(
      `SELECT ${columns} FROM tasks WHERE status IN ('queued', 'starting', 'running') AND created_seq > ? ORDER BY created_seq LIMIT ?`,
    ),
    oldestEvents: database.prepare('SELECT seq, chain, at FROM events WHERE seq > ? ORDER BY seq LIMIT ?'),
    endedUpTo: database.prepare(
      `SELECT id FROM tasks WHERE status IN ('completed', 'failed', 'cancelled') AND seq <= ?`,
    ),
    deleteTask: database.prepare('DELETE FROM tasks WHERE id = ?'),
    deleteAttempts: database.prepare('DELETE FROM attempts WHERE task_id = ?'),
    deleteClaims: database.prepare('DELETE FROM claims WHERE task_id = ?'),
    deleteEvents: database.prepare('DELETE FROM events WHERE seq <= ?'),
  };
}
