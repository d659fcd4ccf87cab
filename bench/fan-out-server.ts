/**
 * One contestant of the fan-out benchmark as a process: `fork('fan-out-server.ts', [name])`. It listens, says where,
 * and on `{ credit: n }` publishes turns up to the n-th, one a turn of the event loop. On `{ weigh: true }` it says
 * `{ rssBytes }`, after a garbage collection where it was started with `--expose-gc`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import { createChannel, createSession } from 'better-sse';
import { Hono } from 'hono';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import {
  AGENT,
  batchOf,
  changeFrames,
  eventFrames,
  externalIdOf,
  type Frame,
  sampleTask,
  singleChangeFrames,
  taskId,
  TASKS,
  textOf,
} from './fan-out-frames.ts';
import {
  createApp,
  createLogger,
  destroyerOf,
  encodeFrame,
  encodeText,
  Events,
  EventStream,
  FailureLimiter,
  guard,
  Journal,
  keepHeapSmall,
  openSqliteSessionStore,
  type Page,
  serveApp,
  startFeed,
  type TaskEvent,
} from './internals.ts';

interface Server {
  port: number;
  path: string;
  /** Publishes one batch of changes to all subscribers; resolves when it may publish the next. */
  publish: (turn: number) => Promise<void> | void;
}

export interface Listening {
  listening: Pick<Server, 'port' | 'path'>;
}

export interface Weighed {
  rssBytes: number;
}

export type Ask = { credit: number } | { weigh: true };

type Frames = (turn: number) => Frame[];

const TOKEN = 'bench';
const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
process.once('exit', () => rmSync(home, { recursive: true, force: true }));

/** Node alone: the batch is encoded once, and written once to each subscriber. */
async function startRaw(frames: Frames): Promise<Server> {
  const subscribers = new Set<ServerResponse>();
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.flushHeaders();
    subscribers.add(response);
  });
  const port = await listen(server);
  const publish = (turn: number) => {
    const bytes = Buffer.from(textOf(frames(turn)));
    for (const subscriber of subscribers) subscriber.write(bytes);
  };
  return { port, path: '/', publish };
}

/** better-sse's channel: each frame is broadcast. */
async function startBetterSse(frames: Frames): Promise<Server> {
  const channel = createChannel();
  const server = createServer((request, response) => {
    void createSession(request, response, { keepAlive: null }).then((session) => channel.register(session));
  });
  const port = await listen(server);
  const publish = (turn: number) => {
    // It serialises what it is given; parsed outside of what it does.
    for (const { event, id, data } of frames(turn))
      channel.broadcast(JSON.parse(data), event, { eventId: id });
  };
  return { port, path: '/', publish };
}

/** hono's `streamSSE`: each frame is written to each stream, every write awaited, as its documentation has it. */
async function startStreamSse(frames: Frames): Promise<Server> {
  const streams = new Set<SSEStreamingApi>();
  const app = new Hono();
  app.get('/', (context) =>
    streamSSE(context, async (stream) => {
      streams.add(stream);
      await stream.write(': welcome\n\n');
      const gone = Promise.withResolvers<void>();
      stream.onAbort(() => gone.resolve());
      await gone.promise;
      streams.delete(stream);
    }),
  );
  const listening = Promise.withResolvers<number>();
  serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, (info) => listening.resolve(info.port));
  const publish = async (turn: number) => {
    const batch = frames(turn);
    await Promise.all(
      [...streams].map(async (stream) => {
        for (const frame of batch) await stream.writeSSE(frame);
      }),
    );
  };
  return { port: await listening.promise, path: '/', publish };
}

function* greet(): Generator<Uint8Array, number> {
  yield encodeFrame('hello', {});
  return 0;
}

/** The stream of both services (event-stream.ts) alone: the same route, over pages that nothing has to make durable. */
async function startStream(frames: Frames): Promise<Server> {
  const pages: Page[] = [];
  const stream = new EventStream({
    source: { next: (position) => pages[position] },
    heartbeatMs: 5000,
    heartbeat: () => encodeFrame('heartbeat', {}),
  });
  const app = makeApp();
  app.get('/', (context) => {
    return stream.open({ preamble: greet(), destroy: destroyerOf(context) });
  });
  const { port } = await serveApp(app, '127.0.0.1', 0);
  const publish = (turn: number) => {
    pages[turn] = { bytes: encodeText(textOf(frames(turn))), position: turn + 1 };
    stream.wake();
  };
  return { port, path: '/', publish };
}

