/**
 * A home whose agent died with much unfinished: tasks that ended meanwhile, that vanished, that were claimed and never
 * launched, and that still wait. Made by writing its journal and its run directories, as an agent leaves them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import { AttemptStore } from '../packages/agent/src/attempts.ts';
import { Journal } from '../packages/agent/src/journal.ts';
import { bootIdentity } from '../packages/agent/src/process.ts';

export interface Backlog {
  /** Running, with an exit record of code 3: evidence to be settled by. */
  ended: number;
  /** Running, of this boot, without a record. */
  vanished: number;
  /** Starting, its ticket not taken. */
  neverRan: number;
  queued: number;
}

/** A pid that no process has: above the kernel's largest. */
const NOBODY = { pid: 4_194_305, startTicks: '1' };
const LAUNCH_ID = 'aaaaaaaaaaaa';

/** Writes the backlog into a home that no agent uses; returns the ids by kind. */
export async function makeBacklog(home: string, backlog: Backlog): Promise<Record<keyof Backlog, string[]>> {
  const journal = new Journal({ path: join(home, 'agent.db') });
  const attempts = new AttemptStore(journal.database);
  const ids: Record<keyof Backlog, string[]> = { ended: [], vanished: [], neverRan: [], queued: [] };
  const changes: Promise<void>[] = [];
  for (const kind of ['ended', 'vanished', 'neverRan', 'queued'] as const) {
    for (let index = 0; index < backlog[kind]; index += 1) {
      const id = uuidv7();
      ids[kind].push(id);
      changes.push(journal.change(() => addTask(journal, attempts, id, kind)));
      if (kind === 'ended' || kind === 'vanished') makeRun(home, id, kind === 'ended');
    }
  }
  await Promise.all(changes);
  journal.close();
  return ids;
}

function addTask(journal: Journal, attempts: AttemptStore, id: string, kind: keyof Backlog): void {
  const at = Date.now();
  const record = journal.appendSubmitted(
    {
      id,
      sessionId: 'backlog',
      agentId: 'backlog',
      spec: { command: ['true'] },
      status: 'queued',
      attempt: 0,
      queue: 'default',
      priority: 0,
      labels: {},
      seq: 0,
      createdAt: at,
      outputBytes: 0,
    },
    { env: undefined, submitHash: id },
  );
  if (kind === 'queued') return;
  journal.append(record, { kind: 'claimed' });
  attempts.claim({ taskId: id, attempt: 1, launchId: LAUNCH_ID, claimedAt: at, bootId: bootIdentity() });
  if (kind === 'neverRan') return;
  attempts.start({ taskId: id, attempt: 1, startedAt: at, ...NOBODY });
  const process = { pid: NOBODY.pid, startedAt: at, verifiedAt: at };
  journal.append(record, { kind: 'started', data: { process } });
}

function makeRun(home: string, id: string, hasEnded: boolean): void {
  const run = join(home, 'runs', id, `1-${LAUNCH_ID}`);
  mkdirSync(run, { recursive: true });
  for (const name of ['ticket', 'output.log', ...(hasEnded ? ['exit.3'] : [])])
    writeFileSync(join(run, name), '');
}
