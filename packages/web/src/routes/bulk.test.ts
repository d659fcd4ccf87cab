import type { ShownTask, Submit } from '@holdfast/shared';
import { afterEach, expect, test } from 'vitest';
import type { BulkResult } from '../bulk.ts';
import { startTestApp, type TestApp } from '../test-app.ts';
import { type HeldCall, newTaskId, NOON, problemOf, submitOf, taskOf, until } from '../test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

type Fields = Parameters<typeof taskOf>[1];

/** A task that its agent states so from the first. */
async function held(
  setup: TestApp,
  agent: string,
  fields: Fields,
  more: Partial<Submit> = {},
): Promise<string> {
  const submit = submitOf(more);
  const before = setup.network.reply;
  setup.network.reply = (call) => call.answer(201, taskOf(submit, { agentId: agent, ...fields }));
  await setup.call('POST', '/api/tasks', { ...submit, agent });
  setup.network.reply = before;
  setup.network.calls.length = 0;
  return submit.id;
}

async function bulk(setup: TestApp, body: unknown): Promise<BulkResult> {
  const answer = await setup.call('POST', '/api/tasks/bulk', body);
  expect(answer).toMatchObject({ status: 200 });
  return answer.body as BulkResult;
}

const idOf = ({ path }: HeldCall): string => path.split('/')[2]!;

test('a bulk cancel says for each task what became of it, and a refusal stops none of the others', async () => {
  const setup = await startTestApp(cleanups);
  const [alive, gone, stubborn] = [
    await held(setup, 'a1', { status: 'running', attempt: 1, seq: 3 }),
    await held(setup, 'a1', { status: 'failed', attempt: 1, seq: 4, endedAt: NOON }),
    await held(setup, 'a2', { status: 'running', attempt: 1, seq: 3 }),
  ];
  const unheard = newTaskId();
  setup.network.reply = (call) =>
    call.agent === 'a1'
      ? call.answer(202, taskOf(submitOf({ id: idOf(call) }), { status: 'cancelled', seq: 9, endedAt: NOON }))
      : call.answer(409, { ...problemOf('already_ended', 409, 'it ended'), taskStatus: 'failed' });
  expect(await bulk(setup, { action: 'cancel', ids: [alive, gone, unheard, stubborn, alive] })).toEqual({
    items: [
      { id: alive, title: 'true', result: 'done' },
      {
        id: gone,
        title: 'true',
        result: 'refused',
        code: 'already_ended',
        message: 'The task has already ended: failed.',
      },
      { id: unheard, result: 'refused', code: 'no_such_task', message: `There is no task ${unheard}.` },
      { id: stubborn, title: 'true', result: 'refused', code: 'already_ended', message: 'it ended' },
    ],
    matched: 4,
  });
});

test('each row of a dry run and of a result says what its task is called, cut to 120 characters', async () => {
  const setup = await startTestApp(cleanups);
  const ended = { status: 'failed', attempt: 1, seq: 4, endedAt: NOON } as const;
  const titled = await held(setup, 'a1', { ...ended, title: '🚀'.repeat(150) });
  const blank = await held(setup, 'a1', { ...ended, title: '\u2003', spec: { command: ['make', 'all'] } });
  const untitled = await held(setup, 'a1', { ...ended, spec: { shell: 'one\ntwo' } });
  const prompted = await held(setup, 'a1', { ...ended, spec: { runner: 'claude', prompt: 'fix it' } });
  const ids = [titled, blank, untitled, prompted];
  const titles = ['🚀'.repeat(120), 'make all', 'one', 'claude: fix it'];
  for (const dryRun of [true, false]) {
    const { items } = await bulk(setup, { action: 'cancel', ids, dryRun });
    expect(items.map(({ title }) => title)).toEqual(titles);
  }
});

