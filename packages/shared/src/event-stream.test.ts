import * as fc from 'fast-check';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { encodeFrame, EventStream, type EventStreamOptions, frameText, type Page } from './event-stream.ts';
import { messageOf } from './errors.ts';
import { until } from './test-support.ts';

const decoder = new TextDecoder();
const text = (bytes: Uint8Array) => decoder.decode(bytes);
const bytesOf = (value: string) => new TextEncoder().encode(value);

/** A log of numbers; position n is after the nth. A page holds one number or more. */
function makeLog(pageSize = 1) {
  const pages = new Map<string, Uint8Array>();
  return {
    head: 0,
    asked: 0,
    page(position: number): Page | undefined {
      this.asked += 1;
      const end = Math.min(this.head, position + pageSize);
      if (end === position) return undefined;
      const key = `${position}-${end}`;
      const numbers = Array.from({ length: end - position }, (_, n) => `${position + n + 1};`);
      const bytes = pages.get(key) ?? bytesOf(numbers.join(''));
      pages.set(key, bytes);
      return { bytes, position: end };
    },
  };
}

const HEARTBEAT_MS = 1000;

// The interval alone: everything else takes its time, and a new clock forgets the streams of the last test.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterAll(() => {
  vi.useRealTimers();
});

/** A stream whose heart beats when the test says so. */
function openStream(options: Partial<EventStreamOptions> & Pick<EventStreamOptions, 'source'>) {
  const clock = { now: 0 };
  const drops: unknown[][] = [];
  let beats = 0;
  const stream = new EventStream({
    heartbeatMs: HEARTBEAT_MS,
    heartbeat: () => bytesOf(`beat${(beats += 1)};`),
    now: () => clock.now,
    onDrop: (...args) => drops.push(args),
    ...options,
  });
  return { stream, clock, drops, beat: () => vi.advanceTimersByTime(HEARTBEAT_MS) };
}

function* hello(position = 0, ...frames: string[]): Generator<Uint8Array, number> {
  yield bytesOf('hello;');
  for (const frame of frames) yield bytesOf(frame);
  return position;
}

/** Reads as a socket does: one pull at a time, the next when the last was taken. */
function readerOf(response: Response) {
  const reader = response.body!.getReader();
  const chunks: Uint8Array[] = [];
  const state = { ended: false, pending: false };
  return {
    chunks,
    state,
    text: () => chunks.map((chunk) => text(chunk)).join(''),
    /** Asks for one chunk; it is in `chunks` when it comes. */
    pull: () => {
      if (state.pending || state.ended) return;
      state.pending = true;
      void reader.read().then(({ done, value }) => {
        state.pending = false;
        if (done) state.ended = true;
        else chunks.push(value);
      });
    },
    cancel: () => reader.cancel(),
    /** Reads on for as long as something comes. */
    async drain(what: string, enough: (got: string) => boolean) {
      await until(what, () => {
        if (state.ended || enough(this.text())) return true;
        this.pull();
        return false;
      });
    },
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const count = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => `${first + n};`).join('');

test('a frame is an event, an id and one line of data, and its bytes are UTF-8', () => {
  expect(frameText('task', '{"a":1}')).toBe('event: task\ndata: {"a":1}\n\n');
  expect(frameText('task', '{}', 'e.1.c')).toBe('event: task\nid: e.1.c\ndata: {}\n\n');
  expect(text(encodeFrame('task', { text: 'a\nb\r\u2028é\0' }, 'x'))).toBe(
    'event: task\nid: x\ndata: {"text":"a\\nb\\r\u2028é\\u0000"}\n\n',
  );
});

test('a frame of any value stays one frame: no value breaks its line', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(text(encodeFrame('task', value)).split(/\r\n|\r|\n/)).toHaveLength(4);
    }),
  );
});

test('a reader gets its preamble, then what the log has, then what comes', async () => {
  const log = makeLog();
  log.head = 2;
  const { stream } = openStream({ source: { next: (position) => log.page(position) } });
  const reader = readerOf(stream.open({ preamble: hello(1, 'snapshot;') }));
  await reader.drain('it has caught up', (got) => got.endsWith('2;'));
  reader.pull();
  log.head = 4;
  stream.wake();
  await reader.drain('it has all', (got) => got.endsWith('4;'));
  expect(reader.text()).toBe('hello;snapshot;2;3;4;');
});

type Step =
  | { do: 'grow'; by: number; wake: boolean }
  | { do: 'pull' | 'read' | 'turn' | 'beat' | 'note' | 'answer' | 'wake'; reader: number };

