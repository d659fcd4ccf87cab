import { afterEach, expect, test } from 'vitest';
import { startTestApp } from '../test-app.ts';
import { newTaskId, NOON, problemOf, submitOf, taskOf } from '../test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

const nothing = { at: NOON, tasks: [], ghosts: [], strays: [] };

async function running() {
  const setup = await startTestApp(cleanups);
  const submit = submitOf();
  setup.network.reply = (call) => call.answer(201, taskOf(submit, { status: 'running', attempt: 1, seq: 3 }));
  await setup.call('POST', '/api/tasks', { ...submit, agent: 'a1' });
  setup.network.calls.length = 0;
  return { setup, id: submit.id, path: `/api/tasks/${submit.id}/proof` };
}

test('a task’s proof is what its agent sees at this moment', async () => {
  const { setup, id, path } = await running();
  const proof = { kind: 'process', pid: 42, startedAt: NOON - 5000, bootId: 'b', others: 1 };
  const entry = { taskId: id, attempt: 1, proof, verifiedAt: NOON };
  const another = { ...entry, taskId: newTaskId() };
  setup.network.reply = (call) => call.answer(200, { ...nothing, tasks: [another, entry] });
  expect(await setup.call('GET', path)).toMatchObject({
    status: 200,
    body: { ...entry, agentId: 'a1', agentName: 'one' },
  });
  expect(setup.network.calls).toMatchObject([{ agent: 'a1', path: '/audit', search: `?taskId=${id}` }]);
});

test('a ghost is told as what it is, and so is a task without an attempt under way', async () => {
  const { setup, id, path } = await running();
  const ghost = { taskId: id, attempt: 1, status: 'running', message: 'no process of it was found' };
  setup.network.reply = (call) => call.answer(200, { ...nothing, ghosts: [ghost] });
  expect(await setup.call('GET', path)).toMatchObject({
    status: 200,
    body: { taskId: id, attempt: 1, verifiedAt: NOON, proof: { kind: 'none', message: ghost.message } },
  });
  setup.network.reply = (call) => call.answer(200, nothing);
  expect(await setup.call('GET', path)).toMatchObject({
    status: 200,
    body: { taskId: id, attempt: 1, verifiedAt: NOON, proof: { kind: 'over' } },
  });
});

test('an agent that cannot be asked is said to be so: no proof is made up', async () => {
  const { setup, path } = await running();
  setup.network.reply = (call) => call.cut();
  expect(await setup.call('GET', path)).toMatchObject({
    status: 503,
    body: { code: 'agent_unreachable', detail: 'one cannot be reached: the connection was cut.' },
  });
  setup.network.reply = (call) => call.answer(200, { tasks: [] });
  expect(await setup.call('GET', path)).toMatchObject({ status: 502, body: { code: 'bad_agent' } });
  const missing = await setup.call('GET', `/api/tasks/${newTaskId()}/proof`);
  expect(missing).toMatchObject({ status: 404, body: { code: 'no_such_task' } });
});

test('an agent’s audit and runners are passed on, and so are its problems', async () => {
  const setup = await startTestApp(cleanups);
  const stray = {
    pid: 7,
    startedAt: NOON,
    taskId: newTaskId(),
    attempt: 1,
    message: 'belongs to no live task',
  };
  const audit = { ...nothing, strays: [stray] };
  const runners = {
    items: [
      { name: 'claude', command: ['claude', '-p', '{prompt}'], executable: '/bin/claude', source: 'builtin' },
    ],
  };
  setup.network.reply = (call) => call.answer(200, call.path === '/audit' ? audit : runners);
  expect(await setup.call('GET', '/api/agents/a2/audit')).toMatchObject({ status: 200, body: audit });
  expect(await setup.call('GET', '/api/agents/a2/runners')).toMatchObject({ status: 200, body: runners });
  expect(setup.network.calls.map(({ agent, search }) => agent + search)).toEqual(['a2', 'a2']);
  setup.network.reply = (call) => call.answer(503, problemOf('stopping', 503, 'it is stopping'));
  expect(await setup.call('GET', '/api/agents/a2/audit')).toMatchObject({
    status: 503,
    body: { code: 'stopping' },
  });
  expect(await setup.call('GET', '/api/agents/a9/runners')).toMatchObject({
    status: 404,
    body: { code: 'no_such_agent' },
  });
});