test('a dry run says what would be done and what would be refused, and changes nothing', async () => {
  const setup = await startTestApp(cleanups);
  const alive = await held(setup, 'a1', { status: 'running', attempt: 1, seq: 3 });
  const away = await held(setup, 'a2', { status: 'running', attempt: 1, seq: 3 });
  const waiting = await held(setup, 'a1', { status: 'queued', seq: 1 });
  const ended = await held(setup, 'a1', { status: 'failed', attempt: 1, seq: 4, endedAt: NOON });
  setup.links[1]!.show({ state: 'lost' });
  const rows = () => setup.store.tasks({}, { limit: 10 }).then(({ items }) => items);
  const before = await rows();
  const ids = [alive, away, waiting, ended];
  const dry = async (action: string) => (await bulk(setup, { action, ids, dryRun: true })).items;
  const wait = 'two cannot be reached now: it would be delivered when that returns.';
  expect(await dry('reclaim')).toMatchObject([
    { id: alive, result: 'wouldDo' },
    { id: away, result: 'wouldDo', message: wait },
    { id: waiting, result: 'refused', code: 'not_claimable' },
    { id: ended, result: 'refused', code: 'not_claimable' },
  ]);
  expect(await dry('cancel')).toMatchObject([
    { result: 'wouldDo' },
    { result: 'wouldDo', message: wait },
    { result: 'wouldDo' },
    { result: 'refused', code: 'already_ended' },
  ]);
  expect((await dry('retry')).map(({ result }) => result)).toEqual([
    'refused',
    'refused',
    'refused',
    'wouldDo',
  ]);
  expect((await dry('resolve')).map(({ code }) => code)).toEqual(Array(4).fill('not_unknown'));
  expect(await rows()).toEqual(before);
  expect(setup.network.calls).toEqual([]);
});

test('a filter acts on all that it finds, page by page, and says how many there are', async () => {
  const setup = await startTestApp(cleanups);
  const journal = Array.from({ length: 620 }, () => submitOf({ sessionId: 'many' }));
  setup.network.reply = (call) =>
    call.path === '/tasks'
      ? call.answer(201, taskOf(call.body as Submit, { agentId: call.agent }))
      : call.answer(
          202,
          taskOf(submitOf({ id: idOf(call), sessionId: 'many' }), {
            status: 'cancelled',
            seq: 2,
            endedAt: NOON,
          }),
        );
  await Promise.all(journal.map((submit) => setup.call('POST', '/api/tasks', { ...submit, agent: 'a1' })));
  const other = await held(setup, 'a1', { status: 'running', attempt: 1, seq: 3 });
  const filter = { sessionId: 'many', status: ['queued'], agent: 'one' };
  const would = await bulk(setup, { action: 'cancel', filter, dryRun: true });
  expect(would.matched).toBe(620);
  expect(new Set(would.items.map(({ id }) => id))).toEqual(new Set(journal.map(({ id }) => id)));
  const { items, matched } = await bulk(setup, { action: 'cancel', filter });
  expect(matched).toBe(620);
  expect(new Set(items.map(({ result }) => result))).toEqual(new Set(['done']));
  expect(setup.store.counts()).toEqual({ cancelled: 620, running: 1 });
  expect((await setup.store.task(other))?.status).toBe('running');
  expect(await bulk(setup, { action: 'cancel', filter })).toEqual({ items: [], matched: 0 });
});

test('a bulk retry that is repeated makes no second task and names the first', async () => {
  const setup = await startTestApp(cleanups);
  const old = await held(setup, 'a1', { status: 'failed', attempt: 1, seq: 4, endedAt: NOON - 1000 });
  setup.network.reply = (call) => {
    const { id } = call.body as { id: string };
    call.answer(201, taskOf(submitOf({ id }), { retryOf: old, seq: 5 }));
  };
  const [first] = (await bulk(setup, { action: 'retry', ids: [old] })).items;
  expect(first).toMatchObject({ id: old, result: 'done' });
  expect(await setup.store.task(first!.newId!)).toMatchObject({ status: 'queued', task: { retryOf: old } });
  setup.network.calls.length = 0;
  const [would] = (await bulk(setup, { action: 'retry', ids: [old], dryRun: true })).items;
  expect(would).toMatchObject({
    result: 'wouldDo',
    newId: first!.newId,
    message: expect.stringMatching('before'),
  });
  const [second] = (await bulk(setup, { action: 'retry', filter: { status: 'failed' } })).items;
  expect(second).toMatchObject({
    result: 'done',
    newId: first!.newId,
    message: expect.stringMatching('before'),
  });
  expect(setup.network.calls).toEqual([]);
  expect(setup.store.counts()).toEqual({ failed: 1, queued: 1 });
});