const grow = fc.record({
  do: fc.constant('grow' as const),
  by: fc.integer({ min: 1, max: 3 }),
  wake: fc.boolean(),
});
const doFor = (...names: Exclude<Step['do'], 'grow'>[]) =>
  fc.record({ do: fc.constantFrom(...names), reader: fc.nat({ max: 2 }) });
// Most steps read, so that readers come to the head and wait there, which is where a wake-up can be missed.
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: grow },
    { weight: 6, arbitrary: doFor('read') },
    { weight: 3, arbitrary: doFor('pull', 'turn', 'beat', 'note', 'answer', 'wake') },
  ),
  { maxLength: 100, size: 'max' },
);

/** What came of the log, without what is said beside it. */
const dataOf = (received: string) => received.replaceAll(/(beat|note|all)\d+;/g, '');

test('P6: under any interleaving, and a source that answers at once or late, nothing is missed and nothing comes twice', async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.constantFrom('sync', 'async', 'held', 'mixed'),
      fc.nat({ max: 5 }),
      async (run, mode, from) => {
        const log = makeLog(2);
        log.head = 5;
        const held: (() => void)[] = [];
        let asked = 0;
        const { stream, beat } = openStream({
          source: {
            next: (position) => {
              asked += 1;
              const kind = mode === 'mixed' ? ['sync', 'async', 'held'][asked % 3] : mode;
              if (kind === 'sync') return log.page(position);
              if (kind === 'async') return Promise.resolve(log.page(position));
              // The answer is as of the question, however late it comes.
              const answer = log.page(position);
              return new Promise((resolve) => held.push(() => resolve(answer)));
            },
          },
        });
        const readers = [0, 1, 2].map(() => readerOf(stream.open({ preamble: hello(from, 'a;', 'b;') })));
        let notes = 0;
        for (const step of run) {
          switch (step.do) {
            case 'grow':
              log.head += step.by;
              if (step.wake) stream.wake();
              break;
            case 'read':
              readers[step.reader]!.pull();
              await settle();
              break;
            case 'pull':
              readers[step.reader]!.pull();
              break;
            case 'turn':
              await settle();
              break;
            case 'beat':
              beat();
              break;
            case 'note':
              notes += 1;
              stream.notify({ latest: bytesOf(`note${notes};`), all: () => bytesOf(`all${notes};`) });
              break;
            case 'answer':
              held.splice(step.reader, 1).forEach((tell) => tell());
              break;
            case 'wake':
              stream.wake();
              break;
          }
        }
        // The last change always comes with its wake-up.
        log.head += 1;
        stream.wake();
        for (const reader of readers) {
          await until('the reader has the head', () => {
            held.splice(0).forEach((tell) => tell());
            reader.pull();
            return dataOf(reader.text()).includes(`${log.head};`);
          });
          expect(dataOf(reader.text())).toBe(`hello;a;b;${count(from + 1, log.head)}`);
          expect(reader.text().startsWith('hello;')).toBe(true);
        }
        stream.stop(bytesOf('bye;'));
      },
    ),
    { numRuns: 200 },
  );
});

test('readers at one position share the bytes, and a caught-up reader is asked for nothing', async () => {
  const log = makeLog();
  const { stream } = openStream({ source: { next: (position) => log.page(position) } });
  const readers = Array.from({ length: 5 }, () => readerOf(stream.open({ preamble: hello() })));
  for (const reader of readers) await reader.drain('hello', (got) => got === 'hello;');
  for (const reader of readers) reader.pull();
  await settle();
  const asked = log.asked;
  await settle();
  expect(log.asked).toBe(asked);
  log.head = 1;
  stream.wake();
  for (const reader of readers) await reader.drain('the event', (got) => got.endsWith('1;'));
  expect(new Set(readers.map((reader) => reader.chunks.at(-1))).size).toBe(1);
});

test('nobody is given more than the one page that was asked for', async () => {
  const log = makeLog();
  log.head = 100;
  const { stream, beat } = openStream({ source: { next: (position) => log.page(position) } });
  const reader = readerOf(stream.open({ preamble: hello() }));
  await settle();
  expect(log.asked).toBe(0);
  await reader.drain('three', (got) => got.endsWith('2;'));
  for (let n = 0; n < 50; n += 1) {
    stream.wake();
    beat();
    stream.notify({ latest: bytesOf('note;'), all: () => bytesOf('all;') });
    await settle();
  }
  expect(reader.text()).toBe('hello;1;2;');
  expect(log.asked).toBe(2);
});

