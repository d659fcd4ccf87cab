import { type Submit } from '@holdfast/shared';
import { afterEach, expect, test } from 'vitest';
import { FakeJournal } from './fake-journal.ts';
import { type Intents, startIntents } from './intents.ts';
import type { SessionStore } from './session-store.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import {
  FakeAgents,
  HeldClock,
  newTaskId,
  NOON,
  problemOf,
  silentLogger,
  submitOf,
  taskOf,
  until,
  viewOf,
} from './test-kit.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

interface Setup {
  store: SessionStore;
  agents: FakeAgents;
  clock: HeldClock;
  intents: Intents;
}

async function setUp(agents = new FakeAgents(viewOf()), given?: SessionStore): Promise<Setup> {
  const store = given ?? openSqliteSessionStore({ path: ':memory:', now: () => NOON });
  if (given === undefined) cleanups.push(() => store.close());
  for (const { id, name, url } of agents.views()) await store.rememberAgent({ id, name, url }, NOON);
  const clock = new HeldClock();
  const intents = await startIntents({
    store,
    agents,
    retentionMs: 30 * 24 * 3600 * 1000,
    logger: silentLogger,
    now: clock.now,
    random: () => 1,
    startTimer: clock.startTimer,
  });
  cleanups.push(() => intents.stop());
  return { store, agents, clock, intents };
}

/** Web dies and starts again on the same store. */
async function restart(setup: Setup): Promise<Setup> {
  await setup.intents.stop();
  const agents = new FakeAgents(...setup.agents.views());
  return setUp(agents, setup.store);
}

const rowOf = async ({ store }: Setup, submit: Submit) => (await store.task(submit.id))!;

test('a submit that the agent acknowledges in time is acknowledged, and the row shows the agent’s word', async () => {
  const { intents, agents } = await setUp();
  const submit = submitOf();
  const answer = intents.submit(submit);
  const call = await agents.take();
  expect(call).toMatchObject({ agent: 'a1', method: 'POST', path: '/tasks', body: submit });
  call.answer(201, taskOf(submit));
  const accepted = await answer;
  expect(accepted.outcome).toBe('acknowledged');
  expect(accepted.row).toMatchObject({ status: 'queued', agentId: 'a1', pending: [] });
  expect(intents.waiting()).toEqual({ count: 0, oldestAt: undefined });
});

test('a submit that is not answered within 2 s is promised, stays submitted and is acknowledged later', async () => {
  const setup = await setUp();
  const { intents, agents, clock } = setup;
  const submit = submitOf();
  const answer = intents.submit(submit);
  const call = await agents.take();
  clock.advance(1999);
  clock.advance(1);
  const accepted = await answer;
  expect(accepted.outcome).toBe('promised');
  expect(accepted.row.status).toBe('submitted');
  expect(accepted.row.pending).toMatchObject([{ action: 'submit', sinceAt: NOON }]);
  call.answer(201, taskOf(submit));
  await until(async () => (await rowOf(setup, submit)).status === 'queued');
  expect((await rowOf(setup, submit)).pending).toEqual([]);
});

test('what nobody is there to take is promised at once, not after 2 s', async () => {
  const { intents } = await setUp(new FakeAgents(viewOf({ state: 'lost' })));
  expect((await intents.submit(submitOf())).outcome).toBe('promised');
  expect((await intents.submit(submitOf(), 'a1')).outcome).toBe('promised');
});

test('agent and send are on disk before the first byte goes out', async () => {
  const { intents, agents, store } = await setUp();
  const submit = submitOf();
  void intents.submit(submit);
  const call = await agents.take();
  expect(await store.dueIntents()).toMatchObject([{ taskId: submit.id, agentId: 'a1', sentAt: NOON }]);
  call.answer(201, taskOf(submit));
});

