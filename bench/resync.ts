/**
 * A web that knows nothing and an agent with 100,000 tasks and their 400,000 events: how long until the store has all of
 * it and its digest equals the agent's, against copying the same rows with better-sqlite3.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { System } from '../test/system.ts';
import { makeHistory, TASKS } from './history.ts';
import { median, ratioOf, takeTurns } from './measure.ts';
import type { Table } from './table.ts';

const ROUNDS = 3;
const GOAL = 4;
const SINK = fileURLToPath(new URL('resync-sink.ts', import.meta.url));
const execute = promisify(execFile);

async function measure(...args: string[]): Promise<number> {
  const { stdout } = await execute(process.execPath, [SINK, ...args]);
  return Number(stdout);
}

export async function measureResync(): Promise<Table> {
  const home = await makeHistory();
  try {
    await using system = new System({
      home,
      env: { HOLDFAST_SLOTS: '0', HOLDFAST_SWEEP_MS: '5000', HOLDFAST_HEARTBEAT_MS: '5000' },
    });
    await system.agent.start();
    const id = readFileSync(join(home, 'agent.id'), 'utf8').trim();
    const folder = join(home, 'bench');
    const store = join(folder, 'web.db');
    const samples = await takeTurns(
      [
        {
          name: 'resync',
          measure: () => {
            rmSync(folder, { recursive: true, force: true });
            mkdirSync(folder);
            return measure('store', store, system.agent.url, system.token('agent'), id);
          },
        },
        { name: 'better-sqlite3', measure: () => measure('copy', store, join(folder, 'copy.db')) },
      ],
      ROUNDS,
    );
    const ratio = ratioOf(samples, 'resync', 'better-sqlite3');
    const figure = (name: string) => `${(median(samples.get(name)!) / 1000).toFixed(1)} s`;
    return {
      question: `resync: an agent's ${TASKS.toLocaleString('en')} tasks and all their events into an empty SessionStore`,
      rows: [
        {
          contestant: 'better-sqlite3 alone, copying the same rows',
          figure: figure('better-sqlite3'),
        },
        {
          contestant: 'subscription → SessionStore, until the digest is equal',
          figure: figure('resync'),
          compared: ratio.text,
          goal: { text: `≤ ${GOAL} × better-sqlite3`, reached: ratio.value <= GOAL },
        },
      ],
      notes: ['The agent is a process of its own, and reads and sends its journal meanwhile.'],
    };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