test('a task that was given up and retried in bulk is not retried again when its end becomes known', async () => {
  const setup = await startTestApp(cleanups);
  const submit = submitOf();
  const old = await held(setup, 'a1', { status: 'running', attempt: 1, seq: 3 }, submit);
  await setup.store.markUnknown('a1', 'agent_unreachable', NOON, NOON);
  await bulk(setup, { action: 'resolve', ids: [old] });
  setup.network.reply = (call) => {
    const { id } = call.body as { id: string };
    call.answer(201, taskOf(submitOf({ id }), { retryOf: old, seq: 5 }));
  };
  const [first] = (await bulk(setup, { action: 'retry', ids: [old] })).items;
  expect(first).toMatchObject({ result: 'done' });
  const ended = { agentId: 'a1', status: 'failed', attempt: 1, seq: 9, endedAt: NOON - 5000 } as const;
  await setup.store.recordIntent({
    id: 'late',
    taskId: old,
    agentId: 'a1',
    at: NOON,
    body: { action: 'cancel' },
  });
  await setup.store.settleIntent('late', NOON, taskOf(submit, ended));
  expect(await setup.store.task(old)).toMatchObject({ status: 'failed' });
  const [second] = (await bulk(setup, { action: 'retry', ids: [old] })).items;
  expect(second).toMatchObject({ result: 'done', newId: first!.newId });
});

test('a bulk reclaim means the attempt that web knew, and an unknown task is given up in bulk', async () => {
  const setup = await startTestApp(cleanups);
  const ids = [
    await held(setup, 'a1', { status: 'running', attempt: 3, seq: 9 }),
    await held(setup, 'a1', { status: 'starting', attempt: 1, seq: 2 }),
  ];
  const bodies: unknown[] = [];
  setup.network.reply = (call) => {
    bodies.push(call.body);
    call.answer(202, taskOf(submitOf({ id: idOf(call) }), { status: 'queued', attempt: 3, seq: 12 }));
  };
  const { items } = await bulk(setup, { action: 'reclaim', ids, reason: 'the machine is being moved' });
  expect(items.map(({ result }) => result)).toEqual(['done', 'done']);
  expect(bodies).toEqual([
    { attempt: 3, reason: 'the machine is being moved' },
    { attempt: 1, reason: 'the machine is being moved' },
  ]);
  await setup.store.markUnknown('a1', 'agent_unreachable', NOON, NOON);
  const resolved = await bulk(setup, { action: 'resolve', filter: { status: 'unknown' } });
  expect(resolved.items.map(({ result }) => result)).toEqual(['done', 'done']);
  expect(setup.store.counts()).toEqual({ lost: 2 });
});

test('P11: an agent that does not answer holds up neither the answer nor another agent’s tasks', async () => {
  const setup = await startTestApp(cleanups);
  const mute = await Promise.all(
    Array.from({ length: 70 }, () => submitOf()).map(async (submit) => submit.id),
  );
  setup.network.reply = (call) =>
    call.answer(
      201,
      taskOf(call.body as Submit, { agentId: call.agent, status: 'running', attempt: 1, seq: 3 }),
    );
  await Promise.all(mute.map((id) => setup.call('POST', '/api/tasks', { ...submitOf({ id }), agent: 'a1' })));
  const quick = await held(setup, 'a2', { status: 'running', attempt: 1, seq: 3 });
  setup.network.reply = (call) => {
    if (call.agent === 'a1') return;
    call.answer(
      202,
      taskOf(submitOf({ id: quick }), { agentId: 'a2', status: 'cancelled', seq: 4, endedAt: NOON }),
    );
  };
  const answer = bulk(setup, { action: 'cancel', ids: [...mute, quick] });
  await until(async () => (await setup.store.task(quick))?.status === 'cancelled');
  // Every row of the mute agent that may be under way is.
  await until(() => setup.network.calls.length > 1);
  setup.clock.advance(10_000);
  const { items } = await answer;
  expect(items.find(({ id }) => id === quick)).toEqual({ id: quick, title: 'true', result: 'done' });
  expect(items.filter(({ result }) => result === 'promised')).toHaveLength(70);
  const row = (await setup.call('GET', `/api/tasks/${mute[69]}`)).body as ShownTask;
  expect(row.pending).toMatchObject([{ action: 'cancel' }]);
});

