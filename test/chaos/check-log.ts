/** The agent's own log: whole, chained, and each task in it a possible life that has come to its end. */
import { createHash } from 'node:crypto';
import { eventsByTask, type Findings, TERMINAL } from './findings.ts';
import type { Violation } from './ledger.ts';

/** From which status which event leads where. */
const STEPS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '': { submitted: 'queued' },
  queued: {
    claimed: 'starting',
    attention: 'queued',
    reported: 'queued',
    failed: 'failed',
    cancelled: 'cancelled',
  },
  starting: {
    started: 'running',
    requeued: 'queued',
    stopRequested: 'starting',
    attention: 'starting',
    reported: 'starting',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  },
  running: {
    adopted: 'running',
    requeued: 'queued',
    stopRequested: 'running',
    attention: 'running',
    reported: 'running',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  },
};

/** The log: seqs without a hole, and each chain value what hashing gives. */
export function checkLog({ agent }: Findings): Violation[] {
  const found: Violation[] = [];
  let chain = agent.epoch;
  for (const [index, entry] of agent.log.entries()) {
    chain = createHash('sha256')
      .update(chain + entry.json)
      .digest('hex')
      .slice(0, 16);
    if (entry.seq !== index + 1) {
      found.push({ promise: 'log', what: `entry ${index + 1} has seq ${entry.seq}`, taskId: entry.taskId });
      break;
    }
    if (entry.chain !== chain) {
      found.push({
        promise: 'log',
        what: `the chain at ${entry.seq} is ${entry.chain}, hashing gives ${chain}`,
      });
      break;
    }
  }
  return found;
}

/** Each task: a possible life, exactly one end and nothing behind it (P5), and a row that is what it leads to. */
export function checkLives({ agent }: Findings): Violation[] {
  const found: Violation[] = [];
  const byTask = eventsByTask(agent);
  for (const [taskId, events] of byTask) {
    let status = '';
    let attempt = 0;
    for (const event of events) {
      const to = STEPS[status]?.[event.kind];
      if (event.kind === 'claimed') attempt += 1;
      if (to === undefined || to !== event.to || (event.from ?? '') !== status) {
        found.push({ promise: 'P5', what: `"${event.kind}" (seq ${event.seq}) follows "${status}"`, taskId });
      }
      if (event.attempt !== attempt) {
        found.push({
          promise: 'P4',
          what: `seq ${event.seq} is of attempt ${event.attempt}, not ${attempt}`,
          taskId,
        });
      }
      status = to ?? event.to;
    }
    const ends = events.filter((event) => TERMINAL.has(event.kind)).length;
    if (ends !== 1) found.push({ promise: 'P5', what: `${ends} terminal events`, taskId });
    const row = agent.tasks.get(taskId);
    const last = events.at(-1)!;
    if (row?.status !== status || row.attempt !== attempt || row.seq !== last.seq) {
      const what = `its row is ${row?.status} in attempt ${row?.attempt} at seq ${row?.seq}, its events give ${status}, ${attempt}, ${last.seq}`;
      found.push({ promise: 'log', what, taskId });
    }
  }
  for (const taskId of agent.tasks.keys())
    if (!byTask.has(taskId)) found.push({ promise: 'log', what: 'a row without events', taskId });
  return found;
}

/** P3: at rest nothing is alive that should not be, and nothing is on record as alive. */
export function checkRest({ agent, processes, pool, audit }: Findings): Violation[] {
  const found: Violation[] = [];
  for (const { id, status } of agent.tasks.values())
    if (!TERMINAL.has(status)) found.push({ promise: 'P3', what: `still ${status}`, taskId: id });
  for (const { pid, taskId, attempt } of processes)
    found.push({ promise: 'P3', what: `pid ${pid} of attempt ${attempt} outlived its task`, taskId });
  for (const { taskId, attempt, endedAt } of agent.attempts)
    if (endedAt === null)
      found.push({ promise: 'P3', what: `attempt ${attempt} has no end on record`, taskId });
  if (pool.running !== 0 || pool.queued !== 0)
    found.push({ promise: 'P3', what: `the pool counts ${pool.running} running and ${pool.queued} queued` });
  for (const part of ['tasks', 'ghosts', 'strays'] as const) {
    if (audit[part].length === 0) continue;
    found.push({ promise: 'P3', what: `at rest its audit names ${part}: ${JSON.stringify(audit[part])}` });
  }
  return found;
}
