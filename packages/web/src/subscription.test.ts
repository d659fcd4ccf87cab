import { expect, test } from 'vitest';
import { pino } from 'pino';
import type { ShownAgent } from '@holdfast/shared';
import { FakeAgent } from './fake-agent.ts';
import { FakeJournal, taskId } from './fake-journal.ts';
import type { SessionStore } from './session-store.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import { startSubscription, type Subscription, type SubscriptionOptions } from './subscription.ts';
import type { StartTimer } from './timers.ts';

const HEARTBEAT_MS = 1000;
const LOST_AFTER_MS = 3000;
const START = 1_800_000_000_000;

/** Time that moves only when a test says so; sockets and disks run on. */
class HeldTime {
  /** What the wall clock is ahead of the monotonic one, as after a suspend. */
  suspendedMs = 0;
  #ms = 0;
  #timers: { at: number; run: () => void }[] = [];

  readonly now = (): number => START + this.#ms + this.suspendedMs;
  readonly monotonic = (): number => this.#ms;
  readonly startTimer: StartTimer = (run, delayMs) => {
    const timer = { at: this.#ms + delayMs, run };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
  };

  advance(ms: number): void {
    const end = this.#ms + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#ms = Math.max(this.#ms, next.at);
      next.run();
    }
    this.#ms = end;
  }

  /** Time passes in which nothing of this process runs. */
  sleep(ms: number): void {
    this.#ms += ms;
    this.advance(0);
  }
}

class Kit implements AsyncDisposable {
  readonly time = new HeldTime();
  readonly journal = new FakeJournal();
  readonly agent = new FakeAgent(this.journal);
  readonly views: ShownAgent[] = [];
  store: SessionStore = openSqliteSessionStore({ path: ':memory:' });
  #subscription: Subscription | undefined;

  get subscription(): Subscription {
    return this.#subscription!;
  }

  get state(): string {
    return this.subscription.view().state;
  }

  static async open(more: Partial<SubscriptionOptions> = {}): Promise<Kit> {
    const kit = new Kit();
    await kit.agent.listen();
    kit.start(more);
    return kit;
  }

