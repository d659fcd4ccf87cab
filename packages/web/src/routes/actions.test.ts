import { afterEach, expect, test } from 'vitest';
import { acceptAll, startTestApp } from '../test-app.ts';
import { newTaskId, NOON, submitOf, taskOf } from '../test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

test('a submit is 201 with the task as it is shown, and 200 when it is repeated', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  const submit = submitOf({ title: 'hello' });
  const first = await setup.call('POST', '/api/tasks', submit);
  expect(first.status).toBe(201);
  expect(first.body).toMatchObject({
    id: submit.id,
    status: 'queued',
    agentId: 'a1',
    knowledge: { state: 'live', asOf: NOON },
  });
  expect((await setup.call('POST', '/api/tasks', submit)).status).toBe(200);
  const conflict = await setup.call('POST', '/api/tasks', { ...submit, title: 'other' });
  expect(conflict).toMatchObject({ status: 409, body: { code: 'task_conflict' } });
});

test('a submit names its agent by id or name; one that nobody has is refused', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  for (const agent of ['a2', 'two']) {
    expect(await setup.call('POST', '/api/tasks', { ...submitOf(), agent })).toMatchObject({
      status: 201,
      body: { agentId: 'a2' },
    });
  }
  const refused = await setup.call('POST', '/api/tasks', { ...submitOf(), agent: 'three' });
  expect(refused).toMatchObject({ status: 422, body: { code: 'invalid', errors: [{ pointer: '/agent' }] } });
  expect(setup.store.counts()).toEqual({ queued: 2 });
});

test('a submit that no agent has answered within 2 s is 202, and says that it is pending', async () => {
  const setup = await startTestApp(cleanups);
  const submit = submitOf();
  const answer = setup.call('POST', '/api/tasks', submit);
  await setup.network.take();
  setup.clock.advance(2000);
  expect(await answer).toMatchObject({
    status: 202,
    body: { status: 'submitted', pending: [{ action: 'submit' }] },
  });
});

test('the values of a task’s environment are never shown, neither while it waits nor later', async () => {
  const setup = await startTestApp(cleanups);
  const submit = submitOf({ spec: { shell: 'true', env: { API_KEY: 'very-secret' } } });
  const answer = setup.call('POST', '/api/tasks', submit);
  const call = await setup.network.take();
  setup.clock.advance(2000);
  expect((await answer).body).toMatchObject({ spec: { env: ['API_KEY'] } });
  expect(call.body).toEqual(submit);
  for (const path of [
    `/api/tasks/${submit.id}`,
    '/api/tasks',
    '/api/state',
    '/metrics',
    `/api/tasks/${submit.id}/knowledge`,
  ]) {
    expect(JSON.stringify((await setup.call('GET', path)).body)).not.toContain('very-secret');
  }
});

test('cancel, retry and resolve answer the task, and their problems are the agent’s', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  const submit = submitOf();
  await setup.call('POST', '/api/tasks', submit);
  setup.network.reply = (call) =>
    call.path.endsWith('/cancel')
      ? call.answer(202, taskOf(submit, { status: 'cancelled', seq: 2, endedAt: NOON }))
      : call.answer(
          201,
          taskOf(submit, { id: (call.body as { id: string }).id, retryOf: submit.id, seq: 3 }),
        );
  const path = `/api/tasks/${submit.id}`;
  expect(await setup.call('POST', `${path}/cancel`)).toMatchObject({
    status: 202,
    body: { status: 'cancelled' },
  });
  expect(await setup.call('POST', `${path}/cancel`)).toMatchObject({
    status: 409,
    body: { code: 'already_ended', taskStatus: 'cancelled' },
  });
  const id = newTaskId();
  expect(await setup.call('POST', `${path}/retry`, { id })).toMatchObject({
    status: 201,
    body: { id, retryOf: submit.id },
  });
  expect(await setup.call('POST', `${path}/retry`, { id })).toMatchObject({ status: 200 });
  expect(await setup.call('POST', `${path}/resolve`, { verdict: 'lost' })).toMatchObject({
    status: 409,
    body: { code: 'not_unknown' },
  });
  for (const action of ['cancel', 'retry', 'resolve']) {
    const body = { cancel: undefined, retry: { id: newTaskId() }, resolve: { verdict: 'lost' } }[action];
    const missing = await setup.call('POST', `/api/tasks/${newTaskId()}/${action}`, body);
    expect(missing).toMatchObject({ status: 404, body: { code: 'no_such_task' } });
  }
});

test('a person’s verdict ends an unknown task, and stays on record with the doubt', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  const submit = submitOf();
  await setup.call('POST', '/api/tasks', { ...submit, agent: 'a1' });
  await setup.store.markUnknown('a1', 'agent_unreachable', NOON, NOON + 1);
  const path = `/api/tasks/${submit.id}`;
  expect((await setup.call('GET', path)).body).toMatchObject({
    status: 'unknown',
    lastStatus: 'queued',
    knowledge: { state: 'unknown', reason: 'agent_unreachable', asOf: NOON },
  });
  const resolved = await setup.call('POST', `${path}/resolve`, {
    verdict: 'lost',
    note: 'the machine burned',
  });
  expect(resolved).toMatchObject({
    status: 200,
    body: { status: 'lost', verdict: { note: 'the machine burned' } },
  });
  expect((await setup.call('GET', `${path}/knowledge`)).body).toMatchObject({
    knowledge: { state: 'live' },
    items: [{ reason: 'agent_unreachable', lastStatus: 'queued', resolvedTo: 'lost' }],
  });
});

test('a reclaim answers the task with what is pending, and checks what it is told', async () => {
  const setup = await startTestApp(cleanups);
  const submit = submitOf();
  setup.network.reply = (call) => call.answer(201, taskOf(submit, { status: 'running', attempt: 1, seq: 3 }));
  await setup.call('POST', '/api/tasks', { ...submit, agent: 'a1' });
  const path = `/api/tasks/${submit.id}/reclaim`;
  for (const body of [{}, { attempt: 0, reason: 'r' }, { attempt: 1 }, { attempt: 1, reason: '' }]) {
    expect(await setup.call('POST', path, body)).toMatchObject({ status: 422, body: { code: 'invalid' } });
  }
  setup.links[0]!.show({ state: 'lost' });
  expect(await setup.call('POST', path, { attempt: 1, reason: 'r' })).toMatchObject({
    status: 202,
    body: { status: 'running', pending: [{ action: 'reclaim' }] },
  });
});
