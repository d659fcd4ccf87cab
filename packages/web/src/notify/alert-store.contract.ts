/**
 * The contract of an AlertStore, as tests: every implementation must pass `describeAlertStore`.
 */
import { expect, test } from 'vitest';
import { FakeJournal, taskId } from '../fake-journal.ts';
import { follow, newSubmit, NOW, type OpenStore, type Sentence } from '../store/contract/kit.ts';
import type { SessionStore } from '../session-store.ts';
import type { SeenAgent } from './alert-store.ts';
import type { ChannelRule } from './rules.ts';

const rule = (change: Partial<ChannelRule> = {}): ChannelRule => ({
  name: 'ops',
  on: ['failed', 'unknown', 'attention', 'agentLost'],
  unknownAfterMs: 0,
  cooldownMs: 60_000,
  ...change,
});

const seen = (change: Partial<SeenAgent> = {}): SeenAgent => ({
  id: 'agent-a',
  name: 'agent-a',
  state: 'live',
  asOf: NOW,
  ...change,
});

/** Looks until nothing is new. */
async function look(
  store: SessionStore,
  at: number,
  channels: ChannelRule[] = [rule()],
  agents: SeenAgent[] = [seen()],
): Promise<void> {
  for (;;) {
    const { more } = await store.alerts.look({ at, channels, agents });
    if (!more) return;
  }
}

const subjects = async (store: SessionStore) =>
  (await store.alerts.alerts({ limit: 100 })).map(({ kind, subject }) => `${kind} ${subject}`).toReversed();

/** Takes the message that waits, as delivered, and says what it was. */
async function deliver(store: SessionStore, at: number, channel = 'ops') {
  const next = await store.alerts.nextMessage(channel);
  if (next === undefined) return undefined;
  await store.alerts.recordTry(next.id, { outcome: 'delivered' }, at);
  return next.message;
}

/** `open` gives an empty store. */
export function describeAlertStore(name: string, open: OpenStore): void {
  const it: Sentence = (sentence, run) => {
    // oxlint-disable-next-line vitest/expect-expect -- each sentence brings its own
    test(`${name}: ${sentence}`, async () => {
      await using under = await open();
      await run(under);
    });
  };
  describeNews(it);
  describeTellings(it);
}

