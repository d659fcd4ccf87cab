import { type FeedChange, formatFeedCursor, type ShownAgent } from '@holdfast/shared';
import { EventSource } from 'eventsource';
import { afterEach, expect, test } from 'vitest';
import { type Feed, startFeed } from './feed.ts';
import type { SessionStore } from './session-store.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import { HeldClock, newTaskId, NOON, silentLogger, submitOf, until, viewOf } from './test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

interface Setup {
  store: SessionStore;
  feed: Feed;
  views: ShownAgent[];
  reads: number[];
  disk: { fails: boolean };
}

function setUp(
  options: {
    keptBytes?: number;
    heartbeatMs?: number;
    onlyVersion?: number;
    clock?: HeldClock;
    failingChannels?: () => string[];
  } = {},
): Setup {
  const store = openSqliteSessionStore({ path: ':memory:', now: () => NOON });
  cleanups.push(() => store.close());
  const views = [viewOf()];
  const reads: number[] = [];
  const disk = { fails: false };
  const feed = startFeed({
    store: {
      epoch: store.epoch,
      counts: () => store.counts(),
      version: () => store.version(),
      oldestVersion: () => options.onlyVersion ?? store.oldestVersion(),
      onChange: (listener) => store.onChange(listener),
      changesAfter: (version, limit) => {
        reads.push(version);
        if (disk.fails) return Promise.reject(new Error('the disk fails'));
        return store.changesAfter(version, limit);
      },
    },
    agents: { views: () => views, viewOf: (id) => views.find((view) => view.id === id) },
    heartbeatMs: options.heartbeatMs ?? 60_000,
    logger: silentLogger,
    now: () => NOON,
    ...(options.keptBytes === undefined ? {} : { keptBytes: options.keptBytes }),
    ...(options.failingChannels === undefined ? {} : { failingChannels: options.failingChannels }),
    ...(options.clock === undefined
      ? {}
      : { monotonic: options.clock.now, startTimer: options.clock.startTimer }),
  });
  cleanups.push(() => feed.stop());
  return { store, feed, views, reads, disk };
}

interface Frame {
  event: string;
  id: string;
  data: unknown;
}

/** A browser: every frame as it comes, and the chunks of bytes that they came in. */
class Reader {
  readonly frames: Frame[] = [];
  readonly chunks: Uint8Array[] = [];
  readonly #source: EventSource;
  ended = false;

  constructor(feed: Feed, cursor: string | undefined) {
    this.#source = new EventSource('http://web.test/api/events', {
      fetch: async (_url, { signal }) => {
        const { body, headers } = feed.open(cursor);
        const reader = body!.getReader();
        signal?.addEventListener('abort', () => void reader.cancel());
        return {
          status: 200,
          url: 'http://web.test/',
          redirected: false,
          headers,
          body: this.#record(reader),
        };
      },
    });
    for (const name of ['hello', 'reset', 'change', 'heartbeat', 'bye']) {
      this.#source.addEventListener(name, ({ type, lastEventId, data }) => {
        this.frames.push({ event: type, id: lastEventId, data: JSON.parse(data as string) as unknown });
      });
    }
    cleanups.push(() => this.leave());
  }

  #record(reader: ReadableStreamDefaultReader<Uint8Array>): ReadableStream<Uint8Array> {
    return new ReadableStream({
      pull: async (controller) => {
        const { value, done } = await reader.read();
        if (done) {
          this.ended = true;
          this.#source.close();
          controller.close();
        } else {
          this.chunks.push(value);
          controller.enqueue(value);
        }
      },
    });
  }

  get changes(): FeedChange[] {
    return this.frames.filter((frame) => frame.event === 'change').map((frame) => frame.data as FeedChange);
  }

  get taskIds(): string[] {
    return this.changes.flatMap((change) => change.tasks ?? []).map((task) => task.id);
  }

  leave(): void {
    this.#source.close();
  }
}

const submit = (store: SessionStore, id = newTaskId()) =>
  store
    .recordIntent({ id, taskId: id, body: { action: 'submit', submit: submitOf({ id }) }, at: NOON })
    .then(() => id);

const cursorOf = (store: SessionStore, version = store.version()) =>
  formatFeedCursor({ epoch: store.epoch, version });

