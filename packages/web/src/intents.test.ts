import { type Submit } from '@holdfast/shared';
import { afterEach, expect, test } from 'vitest';
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

async function setUp(agents = new FakeAgents(viewOf())): Promise<Setup> {
  const store = openSqliteSessionStore({ path: ':memory:', now: () => NOON });
  cleanups.push(() => store.close());
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

test('of two cancels at once of a task that was not sent, neither is left pending', async () => {
  const agents = new FakeAgents(viewOf({ state: 'lost' }));
  const setup = await setUp(agents);
  for (const agentId of ['a1', undefined]) {
    const submit = submitOf();
    await setup.intents.submit(submit, agentId);
    const cancels = [setup.intents.cancel(submit.id), setup.intents.cancel(submit.id)];
    expect(await Promise.allSettled(cancels)).toMatchObject([
      { status: 'fulfilled', value: { status: 'cancelled' } },
      { status: 'rejected', reason: { code: 'already_ended' } },
    ]);
    expect(await rowOf(setup, submit)).toMatchObject({ status: 'cancelled', pending: [] });
  }
  expect(setup.intents.waiting().count).toBe(0);
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
    message: expect.stringContaining("is 61 s ahead of web's clock") as unknown,
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

test('a retry for an agent that was removed is refused, not promised for ever', async () => {
  const { intents, agents } = await setUp();
  const submit = submitOf();
  const accepted = intents.submit(submit);
  (await agents.take()).answer(201, taskOf(submit, { status: 'failed', seq: 4, endedAt: NOON }));
  await accepted;
  agents.forget('a1');
  await expect(intents.retry(submit.id, newTaskId())).rejects.toMatchObject({ code: 'agent_unreachable' });
  expect(intents.waiting().count).toBe(0);
});

test('a submit that was sent to an agent that was removed ends by a verdict, and is sent no more', async () => {
  const { intents, agents, store } = await setUp();
  const submit = submitOf();
  const accepted = intents.submit(submit, 'a1');
  const call = await agents.take();
  await expect(intents.resolve(submit.id)).rejects.toMatchObject({ code: 'not_unknown' });
  agents.forget('a1');
  await store.removeAgent('a1', NOON);
  await expect(intents.cancel(submit.id)).rejects.toMatchObject({ code: 'agent_unreachable' });
  expect(await intents.resolve(submit.id, 'scrapped')).toMatchObject({ status: 'lost', pending: [] });
  expect(intents.waiting().count).toBe(0);
  call.answer(503, {});
  await accepted;
  expect(await store.dueIntents()).toEqual([]);
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