function describeNews(it: Sentence): void {
  it('notes what happens after the first look, once, and nothing that was there before', async (under) => {
    const { store } = under;
    const journal = await follow(store);
    journal.run(taskId(1), { title: 'old' });
    journal.end(taskId(1), 'failed');
    journal.run(taskId(2), { title: 'doubted before' });
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW);
    await look(store, NOW + 1);
    expect(await subjects(store)).toEqual([]);
    const before = journal.head;
    journal.run(taskId(3), { title: 'new' });
    journal.end(taskId(3), 'failed');
    await store.applyEvents(journal.agentId, journal.after(before), NOW + 2);
    await look(store, NOW + 3);
    await look(store, NOW + 4);
    const again = await under.reopen();
    await look(again, NOW + 5);
    expect(await subjects(again)).toEqual(['failed new']);
    expect((await again.alerts.alerts({ limit: 1 }))[0]).toMatchObject({
      kind: 'failed',
      detail: 'exit code 0',
      taskId: taskId(3),
      sessionId: 'session-1',
      agentId: 'agent-a',
      agentName: 'agent-a',
      lasting: false,
      notedAt: NOW + 3,
    });
  });

  it('notes what happened between two runs, when the agent’s log brings it', async (under) => {
    const journal = await follow(under.store);
    journal.run(taskId(1), { title: 'build' });
    await under.store.applyEvents(journal.agentId, journal.log, NOW);
    await look(under.store, NOW);
    const store = await under.reopen();
    const before = journal.head;
    journal.end(taskId(1), 'failed');
    await store.applyEvents(journal.agentId, journal.after(before), NOW + 9);
    await look(store, NOW + 10);
    expect(await subjects(store)).toEqual(['failed build']);
  });

  it('takes the history of an agent that is new, and of another journal, for history', async ({ store }) => {
    await look(store, NOW, [rule()], []);
    const journal = new FakeJournal();
    journal.run(taskId(1), { title: 'long ago' });
    journal.end(taskId(1), 'failed');
    await store.rememberAgent({ id: journal.agentId, name: 'agent-a', url: 'http://a' }, NOW);
    await store.takeSnapshot(journal.snapshot());
    await look(store, NOW + 1);
    await store.applyEvents(journal.agentId, journal.log, NOW + 2);
    await look(store, NOW + 3);
    expect(await subjects(store)).toEqual([]);
    const other = new FakeJournal(journal.agentId, '00000000000000ee');
    other.run(taskId(2), { title: 'of the other journal' });
    other.end(taskId(2), 'failed');
    await store.takeSnapshot(other.snapshot('epoch'));
    await look(store, NOW + 4);
    await store.applyEvents(other.agentId, other.log, NOW + 5);
    const before = other.head;
    other.run(taskId(3), { title: 'new in it' });
    other.end(taskId(3), 'failed');
    await store.applyEvents(other.agentId, other.after(before), NOW + 7);
    await look(store, NOW + 8);
    expect(await subjects(store)).toEqual(['failed new in it']);
  });

  it('misses nothing that follows a snapshot, though nobody looked in between', async ({ store }) => {
    await look(store, NOW, [rule()], []);
    const journal = await follow(store);
    journal.run(taskId(1), { title: 'quick' });
    journal.end(taskId(1), 'failed');
    await store.applyEvents(journal.agentId, journal.log, NOW + 1);
    await look(store, NOW + 2);
    const other = new FakeJournal(journal.agentId, '00000000000000ee');
    await store.takeSnapshot(other.snapshot('epoch'));
    other.run(taskId(2), { title: 'quick in the next journal' });
    other.end(taskId(2), 'failed');
    await store.applyEvents(other.agentId, other.log, NOW + 3);
    await look(store, NOW + 4);
    expect(await subjects(store)).toEqual(['failed quick', 'failed quick in the next journal']);
  });

  it('takes nothing of a snapshot for news while it is being taken', async ({ store }) => {
    const journal = await follow(store);
    await look(store, NOW);
    const other = new FakeJournal(journal.agentId, '00000000000000ee');
    for (let n = 0; n < 1100; n++) {
      other.run(taskId(n));
      other.end(taskId(n), 'failed');
    }
    const state = { taken: false };
    const taking = store.takeSnapshot(other.snapshot('epoch')).finally(() => {
      state.taken = true;
    });
    while (!state.taken) await look(store, NOW + 1);
    await taking;
    await look(store, NOW + 2);
    expect(await subjects(store)).toEqual([]);
  });

  it('keeps a doubt open while it lasts, resolves it with how it ended, and notes the next one anew', async ({
    store,
  }) => {
    const journal = await follow(store);
    await look(store, NOW);
    for (const [n, title] of ['back', 'done meanwhile', 'given up'].entries()) {
      journal.run(taskId(n), { title });
    }
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW + 10);
    await look(store, NOW + 11);
    await look(store, NOW + 12);
    const open = await store.alerts.alerts({ limit: 9 });
    expect(open).toMatchObject(Array.from({ length: 3 }, () => ({ kind: 'unknown', sinceAt: NOW + 10 })));
    expect(open.every(({ resolvedAt }) => resolvedAt === undefined)).toBe(true);
    const before = journal.head;
    journal.end(taskId(1), 'failed');
    await store.resolveLost(taskId(2), undefined, NOW + 18);
    await look(store, NOW + 18);
    await store.applyEvents(journal.agentId, journal.after(before), NOW + 19);
    await store.vouch(journal.agentId, NOW + 20);
    await look(store, NOW + 21);
    const unknown = (await store.alerts.alerts({ limit: 9 })).filter(({ kind }) => kind === 'unknown');
    expect(
      unknown.map(({ subject, resolution, resolvedAt }) => [subject, resolution, resolvedAt]).toReversed(),
    ).toEqual([
      ['back', 'running', NOW + 21],
      ['done meanwhile', 'failed: exit code 0', NOW + 21],
      ['given up', 'given up as lost by a person', NOW + 18],
    ]);
    await store.markUnknown(journal.agentId, 'agent_stopped', NOW, NOW + 30);
    await look(store, NOW + 31);
    expect((await store.alerts.alerts({ limit: 2 })).find(({ subject }) => subject === 'back')).toMatchObject(
      {
        subject: 'back',
        detail: 'was running; its agent was stopped',
        sinceAt: NOW + 30,
      },
    );
  });

  it('pages through more rows than one look takes', async ({ store }) => {
    const journal = await follow(store);
    await look(store, NOW);
    for (let n = 0; n < 1100; n++) journal.run(taskId(n));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW);
    const input = { at: NOW, channels: [rule()], agents: [seen()] };
    expect(await store.alerts.look(input)).toEqual({ more: true });
    expect(await store.alerts.look(input)).toEqual({ more: false });
    await store.alerts.compose([rule()], NOW + 1000);
    expect((await deliver(store, NOW + 1000))?.count).toBe(1100);
  });

  it('notes what a person should see of a task or an agent, until it is cleared', async ({ store }) => {
    const journal = await follow(store);
    await look(store, NOW);
    journal.run(taskId(1), { title: 'silent claim' });
    journal.attend(taskId(1), 'claim_silent');
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await look(store, NOW);
    const raised = journal.head;
    journal.attend(taskId(1), 'claim_silent');
    await store.applyEvents(journal.agentId, journal.after(raised), NOW);
    const full = seen({ attention: [{ code: 'low_disk', message: 'The disk is full.', sinceAt: NOW }] });
    await look(store, NOW + 1, [rule()], [full]);
    await look(store, NOW + 2, [rule()], [full]);
    expect(await subjects(store)).toEqual(['attention silent claim', 'attention agent-a']);
    const before = journal.head;
    journal.end(taskId(1));
    await store.applyEvents(journal.agentId, journal.after(before), NOW + 3);
    await look(store, NOW + 4, [rule()], [seen()]);
    const alerts = await store.alerts.alerts({ limit: 9 });
    expect(alerts.map(({ resolution }) => resolution).toReversed()).toEqual(['completed', 'cleared']);
  });

  it('notes that an agent is lost only if it was heard before, and that it is back or was removed', async ({
    store,
  }) => {
    await follow(store);
    const lost = seen({ state: 'lost', asOf: NOW - 5 });
    const about = (channels: SeenAgent[], at: number) => look(store, at, [rule()], channels);
    await about([lost], NOW);
    expect(await subjects(store)).toEqual([]);
    await about([seen()], NOW + 1);
    await about([lost], NOW + 2);
    await about([seen({ state: 'connecting' })], NOW + 3);
    await about([lost], NOW + 4);
    expect(await store.alerts.alerts({ limit: 9 })).toMatchObject([
      { kind: 'agentLost', subject: 'agent-a', detail: 'it is silent', sinceAt: NOW - 5 },
    ]);
    await about([seen()], NOW + 5);
    await about([seen({ state: 'stopped', asOf: NOW + 5 })], NOW + 6);
    await about([], NOW + 7);
    const alerts = await store.alerts.alerts({ limit: 9 });
    expect(alerts.map(({ detail, resolution }) => [detail, resolution])).toEqual([
      ['it was stopped', 'the agent was removed'],
      ['it is silent', 'back'],
    ]);
  });

  it('notes the end of a session once, when nothing of it is left to do', async ({ store }) => {
    const channels = [rule({ on: ['sessionEnded'] })];
    const journal = await follow(store);
    await look(store, NOW, channels);
    const apply = async (at: number) => {
      await store.applyEvents(journal.agentId, journal.log, at);
      await look(store, at, channels);
    };
    for (const n of [1, 2]) journal.run(taskId(n), { sessionId: 'ticket', title: 'first of it' });
    journal.end(taskId(1), 'completed');
    await apply(NOW + 1);
    const ends = async () => (await subjects(store)).filter((subject) => subject.startsWith('session'));
    expect(await ends()).toEqual([]);
    journal.end(taskId(2), 'failed');
    await apply(NOW + 2);
    expect(await ends()).toEqual(['sessionEnded first of it']);
    journal.run(taskId(3), { sessionId: 'ticket' });
    await apply(NOW + 3);
    journal.end(taskId(3), 'completed');
    await apply(NOW + 4);
    expect(await ends()).toHaveLength(2);
    expect((await store.alerts.alerts({ limit: 1 }))[0]?.detail).toBe('2 completed, 1 failed');
  });

  it('notes a submit that the agent refused: it is shown as failed, and no event will say so', async ({
    store,
  }) => {
    await follow(store);
    await look(store, NOW);
    await store.recordIntent({ ...newSubmit(taskId(1), { title: 'refused' }), agentId: 'agent-a' });
    await store.markSent('intent-1', NOW);
    await store.refuseIntent('intent-1', 'no such runner', NOW + 1);
    await look(store, NOW + 2);
    expect(await store.alerts.alerts({ limit: 9 })).toMatchObject([
      { kind: 'failed', subject: 'refused', detail: 'refused: no such runner' },
    ]);
  });

  it('notes nothing that no channel and no reader of the dashboard wants', async ({ store }) => {
    const journal = await follow(store);
    await look(store, NOW, []);
    journal.run(taskId(1), { title: 'fine' });
    journal.end(taskId(1));
    journal.run(taskId(2), { title: 'not fine' });
    journal.end(taskId(2), 'failed');
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await look(store, NOW, []);
    expect(await subjects(store)).toEqual(['failed not fine']);
  });
}

