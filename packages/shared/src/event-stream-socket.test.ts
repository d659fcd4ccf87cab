import { once } from 'node:events';
import { request } from 'node:http';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { encodeFrame, EventStream, type EventStreamOptions, type Page } from './event-stream.ts';
import { createApp, destroyerOf, serveApp } from './service.ts';
import { call, openClient, type StreamClient, until } from './test-support.ts';

const ids = (client: StreamClient, event: string) =>
  client
    .frames()
    .filter((frame) => frame.event === event)
    .map((frame) => Number(frame.id));
const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => first + n);

interface ServiceOptions extends Partial<EventStreamOptions> {
  /** Padding of each event, so that sockets fill. */
  eventBytes?: number;
  snapshotPages?: number;
  /** What a request waits for before its stream is opened, as for an asynchronous check of a credential. */
  gate?: Promise<void>;
}

/** A real service: a log that grows, a snapshot, and the stream over both. */
async function startService(options: ServiceOptions = {}) {
  const { eventBytes = 10, snapshotPages = 0, gate, ...streamOptions } = options;
  const log = { head: 0, pages: 0, snapshots: 0 };
  const padding = 'x'.repeat(eventBytes);
  const drops: unknown[] = [];
  let opened = 0;
  const stream = new EventStream({
    source: {
      next: (position): Page | undefined => {
        if (position >= log.head) return undefined;
        log.pages += 1;
        return { bytes: encodeFrame('task', { padding }, String(position + 1)), position: position + 1 };
      },
    },
    heartbeatMs: 10,
    heartbeat: () => encodeFrame('heartbeat', { head: log.head }),
    onDrop: (why) => drops.push(why),
    ...streamOptions,
  });
  function* preamble(from: number): Generator<Uint8Array, number> {
    yield encodeFrame('hello', { head: log.head });
    for (let page = 1; page <= snapshotPages; page += 1) {
      log.snapshots += 1;
      yield encodeFrame('snapshot', { page, padding });
    }
    return from;
  }
  const app = createApp({
    title: 'test',
    description: 'test',
    logger: pino({ level: 'silent' }),
    guard: async (_context, next) => next(),
  });
  app.get('/events', async (context) => {
    await gate;
    opened += 1;
    return stream.open({
      preamble: preamble(Number(context.req.query('from') ?? 0)),
      destroy: destroyerOf(context),
    });
  });
  const server = await serveApp(app, '127.0.0.1', 0);
  const bye = encodeFrame('bye', { reason: 'shutdown', retryMs: 500 });
  return {
    log,
    drops,
    stream,
    bye,
    server,
    opened: () => opened,
    url: `${server.url}/events`,
    grow: (by: number) => {
      log.head += by;
      stream.wake();
    },
    async [Symbol.asyncDispose]() {
      stream.stop(bye);
      await server.stop();
    },
  };
}

test('a stream has the headers that proxies and compressing middleware need, and those of every answer', async () => {
  await using service = await startService();
  using client = await openClient(service.url);
  expect(client.status).toBe(200);
  expect(client.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-store, no-transform',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
    'transfer-encoding': 'chunked',
  });
  expect(client.headers).not.toHaveProperty('content-length');
  expect(client.headers).not.toHaveProperty('etag');
  await until('hello came', () => client.frames().length > 0);
  expect(client.frames()[0]?.event).toBe('hello');
});