test('a reader without a cursor is told to read the state, and then gets what changes', async () => {
  const { store, feed } = setUp();
  await submit(store);
  const reader = new Reader(feed, undefined);
  await until(() => reader.frames.length === 2);
  expect(reader.frames).toMatchObject([
    {
      event: 'hello',
      data: { protocol: 1, epoch: store.epoch, at: NOON, heartbeatMs: 60_000, head: store.version() },
    },
    { event: 'reset', data: { reason: 'no_cursor' } },
  ]);
  const id = await submit(store);
  await until(() => reader.changes.length === 1);
  expect(reader.frames[2]).toMatchObject({
    id: cursorOf(store),
    data: {
      tasks: [{ id, status: 'submitted', knowledge: { state: 'live' }, pending: [{ action: 'submit' }] }],
      sessions: [{ id: 's1', status: 'submitted', counts: { submitted: 2 } }],
      counts: { submitted: 2 },
    },
  });
});

test('each cursor that cannot be followed from is told why', async () => {
  const { store, feed } = setUp({ onlyVersion: 1 });
  await submit(store);
  const cases: [string, string][] = [
    ['nonsense', 'bad_cursor'],
    [formatFeedCursor({ epoch: '0123456789abcdef', version: store.version() }), 'epoch'],
    [cursorOf(store, store.version() + 1), 'ahead'],
    [cursorOf(store, 0), 'too_old'],
  ];
  for (const [cursor, reason] of cases) {
    const reader = new Reader(feed, cursor);
    await until(() => reader.frames.length === 2);
    expect(reader.frames[1]).toMatchObject({ event: 'reset', data: { reason } });
  }
});

test('a reader that comes back gets every row that changed since, newest state only, and no other', async () => {
  const { store, feed } = setUp();
  const first = await submit(store);
  const cursor = cursorOf(store);
  const second = await submit(store);
  const third = await submit(store);
  await store.cancelUnsent(second, NOON);
  await store.cancelUnsent(second, NOON);
  const reader = new Reader(feed, cursor);
  await until(() => reader.changes.length > 0);
  const rows = reader.changes.flatMap((change) => change.tasks ?? []);
  expect(rows.map((row) => [row.id, row.status])).toEqual([
    [third, 'submitted'],
    [second, 'cancelled'],
  ]);
  expect(reader.frames.map((frame) => frame.event)).toEqual(['hello', 'change']);
  expect(reader.taskIds).not.toContain(first);
});

test('a reader at the head gets a hello and nothing else until something changes', async () => {
  const { store, feed } = setUp();
  await submit(store);
  const reader = new Reader(feed, cursorOf(store));
  await until(() => reader.frames.length === 1);
  await submit(store);
  await until(() => reader.changes.length === 1);
  expect(reader.frames.map((frame) => frame.event)).toEqual(['hello', 'change']);
});

test('the commits of one turn are one page, read and encoded once for all readers', async () => {
  const { store, feed, reads } = setUp();
  const readers = Array.from({ length: 20 }, () => new Reader(feed, cursorOf(store)));
  await until(() => readers.every((reader) => reader.frames.length === 1));
  await Promise.all(Array.from({ length: 50 }, () => submit(store)));
  await until(() => readers.every((reader) => reader.taskIds.length === 50));
  expect(reads).toEqual([0]);
  const [first] = readers;
  expect(readers.every((reader) => reader.chunks[1] === first!.chunks[1])).toBe(true);
});

test('commits in quick succession share a page: the first is sent at once, the rest 8 ms later', async () => {
  const clock = new HeldClock();
  const { store, feed, reads } = setUp({ clock });
  const reader = new Reader(feed, cursorOf(store));
  await until(() => reader.frames.length === 1);
  const first = await submit(store);
  clock.advance(0);
  await until(() => reader.changes.length === 1);
  const rest = [await submit(store), await submit(store), await submit(store)];
  clock.advance(7);
  expect(reads).toHaveLength(1);
  clock.advance(1);
  await until(() => reader.changes.length === 2);
  expect(reads).toHaveLength(2);
  expect(reader.taskIds).toEqual([first, ...rest]);
});