function describeTellings(it: Sentence): void {
  /** An agent whose `count` tasks are unknown, all noted. */
  async function outage(store: SessionStore, count: number, channels: ChannelRule[] = [rule()]) {
    const journal = await follow(store);
    await look(store, NOW, channels);
    for (let n = 0; n < count; n++) journal.run(taskId(n), { title: `task ${n}` });
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW);
    await look(store, NOW, channels);
    return journal;
  }

  it('makes one message of an outage, and one of its end, each once over a restart', async (under) => {
    let { store } = under;
    const journal = await outage(store, 500);
    expect(await store.alerts.compose([rule()], NOW)).toEqual({ nextAt: NOW + 1000 });
    await store.alerts.compose([rule()], NOW + 1000);
    store = await under.reopen();
    await look(store, NOW + 1001);
    await store.alerts.compose([rule()], NOW + 1001);
    expect(await deliver(store, NOW + 1002)).toMatchObject({
      kind: 'alert',
      title: '500 tasks unknown',
      count: 500,
    });
    expect(await store.alerts.nextMessage('ops')).toBeUndefined();
    await store.vouch(journal.agentId, NOW + 2000);
    await look(store, NOW + 2000);
    store = await under.reopen();
    await store.alerts.compose([rule()], NOW + 3000);
    await store.alerts.compose([rule()], NOW + 3001);
    expect(await deliver(store, NOW + 3002)).toMatchObject({
      kind: 'resolved',
      title: '500 tasks known again',
    });
    await store.alerts.compose([rule()], NOW + 99_000);
    expect(await store.alerts.nextMessage('ops')).toBeUndefined();
  });

  it('never tells what was resolved before it was told', async ({ store }) => {
    const patient = rule({ unknownAfterMs: 120_000 });
    const journal = await outage(store, 2, [patient]);
    expect(await store.alerts.compose([patient], NOW + 5000)).toEqual({ nextAt: NOW + 121_000 });
    await store.vouch(journal.agentId, NOW + 100_000);
    await look(store, NOW + 100_000, [patient]);
    expect(await store.alerts.compose([patient], NOW + 200_000)).toEqual({});
    expect(await store.alerts.nextMessage('ops')).toBeUndefined();
  });

  it('tells what is ripe, in its lane, and leaves what is young; a lane that rests wakes the next look', async ({
    store,
  }) => {
    const patient = rule({ unknownAfterMs: 120_000 });
    const journal = await outage(store, 3, [patient]);
    const other = await follow(store, new FakeJournal('agent-b', '00000000000000bb'));
    other.run(taskId(20), { title: 'asks' });
    other.run(taskId(21), { title: 'breaks' });
    other.run(taskId(22), { title: 'young doubt' });
    await store.applyEvents(other.agentId, other.log, NOW + 1);
    await look(store, NOW + 1, [patient]);
    const compose = (at: number) => store.alerts.compose([patient], at);
    expect(await compose(NOW + 2)).toEqual({ nextAt: NOW + 121_000 });
    const before = other.head;
    other.attend(taskId(20), 'disk_slow');
    other.end(taskId(21), 'failed');
    await store.applyEvents(other.agentId, other.after(before), NOW + 60_000);
    await store.markUnknown(other.agentId, 'agent_stopped', NOW, NOW + 60_000);
    await look(store, NOW + 60_000, [patient]);
    expect(await compose(NOW + 60_500)).toEqual({ nextAt: NOW + 61_000 });
    // Nothing was written since: only time has passed.
    await compose(NOW + 61_000);
    const told = [await deliver(store, NOW + 61_001), await deliver(store, NOW + 61_001)];
    expect(told.map((message) => [message?.lane, message?.count])).toEqual([
      ['ended', 1],
      ['trouble', 1],
    ]);
    // Both rest; then the doubts are due.
    expect(await compose(NOW + 62_000)).toEqual({ nextAt: NOW + 121_000 });
    await compose(NOW + 121_000);
    expect(await deliver(store, NOW + 121_001)).toMatchObject({ count: 3, title: '3 tasks unknown' });
    expect(await compose(NOW + 122_000)).toEqual({ nextAt: NOW + 181_000 });
    expect(await compose(NOW + 181_000)).toEqual({});
    expect(await deliver(store, NOW + 181_000)).toMatchObject({ title: '2 tasks unknown' });
    await store.vouch(journal.agentId, NOW + 181_000);
    await look(store, NOW + 181_000, [patient]);
    expect(await compose(NOW + 181_001)).toEqual({ nextAt: NOW + 182_000 });
    await compose(NOW + 182_000);
    expect(await deliver(store, NOW + 182_001)).toMatchObject({ title: '3 tasks known again' });
  });

  it('tells an end that is a day old no more, and a doubt however late', async ({ store }) => {
    const journal = await outage(store, 1);
    const before = journal.head;
    journal.run(taskId(30), { title: 'over' });
    journal.end(taskId(30), 'failed');
    await store.applyEvents(journal.agentId, journal.after(before), NOW);
    await look(store, NOW);
    await store.alerts.compose([rule()], NOW + 25 * 3_600_000);
    expect((await deliver(store, NOW))?.title).toBe('Unknown: task 0');
    expect(await deliver(store, NOW)).toBeUndefined();
  });

  it('takes back what is resolved while its message is under way, once that is delivered', async ({
    store,
  }) => {
    const journal = await outage(store, 2);
    await store.alerts.compose([rule()], NOW + 1000);
    await store.vouch(journal.agentId, NOW + 2000);
    await look(store, NOW + 2000);
    expect(await store.alerts.compose([rule()], NOW + 9000)).toEqual({});
    await deliver(store, NOW + 10_000);
    await store.alerts.compose([rule()], NOW + 10_001);
    expect((await deliver(store, NOW + 10_002))?.title).toBe('2 tasks known again');
  });

  it('counts what it tells, group by group, though it reads only the first', async ({ store }) => {
    const channels = [rule({ on: ['failed', 'completed', 'unknown'] })];
    const journal = await follow(store);
    await look(store, NOW, channels);
    for (let n = 0; n < 40; n++) {
      journal.run(taskId(n), { title: `task ${n}` });
      if (n < 35) journal.end(taskId(n), n === 34 ? 'failed' : 'completed');
    }
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.markUnknown(journal.agentId, 'agent_stopped', NOW, NOW);
    await look(store, NOW, channels);
    await store.alerts.compose(channels, NOW + 1000);
    const ended = await deliver(store, NOW + 1001);
    expect(ended).toMatchObject({ title: '1 task failed, 34 tasks completed', count: 35, tone: 'bad' });
    const lines = ended!.text.split('\n');
    expect([lines[0], lines[1], lines.length, lines[9]]).toEqual([
      'Failed: task 34, exit code 0 (agent-a)',
      'Completed: task 0, exit code 0 (agent-a)',
      10,
      '… and 26 more',
    ]);
    expect(ended!.items.map(({ subject }) => subject)).toEqual(
      Array.from({ length: 20 }, (_, n) => `task ${n}`),
    );
    const doubted = await deliver(store, NOW + 1002);
    expect(doubted).toMatchObject({ title: '5 tasks unknown', count: 5 });
    expect(doubted!.text).toContain('5 tasks (task 35, task 36, task 37, …), were running');
  });

  it('takes back only what was delivered', async ({ store }) => {
    const journal = await outage(store, 1);
    await store.alerts.compose([rule()], NOW + 1000);
    const message = await store.alerts.nextMessage('ops');
    await store.vouch(journal.agentId, NOW + 2000);
    await look(store, NOW + 2000);
    await store.alerts.compose([rule()], NOW + 5000);
    expect((await store.alerts.nextMessage('ops'))?.id).toBe(message?.id);
    await store.alerts.recordTry(message!.id, { outcome: 'dropped', error: 'it answered 410' }, NOW + 6000);
    await store.alerts.compose([rule()], NOW + 99_000);
    expect(await store.alerts.nextMessage('ops')).toBeUndefined();
    expect(await store.alerts.channel('ops')).toEqual({
      last: { at: NOW + 6000, delivered: false, error: 'it answered 410' },
      waiting: 0,
      dropped: 1,
    });
    await store.alerts.prune(10, NOW + 8 * 24 * 3600 * 1000);
    expect((await store.alerts.channel('ops')).dropped).toBe(0);
  });

  it('keeps a message with its tries until it is delivered, under the same id', async (under) => {
    await outage(under.store, 1);
    await under.store.alerts.compose([rule()], NOW + 1000);
    const first = await under.store.alerts.nextMessage('ops');
    expect(first).toMatchObject({ tries: 0, nextTryAt: NOW + 1000, createdAt: NOW + 1000 });
    await under.store.alerts.recordTry(
      first!.id,
      { outcome: 'failed', error: 'it answered 503', nextTryAt: NOW + 4000 },
      NOW + 2000,
    );
    const store = await under.reopen();
    const second = await store.alerts.nextMessage('ops');
    expect(second).toEqual({ ...first, tries: 1, nextTryAt: NOW + 4000 });
    expect(await store.alerts.channel('ops')).toEqual({
      last: { at: NOW + 2000, delivered: false, error: 'it answered 503' },
      waiting: 1,
      dropped: 0,
    });
    await deliver(store, NOW + 4000);
    expect(await store.alerts.channel('ops')).toEqual({
      last: { at: NOW + 4000, delivered: true },
      waiting: 0,
      dropped: 0,
    });
  });

  it('tells each channel what it wants, by kind and by label', async ({ store }) => {
    const channels = [
      rule({ name: 'all' }),
      rule({ name: 'nightly', labels: ['job=nightly'] }),
      rule({ name: 'ends', on: ['completed'] }),
    ];
    const journal = await follow(store);
    await look(store, NOW, channels);
    journal.run(taskId(1), { title: 'a', labels: { job: 'nightly' } });
    journal.end(taskId(1), 'failed');
    journal.run(taskId(2), { title: 'b', labels: { job: 'other' } });
    journal.end(taskId(2), 'failed');
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await look(store, NOW, channels);
    await store.alerts.compose(channels, NOW + 1000);
    expect((await deliver(store, NOW, 'all'))?.count).toBe(2);
    expect((await deliver(store, NOW, 'nightly'))?.title).toBe('Failed: a');
    expect(await deliver(store, NOW, 'ends')).toBeUndefined();
  });

  it('tells a channel nothing of before it was configured, and forgets one that is configured no more', async ({
    store,
  }) => {
    await outage(store, 1, [rule({ name: 'old' })]);
    await store.alerts.compose([rule({ name: 'old' })], NOW + 1000);
    const channels = [rule({ name: 'new' })];
    await store.alerts.keepChannels(['new']);
    await look(store, NOW + 2000, channels);
    await store.alerts.compose(channels, NOW + 9000);
    expect(await store.alerts.nextMessage('new')).toBeUndefined();
    expect(await store.alerts.nextMessage('old')).toBeUndefined();
  });

  it('counts a test as the newest try and as nothing else', async ({ store }) => {
    const test = {
      kind: 'test',
      lane: 'test',
      tone: 'good',
      title: 't',
      text: '',
      count: 0,
      items: [],
      path: '/',
    };
    await store.alerts.recordTest('ops', 'id-1', test as never, 'it answered 404', NOW);
    expect(await store.alerts.channel('ops')).toEqual({
      last: { at: NOW, delivered: false, error: 'it answered 404' },
      waiting: 0,
      dropped: 0,
    });
    await store.alerts.recordTest('ops', 'id-2', test as never, undefined, NOW + 1);
    expect((await store.alerts.channel('ops')).last).toEqual({ at: NOW + 1, delivered: true });
    expect(await store.alerts.nextMessage('ops')).toBeUndefined();
  });

  it('prunes what is old, a page at a time, and keeps what still lasts or waits', async ({ store }) => {
    const journal = await outage(store, 1);
    const before = journal.head;
    for (const n of [5, 6, 7]) {
      journal.run(taskId(n), { title: `failed ${n}` });
      journal.end(taskId(n), 'failed');
    }
    await store.applyEvents(journal.agentId, journal.after(before), NOW + 1);
    await look(store, NOW + 1);
    await store.alerts.compose([rule()], NOW + 1001);
    await deliver(store, NOW + 1002);
    const later = NOW + 8 * 24 * 3600 * 1000;
    expect(await store.alerts.prune(2, later)).toEqual({ more: true });
    expect(await store.alerts.prune(2, later)).toEqual({ more: false });
    expect(await subjects(store)).toEqual(['unknown task 0']);
    expect((await store.alerts.nextMessage('ops'))?.message.lane).toBe('trouble');
    await look(store, later);
    expect(await subjects(store)).toEqual(['unknown task 0']);
  });
}
