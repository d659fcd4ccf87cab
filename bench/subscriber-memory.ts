/**
 * Memory per idle subscriber: what the process of a server grows by when 5,000 are connected and nothing happens, for
 * both streams and for Node alone.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Ask, Listening, Weighed } from './fan-out-server.ts';
import type { Report, Subscribe } from './fan-out-subscribers.ts';
import { median, ratioOf, takeTurns } from './measure.ts';
import type { Table } from './table.ts';

const SUBSCRIBERS = 5000;
const ROUNDS = 3;
const GOAL = 2;
/** Long enough for the first heartbeat of the real streams: an idle subscriber has had some. */
const SETTLE_MS = 6000;
const RAW = 'raw Node stream';

function start(file: string, args: string[], execArgv: string[] = []): ChildProcess {
  return fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.disconnect();
  await exited;
}

async function weigh(server: ChildProcess): Promise<number> {
  const weighed = once(server, 'message') as Promise<[Weighed]>;
  server.send({ weigh: true } satisfies Ask);
  const [{ rssBytes }] = await weighed;
  return rssBytes;
}

async function weighSubscribers(server: ChildProcess, subscribers: ChildProcess): Promise<number> {
  const [{ listening }] = (await once(server, 'message')) as [Listening];
  const before = await weigh(server);
  const connected = Promise.withResolvers<void>();
  subscribers.on('message', (report: Report) => {
    if ('connected' in report) connected.resolve();
  });
  subscribers.send({ ...listening, subscribers: SUBSCRIBERS, batch: 1 } satisfies Subscribe);
  await connected.promise;
  await wait(SETTLE_MS);
  return ((await weigh(server)) - before) / SUBSCRIBERS;
}

/** Bytes of the server's process for each of its subscribers. */
async function measure(contestant: string): Promise<number> {
  const server = start('fan-out-server.ts', [contestant], ['--expose-gc']);
  const subscribers = start('fan-out-subscribers.ts', []);
  try {
    const failed = Promise.withResolvers<never>();
    for (const child of [server, subscribers]) {
      child.once('exit', (code) => failed.reject(new Error(`a process of ${contestant} ended with ${code}`)));
    }
    return await Promise.race([failed.promise, weighSubscribers(server, subscribers)]);
  } finally {
    // The subscribers first: to them a server that ends is an error.
    await end(subscribers);
    await end(server);
  }
}

export async function measureSubscriberMemory(): Promise<Table> {
  const contestants: [name: string, process: string][] = [
    [RAW, 'web raw'],
    ['/api/events', 'web real'],
    ['/events', 'agent real'],
  ];
  const samples = await takeTurns(
    contestants.map(([name, process]) => ({ name, measure: () => measure(process) })),
    ROUNDS,
  );
  return {
    question: `memory of an idle subscriber, of ${SUBSCRIBERS.toLocaleString('en')}`,
    rows: contestants.map(([name]) => {
      const figure = `${(median(samples.get(name)!) / 1024).toFixed(1)} KiB`;
      if (name === RAW) return { contestant: name, figure };
      const ratio = ratioOf(samples, name, RAW);
      return {
        contestant: name,
        figure,
        compared: ratio.text,
        goal: { text: `≤ ${GOAL} × raw`, reached: ratio.value <= GOAL },
      };
    }),
    notes: [
      'What the resident memory of the process grew by, after a garbage collection before and after, with a young generation that does not grow.',
    ],
  };
}