test('a bulk that does not say which tasks it means is refused', async () => {
  const setup = await startTestApp(cleanups);
  for (const body of [
    { action: 'cancel' },
    { action: 'cancel', ids: ['a'], filter: {} },
    { action: 'cancel', ids: [] },
    { action: 'cancel', ids: Array.from({ length: 1001 }, String) },
    { action: 'remove', ids: ['a'] },
    { action: 'cancel', filter: { state: 'failed' } },
    { action: 'cancel', filter: { status: ['done'] } },
  ]) {
    expect(await setup.call('POST', '/api/tasks/bulk', body)).toMatchObject({
      status: 422,
      body: { code: 'invalid' },
    });
  }
});

test('a bulk for an agent that nobody knows is refused; one that was removed is known by its tasks', async () => {
  const setup = await startTestApp(cleanups);
  const left = await held(setup, 'a2', { status: 'running', attempt: 1, seq: 3 });
  const resolve = (agent: string) =>
    setup.call('POST', '/api/tasks/bulk', { action: 'resolve', filter: { agent, status: ['unknown'] } });
  expect(await resolve('nobody')).toMatchObject({
    status: 422,
    body: {
      code: 'invalid',
      errors: [{ pointer: '/filter/agent', detail: 'no agent has the id or name "nobody"' }],
    },
  });
  expect(await resolve('two')).toMatchObject({ status: 200, body: { items: [], matched: 0 } });
  expect(await setup.call('GET', '/api/tasks?agent=nobody')).toMatchObject({
    status: 200,
    body: { total: 0 },
  });
  await setup.store.removeAgent('a2', NOON);
  await setup.agents.stop();
  setup.agents.find = () => ({ outcome: 'none' });
  expect(await resolve('a2')).toMatchObject({ status: 200, body: { items: [{ id: left, result: 'done' }] } });
});

const stale = (taskId: string) => ({
  taskId,
  attempt: 2,
  evidence: { code: 'claim_silent', message: 'silent for 40 s', sinceAt: NOON - 40_000 },
  action: 'requeue',
  result: 'wouldReclaim',
});

test('every agent is asked what it finds stale, and one that could not be asked is named', async () => {
  const setup = await startTestApp(cleanups);
  const id = newTaskId();
  const bodies: unknown[] = [];
  setup.links[1]!.show({ state: 'late' });
  setup.network.reply = (call) => {
    bodies.push([call.agent, call.method, call.path, call.body]);
    if (call.agent === 'a1') call.answer(200, { items: [stale(id)] });
    else call.cut();
  };
  const asked = { olderThanMs: 60_000, maxAttempts: 5, dryRun: true };
  expect(await setup.call('POST', '/api/reclaim', asked)).toMatchObject({
    status: 200,
    body: {
      items: [{ ...stale(id), agentId: 'a1', agentName: 'one' }],
      unreachable: [
        {
          agentId: 'a2',
          name: 'two',
          state: 'late',
          message: 'two cannot be reached: the connection was cut.',
        },
      ],
    },
  });
  expect(bodies).toEqual([
    ['a1', 'POST', '/reclaim', asked],
    ['a2', 'POST', '/reclaim', asked],
  ]);
  bodies.length = 0;
  const one = await setup.call('POST', '/api/reclaim', { agent: 'two' });
  expect(one.body).toMatchObject({ items: [], unreachable: [{ agentId: 'a2' }] });
  expect(bodies).toEqual([['a2', 'POST', '/reclaim', {}]]);
  setup.network.reply = (call) => call.answer(200, { items: 'none' });
  expect((await setup.call('POST', '/api/reclaim', {})).body).toMatchObject({
    items: [],
    unreachable: [{ message: 'The answer of one cannot be read.' }, { agentId: 'a2' }],
  });
  expect(await setup.call('POST', '/api/reclaim', { agent: 'nobody' })).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '/agent' }] },
  });
});

test('P11: no agent waits with its stale tasks for another that is slow to answer', async () => {
  const setup = await startTestApp(cleanups);
  const answer = setup.call('POST', '/api/reclaim', {});
  await until(() => setup.network.calls.length === 2);
  const [slow, quick] = ['a1', 'a2'].map((id) => setup.network.calls.find(({ agent }) => agent === id)!);
  const id = newTaskId();
  quick!.answer(200, { items: [{ ...stale(id), result: 'reclaimed' }] });
  slow!.cut();
  expect((await answer).body).toMatchObject({
    items: [{ taskId: id, agentName: 'two' }],
    unreachable: [
      {
        name: 'one',
        message:
          'one cannot be reached: the connection was cut. Nothing is known of its stale tasks; asking again is harmless.',
      },
    ],
  });
});
