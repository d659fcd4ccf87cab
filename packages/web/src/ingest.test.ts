import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatCursor, type Heartbeat, type Hello } from '@holdfast/shared';
import { FakeJournal, taskId, type JournalledEvent } from './fake-journal.ts';
import { Ingest, type Frame, type IngestError, type IngestListener } from './ingest.ts';
import type { SessionStore, StoredAgent } from './session-store.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';

class Kit implements AsyncDisposable {
  readonly store: SessionStore = openSqliteSessionStore({ path: ':memory:' });
  readonly told: string[] = [];
  readonly caughtUp: number[] = [];
  failure: IngestError | undefined;
  #last: Ingest | undefined;

  async open(
    journal: FakeJournal,
    more: Partial<ConstructorParameters<typeof Ingest>[0]> = {},
  ): Promise<Ingest> {
    await this.#last?.settled();
    this.failure = undefined;
    await this.store.rememberAgent({ id: journal.agentId, name: 'a', url: 'http://a' }, 1);
    const agent = await this.agent();
    const ingest = new Ingest({
      agent,
      store: this.store,
      sent: agent.position === undefined ? 'nothing' : 'position',
      now: () => 1000,
      monotonic: () => 5,
      listener: this.#listener(),
      ...more,
    });
    this.#last = ingest;
    return ingest;
  }

  async agent(): Promise<StoredAgent> {
    return (await this.store.agents())[0]!;
  }

  #listener(): IngestListener {
    return {
      hello: () => this.told.push('hello'),
      heartbeat: () => this.told.push('heartbeat'),
      caughtUp: (heartbeat) => this.caughtUp.push(heartbeat.head),
      compared: (isEqual) => this.told.push(isEqual ? 'equal' : 'unequal'),
      resynced: (reason) => this.told.push(`resynced ${reason}`),
      advanced: () => {},
      foreign: (seq) => this.told.push(`foreign ${seq}`),
      bye: ({ reason }) => this.told.push(`bye ${reason}`),
      failed: (error) => {
        this.failure = error;
        this.told.push(`failed ${error.kind}`);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last?.settled();
    await this.store.close();
  }
}

function hello(journal: FakeJournal, resume: Hello['resume'], more: Partial<Hello> = {}): Frame {
  const data: Hello = {
    protocol: 1,
    agentId: journal.agentId,
    name: 'a',
    version: '1',
    epoch: journal.epoch,
    instance: 'i',
    head: journal.head,
    floor: journal.floor,
    heartbeatMs: 1000,
    resume,
    ...more,
  };
  return { name: 'hello', data: JSON.stringify(data), id: '' };
}

function heartbeat(journal: FakeJournal, more: Partial<Heartbeat> = {}): Frame {
  const data: Heartbeat = {
    at: journal.now,
    head: journal.head,
    chain: journal.chain,
    floor: journal.floor,
    liveDigest: journal.liveDigest,
    live: 0,
    journalOk: true,
    sweptAt: journal.now,
    pool: { slots: 4, running: 0, queued: 0, paused: false, draining: false },
    ...more,
  };
  return { name: 'heartbeat', data: JSON.stringify(data), id: '' };
}

function frameOf(journal: FakeJournal, entry: JournalledEvent): Frame {
  const id = formatCursor({ epoch: journal.epoch, seq: entry.event.seq, chain: entry.chain });
  return { name: 'task', data: entry.json, id };
}

/** A reset with its snapshot, a task a frame. */
function resetOf(journal: FakeJournal, reason = 'no_cursor'): Frame[] {
  const tasks = [...journal.tasks.values()];
  const { floor, floorChain } = journal;
  return [
    { name: 'reset', data: JSON.stringify({ reason, floor, floorChain, tasks: tasks.length }), id: '' },
    ...tasks.map((task): Frame => ({ name: 'snapshot', data: JSON.stringify({ tasks: [task] }), id: '' })),
    {
      name: 'snapshotEnd',
      data: JSON.stringify({ seq: journal.head, chain: journal.chain, tasks: tasks.length }),
      id: '',
    },
  ];
}

function wholeReset(journal: FakeJournal, reason?: string): Frame[] {
  return [
    hello(journal, 'reset'),
    ...resetOf(journal, reason),
    ...journal.log.map((entry) => frameOf(journal, entry)),
  ];
}

async function feed(ingest: Ingest, frames: Frame[]): Promise<void> {
  for (const frame of frames) ingest.take(frame);
  await ingest.settled();
}

test('a reset, its history and what follows end up in the store, and the heartbeat vouches for it', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  journal.run(taskId(1));
  journal.run(taskId(2));
  const ingest = await kit.open(journal);
  await feed(ingest, [...wholeReset(journal), heartbeat(journal)]);
  const ended = frameOf(journal, journal.end(taskId(1)));
  await feed(ingest, [ended, heartbeat(journal)]);
  expect(kit.told).toEqual(['hello', 'heartbeat', 'resynced no_cursor', 'equal', 'heartbeat', 'equal']);
  expect(kit.caughtUp).toEqual([6, 7]);
  expect((await kit.agent()).position).toEqual(journal.positionAt(7));
  expect((await kit.store.events(taskId(1))).map(({ event }) => event.seq)).toEqual([1, 2, 3, 7]);
});

