/**
 * Deliveries a second to 500 subscribers of the agent's `/events` and of web's `/api/events`, against raw Node,
 * better-sse and hono's `streamSSE`. A delivery is one change of one task at one subscriber.
 *
 * Server and subscribers are processes of their own. Every contestant sends the same frames, in the same batches, and
 * is never more than a few turns ahead of its slowest subscriber, so that nobody wins by filling memory. The real
 * ones make each batch durable before they send it; the others have nothing to keep.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BATCH } from './fan-out-frames.ts';
import type { Listening } from './fan-out-server.ts';
import type { Report, Subscribe } from './fan-out-subscribers.ts';
import { formatRate, median, ratioOf, takeTurns } from './measure.ts';
import type { Table } from './table.ts';

const SUBSCRIBERS = 500;
/** Turns that may be under way. */
const WINDOW = 4;
const WARM_UP_TURNS = 4;
const MEASURE_MS = 800;
const ROUNDS = 3;
const OF_RAW = 0.8;
const OF_BETTER_SSE = 5;

function start(file: string, ...args: string[]): ChildProcess {
  return fork(fileURLToPath(new URL(file, import.meta.url)), args);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.disconnect();
  await exited;
}

async function measure(contestant: string): Promise<number> {
  const server = start('fan-out-server.ts', contestant);
  const [{ listening }] = (await once(server, 'message')) as [Listening];
  const subscribers = start('fan-out-subscribers.ts');
  const measured = Promise.withResolvers<number>();
  for (const child of [server, subscribers]) {
    child.once('exit', (code) => measured.reject(new Error(`a process of ${contestant} ended with ${code}`)));
  }
  let began: { level: number; at: number } | undefined;
  const credit = (level: number) => server.send({ credit: level + WINDOW });
  subscribers.on('message', (report: Report) => {
    if ('connected' in report) {
      credit(0);
      return;
    }
    const { level } = report;
    const at = performance.now();
    if (level === WARM_UP_TURNS) began = { level, at };
    if (began !== undefined && level > began.level && at - began.at >= MEASURE_MS) {
      measured.resolve(((level - began.level) * BATCH * SUBSCRIBERS * 1000) / (at - began.at));
      return;
    }
    credit(level);
  });
  subscribers.send({ ...listening, subscribers: SUBSCRIBERS, batch: BATCH } satisfies Subscribe);
  try {
    return await measured.promise;
  } finally {
    // The subscribers first: to them a server that ends is an error.
    await end(subscribers);
    await end(server);
  }
}

const RAW = 'raw Node, batched writes';
const BETTER_SSE = 'better-sse';
const EACH = 'better-sse, a frame a change';

/** One table for each hop; `others` are contestants that only this hop has. */
async function measureHop(hop: 'agent' | 'web', path: string, others: string[] = []): Promise<Table> {
  const contestants: [name: string, process: string][] = [
    [RAW, 'raw'],
    [BETTER_SSE, 'better-sse'],
    ...others.map((name): [string, string] => [name, name]),
    ['hono streamSSE', 'streamSSE'],
    ['event-stream.ts alone', 'stream'],
    [path, 'real'],
  ];
  const samples = await takeTurns(
    contestants.map(([name, process]) => ({ name, measure: () => measure(`${hop} ${process}`) })),
    ROUNDS,
  );
  const figure = (name: string) => formatRate(median(samples.get(name)!));
  const judge = (baseline: string, least: number) => {
    const ratio = ratioOf(samples, path, baseline);
    return {
      contestant: path,
      figure: figure(path),
      compared: ratio.text,
      goal: { text: `≥ ${least} ×`, reached: ratio.value >= least },
    };
  };
  return {
    question: `fan-out: deliveries/s of ${path} to ${SUBSCRIBERS} subscribers (${BATCH} changes a turn)`,
    rows: [
      ...contestants
        .filter(([name]) => name !== path)
        .map(([name]) => ({
          contestant: name,
          figure: figure(name),
          ...(name === RAW ? {} : { compared: ratioOf(samples, name, RAW).text }),
        })),
      judge(RAW, OF_RAW),
      ...[BETTER_SSE, ...others].map((name) => judge(name, OF_BETTER_SSE)),
    ],
    notes: [`${path} makes each batch durable before it sends it; the others keep nothing.`],
  };
}

export const measureAgentFanOut = (): Promise<Table> => measureHop('agent', '/events');
export const measureWebFanOut = (): Promise<Table> => measureHop('web', '/api/events', [EACH]);