test('hello is the first frame, although the heart beats before it', async () => {
  const { stream, beat } = openStream({ source: { next: () => undefined } });
  const reader = readerOf(stream.open({ preamble: hello() }));
  beat();
  await reader.drain('the heartbeat', (got) => got.includes('beat'));
  expect(reader.text()).toBe('hello;beat1;');
});

test('the heart beats during a long preamble and for an idle reader; a busy one gets the newest beat alone', async () => {
  const { stream, beat } = openStream({ source: { next: () => undefined } });
  const reader = readerOf(stream.open({ preamble: hello(0, 'p1;', 'p2;', 'p3;') }));
  await reader.drain('the first page', (got) => got.endsWith('p1;'));
  beat();
  beat();
  beat();
  await reader.drain('the end of the preamble', (got) => got.endsWith('p3;'));
  expect(reader.text()).toBe('hello;p1;beat3;p2;p3;');
  reader.pull();
  await settle();
  beat();
  await settle();
  expect(reader.text()).toBe('hello;p1;beat3;p2;p3;beat4;');
});

test('the heartbeat is encoded once for all readers', async () => {
  let encoded = 0;
  const { stream, beat } = openStream({
    source: { next: () => undefined },
    heartbeat: () => bytesOf(`beat${(encoded += 1)};`),
  });
  const readers = [0, 1, 2].map(() => readerOf(stream.open({ preamble: hello() })));
  for (const reader of readers) await reader.drain('hello', (got) => got === 'hello;');
  for (const reader of readers) reader.pull();
  await settle();
  beat();
  await settle();
  expect(encoded).toBe(1);
  expect(new Set(readers.map((reader) => reader.chunks.at(-1))).size).toBe(1);
});

test('a note goes to who is caught up; who missed one, or is new, gets all instead', async () => {
  const log = makeLog();
  const { stream } = openStream({ source: { next: (position) => log.page(position) } });
  const notify = (name: string) =>
    stream.notify({ latest: bytesOf(`latest-${name};`), all: () => bytesOf(`all-${name};`) });
  const swift = readerOf(stream.open({ preamble: hello() }));
  const slow = readerOf(stream.open({ preamble: hello() }));
  for (const reader of [swift, slow]) await reader.drain('hello', (got) => got === 'hello;');
  notify('1');
  for (const reader of [swift, slow]) await reader.drain('all', (got) => got.endsWith('all-1;'));
  notify('2');
  await swift.drain('the second', (got) => got.endsWith('latest-2;'));
  log.head = 1;
  notify('3');
  await swift.drain('the third', (got) => got.endsWith('latest-3;'));
  await slow.drain('all', (got) => got.endsWith('all-3;'));
  // Events go before notes.
  expect(swift.text()).toBe('hello;all-1;latest-2;1;latest-3;');
  expect(slow.text()).toBe('hello;all-1;1;all-3;');
  const late = readerOf(stream.open({ preamble: hello() }));
  await late.drain('all', (got) => got.endsWith('all-3;'));
});

test('P11: a reader whose socket does not drain is told bye and destroyed; others never notice', async () => {
  const log = makeLog();
  const { stream, clock, drops, beat } = openStream({
    source: { next: (position) => log.page(position) },
    slowAfterMs: 30_000,
  });
  let destroyed = 0;
  const frozen = readerOf(stream.open({ preamble: hello(), destroy: () => (destroyed += 1) }));
  const never = readerOf(stream.open({ preamble: hello(), destroy: () => (destroyed += 1) }));
  const idle = readerOf(stream.open({ preamble: hello(), destroy: () => (destroyed += 100) }));
  const swift = readerOf(stream.open({ preamble: hello(), destroy: () => (destroyed += 100) }));
  await frozen.drain('hello', (got) => got === 'hello;');
  await idle.drain('hello', (got) => got === 'hello;');
  idle.pull();
  for (let n = 1; n <= 30; n += 1) {
    clock.now += 1000;
    log.head = n;
    stream.wake();
    beat();
    await swift.drain('the beat', (got) => got.includes(`${n};`));
    await idle.drain('the beat', (got) => got.includes(`${n};`));
  }
  expect(drops).toEqual([]);
  clock.now += 1;
  beat();
  expect(drops).toEqual([['slow'], ['slow']]);
  expect(destroyed).toBe(2);
  expect(stream.size).toBe(2);
  await frozen.drain('its end', () => false);
  expect(frozen.text()).toBe('hello;event: bye\ndata: {"reason":"slow","retryMs":1000}\n\n');
  await never.drain('its end', () => false);
  // Nothing is left that a later beat could do to them.
  clock.now += 60_000;
  log.head += 1;
  stream.wake();
  await swift.drain('the last', (got) => got.includes(`${log.head};`));
});