/** The agent's journal and its `/events`: each turn is a durable commit, then everyone is sent it. */
async function startAgentEvents(): Promise<Server> {
  const journal = new Journal({ path: join(home, 'agent.db') });
  const events = new Events({
    journal,
    agentId: AGENT.id,
    name: AGENT.name,
    sweepMs: 5000,
    instance: 'bench',
    heartbeatMs: 5000,
    status: () => ({
      sweptAt: Date.now(),
      pool: { slots: 1, running: 0, queued: 0, paused: false, draining: false },
    }),
    allActivity: () => [],
    onDrop: (why, error) => {
      throw new Error(`a subscriber was dropped: ${why}`, { cause: error });
    },
    now: Date.now,
  });
  const task = { status: 'queued', attempt: 0 } as const;
  await journal.change(() => {
    for (let index = 0; index < TASKS; index += 1) {
      const { startedAt: _, process: __, ...queued } = sampleTask(index);
      const record = journal.appendSubmitted({ ...queued, ...task }, { env: undefined, submitHash: '' });
      journal.append(record, { kind: 'claimed' });
      const data = {
        process: { pid: 12_345, startedAt: record.task.createdAt, verifiedAt: record.task.createdAt },
      };
      journal.append(record, { kind: 'started', data });
    }
  });
  const app = makeApp();
  app.get('/events', (context) => events.open(context.req.query('cursor'), destroyerOf(context)));
  const { port } = await serveApp(app, '127.0.0.1', 0);
  const publish = async (turn: number) => {
    await journal.change(() => {
      for (const index of batchOf(turn)) {
        const record = journal.record(taskId(index))!;
        journal.append(record, { kind: 'reported', data: { externalId: externalIdOf(index) } });
      }
    });
  };
  const cursor = `${journal.epoch}.${journal.head}.${journal.chain}`;
  return { port, path: `/events?cursor=${cursor}`, publish };
}

/** Web's store and its `/api/events`: each turn is a durable commit of events, then everyone is sent the rows. */
async function startWebFeed(): Promise<Server> {
  const store = openSqliteSessionStore({ path: join(home, 'web.db') });
  await store.rememberAgent({ id: AGENT.id, name: AGENT.name, url: AGENT.url }, Date.now());
  await store.takeSnapshot({
    agentId: AGENT.id,
    reason: 'no_cursor',
    epoch: '0123456789abcdef',
    floor: TASKS,
    floorChain: 'chain',
    seq: TASKS,
    chain: 'chain',
    tasks: Array.from({ length: TASKS }, (_, index) => sampleTask(index)),
    receivedAt: Date.now(),
  });
  const feed = startFeed({
    store,
    agents: { views: () => [AGENT], viewOf: () => AGENT },
    heartbeatMs: 5000,
    logger: createLogger('bench', 'warn'),
  });
  const app = makeApp();
  app.get('/api/events', (context) => feed.open(context.req.query('cursor'), destroyerOf(context)));
  const { port } = await serveApp(app, '127.0.0.1', 0);
  const publish = (turn: number) => {
    const at = Date.now();
    const received = batchOf(turn).map((index) => {
      const event: TaskEvent = {
        seq: TASKS + index + 1,
        kind: 'reported',
        taskId: taskId(index),
        sessionId: 'bench',
        attempt: 1,
        from: 'running',
        to: 'running',
        at,
        data: { externalId: externalIdOf(index) },
      };
      return { event, json: JSON.stringify(event), chain: 'chain' };
    });
    return store.applyEvents(AGENT.id, received, at);
  };
  return { port, path: `/api/events?cursor=${store.epoch}.${store.version()}`, publish };
}

function makeApp() {
  return createApp({
    title: 'bench',
    description: '',
    logger: createLogger('bench', 'warn'),
    guard: guard({ token: TOKEN, allowedHosts: [], limiter: new FailureLimiter(), isPublic: () => false }),
  });
}

function listen(server: ReturnType<typeof createServer>): Promise<number> {
  const listening = Promise.withResolvers<number>();
  server.listen(0, '127.0.0.1', () => listening.resolve((server.address() as { port: number }).port));
  return listening.promise;
}

const contestants: Readonly<Record<string, () => Promise<Server>>> = {
  'agent raw': () => startRaw(eventFrames),
  'agent better-sse': () => startBetterSse(eventFrames),
  'agent streamSSE': () => startStreamSse(eventFrames),
  'agent stream': () => startStream(eventFrames),
  'agent real': startAgentEvents,
  'web raw': () => startRaw(changeFrames),
  'web better-sse': () => startBetterSse(changeFrames),
  'web better-sse, a frame a change': () => startBetterSse(singleChangeFrames),
  'web streamSSE': () => startStreamSse(changeFrames),
  'web stream': () => startStream(changeFrames),
  'web real': startWebFeed,
};

const server = await contestants[process.argv[2]!]!();
let credit = 0;
let published = 0;
let publishing = false;

async function publishAll(): Promise<void> {
  if (publishing) return;
  publishing = true;
  while (published < credit) {
    await server.publish(published);
    published += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  publishing = false;
}

process.on('message', (message: Ask) => {
  if ('weigh' in message) {
    // Else what is weighed is how far V8 let its young generation grow while they came, 10 KiB each, and by chance.
    keepHeapSmall();
    globalThis.gc?.();
    process.send!({ rssBytes: process.memoryUsage.rss() } satisfies Weighed);
    return;
  }
  credit = message.credit;
  void publishAll();
});
process.on('disconnect', () => process.exit(0));
process.send!({ listening: { port: server.port, path: server.path } } satisfies Listening);
