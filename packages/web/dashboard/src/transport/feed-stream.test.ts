import { expect, test } from 'vitest';
import { startFeedStream, type EventSourceLike, type FeedStream, type Probe } from './feed-stream.ts';
import type { FeedMessage } from './messages.ts';

class FakeSource implements EventSourceLike {
  readonly url: string;
  isClosed = false;
  #listeners = new Map<string, (event: MessageEvent<string>) => void>();
  constructor(url: string) {
    this.url = url;
  }
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(type, listener);
  }
  close(): void {
    this.isClosed = true;
  }
  send(type: string, data: unknown = {}, id = ''): void {
    this.#listeners.get(type)?.(new MessageEvent(type, { data: JSON.stringify(data), lastEventId: id }));
  }
}

const hello = { protocol: 1, version: '0.1.0', epoch: 'e', at: 0, heartbeatMs: 5000 };
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A stream whose web, clock and timers the test holds. */
class Bench {
  readonly messages: FeedMessage[] = [];
  readonly sources: FakeSource[] = [];
  readonly stream: FeedStream;
  probes = 0;
  answer: Probe = { kind: 'ok', cursor: 'e.10' };
  #at = 1_000_000;
  #timers = new Set<{ dueAt: number; run: () => void }>();

  constructor() {
    this.stream = startFeedStream({
      publish: (message) => this.messages.push(message),
      openSource: (url) => {
        const source = new FakeSource(url);
        this.sources.push(source);
        return source;
      },
      probe: () => {
        this.probes += 1;
        return Promise.resolve(this.answer);
      },
      now: () => this.#at,
      random: () => 0.5,
      schedule: (run, delayMs) => {
        const timer = { dueAt: this.#at + delayMs, run };
        this.#timers.add(timer);
        return () => this.#timers.delete(timer);
      },
    });
  }

  newest(): FakeSource {
    return this.sources.at(-1)!;
  }

  /** Moves the clock and runs what is due. */
  async pass(ms: number): Promise<void> {
    const until = this.#at + ms;
    for (;;) {
      const [due] = [...this.#timers]
        .filter((timer) => timer.dueAt <= until)
        .toSorted((a, b) => a.dueAt - b.dueAt);
      if (due === undefined) break;
      this.#at = due.dueAt;
      this.#timers.delete(due);
      due.run();
      await settled();
    }
    this.#at = until;
    await settled();
  }
}

async function startBench(): Promise<Bench> {
  const bench = new Bench();
  await bench.pass(0);
  return bench;
}

const kinds = (bench: Bench): string[] =>
  bench.messages.filter((message) => message.kind !== 'link').map((message) => message.kind);
const open = (bench: Bench): number => bench.sources.filter((source) => !source.isClosed).length;

test('it begins at the cursor of a read, and tells tabs to read before anything else', async () => {
  const bench = await startBench();
  expect(bench.newest().url).toBe('/api/events?cursor=e.10');
  bench.newest().send('hello', hello);
  bench.newest().send('change', { tasks: [] }, 'e.11');
  expect(kinds(bench)).toEqual(['reset', 'hello', 'change']);
  expect(bench.stream.link).toMatchObject({ phase: 'open', cursor: 'e.11' });
});

test('a cut connection is replaced at the cursor that was reached, without a new read', async () => {
  const bench = await startBench();
  bench.newest().send('hello', hello);
  bench.newest().send('change', {}, 'e.15');
  bench.newest().send('error');
  expect(bench.stream.link.phase).toBe('waiting');
  await bench.pass(10_000);
  expect(bench.newest().url).toBe('/api/events?cursor=e.15');
  expect(open(bench)).toBe(1);
  expect(kinds(bench).filter((kind) => kind === 'reset')).toHaveLength(1);
});

test('silence beyond two heartbeats and five seconds is a broken connection, however open it looks', async () => {
  const bench = await startBench();
  bench.newest().send('hello', hello);
  await bench.pass(14_000);
  bench.newest().send('heartbeat', { at: 0, version: 10, agents: [] });
  await bench.pass(14_900);
  expect(bench.sources).toHaveLength(1);
  await bench.pass(200);
  expect(bench.sources[0]?.isClosed).toBe(true);
  expect(bench.stream.link.lastError).toBe('the connection went silent');
});

test('a web that is down is tried again with a growing wait, and is not taken for signed out', async () => {
  const bench = await startBench();
  bench.newest().send('hello', hello);
  bench.answer = { kind: 'failed', error: 'web did not answer' };
  bench.newest().send('error');
  await bench.pass(60_000);
  expect(bench.sources).toHaveLength(1);
  expect(bench.probes).toBeGreaterThan(5);
  expect(bench.probes).toBeLessThan(25);
  expect(bench.stream.link.phase).toBe('waiting');
  bench.answer = { kind: 'ok', cursor: 'e.99' };
  bench.stream.retry();
  await bench.pass(0);
  expect(bench.newest().url).toBe('/api/events?cursor=e.10');
});

test('a 401 ends the attempts until somebody signs in, and then everything is read anew', async () => {
  const bench = await startBench();
  bench.newest().send('hello', hello);
  bench.answer = { kind: 'signedOut' };
  bench.newest().send('error');
  await bench.pass(60_000);
  expect(bench.stream.link.phase).toBe('signedOut');
  const probes = bench.probes;
  await bench.pass(600_000);
  expect(bench.probes).toBe(probes);
  bench.answer = { kind: 'ok', cursor: 'e.40' };
  bench.stream.retry();
  await bench.pass(0);
  expect(bench.newest().url).toBe('/api/events?cursor=e.40');
  expect(kinds(bench).filter((kind) => kind === 'reset')).toHaveLength(2);
});

test('a reset forgets the cursor and reads where to go on from', async () => {
  const bench = await startBench();
  bench.newest().send('hello', hello);
  bench.answer = { kind: 'ok', cursor: 'f.3' };
  bench.newest().send('reset', { reason: 'epoch' });
  await bench.pass(0);
  expect(bench.messages.findLast((message) => message.kind === 'reset')).toEqual({
    kind: 'reset',
    cursor: 'f.3',
  });
  expect(bench.newest().url).toBe('/api/events?cursor=f.3');
  expect(open(bench)).toBe(1);
});

test('frames of a connection that was replaced are not taken', async () => {
  const bench = await startBench();
  const old = bench.newest();
  old.send('hello', hello);
  bench.stream.retry();
  await bench.pass(0);
  old.send('change', { tasks: [] }, 'e.99');
  expect(bench.stream.link.cursor).toBe('e.10');
  expect(kinds(bench)).not.toContain('change');
});

test('a tab that is looked at hurries a wait and replaces a connection that is late, but leaves a good one alone', async () => {
  const bench = await startBench();
  bench.newest().send('hello', hello);
  bench.stream.verify();
  await bench.pass(0);
  expect(bench.sources).toHaveLength(1);
  await bench.pass(9000);
  bench.stream.verify();
  await bench.pass(0);
  expect(bench.sources).toHaveLength(2);
  expect(bench.sources[0]?.isClosed).toBe(true);
});

test('web’s good-bye is followed by a new attempt', async () => {
  const bench = await startBench();
  bench.newest().send('hello', hello);
  bench.newest().send('bye', { reason: 'shutdown', retryMs: 100 });
  expect(bench.stream.link.phase).toBe('waiting');
  await bench.pass(10_000);
  expect(bench.sources).toHaveLength(2);
});