test('the live agent with the most free slots is chosen, and those chosen since its last word count', async () => {
  const pool = { slots: 4, running: 0, queued: 0, paused: false, draining: false };
  const agents = new FakeAgents(
    viewOf({ id: 'a1', pool: { ...pool, running: 2 } }),
    viewOf({ id: 'a2', name: 'two' }),
    viewOf({ id: 'a3', name: 'three', state: 'late', pool: { ...pool, slots: 100 } }),
    viewOf({ id: 'a4', name: 'four', pool: { ...pool, slots: 100, paused: true } }),
    viewOf({
      id: 'a5',
      name: 'five',
      pool: { ...pool, slots: 100, attention: [{ code: 'low_disk', message: 'm', sinceAt: NOON }] },
    }),
  );
  const { intents } = await setUp(agents);
  const submits = Array.from({ length: 4 }, () => submitOf());
  agents.reply = (call) => call.answer(201, taskOf(call.body as Submit, { agentId: call.agent }));
  for (const submit of submits) await intents.submit(submit);
  expect(agents.calls.map((call) => call.agent)).toEqual(['a2', 'a2', 'a1', 'a2']);
});

test('with no agent live a submit waits unassigned, and goes to the first that is', async () => {
  const agents = new FakeAgents(viewOf({ state: 'lost' }));
  const { intents, clock, store } = await setUp(agents);
  const submit = submitOf();
  const answer = intents.submit(submit);
  await until(async () => (await store.dueIntents()).length === 1);
  clock.advance(60_000);
  expect((await answer).row.agentId).toBeUndefined();
  expect(agents.calls).toEqual([]);
  agents.show(viewOf({ id: 'a2', name: 'two', url: 'http://a2.test' }));
  const call = await agents.take();
  expect(call.agent).toBe('a2');
  call.answer(201, taskOf(submit, { agentId: 'a2' }));
  await until(() => intents.waiting().count === 0);
});

test('the chosen agent stays the intent’s although another one is free now, across a restart', async () => {
  const setup = await setUp();
  const submit = submitOf();
  const answer = setup.intents.submit(submit);
  (await setup.agents.take()).cut();
  await until(async () => (await rowOf(setup, submit)).pending[0]?.lastError !== undefined);
  setup.clock.advance(2000);
  await answer;
  setup.agents.show(viewOf({ id: 'a2', name: 'two' }));
  const again = await restart(setup);
  again.agents.show(viewOf({ id: 'a2', name: 'two' }));
  const call = await again.agents.take();
  expect(call).toMatchObject({ agent: 'a1', path: '/tasks', body: submit });
  call.answer(200, taskOf(submit));
  await until(() => again.intents.waiting().count === 0);
});

test('what was promised before a restart is delivered after it, the whole of each task in order', async () => {
  const setup = await setUp();
  const submit = submitOf({ spec: { shell: 'true', env: { SECRET: 'x' } } });
  const accepted = setup.intents.submit(submit);
  (await setup.agents.take()).cut();
  const cancelled = setup.intents.cancel(submit.id);
  await until(async () => (await rowOf(setup, submit)).pending.length === 2);
  setup.clock.advance(100);
  const again = await restart(setup);
  const first = await again.agents.take();
  expect(first).toMatchObject({ path: '/tasks', body: submit });
  first.answer(201, taskOf(submit));
  const second = await again.agents.take();
  expect(second.path).toBe(`/tasks/${submit.id}/cancel`);
  second.answer(202, taskOf(submit, { status: 'cancelled', seq: 2, endedAt: NOON }));
  await until(() => again.intents.waiting().count === 0);
  expect((await rowOf(again, submit)).status).toBe('cancelled');
  setup.clock.advance(5000);
  await Promise.all([accepted, cancelled]);
});

