import { type NotificationsConfig, Secret } from '@holdfast/shared';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { FakeJournal, taskId } from './fake-journal.ts';
import { startNotifications } from './notify.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import { follow } from './store/contract/kit.ts';
import { FakeAgents, HeldClock, silentLogger, until, viewOf } from './test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

const SECRET = 's3cret-path';
type Channel = NotificationsConfig['channels'][string];

function webhook(name: string, change: { headers?: Record<string, Secret> } = {}): Channel {
  const url = new Secret(`https://${name}.test/${SECRET}`, `${name}.test`);
  const rules = { on: ['failed' as const, 'unknown' as const], unknownAfterMs: 0, cooldownMs: 60_000 };
  return { type: 'webhook', url, ...rules, ...change };
}

interface Arrival {
  host: string;
  id: string;
  title: string;
  answer: (status: number, headers?: Record<string, string>) => void;
  cut: () => void;
}

/** Targets that answer as a test says. */
class Targets {
  readonly arrivals: Arrival[] = [];
  /** Answers at once instead of holding. */
  status: number | undefined;

  readonly fetch = ((input: string, init: RequestInit) => {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const { id, title } = JSON.parse(init.body as string) as { id: string; title: string };
    const arrival: Arrival = {
      host: new URL(input).host,
      id,
      title,
      answer: (status, headers = {}) => resolve(new Response(null, { status, headers })),
      cut: () => reject(new TypeError(`fetch failed: ${input}`, { cause: new Error(input) })),
    };
    init.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
    this.arrivals.push(arrival);
    if (this.status !== undefined) arrival.answer(this.status);
    return promise;
  }) as unknown as typeof fetch;

  async take(): Promise<Arrival> {
    await until(() => this.arrivals.length > 0, 'a message');
    return this.arrivals.shift()!;
  }
}