test('a marked copy of a journal, whose log goes on under a new epoch, is followed from its first event', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  journal.submit(taskId(1));
  const copy = journal.copy();
  copy.epoch = '00000000000000bb';
  copy.submit(taskId(2));
  const ingest = await kit.open(copy);
  await feed(ingest, [...wholeReset(copy), heartbeat(copy)]);
  expect(kit.failure).toBeUndefined();
  expect(kit.caughtUp).toEqual([copy.head]);
});

test('events that arrive in one turn are one transaction', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  await feed(await kit.open(journal), wholeReset(journal));
  for (let n = 0; n < 50; n++) journal.submit(taskId(n));
  let commits = 0;
  kit.store.onChange(() => (commits += 1));
  const ingest = await kit.open(journal);
  await feed(ingest, [hello(journal, 'replay'), ...journal.log.map((entry) => frameOf(journal, entry))]);
  expect(commits).toBe(1);
  expect(kit.store.counts()).toEqual({ queued: 50 });
});

test('a snapshot that is cut off has no effect', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  journal.run(taskId(1));
  journal.run(taskId(2));
  const frames = wholeReset(journal);
  for (let length = 1; length <= 4; length++) {
    const ingest = await kit.open(journal);
    await feed(ingest, frames.slice(0, length));
    ingest.close();
    expect((await kit.agent()).position).toBeUndefined();
    expect(kit.store.counts()).toEqual({});
  }
  expect(kit.failure).toBeUndefined();
});

test('a snapshot that does not count what it holds is refused whole', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  journal.run(taskId(1));
  const frames = wholeReset(journal);
  await feed(await kit.open(journal), frames.toSpliced(2, 1));
  expect(kit.failure?.kind).toBe('malformed');
  expect((await kit.agent()).position).toBeUndefined();
});

test('what came before a wrong frame is applied, and nothing after it', async () => {
  const wrong: [IngestError['kind'], (frame: Frame, next: Frame) => Frame][] = [
    ['gap', (_frame, next) => next],
    ['chain', (frame) => ({ ...frame, data: frame.data.replace('"at":', '"at" :') })],
    ['malformed', (frame) => ({ ...frame, id: 'nonsense' })],
    ['malformed', (frame) => ({ ...frame, id: frame.id.replace(/^.{16}/, 'ffffffffffffffff') })],
    ['malformed', () => ({ name: 'hello', data: '{}', id: '' })],
    ['malformed', () => ({ name: 'snapshotEnd', data: '{"seq":1,"chain":"x","tasks":0}', id: '' })],
    ['malformed', () => ({ name: 'heartbeat', data: 'not JSON', id: '' })],
  ];
  for (const [kind, spoil] of wrong) {
    await using kit = new Kit();
    const journal = new FakeJournal();
    journal.run(taskId(1));
    journal.end(taskId(1));
    const [first, second, third, fourth] = journal.log.map((entry) => frameOf(journal, entry));
    const reset = [hello(journal, 'reset'), ...resetOf(empty(journal))];
    await feed(await kit.open(journal), [...reset, first!, second!, spoil(third!, fourth!), third!, fourth!]);
    expect(kit.failure?.kind).toBe(kind);
    expect(kit.told.filter((word) => word.startsWith('failed'))).toHaveLength(1);
    expect((await kit.agent()).position?.seq).toBe(2);
    expect(await kit.store.task(taskId(1))).toMatchObject({ status: 'starting' });
  }
});