test('what is asked after a restart goes out behind what was asked of the same task before it', async () => {
  const setup = await setUp(new FakeAgents(viewOf({ state: 'lost' })));
  const submit = submitOf();
  const running = { status: 'running', attempt: 1, seq: 3 } as const;
  await setup.store.recordIntent({
    id: 'i0',
    taskId: submit.id,
    agentId: 'a1',
    at: NOON,
    body: { action: 'submit', submit },
  });
  await setup.store.settleIntent('i0', NOON, taskOf(submit, running));
  await setup.intents.reclaim(submit.id, { attempt: 1, reason: 'the host hangs' });
  await setup.intents.cancel(submit.id);
  const again = await restart(setup);
  again.agents.show(viewOf());
  const first = await again.agents.take();
  const third = again.intents.reclaim(submit.id, { attempt: 2, reason: 'once more' });
  await until(async () => (await rowOf(again, submit)).pending.length === 3);
  first.answer(202, taskOf(submit, running));
  const order = [first.path];
  for (let more = 0; more < 2; more += 1) {
    const call = await again.agents.take();
    order.push(call.path);
    call.answer(202, taskOf(submit, running));
  }
  expect(order.map((path) => path.split('/').at(-1))).toEqual(['reclaim', 'cancel', 'reclaim']);
  await third;
});

test('a cancel behind a submit goes out only when the submit was answered', async () => {
  const { intents, agents, clock } = await setUp();
  const submit = submitOf();
  const accepted = intents.submit(submit);
  const first = await agents.take();
  const cancelled = intents.cancel(submit.id);
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(agents.calls).toEqual([]);
  first.answer(201, taskOf(submit));
  const second = await agents.take();
  expect(second.path).toBe(`/tasks/${submit.id}/cancel`);
  second.answer(202, taskOf(submit, { seq: 2, stopRequested: { cause: 'cancel', at: NOON } }));
  expect((await accepted).outcome).toBe('acknowledged');
  expect((await cancelled).task.stopRequested).toEqual({ cause: 'cancel', at: NOON });
  clock.advance(5000);
});

test('a cancel before the first send is local: the agent never hears of the task', async () => {
  const agents = new FakeAgents(viewOf({ state: 'lost' }));
  const setup = await setUp(agents);
  const { intents, clock } = setup;
  const submit = submitOf();
  await intents.submit(submit, 'a1');
  expect((await intents.cancel(submit.id)).status).toBe('cancelled');
  agents.show(viewOf());
  clock.advance(60_000);
  expect((await rowOf(setup, submit)).status).toBe('cancelled');
  expect(agents.calls).toEqual([]);
  expect(intents.waiting().count).toBe(0);
});

test('a second cancel while the first is on its way asks for nothing more', async () => {
  const { intents, agents, clock } = await setUp();
  const submit = submitOf();
  const accepted = intents.submit(submit);
  (await agents.take()).answer(201, taskOf(submit));
  await accepted;
  const first = intents.cancel(submit.id);
  const call = await agents.take();
  expect((await intents.cancel(submit.id)).pending).toMatchObject([{ action: 'cancel' }]);
  call.answer(202, taskOf(submit, { seq: 2 }));
  await first;
  clock.advance(5000);
  expect(agents.calls).toEqual([]);
});

test('the same submit again is repeated and sends nothing; another under its id is a conflict', async () => {
  const { intents, agents } = await setUp();
  const submit = submitOf();
  const accepted = intents.submit(submit);
  (await agents.take()).answer(201, taskOf(submit));
  await accepted;
  expect((await intents.submit(submit)).outcome).toBe('repeated');
  await expect(intents.submit({ ...submit, spec: { shell: 'false' } })).rejects.toMatchObject({
    code: 'task_conflict',
  });
  expect(agents.calls).toEqual([]);
});

for (const status of [400, 409, 413, 415, 422]) {
  test(`${status} is a refusal: the task ends failed with the agent’s message`, async () => {
    const { intents, agents } = await setUp();
    const submit = submitOf();
    const accepted = intents.submit(submit);
    (await agents.take()).answer(status, problemOf('invalid', status, 'the agent says no'));
    const { outcome, row } = await accepted;
    expect(outcome).toBe('promised');
    expect(row).toMatchObject({
      status: 'failed',
      refused: { action: 'submit', message: 'the agent says no' },
    });
    expect(intents.waiting().count).toBe(0);
  });
}