test('a reader that waits for a slow source is not a slow reader', async () => {
  const held = Promise.withResolvers<Page | undefined>();
  const { stream, clock, drops, beat } = openStream({
    source: { next: () => held.promise },
    slowAfterMs: 1000,
  });
  const reader = readerOf(stream.open({ preamble: hello() }));
  await reader.drain('hello', (got) => got === 'hello;');
  reader.pull();
  clock.now += 5000;
  beat();
  expect(drops).toEqual([]);
  held.resolve({ bytes: bytesOf('1;'), position: 1 });
  await reader.drain('the page and the beat', (got) => got.includes('beat'));
  expect(reader.text()).toBe('hello;1;beat1;');
});

function failAt(position: number, how: 'throw' | 'reject') {
  const log = makeLog();
  return {
    log,
    next: (at: number) => {
      if (at !== position) return log.page(at);
      const error = new Error('the disk');
      if (how === 'throw') throw error;
      return Promise.reject(error);
    },
  };
}

test.each(['throw', 'reject'] as const)(
  'a source that answers by a %s ends that reader alone, with its error',
  async (how) => {
    const source = failAt(3, how);
    source.log.head = 9;
    const { stream, drops } = openStream({ source });
    const unlucky = readerOf(stream.open({ preamble: hello() }));
    const lucky = readerOf(stream.open({ preamble: hello(5) }));
    await unlucky.drain('its end', () => false);
    expect(unlucky.text()).toBe('hello;1;2;3;');
    expect(drops).toEqual([['failed', new Error('the disk')]]);
    await lucky.drain('the head', (got) => got.endsWith('9;'));
    expect(stream.size).toBe(1);
  },
);

test('a preamble that throws, at once or later, and a note that throws end that reader alone', async () => {
  const { stream, drops } = openStream({ source: { next: () => Promise.resolve(undefined) } });
  const failing = function* (): Generator<Uint8Array, number> {
    yield bytesOf('hello;');
    throw new Error('the snapshot');
  };
  const failingLate = async function* (): AsyncGenerator<Uint8Array, number> {
    yield bytesOf('hello;');
    await Promise.resolve();
    throw new Error('the late snapshot');
  };
  for (const preamble of [failing(), failingLate()]) {
    const reader = readerOf(stream.open({ preamble }));
    await reader.drain('its end', () => false);
    expect(reader.text()).toBe('hello;');
  }
  const reader = readerOf(stream.open({ preamble: hello() }));
  stream.notify({
    latest: bytesOf('x'),
    all: () => {
      throw new Error('the note');
    },
  });
  await reader.drain('its end', () => false);
  expect(drops.map(([, error]) => messageOf(error))).toEqual([
    'the snapshot',
    'the late snapshot',
    'the note',
  ]);
  expect(stream.size).toBe(0);
});

test('an async preamble is read page by page and followed without a gap', async () => {
  const log = makeLog();
  log.head = 3;
  const { stream } = openStream({ source: { next: (position) => log.page(position) } });
  const preamble = async function* (): AsyncGenerator<Uint8Array, number> {
    yield bytesOf('hello;');
    await settle();
    log.head += 1;
    stream.wake();
    yield bytesOf('snapshot;');
    return 2;
  };
  const reader = readerOf(stream.open({ preamble: preamble() }));
  await reader.drain('the head', (got) => got.endsWith('4;'));
  expect(reader.text()).toBe('hello;snapshot;3;4;');
});

