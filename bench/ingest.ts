/**
 * Transitions a second from an agent's `/events` into the durable SessionStore, against better-sqlite3 alone with the
 * same rows in batches of 100. The stream comes from a process of its own.
 */
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { formatRate, median, ratioOf, takeTurns } from './measure.ts';
import type { Table } from './table.ts';

const ROUNDS = 3;
const GOAL = 0.5;
const execute = promisify(execFile);

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

async function measure(...args: string[]): Promise<number> {
  const { stdout } = await execute(process.execPath, [pathOf('ingest-sink.ts'), ...args]);
  return Number(stdout);
}

export async function measureIngest(): Promise<Table> {
  const source = fork(pathOf('ingest-source.ts'));
  const [{ port }] = (await once(source, 'message')) as [{ port: number }];
  try {
    const samples = await takeTurns(
      [
        { name: 'better-sqlite3', measure: () => measure('rows') },
        { name: 'ingest', measure: () => measure('store', String(port)) },
      ],
      ROUNDS,
    );
    const ratio = ratioOf(samples, 'ingest', 'better-sqlite3');
    return {
      question: 'ingest: transitions/s from /events into the durable SessionStore',
      rows: [
        {
          contestant: 'better-sqlite3 alone, batches of 100',
          figure: formatRate(median(samples.get('better-sqlite3')!)),
        },
        {
          contestant: 'subscription → SessionStore',
          figure: formatRate(median(samples.get('ingest')!)),
          compared: ratio.text,
          goal: { text: `≥ ${GOAL} × better-sqlite3`, reached: ratio.value >= GOAL },
        },
      ],
      notes: [
        'The baseline writes one event row and one task row a transition; ingest also receives, parses, checks seq and chain, and keeps sessions, search text, counts, digest and the cursor.',
      ],
    };
  } finally {
    source.disconnect();
  }
}