for (const status of [301, 401, 403, 404, 408, 429, 500, 502, 503, 507]) {
  test(`${status} is no refusal: the submit is tried again until it is answered`, async () => {
    const setup = await setUp();
    const { intents, agents, clock } = setup;
    const submit = submitOf();
    const accepted = intents.submit(submit);
    for (let tries = 0; tries < 3; tries += 1) {
      (await agents.take()).answer(status, problemOf('whatever', status, 'not now'));
      await until(async () => (await rowOf(setup, submit)).pending[0]?.lastError === 'not now');
      await until(() => clock.waits.length > 0);
      clock.advance(15_000);
    }
    (await agents.take()).answer(201, taskOf(submit));
    await until(() => intents.waiting().count === 0);
    expect((await accepted).outcome).toBe('promised');
    expect((await rowOf(setup, submit)).status).toBe('queued');
  });
}

test('only an answer that is about the task acknowledges: a proxy’s 200 does not', async () => {
  const setup = await setUp();
  const submit = submitOf();
  const answer = setup.intents.submit(submit);
  await until(() => setup.agents.calls.length === 1);
  setup.clock.advance(2000);
  await answer;
  for (const body of [undefined, 'welcome', { ok: true }, taskOf(submitOf())]) {
    (await setup.agents.take()).answer(200, body);
    await until(() => setup.clock.waits.length === 1);
    setup.clock.advance(setup.clock.waits[0]!);
  }
  expect((await rowOf(setup, submit)).status).toBe('submitted');
  (await setup.agents.take()).answer(200, taskOf(submit));
  await until(() => setup.intents.waiting().count === 0);
});

test('the wait grows with full jitter to 10 s at most, and Retry-After is its least', async () => {
  const { intents, agents, clock } = await setUp();
  const answer = intents.submit(submitOf());
  await until(() => agents.calls.length === 1);
  clock.advance(2000);
  await answer;
  const waits: number[] = [];
  for (let tries = 0; tries < 8; tries += 1) {
    (await agents.take()).cut();
    await until(() => clock.waits.length === 1);
    waits.push(clock.waits[0]!);
    clock.advance(clock.waits[0]!);
  }
  expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  (await agents.take()).answer(503, problemOf('queue_full', 503), { 'retry-after': '7' });
  await until(() => clock.waits.length > 0);
  expect(clock.waits).toEqual([7000]);
});

test('an agent that comes back gets everything at once, whatever wait was left', async () => {
  const { intents, agents, clock } = await setUp();
  void intents.submit(submitOf());
  (await agents.take()).answer(503, problemOf('queue_full', 503), { 'retry-after': '60' });
  await until(() => clock.waits.includes(60_000));
  agents.show(viewOf({ state: 'lost' }));
  agents.show(viewOf({ state: 'live' }));
  expect((await agents.take()).path).toBe('/tasks');
});

test('an agent that never answers delays nobody else’s deliveries', async () => {
  const agents = new FakeAgents(viewOf(), viewOf({ id: 'a2', name: 'two' }));
  const { intents, clock } = await setUp(agents);
  agents.reply = (call) => {
    if (call.agent === 'a2') call.answer(201, taskOf(call.body as Submit, { agentId: 'a2' }));
  };
  const stuck = Array.from({ length: 100 }, () => intents.submit(submitOf(), 'a1'));
  const answered = await Promise.all(Array.from({ length: 20 }, () => intents.submit(submitOf(), 'a2')));
  expect(answered.every(({ outcome }) => outcome === 'acknowledged')).toBe(true);
  expect(agents.calls.filter((call) => call.agent === 'a1').length).toBeLessThan(20);
  clock.advance(2000);
  await Promise.all(stuck);
});

test('an agent that cannot be reached is tried by one intent at a time, and then gets them all', async () => {
  const { intents, agents, clock } = await setUp();
  const all = Array.from({ length: 30 }, () => intents.submit(submitOf()));
  await until(() => agents.calls.length === 8);
  for (const call of agents.calls.splice(0)) call.cut();
  await until(() => clock.waits.includes(250));
  clock.advance(250);
  const probe = await agents.take();
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(agents.calls).toEqual([]);
  agents.reply = (call) => call.answer(201, taskOf(call.body as Submit));
  probe.answer(201, taskOf(probe.body as Submit));
  await until(() => intents.waiting().count === 0);
  clock.advance(2000);
  await Promise.all(all);
});