test('an event that chains but cannot be folded is kept and told', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  journal.submit(taskId(1));
  journal.appendForeign(taskId(1));
  journal.claim(taskId(1));
  const ingest = await kit.open(journal);
  const reset = [hello(journal, 'reset'), ...resetOf(empty(journal))];
  await feed(ingest, [...reset, ...journal.log.map((entry) => frameOf(journal, entry)), heartbeat(journal)]);
  expect(kit.told).toContain('foreign 2');
  expect(kit.caughtUp).toEqual([3]);
  expect(await kit.store.events(taskId(1))).toHaveLength(3);
  expect(await kit.store.task(taskId(1))).toMatchObject({ status: 'starting' });
});

test('nothing comes before hello, and a cursor that was not sent is not resumed', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  journal.run(taskId(1));
  await feed(await kit.open(journal), [heartbeat(journal)]);
  expect(kit.failure?.kind).toBe('malformed');
  await feed(await kit.open(journal), [hello(journal, 'replay')]);
  expect(kit.failure?.kind).toBe('malformed');
  await feed(await kit.open(journal), wholeReset(journal));
  await feed(await kit.open(journal), [hello(journal, 'replay', { epoch: '00000000000000bb' })]);
  expect(kit.failure?.kind).toBe('malformed');
});

test('a heartbeat during a replay vouches once its head is reached, and not before', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  await feed(await kit.open(journal), wholeReset(journal));
  for (let n = 1; n <= 5; n++) journal.run(taskId(n));
  const frames = journal.log.map((entry) => frameOf(journal, entry));
  const ingest = await kit.open(journal);
  const named = heartbeat(journal);
  journal.run(taskId(6));
  const more = journal.after(15).map((entry) => frameOf(journal, entry));
  await feed(ingest, [hello(journal, 'replay'), ...frames.slice(0, 9), named]);
  expect(kit.caughtUp).toEqual([]);
  // The batch holds events behind that head: it is cut there, so that the digests can be compared.
  await feed(ingest, [...frames.slice(9), ...more]);
  expect(kit.caughtUp).toEqual([15]);
  expect(kit.told.at(-1)).toBe('equal');
  expect(ingest.appliedSeq).toBe(18);
});

test('a heartbeat that is older than the snapshot says nothing of its rows', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  journal.run(taskId(1));
  const old = heartbeat(journal);
  journal.end(taskId(1));
  const frames = journal.log.map((entry) => frameOf(journal, entry));
  const ingest = await kit.open(journal);
  await feed(ingest, [hello(journal, 'reset'), ...resetOf(journal), old, ...frames.slice(0, 3)]);
  expect(kit.caughtUp).toEqual([]);
  await feed(ingest, [frames[3]!, heartbeat(journal)]);
  expect(kit.caughtUp).toEqual([4]);
  expect(kit.failure).toBeUndefined();
});

test('an unequal digest at the same position is a failure, and so is another chain', async () => {
  for (const [kind, more] of [
    ['digest', { liveDigest: 'ffffffffffffffff' }],
    ['chain', { chain: 'ffffffffffffffff' }],
  ] as const) {
    await using kit = new Kit();
    const journal = new FakeJournal();
    journal.run(taskId(1));
    await feed(await kit.open(journal), [...wholeReset(journal), heartbeat(journal, more)]);
    expect(kit.failure?.kind).toBe(kind);
    expect(kit.caughtUp).toEqual([]);
  }
});

test('a journal that lost its tail is noticed in hello, though the cursor fits, and taken anew', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  const copy = journal.copy();
  journal.run(taskId(1));
  const reset = [hello(journal, 'reset'), ...resetOf(journal)];
  await feed(await kit.open(journal), reset);
  copy.submit(taskId(2));
  await feed(await kit.open(copy), [hello(copy, 'replay')]);
  expect(kit.failure?.kind).toBe('diverged');
  await feed(await kit.open(copy, { sent: 'diverged' }), wholeReset(copy));
  expect(kit.told.at(-1)).toBe('resynced diverged');
  expect((await kit.agent()).position).toEqual(copy.positionAt(1, 2));
  expect(await kit.store.task(taskId(1))).toMatchObject({ status: 'unknown' });
});