  start(more: Partial<SubscriptionOptions> = {}): void {
    const { agent, journal, time, store } = this;
    this.#subscription = startSubscription({
      agent: { id: journal.agentId, name: 'build-1', url: agent.url, token: agent.token },
      store,
      startedAt: START,
      config: { lostAfterMs: LOST_AFTER_MS },
      logger: pino({ level: 'silent' }),
      now: time.now,
      monotonic: time.monotonic,
      startTimer: time.startTimer,
      random: () => 0.1,
      ...more,
    });
    this.#subscription.onView((view) => this.views.push(view));
    time.advance(0);
  }

  /** Waits on real sockets; the deadline only ends a test that hangs. */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const deadline = performance.now() + 45_000;
    while (!(await condition())) {
      if (performance.now() > deadline)
        throw new Error(`not in time: ${what}; ${JSON.stringify(this.subscription.view())}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  untilState(state: ShownAgent['state']): Promise<void> {
    return this.until(() => this.state === state, `state ${state}`);
  }

  untilStatus(n: number, status: string): Promise<void> {
    return this.until(
      async () => (await this.store.task(taskId(n)))?.status === status,
      `task ${n} ${status}`,
    );
  }

  /** A heartbeat that has arrived when this resolves. */
  async beat(): Promise<void> {
    const queued = (this.subscription.view().pool?.queued ?? 0) + 1;
    this.agent.beat({ pool: { slots: 4, running: 1, queued, paused: false, draining: false } });
    await this.until(() => this.subscription.view().pool?.queued === queued, 'a heartbeat');
  }

  /** Lets the link try again as often as it wants until the condition holds. */
  async retryUntil(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    await this.until(async () => {
      if (await condition()) return true;
      this.time.advance(20);
      this.agent.beat();
      return false;
    }, what);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.subscription.stop();
    await this.agent[Symbol.asyncDispose]();
    await this.store.close();
  }
}

/** Rows, events and digest equal the journal's. */
async function expectSame({ store, journal }: Kit): Promise<void> {
  for (const task of journal.tasks.values()) expect((await store.task(task.id))?.task).toEqual(task);
  expect(await store.liveDigest(journal.agentId)).toBe(journal.liveDigest);
  const [agent] = await store.agents();
  expect(agent?.position).toMatchObject({ epoch: journal.epoch, seq: journal.head, chain: journal.chain });
  const { generation } = agent!.position!;
  for (const id of new Set(journal.log.map(({ event }) => event.taskId))) {
    const kept = (await store.events(id)).filter((entry) => entry.generation === generation);
    expect(kept.map(({ event }) => event)).toEqual(
      journal.log.filter(({ event }) => event.taskId === id).map(({ event }) => event),
    );
  }
}

test('it takes what the agent has, becomes live by a heartbeat, and follows', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.agent.push();
  kit.agent.beat();
  await kit.untilStatus(1, 'running');
  await kit.until(() => kit.subscription.view().lag === 0, 'no lag');
  await expectSame(kit);
  expect(kit.agent.authorizations).toEqual(['Bearer the-token']);
  expect(kit.agent.cursors).toEqual([undefined]);
  expect(kit.subscription.view()).toMatchObject({
    id: kit.journal.agentId,
    name: 'build-1',
    version: '1.2.3',
    heartbeatMs: HEARTBEAT_MS,
    pool: { slots: 4 },
    digestOk: true,
    asOf: START,
    reconnects: 0,
  });
  expect(kit.subscription.view()).not.toHaveProperty('reason');
  expect(kit.views.map(({ state }) => state).filter((state, n, all) => state !== all[n - 1])).toEqual([
    'resyncing',
    'live',
  ]);
});

test('an agent whose clock differs is shown with by how much, and no longer when it was set', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  const ahead = (ms: number) => {
    const at = kit.time.now() + ms;
    kit.agent.behaviour = { ...kit.agent.behaviour, heartbeat: { at, sweptAt: at } };
  };
  ahead(-3_600_000);
  // The first one, from before, is the least late of five.
  for (let n = 0; n < 5; n += 1) await kit.beat();
  await kit.until(() => kit.subscription.view().clockAheadMs === -3_600_000, 'the clock that is behind');
  expect(kit.views.at(-1)).toMatchObject({ clockAheadMs: -3_600_000, state: 'live' });
  ahead(0);
  await kit.beat();
  await kit.until(() => kit.subscription.view().clockAheadMs === undefined, 'the clock that agrees');
  expect(kit.views.at(-1)).not.toHaveProperty('clockAheadMs');
});

test('P9: a task that was live while web was down for longer than the deadline has that doubt on record, and no other status', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.agent.push();
  await kit.beat();
  await kit.untilStatus(1, 'running');
  await kit.subscription.stop();
  kit.time.sleep(60_000);
  const startedAt = kit.time.now();
  const version = kit.store.version();
  kit.start({ startedAt });
  await kit.untilState('live');
  await kit.until(async () => (await kit.store.doubts(taskId(1))).length > 0, 'the doubt');
  expect(await kit.store.doubts(taskId(1))).toEqual([
    {
      reason: 'web_down',
      lastStatus: 'running',
      asOf: START,
      since: startedAt,
      resolvedAt: startedAt,
      resolvedTo: 'running',
    },
  ]);
  // What the feed and the alerts read has not changed, but for the agent's own row.
  expect((await kit.store.changesAfter(version, 99)).tasks).toEqual([]);
  await kit.subscription.stop();
  kit.time.sleep(LOST_AFTER_MS - 1);
  kit.start({ startedAt: kit.time.now() });
  await kit.untilState('live');
  await kit.beat();
  expect(await kit.store.doubts(taskId(1))).toHaveLength(1);
});

test('why an agent itself starts nothing is passed on as it says it, and told at once', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  const attention = [{ code: 'low_disk', message: '12 MB are left on the disk of its home', sinceAt: START }];
  kit.agent.beat({ pool: { slots: 4, running: 0, queued: 2, paused: false, draining: false, attention } });
  await kit.until(() => kit.subscription.view().pool?.attention !== undefined, 'the attention');
  expect(kit.views.at(-1)?.pool?.attention).toEqual(attention);
  await kit.beat();
  expect(kit.views.at(-1)?.pool).not.toHaveProperty('attention');
});

test('after a cut in the middle of a frame it resumes from the durable cursor, and misses nothing (P6)', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  for (let n = 0; n < 30; n++) kit.journal.run(taskId(n));
  const cursor = kit.journal.cursor;
  // Wherever the cut falls, what is whole is kept and what is not comes again.
  for (const cutAfter of [250, 900, 1501, 5000, 10_007]) {
    kit.agent.behaviour = { cutAfter };
    kit.agent.cut();
    const before = kit.agent.cursors.length;
    await kit.retryUntil(() => kit.agent.cursors.length > before + 1, 'a connection after the cut one');
  }
  kit.agent.behaviour = {};
  kit.agent.cut();
  await kit.retryUntil(() => kit.state === 'live', 'live');
  await expectSame(kit);
  expect(kit.agent.resets).toEqual(['no_cursor']);
  expect(kit.subscription.counters()).toMatchObject({ gaps: 0, chainBreaks: 0, malformed: 0, resyncs: 1 });
  expect(kit.agent.cursors.slice(1).every((sent) => sent !== undefined)).toBe(true);
  kit.agent.cut();
  const count = kit.agent.cursors.length;
  await kit.retryUntil(() => kit.agent.cursors.length > count, 'one more');
  expect(kit.agent.cursors.at(-1)).toBe(cursor);
});

test('a snapshot that is cut off halfway has no effect, and is taken whole the next time', async () => {
  await using kit = new Kit();
  for (let n = 0; n < 5; n++) kit.journal.run(taskId(n));
  await kit.agent.listen();
  kit.agent.behaviour = { cutAfter: 1500 };
  kit.start();
  await kit.retryUntil(() => kit.agent.cursors.length >= 3, 'three tries');
  expect(kit.store.counts()).toEqual({});
  expect(kit.agent.cursors).not.toContainEqual(expect.any(String));
  kit.agent.behaviour = {};
  await kit.retryUntil(() => kit.state === 'live', 'live');
  await expectSame(kit);
});

test('a wrong token is refused at once, tried again slowly, and taken when it becomes right', async () => {
  await using kit = await Kit.open({ random: () => 1 });
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.agent.push();
  await kit.untilStatus(1, 'running');
  kit.agent.behaviour = { status: 401 };
  kit.agent.cut();
  await kit.retryUntil(() => kit.state === 'refused', 'refused');
  expect(kit.subscription.view()).toMatchObject({ state: 'refused', detail: 'it does not take this token' });
  const tries = kit.agent.cursors.length;
  kit.time.advance(1900);
  expect(kit.agent.cursors.length).toBe(tries);
  kit.time.advance(1500);
  await kit.untilStatus(1, 'unknown');
  kit.agent.behaviour = {};
  kit.subscription.retryNow();
  kit.time.advance(0);
  await kit.untilState('live');
  await kit.untilStatus(1, 'running');
});

test('another protocol, another agent, or no agent at all is refused with what is wrong', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  const cases: [FakeAgent['behaviour'], string][] = [
    [{ hello: { protocol: 2 } }, 'it speaks protocol 2, and web 1: use the same version of both'],
    [{ hello: { agentId: 'somebody' } }, 'another agent answers at this address: somebody'],
    [{ status: 404 }, 'there is no agent at this address'],
  ];
  for (const [behaviour, detail] of cases) {
    kit.agent.behaviour = behaviour;
    kit.agent.cut();
    await kit.retryUntil(() => kit.subscription.view().detail === detail, detail);
    expect(kit.state).toBe('refused');
    kit.agent.behaviour = {};
    kit.subscription.retryNow();
    kit.time.advance(0);
    await kit.untilState('live');
  }
});

test('an agent that falls silent is late, then lost and its tasks unknown; its return takes them back (P2, P9)', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.agent.push();
  await kit.untilStatus(1, 'running');
  kit.agent.behaviour = { isMute: true };
  kit.time.advance(1500);
  expect(kit.subscription.view()).toMatchObject({ state: 'late', reason: 'agent_unreachable', asOf: START });
  kit.time.advance(1499);
  expect((await kit.store.task(taskId(1)))?.status).toBe('running');
  kit.time.advance(1);
  expect(kit.subscription.view()).toMatchObject({ state: 'lost', reason: 'agent_unreachable' });
  await kit.untilStatus(1, 'unknown');
  expect(await kit.store.task(taskId(1))).toMatchObject({
    lastStatus: 'running',
    unknownSince: START + 3000,
    doubt: { reason: 'agent_unreachable', asOf: START },
  });
  kit.agent.behaviour = {};
  await kit.retryUntil(() => kit.state === 'live', 'live');
  await kit.untilStatus(1, 'running');
  expect(await kit.store.doubts(taskId(1))).toMatchObject([{ resolvedTo: 'running' }]);
  expect(kit.subscription.counters().resyncs).toBe(1);
});

test('an agent that was dialled and says nothing is not said to be ahead by its whole log', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.agent.push();
  await kit.untilStatus(1, 'running');
  await kit.beat();
  kit.agent.behaviour = { isMute: true };
  kit.agent.cut();
  await kit.until(() => {
    kit.time.advance(20);
    return kit.agent.cursors.length === 2;
  }, 'a new connection');
  expect(kit.subscription.view()).toMatchObject({ state: 'connecting', lag: 0 });
});

test('nobody listens: it goes on trying after the deadline, and is live when somebody does', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  await kit.agent.vanish();
  await kit.retryUntil(() => kit.state === 'lost', 'lost');
  for (let n = 0; n < 5; n++) kit.time.advance(10_000);
  await kit.agent.listen();
  await kit.retryUntil(() => kit.state === 'live', 'live');
  expect(kit.subscription.view().reconnects).toBeGreaterThan(1);
});

test('an agent that cannot write its journal, or whose sweep is overdue, vouches for nothing (P2)', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.agent.push();
  await kit.untilStatus(1, 'running');
  const cases: [NonNullable<FakeAgent['behaviour']['heartbeat']>, string][] = [
    [{ journalOk: false }, 'its journal cannot be written'],
    [{ sweptAt: kit.journal.now - 15_001 }, 'its sweep over the live tasks is overdue'],
  ];
  for (const [heartbeat, detail] of cases) {
    kit.agent.behaviour = { heartbeat };
    kit.agent.beat();
    await kit.untilState('late');
    expect(kit.subscription.view()).toMatchObject({ reason: 'agent_degraded', detail });
    for (let n = 1; n <= 3; n++) {
      kit.time.advance(990);
      await kit.beat();
    }
    kit.time.advance(30);
    expect(kit.state).toBe('lost');
    await kit.untilStatus(1, 'unknown');
    expect(await kit.store.task(taskId(1))).toMatchObject({ doubt: { reason: 'agent_degraded' } });
    expect(kit.agent.connected).toBe(1);
    kit.agent.behaviour = {};
    kit.agent.beat();
    await kit.untilState('live');
    await kit.untilStatus(1, 'running');
  }
  expect(kit.agent.cursors).toHaveLength(1);
});

test('at web’s start nothing is believed until the agent vouched, and unknown after the deadline', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.agent.push();
  await kit.untilStatus(1, 'running');
  await kit.subscription.stop();
  await kit.agent.vanish();
  kit.start();
  expect(kit.state).toBe('connecting');
  expect((await kit.store.task(taskId(1)))?.status).toBe('running');
  await kit.retryUntil(() => kit.state === 'lost', 'lost');
  await kit.untilStatus(1, 'unknown');
  expect(kit.subscription.view().asOf).toBe(START);
});

test('bye makes it stopped; it waits as long as it was asked, and comes back', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.agent.push();
  await kit.untilStatus(1, 'running');
  kit.agent.bye('shutdown', 2000);
  await kit.untilState('stopped');
  expect(kit.subscription.view()).toMatchObject({ reason: 'agent_stopped' });
  kit.time.advance(1999);
  expect(kit.agent.cursors).toHaveLength(1);
  await kit.agent.vanish();
  await kit.retryUntil(async () => (await kit.store.task(taskId(1)))?.status === 'unknown', 'unknown');
  expect(kit.state).toBe('stopped');
  expect(await kit.store.task(taskId(1))).toMatchObject({ doubt: { reason: 'agent_stopped' } });
  await kit.agent.listen();
  await kit.retryUntil(() => kit.state === 'live', 'live');
  kit.agent.bye('slow');
  await kit.until(() => kit.state === 'connecting', 'connecting');
});

test('a gap drops the connection and resumes; a broken chain takes everything anew; both are counted', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  let spoilt = 0;
  kit.agent.behaviour = {
    spoil: (name, text) => (name === 'task' && text.includes('"seq":2') && spoilt++ === 0 ? undefined : text),
  };
  kit.agent.push();
  await kit.retryUntil(() => kit.subscription.counters().gaps === 1, 'a gap');
  await kit.retryUntil(() => kit.state === 'live', 'live');
  await expectSame(kit);
  expect(kit.agent.resets).toEqual(['no_cursor']);

  spoilt = 0;
  kit.agent.behaviour = {
    spoil: (name, text) => (name === 'task' && spoilt++ === 0 ? text.replace('"at":', '"at": ') : text),
  };
  kit.journal.end(taskId(1));
  kit.agent.push();
  await kit.retryUntil(() => kit.subscription.counters().chainBreaks === 1, 'a chain break');
  await kit.retryUntil(() => kit.state === 'live', 'live');
  await expectSame(kit);
  expect(kit.agent.resets).toEqual(['no_cursor', 'no_cursor']);
  expect(kit.subscription.counters()).toMatchObject({ gaps: 1, chainBreaks: 1, resyncs: 2 });
});

test('each reset means what the protocol says', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.journal.run(taskId(2));
  kit.journal.end(taskId(2));
  kit.agent.push();
  await kit.untilStatus(2, 'completed');

  const reconnect = async (journal: FakeJournal): Promise<void> => {
    kit.agent.journal = journal;
    const resets = kit.agent.resets.length;
    kit.agent.cut();
    await kit.retryUntil(
      () => kit.agent.resets.length > resets && kit.state === 'live',
      'live after a reset',
    );
    const [agent] = await kit.store.agents();
    expect(agent?.position).toMatchObject({ epoch: journal.epoch, seq: journal.head, chain: journal.chain });
    expect(await kit.store.liveDigest(journal.agentId)).toBe(journal.liveDigest);
  };

  const pruned = kit.journal.copy();
  pruned.end(taskId(1));
  pruned.run(taskId(3));
  pruned.prune(8);
  await reconnect(pruned);
  expect(kit.agent.resets.at(-1)).toBe('too_old');
  // It ended while web was away, and its row was pruned: nobody can say more than that.
  expect(await kit.store.task(taskId(1))).toMatchObject({
    status: 'unknown',
    doubt: { reason: 'not_on_agent' },
  });

  const behind = kit.journal.copy();
  await reconnect(behind);
  expect(kit.agent.resets.at(-1)).toBe('ahead');
  expect(await kit.store.task(taskId(1))).toMatchObject({ status: 'running' });
  expect(await kit.store.task(taskId(3))).toMatchObject({ status: 'unknown' });

  const diverged = new FakeJournal(kit.journal.agentId, kit.journal.epoch);
  for (let n = 4; n < 8; n++) diverged.run(taskId(n));
  await reconnect(diverged);
  expect(kit.agent.resets.at(-1)).toBe('diverged');

  const anew = new FakeJournal(kit.journal.agentId, '00000000000000bb');
  anew.run(taskId(1));
  await reconnect(anew);
  expect(kit.agent.resets.at(-1)).toBe('epoch');
  expect(await kit.store.task(taskId(1))).toMatchObject({ status: 'running', task: { seq: 3 } });
  expect(await kit.store.task(taskId(4))).toMatchObject({ status: 'unknown' });
  expect((await kit.store.agents())[0]?.position?.generation).toBe(4);
});

test('an unequal digest is counted, vouches for nothing and resyncs; one that stays is not asked in a loop', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.agent.push();
  await kit.untilStatus(1, 'running');
  kit.agent.behaviour = { heartbeat: { liveDigest: 'ffffffffffffffff' } };
  kit.agent.beat();
  await kit.until(() => kit.subscription.counters().digestMismatches === 1, 'a mismatch');
  expect(kit.subscription.view()).toMatchObject({ state: 'connecting', digestOk: false });
  // The first resync is at once; it does not help, and each further one waits longer.
  const times: number[] = [];
  for (let n = 2; n <= 5; n++) {
    const from = kit.time.monotonic();
    await kit.retryUntil(() => kit.subscription.counters().digestMismatches === n, `mismatch ${n}`);
    times.push(kit.time.monotonic() - from);
  }
  expect(times.at(-1)).toBeGreaterThan(4000);
  expect(kit.agent.resets.length).toBe(5);
  expect((await kit.store.task(taskId(1)))?.status).toBe('unknown');
  kit.agent.behaviour = {};
  await kit.retryUntil(() => kit.state === 'live', 'live');
  expect(kit.subscription.view().digestOk).toBe(true);
  await kit.untilStatus(1, 'running');
});

test('a journal restored behind the same cursor is taken as another one', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  const copy = kit.journal.copy();
  kit.journal.run(taskId(1));
  // A resync whose history is cut off leaves rows ahead of the position.
  kit.agent.behaviour = { spoil: (name, text) => (name === 'task' ? undefined : text) };
  await kit.subscription.stop();
  await kit.store.close();
  kit.store = openSqliteSessionStore({ path: ':memory:' });
  kit.start();
  await kit.untilStatus(1, 'running');
  kit.agent.behaviour = {};
  copy.submit(taskId(2));
  kit.agent.journal = copy;
  kit.agent.cut();
  await kit.retryUntil(() => kit.state === 'live', 'live');
  expect(await kit.store.task(taskId(1))).toMatchObject({
    status: 'unknown',
    doubt: { reason: 'not_on_agent' },
  });
  expect((await kit.store.agents())[0]?.position).toMatchObject({ generation: 2, seq: 1 });
});

test('a web that slept doubts at once what it knew, asks anew, and gives the agent a whole window', async () => {
  for (const how of ['suspended', 'stalled'] as const) {
    await using kit = await Kit.open();
    await kit.untilState('live');
    kit.journal.run(taskId(1));
    kit.agent.push();
    await kit.untilStatus(1, 'running');
    kit.agent.behaviour = { isMute: true };
    if (how === 'suspended') {
      kit.time.suspendedMs = 3_600_000;
      kit.time.advance(600);
    } else {
      kit.time.sleep(60_000);
    }
    expect(kit.state).toBe('connecting');
    await kit.until(() => kit.agent.cursors.length === 2, 'a new connection');
    kit.time.advance(2300);
    expect((await kit.store.task(taskId(1)))?.status).toBe('running');
    kit.time.advance(1000);
    await kit.untilStatus(1, 'unknown');
  }
});

test('a view that is asked between two ticks is never live past the deadline', async () => {
  let ms = 0;
  const timers: (() => void)[] = [];
  await using kit = new Kit();
  await kit.agent.listen();
  kit.start({
    monotonic: () => ms,
    now: () => START + ms,
    startTimer: (run) => {
      timers.push(run);
      return { cancel: () => timers.splice(timers.indexOf(run), 1) };
    },
  });
  timers.shift()!();
  await kit.untilState('live');
  ms = 1499;
  expect(kit.state).toBe('live');
  ms = 1500;
  expect(kit.state).toBe('late');
  // Whoever saw it so is told when it is live again, though no timer has told that it was late.
  const told = kit.views.length;
  await kit.beat();
  expect(kit.views.slice(told).map(({ state }) => state)).toEqual(['late', 'live']);
  ms = 4500;
  expect(kit.subscription.view()).toMatchObject({ state: 'lost', reason: 'agent_unreachable' });
});

test('an error of web’s own while a frame is read ends the connection and nothing else', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  let throws = true;
  kit.subscription.onView((view) => {
    if (view.pool?.paused === true && throws) {
      throws = false;
      throw new Error('listener');
    }
  });
  kit.agent.beat({ pool: { slots: 4, running: 0, queued: 0, paused: true, draining: false } });
  await kit.until(() => kit.subscription.counters().faults === 1, 'the fault');
  await kit.retryUntil(() => kit.state === 'live', 'live');
  expect(kit.agent.cursors.length).toBeGreaterThan(1);
});

test('a store that cannot write drops the connection, and the cursor stays behind what was not stored', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  const { store } = kit;
  const original = store.applyEvents.bind(store);
  let failures = 3;
  store.applyEvents = async (...given) => {
    if (failures-- > 0) throw new Error('disk full');
    await original(...given);
  };
  kit.journal.run(taskId(1));
  kit.agent.push();
  await kit.retryUntil(() => failures < 0, 'the disk has room again');
  await kit.retryUntil(() => kit.state === 'live', 'live');
  expect(kit.agent.resets).toEqual(['no_cursor']);
  expect(kit.subscription.counters().faults).toBe(3);
  await expectSame(kit);
});

test('an empty or failed answer is never read as "no tasks" (P10)', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  kit.journal.run(taskId(1));
  kit.agent.push();
  await kit.untilStatus(1, 'running');
  for (const status of [500, 503, 204]) {
    kit.agent.behaviour = { status };
    kit.agent.cut();
    const before = kit.agent.cursors.length;
    await kit.retryUntil(() => kit.agent.cursors.length >= before + 2, `two tries answered ${status}`);
    expect(await kit.store.task(taskId(1))).toMatchObject({ task: { status: 'running' } });
    kit.agent.behaviour = {};
    await kit.retryUntil(() => kit.state === 'live', 'live');
    await kit.untilStatus(1, 'running');
  }
  expect(kit.agent.resets).toEqual(['no_cursor']);
});

test('a store that was deleted is rebuilt from the agent: the same tasks, sessions and events (P12)', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  for (let n = 0; n < 6; n++) {
    kit.journal.run(taskId(n), { sessionId: `s${n % 2}`, title: `task ${n}` });
    if (n % 2 === 0) kit.journal.end(taskId(n));
    kit.agent.push();
    await kit.untilStatus(n, n % 2 === 0 ? 'completed' : 'running');
  }
  const shown = async (): Promise<unknown> => ({
    tasks: (await kit.store.tasks({}, { limit: 99 })).items.map(({ task, status }) => ({ task, status })),
    sessions: (await kit.store.sessions({}, { limit: 99 })).items,
    counts: kit.store.counts(),
  });
  const before = await shown();
  await kit.subscription.stop();
  await kit.store.close();
  kit.store = openSqliteSessionStore({ path: ':memory:' });
  kit.start();
  await kit.untilState('live');
  expect(await shown()).toEqual(before);
  await expectSame(kit);
});

test('web prunes what the agent pruned, once it is caught up', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  for (let n = 0; n < 5; n++) {
    kit.journal.run(taskId(n));
    kit.journal.end(taskId(n));
  }
  kit.agent.push();
  await kit.untilStatus(4, 'completed');
  kit.journal.prune(8);
  kit.agent.beat();
  await kit.until(async () => (await kit.store.task(taskId(1))) === undefined, 'pruned');
  expect(await kit.store.task(taskId(2))).toBeDefined();
  await expectSame(kit);
});

test('a stopped subscription writes nothing more and calls nobody', async () => {
  await using kit = await Kit.open();
  await kit.untilState('live');
  await kit.subscription.stop();
  const count = kit.views.length;
  const version = kit.store.version();
  kit.journal.run(taskId(1));
  kit.agent.push();
  kit.time.advance(100_000);
  kit.subscription.retryNow();
  await kit.until(() => kit.agent.connected === 0, 'gone');
  expect(kit.views.length).toBe(count);
  expect(kit.store.version()).toBe(version);
});
