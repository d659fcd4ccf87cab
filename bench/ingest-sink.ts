/**
 * One contestant of the ingest benchmark as a process: `node ingest-sink.ts rows` or `node ingest-sink.ts store <port>`.
 * Prints transitions a second.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT } from './fan-out-frames.ts';
import { followUntilLive } from './follow.ts';
import { EPOCH, makeLog } from './ingest-log.ts';
import { openDatabase, openSqliteSessionStore } from './internals.ts';

const BATCH = 100;
const PATIENCE_MS = 60_000;
const MIGRATIONS = new URL('../packages/web/drizzle', import.meta.url).pathname;
const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
const path = join(home, 'web.db');
const log = makeLog();

/** better-sqlite3 alone: the rows that the store would write, one event and one task a transition. */
function writeRows(): void {
  const database = openDatabase({ path, migrations: MIGRATIONS });
  const insertEvent = database.prepare(
    'INSERT INTO events (agent_id, generation, seq, task_id, at, received_at, json) VALUES (?, 1, ?, ?, ?, ?, ?)',
  );
  const insertTask = database.prepare(
    `INSERT INTO tasks (id, agent_id, session_id, status, created_at, queue, version, updated_at, generation, seq, on_agent,
       attempt, stated_status, task) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, 1, ?, ?, ?)`,
  );
  const updateTask = database.prepare(
    `UPDATE tasks SET status = ?, version = ?, updated_at = ?, seq = ?, attempt = ?, stated_status = ?, task = ?
     WHERE id = ?`,
  );
  const write = database.transaction((first: number) => {
    for (const { event, json, task } of log.slice(first, first + BATCH)) {
      const { seq, taskId, at } = event;
      const { status, attempt } = task;
      const text = JSON.stringify(task);
      insertEvent.run(AGENT.id, seq, taskId, at, at, json);
      if (event.kind === 'submitted') {
        const { sessionId, createdAt, queue } = task;
        insertTask.run(
          taskId,
          AGENT.id,
          sessionId,
          status,
          createdAt,
          queue,
          seq,
          at,
          seq,
          attempt,
          status,
          text,
        );
      } else {
        updateTask.run(status, seq, at, seq, attempt, status, text, taskId);
      }
    }
  });
  for (let first = 0; first < log.length; first += BATCH) write.immediate(first);
  database.close();
}

/** Web's subscription into its store, until the agent's heartbeat vouches for all that was applied. */
async function ingest(port: number): Promise<void> {
  const store = openSqliteSessionStore({ path });
  const agent = { id: AGENT.id, name: AGENT.name, url: `http://127.0.0.1:${port}`, token: 'bench' };
  const subscription = await followUntilLive({ store, agent, patienceMs: PATIENCE_MS });
  const [stored] = await store.agents();
  if (stored?.position?.epoch !== EPOCH || stored.position.seq !== log.length) {
    throw new Error(`the store is at ${JSON.stringify(stored?.position)}, not at the head`);
  }
  await subscription.stop();
  await store.close();
}

const [kind, port] = process.argv.slice(2);
const began = performance.now();
if (kind === 'rows') writeRows();
else await ingest(Number(port));
console.log((log.length * 1000) / (performance.now() - began));
rmSync(home, { recursive: true });