test('a reader that leaves is forgotten at once, whatever it was waiting for', async () => {
  const log = makeLog();
  log.head = 1;
  const held: PromiseWithResolvers<Page | undefined>[] = [];
  const { stream, drops, beat } = openStream({
    source: {
      next: (position) => {
        if (position === 0) return log.page(position);
        const answer = Promise.withResolvers<Page | undefined>();
        held.push(answer);
        return answer.promise;
      },
    },
  });
  const open = async (pulls: number) => {
    const reader = readerOf(stream.open({ preamble: hello(0, 'more;') }));
    for (let n = 0; n < pulls; n += 1) {
      reader.pull();
      await settle();
    }
    return reader;
  };
  // Before its first byte, within the preamble, while a page is read (three times: it comes, fails, or is nothing).
  const readers = [await open(0), await open(1), await open(4), await open(4), await open(4)];
  expect(held).toHaveLength(3);
  expect(stream.size).toBe(5);
  for (const reader of readers) await reader.cancel();
  expect(stream.size).toBe(0);
  held[0]?.resolve({ bytes: bytesOf('2;'), position: 2 });
  held[1]?.reject(new Error('too late'));
  held[2]?.resolve(undefined);
  stream.wake();
  beat();
  stream.notify({ latest: bytesOf('x'), all: () => bytesOf('y') });
  await settle();
  stream.stop(bytesOf('bye;'));
  expect(drops).toEqual([]);
});

test('what a preamble holds is let go when its reader leaves, is dropped, or the stream stops', async () => {
  const { stream, clock, beat } = openStream({ source: { next: () => undefined }, slowAfterMs: 10 });
  let held = 0;
  const holding = function* (): Generator<Uint8Array, number> {
    held += 1;
    try {
      yield bytesOf('hello;');
      yield bytesOf('more;');
      return 0;
    } finally {
      held -= 1;
    }
  };
  const open = async () => {
    const reader = readerOf(stream.open({ preamble: holding() }));
    await reader.drain('hello', (got) => got === 'hello;');
    return reader;
  };
  const leaving = await open();
  expect(held).toBe(1);
  await leaving.cancel();
  expect(held).toBe(0);
  await open();
  clock.now += 11;
  beat();
  expect(held).toBe(0);
  await open();
  stream.stop(bytesOf('bye;'));
  expect(held).toBe(0);
});

test('stop says bye to everyone, in whatever state, and to who comes later', async () => {
  const log = makeLog();
  log.head = 1;
  const { stream, drops, beat } = openStream({
    source: {
      next: (position) => (position === 1 ? new Promise<undefined>(() => undefined) : log.page(position)),
    },
  });
  const readers = [0, 1, 2, 3].map(() => readerOf(stream.open({ preamble: hello() })));
  for (const [pulls, reader] of readers.entries()) {
    for (let n = 0; n < pulls; n += 1) {
      reader.pull();
      await settle();
    }
  }
  stream.stop(bytesOf('bye;'));
  expect(stream.size).toBe(0);
  readers.push(readerOf(stream.open({ preamble: hello() })));
  for (const reader of readers) await reader.drain('its end', () => false);
  expect(readers.map((reader) => reader.text())).toEqual([
    'bye;',
    'hello;bye;',
    'hello;1;bye;',
    'hello;1;bye;',
    'bye;',
  ]);
  stream.stop(bytesOf('again;'));
  stream.wake();
  beat();
  expect(drops).toEqual([]);
  expect(stream.size).toBe(0);
});

test('a reader that takes pages as fast as they are made lets the event loop turn', async () => {
  const page = new Uint8Array(64 * 1024);
  const preamble = function* (): Generator<Uint8Array, number> {
    for (let n = 0; n < 64; n += 1) yield page;
    return 0;
  };
  const { stream } = openStream({ source: { next: () => undefined } });
  const reader = stream.open({ preamble: preamble() }).body!.getReader();
  let taken = 0;
  let most = 0;
  let atLastTurn = 0;
  let turning = true;
  const turn = () => {
    most = Math.max(most, taken - atLastTurn);
    atLastTurn = taken;
    if (turning) setImmediate(turn);
  };
  setImmediate(turn);
  while (taken < 64 * page.length) taken += ((await reader.read()) as { value: Uint8Array }).value.length;
  turning = false;
  turn();
  expect(most).toBeLessThanOrEqual(512 * 1024);
});

test('a second read while a page is being read waits its turn', async () => {
  const log = makeLog();
  log.head = 2;
  const held: (() => void)[] = [];
  const { stream } = openStream({
    source: {
      next: (position) => {
        const page = log.page(position);
        return new Promise((resolve) => held.push(() => resolve(page)));
      },
    },
  });
  const reader = stream.open({ preamble: hello() }).body!.getReader();
  const parts = [reader.read(), reader.read()];
  await settle();
  parts.push(reader.read());
  await settle();
  expect(held).toHaveLength(1);
  held[0]?.();
  await settle();
  expect(held).toHaveLength(2);
  held[1]?.();
  const got = await Promise.all(parts);
  expect(got.map((part) => text(part.value)).join('')).toBe('hello;1;2;');
});