test('a cancel of an ended task is refused at once with its status, without asking the agent', async () => {
  const { intents, agents } = await setUp();
  const submit = submitOf();
  const accepted = intents.submit(submit);
  (await agents.take()).answer(201, taskOf(submit, { status: 'completed', seq: 4, endedAt: NOON }));
  await accepted;
  await expect(intents.cancel(submit.id)).rejects.toMatchObject({
    code: 'already_ended',
    options: { extra: { taskStatus: 'completed' } },
  });
  await expect(intents.cancel(newTaskId())).rejects.toMatchObject({ code: 'no_such_task' });
  expect(agents.calls).toEqual([]);
});

test('a cancel that the agent refuses is answered with its problem, and the row says so', async () => {
  const setup = await setUp();
  const { intents, agents } = setup;
  const submit = submitOf();
  const accepted = intents.submit(submit);
  (await agents.take()).answer(201, taskOf(submit));
  await accepted;
  const cancelled = intents.cancel(submit.id);
  (await agents.take()).answer(409, {
    ...problemOf('already_ended', 409, 'it has ended'),
    taskStatus: 'failed',
  });
  await expect(cancelled).rejects.toMatchObject({
    code: 'already_ended',
    options: { extra: { taskStatus: 'failed' } },
  });
  expect((await rowOf(setup, submit)).refused).toMatchObject({ action: 'cancel', message: 'it has ended' });
});

test('an agent that has lost a task refuses its cancel for good; a proxy’s 404 does not', async () => {
  const { intents, agents, clock } = await setUp();
  const submit = submitOf();
  const accepted = intents.submit(submit);
  (await agents.take()).answer(201, taskOf(submit));
  await accepted;
  const cancelled = intents.cancel(submit.id);
  const answered = cancelled.catch((error: unknown) => error);
  (await agents.take()).answer(404, 'nothing here');
  await until(() => clock.waits.length > 1);
  clock.advance(250);
  (await agents.take()).answer(404, problemOf('no_such_task', 404));
  expect(await answered).toMatchObject({ code: 'no_such_task' });
  expect(intents.waiting().count).toBe(0);
});

test('a retry goes to the task’s own agent under the caller’s id, and repeating it changes nothing', async () => {
  const agents = new FakeAgents(viewOf(), viewOf({ id: 'a2', name: 'two' }));
  const { intents } = await setUp(agents);
  const submit = submitOf();
  const accepted = intents.submit(submit, 'a2');
  (await agents.take()).answer(
    201,
    taskOf(submit, { agentId: 'a2', status: 'failed', seq: 4, endedAt: NOON }),
  );
  await accepted;
  const id = newTaskId();
  const retried = intents.retry(submit.id, id);
  const call = await agents.take();
  expect(call).toMatchObject({ agent: 'a2', path: `/tasks/${submit.id}/retry`, body: { id } });
  call.answer(201, taskOf(submit, { id, agentId: 'a2', retryOf: submit.id, seq: 5 }));
  const { outcome, row } = await retried;
  expect(outcome).toBe('acknowledged');
  expect(row).toMatchObject({ id, status: 'queued', agentId: 'a2', task: { retryOf: submit.id } });
  expect((await intents.retry(submit.id, id)).outcome).toBe('repeated');
});

test('only an ended task that an agent once had can be retried', async () => {
  const { intents, agents, clock } = await setUp();
  const submit = submitOf();
  const accepted = intents.submit(submit);
  (await agents.take()).answer(201, taskOf(submit));
  await accepted;
  await expect(intents.retry(submit.id, newTaskId())).rejects.toMatchObject({ code: 'not_ended' });
  await expect(intents.retry(newTaskId(), newTaskId())).rejects.toMatchObject({ code: 'no_such_task' });
  agents.show(viewOf({ state: 'lost' }));
  const unsent = submitOf();
  const promised = intents.submit(unsent);
  await until(() => intents.waiting().count === 1);
  await intents.cancel(unsent.id);
  await expect(intents.retry(unsent.id, newTaskId())).rejects.toMatchObject({ code: 'no_such_task' });
  clock.advance(2000);
  await promised;
});

