/** An agent that returns to much unfinished work. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskEvent } from '@holdfast/shared';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { makeBacklog } from './backlog.ts';
import { startSystem, until } from './system.ts';

test(
  '10,000 unfinished tasks: what has evidence is settled before anything new starts',
  { timeout: 600_000 },
  async () => {
    const home = mkdtempSync(join(tmpdir(), 'holdfast-backlog-'));
    try {
      const ids = await makeBacklog(home, { ended: 5000, vanished: 2000, neverRan: 2000, queued: 1000 });
      await using system = await startSystem({ web: false, home, env: { HOLDFAST_SLOTS: '2' } });
      // Ready is only who has swept; alive it was before.
      const pool = async () => (await system.call<{ running: number }>('agent', 'GET', '/pool')).body;
      await until('work to begin', async () => (await pool()).running > 0);
      await system.agent.end('SIGKILL');
      const events = readEvents(join(home, 'agent.db'));
      const waiting = new Set(ids.queued);
      const firstNew = events.findIndex(
        ({ kind, attempt, taskId }) => kind === 'claimed' && (attempt > 1 || waiting.has(taskId)),
      );
      const settled = events.slice(0, firstNew);
      const endedBy = (kind: string, reason: string) =>
        settled.filter((event) => event.kind === kind && event.reason === reason).map(({ taskId }) => taskId);
      expect(endedBy('failed', 'exit').toSorted()).toEqual(ids.ended.toSorted());
      expect(endedBy('requeued', 'process_vanished').toSorted()).toEqual(ids.vanished.toSorted());
      expect(endedBy('requeued', 'dispatch_interrupted').toSorted()).toEqual(ids.neverRan.toSorted());
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
);

function readEvents(path: string): TaskEvent[] {
  const database = new Database(path, { readonly: true });
  try {
    const rows = database.prepare('SELECT json FROM events ORDER BY seq').all() as { json: string }[];
    return rows.map(({ json }) => JSON.parse(json) as TaskEvent);
  } finally {
    database.close();
  }
}