test('a page holds at most 200 rows, and a reader far behind gets all of them, each once', async () => {
  const { store, feed } = setUp();
  const cursor = cursorOf(store);
  const ids = await Promise.all(Array.from({ length: 501 }, () => submit(store)));
  const reader = new Reader(feed, cursor);
  await until(() => reader.taskIds.length >= 501);
  expect(reader.taskIds).toEqual(ids);
  expect(Math.max(...reader.changes.map((change) => change.tasks?.length ?? 0))).toBeLessThanOrEqual(200);
  expect(reader.frames.at(-1)?.id).toBe(cursorOf(store));
});

test('pages beyond the bound are let go, and a reader behind them still misses nothing', async () => {
  const { store, feed, reads } = setUp({ keptBytes: 1 });
  const cursor = cursorOf(store);
  const follower = new Reader(feed, cursor);
  const ids: string[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    ids.push(await submit(store));
    await until(() => follower.taskIds.length === ids.length);
  }
  const late = new Reader(feed, cursor);
  await until(() => late.taskIds.length === ids.length);
  expect(late.taskIds).toEqual(ids);
  expect(reads.filter((version) => version === 0)).toHaveLength(2);
});

test('a change of an agent’s link sends the agent’s row, and no task', async () => {
  const { store, feed, views } = setUp();
  await store.rememberAgent({ id: 'a1', name: 'one', url: 'http://a1.test' }, NOON);
  const reader = new Reader(feed, cursorOf(store));
  await until(() => reader.frames.length === 1);
  views[0] = viewOf({ state: 'late', reason: 'agent_unreachable' });
  await store.touchAgent('a1');
  await until(() => reader.changes.length === 1);
  expect(reader.changes[0]).toMatchObject({ agents: [{ id: 'a1', state: 'late' }] });
  expect(reader.changes[0]).not.toHaveProperty('tasks');
});

test('heartbeats name the version, each link’s state and proof, and the channels that fail as of then', async () => {
  let failing: string[] = [];
  const { store, feed } = setUp({ heartbeatMs: 5, failingChannels: () => failing });
  const reader = new Reader(feed, cursorOf(store));
  await until(() => reader.frames.some((frame) => frame.event === 'heartbeat'));
  expect(reader.frames.find((frame) => frame.event === 'heartbeat')).toEqual({
    event: 'heartbeat',
    id: '',
    data: {
      at: NOON,
      version: store.version(),
      agents: [{ id: 'a1', state: 'live', asOf: NOON }],
      failingChannels: [],
    },
  });
  failing = ['ops'];
  const beats = () => reader.frames.filter((frame) => frame.event === 'heartbeat');
  await until(() => JSON.stringify(beats().at(-1)?.data).includes('"failingChannels":["ops"]'));
});

test('readers that join while commits pour in end with every row, whatever cursor they began from', async () => {
  const { store, feed } = setUp();
  const ids: string[] = [];
  const readers: { from: number; reader: Reader }[] = [];
  for (let turn = 0; turn < 60; turn += 1) {
    if (turn % 3 === 0) readers.push({ from: ids.length, reader: new Reader(feed, cursorOf(store)) });
    ids.push(...(await Promise.all(Array.from({ length: 1 + (turn % 7) }, () => submit(store)))));
  }
  await until(() => readers.every(({ from, reader }) => reader.taskIds.length >= ids.length - from));
  for (const { from, reader } of readers) expect(reader.taskIds).toEqual(ids.slice(from));
});

test('a store that cannot be read ends the readers, and the next commit serves new ones', async () => {
  const setup = setUp();
  const { store, feed } = setup;
  const reader = new Reader(feed, cursorOf(store));
  await until(() => reader.frames.length === 1);
  setup.disk.fails = true;
  const id = await submit(store);
  await until(() => reader.ended);
  setup.disk.fails = false;
  const next = new Reader(feed, cursorOf(store, 0));
  await until(() => next.changes.length === 1);
  expect(next.taskIds).toEqual([id]);
});

test('a reader that leaves is forgotten, and stopping says bye to the others', async () => {
  const { store, feed } = setUp();
  const gone = new Reader(feed, cursorOf(store));
  const stays = new Reader(feed, cursorOf(store));
  await until(() => stays.frames.length === 1 && gone.frames.length === 1);
  gone.leave();
  await until(() => feed.readers === 1);
  feed.stop();
  await until(() => stays.ended);
  expect(stays.frames.at(-1)).toMatchObject({ event: 'bye', data: { reason: 'shutdown' } });
  expect(feed.readers).toBe(0);
});