async function setUp(channels: NotificationsConfig['channels'], logger = silentLogger) {
  const clock = new HeldClock();
  const store = openSqliteSessionStore({ path: ':memory:', now: clock.now });
  cleanups.push(() => store.close());
  const journal = await follow(store, new FakeJournal('a1'));
  journal.now = clock.now();
  const agents = new FakeAgents(viewOf());
  const targets = new Targets();
  const start = async () => {
    const notifications = await startNotifications({
      store,
      agents,
      config: { channels },
      url: () => 'http://web.test',
      logger,
      fetch: targets.fetch,
      now: clock.now,
      monotonic: clock.now,
      startTimer: clock.startTimer,
      random: () => 1,
    });
    notifications.begin();
    cleanups.push(async () => {
      const stopping = notifications.stop();
      // Ends the grace of a send that the test left hanging.
      clock.advance(60_000);
      await stopping;
    });
    return notifications;
  };
  /** Lets the work that was begun come to rest, then moves the clock. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 250) {
      await settled();
      clock.advance(Math.min(250, left));
    }
    await settled();
  };
  const settled = async () => {
    for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  let told = 0;
  const apply = async (run: () => void) => {
    const before = told;
    run();
    told = journal.head;
    await store.applyEvents(journal.agentId, journal.after(before), clock.now());
  };
  const fail = (n: number) =>
    apply(() => {
      journal.run(taskId(n), { title: `task ${n}` });
      journal.end(taskId(n), 'failed');
    });
  return { clock, store, journal, agents, targets, start, pass, apply, fail };
}

test('what failed is told once, a moment later, together with what failed in that moment', async () => {
  const { start, pass, fail, targets } = await setUp({ ops: webhook('ops') });
  targets.status = 200;
  const notifications = await start();
  await pass(500);
  await fail(1);
  await fail(2);
  await pass(5000);
  expect(targets.arrivals.map(({ title }) => title)).toEqual(['2 tasks failed']);
  expect(await notifications.channels()).toMatchObject([
    { name: 'ops', host: 'ops.test', state: 'ok', waiting: 0 },
  ]);
});

test('in the cooldown news are gathered; after it they are one message', async () => {
  const { start, pass, fail, targets } = await setUp({ ops: webhook('ops') });
  targets.status = 200;
  await start();
  await pass(500);
  await fail(1);
  await pass(5000);
  for (const n of [2, 3, 4]) {
    await fail(n);
    await pass(5000);
  }
  expect(targets.arrivals.map(({ title }) => title)).toEqual(['Failed: task 1']);
  await pass(60_000);
  expect(targets.arrivals.map(({ title }) => title)).toEqual(['Failed: task 1', '3 tasks failed']);
});

test('an outage is one message, and its end another', async () => {
  const { start, pass, apply, store, journal, clock, targets } = await setUp({ ops: webhook('ops') });
  targets.status = 200;
  await start();
  await pass(500);
  await apply(() => {
    for (let n = 1; n <= 50; n++) journal.run(taskId(n), { title: `task ${n}` });
  });
  await store.markUnknown('a1', 'agent_unreachable', clock.now(), clock.now());
  await pass(5000);
  await store.vouch('a1', clock.now());
  await pass(5000);
  expect(targets.arrivals.map(({ title }) => title)).toEqual(['50 tasks unknown', '50 tasks known again']);
});

test('a target that does not answer delays nobody else (P11)', async () => {
  const { start, pass, fail, targets } = await setUp({ slow: webhook('slow'), quick: webhook('quick') });
  await start();
  await pass(500);
  await fail(1);
  await pass(2000);
  const hosts = [await targets.take(), await targets.take()];
  hosts.find(({ host }) => host === 'quick.test')!.answer(200);
  await pass(60_000);
  await fail(2);
  await pass(2000);
  expect(await targets.take()).toMatchObject({ host: 'quick.test', title: 'Failed: task 2' });
  expect(targets.arrivals).toEqual([]);
});

test('a failed message is repeated under the same id, later each time, and as the target wishes', async () => {
  const { start, pass, fail, targets, clock } = await setUp({ ops: webhook('ops') });
  const notifications = await start();
  await pass(500);
  await fail(1);
  await pass(2000);
  const first = await targets.take();
  first.cut();
  await pass(0);
  expect(notifications.failing()).toEqual(['ops']);
  expect(clock.waits).toContain(1000);
  await pass(1000);
  const second = await targets.take();
  expect(second.id).toBe(first.id);
  second.answer(500);
  await pass(0);
  expect(clock.waits).toContain(2000);
  await pass(2000);
  (await targets.take()).answer(429, { 'retry-after': '30' });
  await pass(0);
  expect(clock.waits).toContain(30_000);
  expect(await notifications.channels()).toMatchObject([
    { state: 'failing', waiting: 1, lastTry: { delivered: false, error: 'it answered 429' } },
  ]);
  await pass(30_000);
  (await targets.take()).answer(200);
  await pass(0);
  expect(notifications.failing()).toEqual([]);
  expect(await notifications.channels()).toMatchObject([{ state: 'ok', waiting: 0, dropped: 0 }]);
});

test('while a channel is dead news gather: it gets two messages when it is back, not hundreds', async () => {
  const { start, pass, fail, targets } = await setUp({ ops: webhook('ops') });
  targets.status = 503;
  const notifications = await start();
  await pass(500);
  for (let n = 1; n <= 20; n++) {
    await fail(n);
    await pass(30_000);
  }
  expect(new Set(targets.arrivals.map(({ id }) => id)).size).toBe(1);
  targets.arrivals.length = 0;
  targets.status = 200;
  await pass(400_000);
  expect(targets.arrivals.map(({ title }) => title)).toEqual(['Failed: task 1', '19 tasks failed']);
  expect(await notifications.channels()).toMatchObject([{ state: 'ok', dropped: 0 }]);
});

test('a message that will never be taken is given up, and one that was tried for a day', async () => {
  const { start, pass, fail, targets, clock } = await setUp({ ops: webhook('ops') });
  targets.status = 410;
  const notifications = await start();
  await pass(500);
  await fail(1);
  await pass(5000);
  expect(await notifications.channels()).toMatchObject([{ state: 'failing', waiting: 0, dropped: 1 }]);
  await pass(60_000);
  targets.status = 503;
  await fail(2);
  await pass(5000);
  expect(await notifications.channels()).toMatchObject([{ waiting: 1 }]);
  clock.advance(25 * 3_600_000);
  await pass(1000);
  expect(await notifications.channels()).toMatchObject([{ state: 'failing', waiting: 0, dropped: 2 }]);
});

test('a restart sends what waited under its id, and nothing twice', async () => {
  const { start, pass, fail, targets } = await setUp({ ops: webhook('ops') });
  const before = await start();
  await pass(500);
  await fail(1);
  await pass(2000);
  const first = await targets.take();
  const stopping = before.stop();
  first.answer(503);
  await stopping;
  await start();
  await pass(5000);
  const again = await targets.take();
  expect(again.id).toBe(first.id);
  again.answer(200);
  await pass(90_000);
  expect(targets.arrivals).toEqual([]);
});

test('a delivery that could not be recorded is not repeated, and nothing is sent before it is recorded', async () => {
  const { start, pass, fail, targets, store } = await setUp({ ops: webhook('ops') });
  targets.status = 200;
  const { alerts } = store;
  const recordTry = alerts.recordTry.bind(alerts);
  let failures = 0;
  alerts.recordTry = async (...args) => {
    failures += 1;
    if (failures <= 2) throw new Error('disk full');
    return recordTry(...args);
  };
  await start();
  await pass(500);
  await fail(1);
  await pass(20_000);
  expect(failures).toBe(3);
  expect(targets.arrivals.map(({ title }) => title)).toEqual(['Failed: task 1']);
  expect(await alerts.channel('ops')).toMatchObject({ waiting: 0, last: { delivered: true } });
});

test('a stop waits for the send that is under way, and not for ever', async () => {
  const { start, pass, fail, targets, clock, store } = await setUp({ ops: webhook('ops') });
  const notifications = await start();
  await pass(500);
  await fail(1);
  await pass(2000);
  await targets.take();
  const stopping = notifications.stop();
  clock.advance(2000);
  await stopping;
  expect((await store.alerts.nextMessage('ops'))?.tries).toBe(1);
});

test('a test goes out at once, whatever waits, and says how it went', async () => {
  const { start, pass, fail, targets } = await setUp({ ops: webhook('ops') });
  const notifications = await start();
  await pass(500);
  await fail(1);
  await pass(2000);
  const stuck = await targets.take();
  const testing = notifications.test('ops');
  (await targets.take()).answer(404);
  expect(await testing).toMatchObject({
    name: 'ops',
    state: 'failing',
    lastTry: { delivered: false, error: expect.stringContaining('404') },
  });
  const working = notifications.test('ops');
  (await targets.take()).answer(200);
  expect(await working).toMatchObject({ state: 'ok', lastTry: { delivered: true } });
  stuck.answer(200);
  await expect(notifications.test('nobody')).rejects.toMatchObject({ code: 'no_such_channel' });
  await expect(notifications.test('toString')).rejects.toMatchObject({ code: 'no_such_channel' });
});

test('no address, header or token reaches the log or a reader', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
  const channels = { ops: webhook('ops', { headers: { authorization: new Secret(SECRET) } }) };
  const { start, pass, fail, targets, store } = await setUp(channels, logger);
  const notifications = await start();
  await pass(500);
  await fail(1);
  await pass(2000);
  (await targets.take()).cut();
  await pass(500);
  const shown = JSON.stringify([
    lines,
    await notifications.channels(),
    await notifications.alerts({ limit: 9 }),
    await store.alerts.nextMessage('ops'),
  ]);
  expect(lines.join('')).toContain('was not delivered yet');
  expect(lines.join('')).toContain('ops.test');
  expect(shown).not.toContain(SECRET);
});

test('nothing is noted and nothing is sent before it begins', async () => {
  const { fail, targets, clock, store, agents } = await setUp({ ops: webhook('ops') });
  const notifications = await startNotifications({
    store,
    agents,
    config: { channels: { ops: webhook('ops') } },
    url: () => 'http://web.test',
    logger: silentLogger,
    fetch: targets.fetch,
    now: clock.now,
    startTimer: clock.startTimer,
  });
  await fail(1);
  expect(clock.waits).toEqual([]);
  await notifications.stop();
  expect(await store.alerts.alerts({ limit: 1 })).toEqual([]);
});