test('readers from anywhere get every event once and in order, while the log grows', async () => {
  await using service = await startService({ snapshotPages: 3, eventBytes: 2000 });
  service.log.head = 50;
  const clients = await Promise.all([0, 0, 17, 50].map((from) => openClient(`${service.url}?from=${from}`)));
  for (let n = 0; n < 200; n += 1) {
    service.grow(1 + (n % 3));
    if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const { head } = service.log;
  for (const [at, client] of clients.entries()) {
    await until('the head is there', () => ids(client, 'task').at(-1) === head);
    expect(ids(client, 'task')).toEqual(numbers([0, 0, 17, 50][at]! + 1, head));
    expect(client.frames().filter((frame) => frame.event === 'snapshot')).toHaveLength(3);
    expect(client.frames()[0]?.event).toBe('hello');
    client[Symbol.dispose]();
  }
});

test('an idle reader hears the heart beat, and hears no event twice', async () => {
  await using service = await startService();
  using client = await openClient(service.url);
  service.grow(3);
  await until(
    'five beats came',
    () => client.frames().filter(({ event }) => event === 'heartbeat').length >= 5,
  );
  expect(ids(client, 'task')).toEqual([1, 2, 3]);
});

test('the heart beats between the pages of a snapshot that takes long to send', async () => {
  let beats = 0;
  const heartbeat = () => {
    beats += 1;
    return encodeFrame('heartbeat', {});
  };
  await using service = await startService({ snapshotPages: 200, eventBytes: 64 * 1024, heartbeat });
  using client = await openClient(service.url, true);
  await until('the socket is full', () => service.log.snapshots > 0);
  const before = beats;
  await until('it stays full for some beats', () => beats >= before + 3);
  client.thaw();
  await until(
    'the snapshot is whole',
    () => client.frames().filter(({ event }) => event === 'snapshot').length === 200,
  );
  const events = client.frames().map(({ event }) => event);
  expect(events.indexOf('heartbeat')).toBeGreaterThan(0);
  expect(events.indexOf('heartbeat')).toBeLessThan(events.lastIndexOf('snapshot'));
});

test('P11: a frozen reader is dropped after its time, holds no pages meanwhile, and delays nobody', async () => {
  const clock = { now: 0 };
  await using service = await startService({
    eventBytes: 64 * 1024,
    now: () => clock.now,
    slowAfterMs: 30_000,
  });
  using frozen = await openClient(service.url, true);
  using swift = await openClient(service.url);
  await until('both are there', () => service.stream.size === 2);
  // 32 MiB: far more than the kernel takes for a socket that nobody reads.
  for (let n = 0; n < 512; n += 1) {
    service.grow(1);
    if (n % 16 === 0) await until('the swift one follows', () => ids(swift, 'task').length >= n - 64);
  }
  await until('the swift one has all', () => ids(swift, 'task').length === 512);
  // What was read for the frozen one is what its socket took, and does not grow with the log.
  const taken = service.log.pages - 512;
  expect(taken).toBeLessThan(256);
  expect(service.drops).toEqual([]);
  clock.now = 30_000;
  service.grow(1);
  await until('the swift one has one more', () => ids(swift, 'task').length === 513);
  expect(service.log.pages - 513).toBe(taken);
  clock.now = 30_001;
  await until('the frozen one is dropped', () => service.stream.size === 1);
  expect(service.drops).toEqual(['slow']);
  frozen.thaw();
  // Destroyed, not ended: the rest of its page never comes.
  expect(await frozen.ended).toBe(false);
  service.grow(1);
  await until('the swift one goes on', () => ids(swift, 'task').length === 514);
});

test('a client that leaves while it follows frees its reader', async () => {
  await using service = await startService();
  const clients = await Promise.all([0, 1, 2].map(() => openClient(service.url)));
  await until('all are there', () => service.stream.size === 3);
  for (const [at, client] of clients.entries()) {
    client[Symbol.dispose]();
    await until('one has gone', () => service.stream.size === 2 - at);
    service.grow(1);
  }
  expect(service.drops).toEqual([]);
});

test('a client that leaves before the headers frees its reader', async () => {
  const gate = Promise.withResolvers<void>();
  await using service = await startService({ gate: gate.promise });
  const outgoing = request(service.url, { agent: false });
  outgoing.on('error', () => undefined); // It is destroyed below: "socket hang up".
  const sockets = service.server;
  outgoing.end();
  await once(outgoing, 'socket');
  const [socket] = [outgoing.socket!];
  if (socket.connecting) await once(socket, 'connect');
  // Another request, answered on its own connection, proves that this one has been read.
  expect((await call(`${sockets.url}/nothing`)).status).toBe(404);
  outgoing.destroy();
  await once(socket, 'close');
  expect((await call(`${sockets.url}/nothing`)).status).toBe(404);
  gate.resolve();
  await until('the stream was opened', () => service.opened() === 1);
  await until('and left', () => service.stream.size === 0);
  service.grow(5);
  expect(service.log.pages).toBe(0);
});

test('a source that fails ends its reader, which can come again', async () => {
  let fails = true;
  await using service = await startService({
    source: {
      next: (position) => {
        if (!fails) return undefined;
        if (position === 0) return { bytes: encodeFrame('task', {}, '1'), position: 1 };
        throw new Error('the disk');
      },
    },
  });
  using client = await openClient(service.url);
  await client.ended;
  expect(service.drops).toEqual(['failed']);
  expect(service.stream.size).toBe(0);
  fails = false;
  using again = await openClient(service.url);
  await until('it hears the heart', () => again.frames().some(({ event }) => event === 'heartbeat'));
});

test('stop says bye to every reader, ends its answer in order, and the server closes', async () => {
  const service = await startService();
  service.grow(2);
  const clients = await Promise.all([0, 1, 2].map(() => openClient(service.url)));
  for (const client of clients) await until('it has all', () => ids(client, 'task').length === 2);
  service.stream.stop(service.bye);
  const late = await openClient(service.url);
  await service.server.stop();
  for (const client of [...clients, late]) {
    expect(await client.ended).toBe(true);
    expect(client.frames().at(-1)).toEqual({ event: 'bye', data: '{"reason":"shutdown","retryMs":500}' });
  }
  await expect(call(service.server.url)).rejects.toThrow(/ECONNREFUSED/);
  await service.server.stop();
});

test('a HEAD of a stream has its headers, and leaves no reader for long', async () => {
  const clock = { now: 0 };
  await using service = await startService({ now: () => clock.now });
  const answer = await call(service.url, { method: 'HEAD' });
  expect(answer).toMatchObject({ status: 200, body: '' });
  clock.now = 30_001;
  await until('it is forgotten', () => service.stream.size === 0);
});