test('a journal with another history behind the same cursor is noticed where the snapshot stood', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  const copy = journal.copy();
  journal.run(taskId(1));
  await feed(await kit.open(journal), [hello(journal, 'reset'), ...resetOf(journal)]);
  copy.run(taskId(2));
  copy.end(taskId(2));
  const frames = copy.log.map((entry) => frameOf(copy, entry));
  await feed(await kit.open(copy), [hello(copy, 'replay'), ...frames]);
  expect(kit.failure?.kind).toBe('diverged');
  expect(await kit.store.task(taskId(2))).toBeUndefined();
});

test('the reader waits while too much is unapplied, and never once the intake is closed', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  await feed(await kit.open(journal), wholeReset(journal));
  for (let n = 0; n < 10; n++) journal.submit(taskId(n));
  const ingest = await kit.open(journal, { maxWaitingEvents: 4 });
  ingest.take(hello(journal, 'replay'));
  await ingest.room();
  for (const entry of journal.log) ingest.take(frameOf(journal, entry));
  let hasRoom = false;
  const room = ingest.room().then(() => (hasRoom = true));
  await Promise.resolve();
  expect(hasRoom).toBe(false);
  await room;
  expect(ingest.appliedSeq).toBe(10);
  ingest.close();
  await ingest.room();
});

test('a store that fails ends the intake, and nothing of the batch is there', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  await feed(await kit.open(journal), wholeReset(journal));
  journal.submit(taskId(1));
  kit.store.applyEvents = () => Promise.reject(new Error('disk full'));
  const ingest = await kit.open(journal);
  await feed(ingest, [hello(journal, 'replay'), ...journal.log.map((entry) => frameOf(journal, entry))]);
  expect(kit.failure).toMatchObject({ kind: 'store', message: 'the store did not take it: disk full' });
  expect(kit.store.counts()).toEqual({});
});

test('activity is applied in order, and passed over before a snapshot ends', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  journal.run(taskId(1));
  const frames = wholeReset(journal);
  await feed(await kit.open(journal), [...frames.slice(0, 2), activity(5), ...frames.slice(2), activity(7)]);
  expect((await kit.store.task(taskId(1)))?.task.outputBytes).toBe(7);
});

test('progress counts the rows of a snapshot and the events behind it', async () => {
  await using kit = new Kit();
  const journal = new FakeJournal();
  journal.run(taskId(1));
  const ingest = await kit.open(journal);
  const frames = wholeReset(journal);
  await feed(ingest, frames.slice(0, 3));
  expect(ingest.progress).toEqual({ done: 1, of: 4 });
  await feed(ingest, frames.slice(3, 6));
  expect(ingest.progress).toEqual({ done: 2, of: 3 });
  await feed(ingest, frames.slice(6));
  expect(ingest.progress).toEqual({ done: 3, of: 3 });
});

test('cut anywhere and resumed any number of times, nothing is missed and nothing twice (P6)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(40), { maxLength: 12 }), async (cuts) => {
      await using kit = new Kit();
      const journal = new FakeJournal();
      for (let n = 0; n < 8; n++) journal.run(taskId(n));
      for (let n = 0; n < 8; n += 2) journal.end(taskId(n));
      for (const cut of [...cuts, 1000]) {
        const { position } = (await kit.open(journal).then(() => kit.agent())) ?? {};
        const frames =
          position === undefined
            ? wholeReset(journal)
            : [
                hello(journal, 'replay'),
                ...journal.after(position.seq).map((entry) => frameOf(journal, entry)),
              ];
        const ingest = await kit.open(journal);
        await feed(ingest, [...frames.slice(0, cut), ...(cut === 1000 ? [heartbeat(journal)] : [])]);
        ingest.close();
        expect(kit.failure).toBeUndefined();
      }
      expect(kit.told.at(-1)).toBe('equal');
      for (const id of journal.tasks.keys()) {
        const retained = journal.log.filter(({ event }) => event.taskId === id).map(({ event }) => event);
        expect((await kit.store.events(id)).map(({ event }) => event)).toEqual(retained);
        expect((await kit.store.task(id))?.task).toEqual(journal.tasks.get(id));
      }
    }),
    { numRuns: 40 },
  );
});

function activity(outputBytes: number): Frame {
  const data = JSON.stringify({ tasks: [{ id: taskId(1), attempt: 1, outputBytes }] });
  return { name: 'activity', data, id: '' };
}

/** The same journal as it was before its first event: its snapshot has no tasks. */
function empty(journal: FakeJournal): FakeJournal {
  return new FakeJournal(journal.agentId, journal.epoch);
}
