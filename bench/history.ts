/**
 * A home whose agent has 100,000 tasks behind it: all ended but a few that wait, each with its whole history. Written
 * as an agent writes its journal.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import { Journal } from './internals.ts';

export const TASKS = 100_000;
/** Of them so many wait: what the live digest is made of. */
const QUEUED = 500;
const SESSIONS = 200;
/** In one transaction. */
const BATCH = 1000;

/** Makes the home; whoever asked for it removes it. */
export async function makeHistory(): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const journal = new Journal({ path: join(home, 'agent.db') });
  for (let first = 0; first < TASKS; first += BATCH) {
    await journal.change(() => {
      for (let index = first; index < first + BATCH; index += 1) addTask(journal, index);
    });
  }
  journal.close();
  return home;
}

function addTask(journal: Journal, index: number): void {
  const createdAt = Date.now();
  const id = uuidv7();
  const record = journal.appendSubmitted(
    {
      id,
      sessionId: `session-${index % SESSIONS}`,
      agentId: 'history',
      title: `Build part ${index} of the whole`,
      spec: { command: ['/usr/bin/make', '-j4', 'all'], cwd: '/home/somebody/project' },
      status: 'queued',
      attempt: 0,
      queue: 'default',
      priority: 0,
      labels: { team: index % 3 === 0 ? 'core' : 'web' },
      seq: 0,
      createdAt,
      outputBytes: 0,
    },
    { env: undefined, submitHash: id },
  );
  if (index >= TASKS - QUEUED) return;
  const process = { pid: 12_345, startedAt: createdAt, verifiedAt: createdAt };
  journal.append(record, { kind: 'claimed' });
  journal.append(record, { kind: 'started', data: { process } });
  const outcome = { reason: 'exit', exitCode: 0 } as const;
  const data = { outcome, endedAt: createdAt, outputBytes: 1000, lastOutputAt: createdAt, lastLine: 'done' };
  journal.append(record, { kind: 'completed', reason: 'exit', data });
}