test('an id from the future or from before the retention is refused; a known one is not judged again', async () => {
  const { intents, agents } = await setUp();
  const day = 24 * 3600 * 1000;
  await expect(intents.submit(submitOf({ id: newTaskId(NOON + 61_000) }))).rejects.toMatchObject({
    code: 'invalid',
  });
  await expect(intents.submit(submitOf({ id: newTaskId(NOON - 31 * day) }))).rejects.toMatchObject({
    code: 'invalid',
    options: { errors: [{ pointer: '/id' }] },
  });
  const submit = submitOf({ id: newTaskId(NOON + 59_000) });
  const accepted = intents.submit(submit);
  (await agents.take()).answer(201, taskOf(submit));
  await accepted;
});

test('a cancel for an agent that was removed is refused, not promised for ever', async () => {
  const { intents, agents } = await setUp();
  const submit = submitOf();
  const accepted = intents.submit(submit);
  (await agents.take()).answer(201, taskOf(submit));
  await accepted;
  agents.forget('a1');
  await expect(intents.cancel(submit.id)).rejects.toMatchObject({ code: 'agent_unreachable' });
});

test('stopping ends a delivery that is under way, and leaves it to be done', async () => {
  const setup = await setUp();
  const submit = submitOf();
  const answer = setup.intents.submit(submit);
  await setup.agents.take();
  await setup.intents.stop();
  expect(await setup.store.dueIntents()).toMatchObject([{ taskId: submit.id, tries: 0 }]);
  setup.clock.advance(2000);
  expect((await answer).outcome).toBe('promised');
});

/** A task of a1 that is running its first attempt. */
async function running(setup: Setup): Promise<Submit> {
  const submit = submitOf();
  const accepted = setup.intents.submit(submit, 'a1');
  (await setup.agents.take()).answer(201, taskOf(submit, { status: 'running', attempt: 1, seq: 3 }));
  await accepted;
  return submit;
}

test('a reclaim names its attempt and reason to the agent, and the row shows the agent’s answer', async () => {
  const setup = await setUp();
  const submit = await running(setup);
  const asked = setup.intents.reclaim(submit.id, { attempt: 1, reason: 'its worker is gone' });
  const call = await setup.agents.take();
  expect(call).toMatchObject({
    agent: 'a1',
    method: 'POST',
    path: `/tasks/${submit.id}/reclaim`,
    body: { attempt: 1, reason: 'its worker is gone' },
  });
  expect((await rowOf(setup, submit)).pending).toMatchObject([{ action: 'reclaim', sinceAt: NOON }]);
  call.answer(202, taskOf(submit, { status: 'queued', attempt: 1, seq: 4 }));
  expect(await asked).toMatchObject({ status: 'queued', pending: [] });
});

test('a reclaim that is asked while the agent is away survives a restart of web and is delivered with its attempt', async () => {
  const before = await setUp();
  const submit = await running(before);
  before.agents.show(viewOf({ state: 'lost' }));
  const row = await before.intents.reclaim(submit.id, { attempt: 1, reason: 'silent' });
  expect(row.pending).toMatchObject([{ action: 'reclaim' }]);
  const again = await before.intents.reclaim(submit.id, { attempt: 1, reason: 'silent still' });
  expect(again.pending).toHaveLength(1);
  const after = await restart(before);
  expect(after.agents.calls).toEqual([]);
  after.agents.show(viewOf());
  const call = await after.agents.take();
  expect(call.body).toEqual({ attempt: 1, reason: 'silent' });
  call.answer(202, taskOf(submit, { status: 'running', attempt: 1, seq: 4 }));
  await until(() => after.intents.waiting().count === 0);
});

/** A running task of a1, whose journal web follows, and which is away. */
async function runningFrom(journal: FakeJournal): Promise<{ setup: Setup; id: string }> {
  const setup = await setUp();
  const id = newTaskId();
  journal.run(id);
  await setup.store.takeSnapshot(journal.snapshot());
  setup.agents.show(viewOf({ state: 'lost' }));
  return { setup, id };
}

