/**
 * Tasks of `true` a second: submitted to the agent over HTTP until the terminal event of the last one is durable
 * (a reader of `/events` sees it), against the same processes without an agent.
 */
import { execFile, spawnSync } from 'node:child_process';
import { Agent, get, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { uuidv7 } from 'uuidv7';
import { startSystem, type System } from '../test/system.ts';
import { formatRate, median, ratioOf, takeTurns } from './measure.ts';
import type { Table } from './table.ts';

const TASKS = 600;
const SLOTS = 16;
/** Submits that are under way at once. */
const CONNECTIONS = 8;
const ROUNDS = 3;
const GOAL = 0.8;
const SPAWN_RATE = fileURLToPath(new URL('spawn-rate.ts', import.meta.url));
const execute = promisify(execFile);

async function measureProcesses(kind: 'raw' | 'shim'): Promise<number> {
  const { stdout } = await execute(process.execPath, [SPAWN_RATE, kind, String(TASKS), String(SLOTS)]);
  return Number(stdout);
}

async function measureParallel(): Promise<number> {
  const numbers = Array.from({ length: TASKS }, (_, index) => String(index));
  const began = performance.now();
  await execute('parallel', ['-j', String(SLOTS), '-n0', '/bin/true', ':::', ...numbers]);
  return (TASKS * 1000) / (performance.now() - began);
}

function submit(system: System, agent: Agent): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sent = request(
    `${system.agent.url}/tasks`,
    {
      agent,
      method: 'POST',
      headers: { authorization: `Bearer ${system.token('agent')}`, 'content-type': 'application/json' },
    },
    (response) => {
      response.resume();
      response.once('end', () =>
        response.statusCode === 201
          ? resolve()
          : reject(new Error(`a submit was answered ${response.statusCode}`)),
      );
    },
  );
  sent.once('error', reject);
  sent.end(JSON.stringify({ id: uuidv7(), sessionId: 'bench', spec: { command: ['/bin/true'] } }));
  return promise;
}

/** Resolves when a reader of `/events` has been sent `count` terminal events. */
function terminalEvents(system: System, count: number): { open: Promise<void>; all: Promise<void> } {
  const open = Promise.withResolvers<void>();
  const all = Promise.withResolvers<void>();
  const headers = { authorization: `Bearer ${system.token('agent')}` };
  const sent = get(`${system.agent.url}/events`, { headers, agent: false }, (response) => {
    let seen = 0;
    let rest = '';
    response.setEncoding('utf8').on('data', (text: string) => {
      open.resolve();
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (!line.startsWith('data: ') || !line.includes('"to":"completed"')) continue;
        seen += 1;
        if (seen === count) {
          all.resolve();
          sent.destroy();
        }
      }
    });
  });
  sent.once('error', (error) => all.reject(error));
  return { open: open.promise, all: all.promise };
}

async function measureAgent(): Promise<number> {
  await using system = await startSystem({
    web: false,
    env: {
      HOLDFAST_SLOTS: String(SLOTS),
      HOLDFAST_SWEEP_MS: '5000',
      HOLDFAST_HEARTBEAT_MS: '5000',
      HOLDFAST_LOST_AFTER_MS: '15000',
      HOLDFAST_LOG_LEVEL: 'warn',
    },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const { open, all } = terminalEvents(system, TASKS);
  await open;
  let next = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (next++ < TASKS) await submit(system, agent);
    }),
  );
  await all;
  const rate = (TASKS * 1000) / (performance.now() - began);
  agent.destroy();
  return rate;
}

export async function measureAgentThroughput(): Promise<Table> {
  const hasParallel = spawnSync('parallel', ['--version'], { stdio: 'ignore' }).status === 0;
  const samples = await takeTurns(
    [
      { name: 'raw spawn', measure: () => measureProcesses('raw') },
      { name: 'bare shim', measure: () => measureProcesses('shim') },
      { name: 'agent', measure: measureAgent },
      ...(hasParallel ? [{ name: 'GNU parallel', measure: measureParallel }] : []),
    ],
    ROUNDS,
  );
  const figure = (name: string) => formatRate(median(samples.get(name)!));
  const ofShim = ratioOf(samples, 'agent', 'bare shim');
  const ofParallel = hasParallel ? ratioOf(samples, 'agent', 'GNU parallel') : undefined;
  return {
    question: `agent: tasks/s of \`true\`, submitted over HTTP to durable terminal event (${TASKS} tasks, ${SLOTS} slots)`,
    rows: [
      { contestant: 'raw spawn', figure: figure('raw spawn') },
      { contestant: 'bare shim', figure: figure('bare shim') },
      { contestant: 'GNU parallel', figure: hasParallel ? figure('GNU parallel') : 'not installed' },
      {
        contestant: 'agent',
        figure: figure('agent'),
        compared: ofShim.text,
        goal: { text: `≥ ${GOAL} × the bare shim`, reached: ofShim.value >= GOAL },
      },
      ...(ofParallel === undefined
        ? []
        : [
            {
              contestant: 'agent',
              figure: figure('agent'),
              compared: ofParallel.text,
              goal: { text: '> GNU parallel', reached: ofParallel.value > 1 },
            },
          ]),
    ],
    notes: [
      'The submitting client and the reader of /events share the machine with the agent; the other contestants have it to themselves.',
    ],
  };
}
