/**
 * What the services take of a machine: web with 100,000 tasks (after the first snapshot of them and their history, after
 * 10,000 submits through it, and started anew), and each shim.
 */
import { readFileSync, rmSync } from 'node:fs';
import { uuidv7 } from 'uuidv7';
import { System } from '../test/system.ts';
import { makeHistory, TASKS } from './history.ts';
import { median } from './measure.ts';
import type { Table } from './table.ts';

const SUBMITS = 10_000;
/** Submits that are under way at once. */
const TOGETHER = 8;
const WEB_GOAL_BYTES = 300e6;
const SHIMS = 50;
const SHIM_GOAL_BYTES = 2e6;
const MEGABYTE = 1e6;

/** `VmRSS` (now) or `VmHWM` (the most so far) of a process, in bytes. Linux alone tells. */
function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
}

async function submitMany(system: System): Promise<void> {
  let left = SUBMITS;
  const submitOne = async () => {
    for (; left > 0;) {
      left -= 1;
      await system.submit({ command: ['/bin/true'] });
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, submitOne));
}

function judge(contestant: string, bytes: number, goalBytes: number): Table['rows'][number] {
  return {
    contestant,
    figure: `${(bytes / MEGABYTE).toFixed(1)} MB`,
    goal: { text: `≤ ${goalBytes / MEGABYTE} MB`, reached: bytes <= goalBytes },
  };
}

async function measureWeb(): Promise<Table['rows']> {
  const home = await makeHistory();
  try {
    await using system = new System({
      home,
      env: {
        HOLDFAST_SLOTS: '0',
        HOLDFAST_QUEUE_LIMIT: String(2 * SUBMITS),
        HOLDFAST_HEARTBEAT_MS: '5000',
        HOLDFAST_LOST_AFTER_MS: '15000',
        HOLDFAST_SWEEP_MS: '5000',
        HOLDFAST_LOG_LEVEL: 'warn',
      },
    });
    await system.agent.start();
    await system.web.start();
    await system.untilAgentIs('live');
    const first = memoryOf(system.web.pid, 'VmHWM');
    await submitMany(system);
    const busy = memoryOf(system.web.pid, 'VmHWM');
    await system.web.restart('SIGTERM');
    await system.untilAgentIs('live');
    const idle = memoryOf(system.web.pid, 'VmRSS');
    const count = (n: number) => n.toLocaleString('en');
    return [
      judge(`web, most while it first took ${count(TASKS)} tasks and their events`, first, WEB_GOAL_BYTES),
      judge(`web, most after ${count(SUBMITS)} submits through it as well`, busy, WEB_GOAL_BYTES),
      judge('web, started anew with all of them', idle, WEB_GOAL_BYTES),
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function measureShims(): Promise<Table['rows']> {
  await using system = new System({ web: false, env: { HOLDFAST_SLOTS: String(SHIMS) } });
  await system.agent.start();
  const ids = Array.from({ length: SHIMS }, () => uuidv7());
  await Promise.all(
    ids.map((id) =>
      system.call('agent', 'POST', '/tasks', {
        id,
        sessionId: 'bench',
        spec: { command: ['/bin/sleep', '600'] },
      }),
    ),
  );
  const tasks = await Promise.all(
    ids.map((id) => system.agentTaskWhen(id, 'running', ({ status }) => status === 'running')),
  );
  const sizes = tasks.map(({ process }) => memoryOf(process!.pid, 'VmRSS'));
  return [judge('a shim', median(sizes), SHIM_GOAL_BYTES)];
}

export async function measureMemory(): Promise<Table> {
  return {
    question: 'memory of web with 100,000 tasks, and of a shim',
    rows: process.platform === 'linux' ? [...(await measureWeb()), ...(await measureShims())] : [],
    notes:
      process.platform === 'linux'
        ? ['Resident memory, what is shared with other processes counted in full.']
        : ['Only Linux tells the memory of another process; there are no figures here.'],
  };
}