test('a reclaim waits until the journal of an agent that is back is known, and goes out if it is the same', async () => {
  const journal = new FakeJournal('a1');
  const { setup, id } = await runningFrom(journal);
  setup.agents.show(viewOf({ state: 'resyncing' }));
  // It can only be promised, so nobody waits for it.
  const row = await setup.intents.reclaim(id, { attempt: 1, reason: 'silent' });
  expect(row.pending).toMatchObject([{ action: 'reclaim' }]);
  await until(() => setup.clock.waits.length > 0);
  setup.clock.advance(10_000);
  expect(setup.agents.calls).toEqual([]);
  await setup.store.takeSnapshot(journal.snapshot());
  setup.agents.show(viewOf());
  const call = await setup.agents.take();
  expect(call.body).toEqual({ attempt: 1, reason: 'silent' });
  call.answer(202, taskOf(submitOf({ id }), { status: 'queued', attempt: 1, seq: 4 }));
  await until(() => setup.intents.waiting().count === 0);
});

test('a reclaim that comes to another journal than it was asked for is refused and not sent; a cancel is', async () => {
  const journal = new FakeJournal('a1');
  const { setup, id } = await runningFrom(journal);
  await setup.intents.reclaim(id, { attempt: 1, reason: 'silent' });
  await setup.intents.cancel(id);
  setup.agents.show(viewOf({ state: 'resyncing' }));
  await setup.store.takeSnapshot(journal.snapshot('ahead'));
  setup.agents.show(viewOf());
  const call = await setup.agents.take();
  expect(call.path).toBe(`/tasks/${id}/cancel`);
  expect((await setup.store.task(id))?.refused).toMatchObject({
    action: 'reclaim',
    message:
      "The agent's journal was replaced or restored since: attempt 1 may be another one there. " +
      'It was not sent. Look at the task, and reclaim it again if that is still needed.',
  });
  call.answer(202, taskOf(submitOf({ id }), { status: 'running', attempt: 1, seq: 4 }));
  await until(() => setup.intents.waiting().count === 0);
  expect(setup.agents.calls).toEqual([]);
});

test('what the agent says against a reclaim is answered and shown', async () => {
  const setup = await setUp();
  const submit = await running(setup);
  const asked = setup.intents.reclaim(submit.id, { attempt: 1, reason: 'silent' });
  (await setup.agents.take()).answer(409, problemOf('attempt_changed', 409, 'attempt 2 is the current one'));
  await expect(asked).rejects.toMatchObject({ code: 'attempt_changed' });
  expect((await rowOf(setup, submit)).refused).toMatchObject({
    action: 'reclaim',
    message: 'attempt 2 is the current one',
  });
});

test('web itself refuses a reclaim only where it can never work', async () => {
  const setup = await setUp();
  const { intents, agents, store } = setup;
  const reclaim = (id: string) => intents.reclaim(id, { attempt: 1, reason: 'r' });
  await expect(reclaim(newTaskId())).rejects.toMatchObject({ code: 'no_such_task' });

  const ended = submitOf();
  const accepted = intents.submit(ended);
  (await agents.take()).answer(201, taskOf(ended, { status: 'completed', seq: 4, endedAt: NOON }));
  await accepted;
  await expect(reclaim(ended.id)).rejects.toMatchObject({ code: 'not_claimable' });

  const given = await running(setup);
  await store.markUnknown('a1', 'agent_unreachable', NOON, NOON);
  await store.resolveLost(given.id, undefined, NOON);
  agents.show(viewOf({ state: 'lost' }));
  const promised = submitOf();
  await intents.submit(promised, 'a1');
  await expect(reclaim(promised.id)).rejects.toMatchObject({ code: 'not_claimable' });
  expect(agents.calls).toEqual([]);
  // A verdict yields to the agent's word, so its agent is asked.
  expect((await reclaim(given.id)).pending).toMatchObject([{ action: 'reclaim' }]);
  agents.forget('a1');
  await expect(reclaim(given.id)).rejects.toMatchObject({ code: 'agent_unreachable' });
});
