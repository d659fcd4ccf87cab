import { type ShownTask } from '@holdfast/shared';
import { afterEach, expect, test } from 'vitest';
import { acceptAll, BEARER, startTestApp } from '../test-app.ts';
import { NOON, problemOf, submitOf, until } from '../test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

test('a row is no surer than its link: stale as of the last proof while the agent is late', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  const submit = submitOf();
  await setup.call('POST', '/api/tasks', { ...submit, agent: 'one' });
  setup.links[0]!.show({ state: 'late', reason: 'agent_unreachable', asOf: NOON - 7000 });
  const { body } = await setup.call('GET', `/api/tasks/${submit.id}`);
  expect((body as ShownTask).knowledge).toEqual({
    state: 'stale',
    asOf: NOON - 7000,
    reason: 'agent_unreachable',
  });
});

test('lists filter by status, session, agent, queue, label and text, page without holes, and count', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  const ids: string[] = [];
  for (const [index, agent] of ['a1', 'a2', 'a1', 'a2', 'a1'].entries()) {
    const submit = submitOf({
      sessionId: `s${index % 2}`,
      title: `Build number ${index}`,
      labels: { team: index === 0 ? 'blue' : 'red' },
    });
    ids.unshift(submit.id);
    await setup.call('POST', '/api/tasks', { ...submit, agent });
  }
  const list = async (query: string) =>
    (await setup.call('GET', `/api/tasks${query}`)).body as {
      items: ShownTask[];
      next?: string;
      total?: number;
      cursor: string;
    };
  expect((await list('')).total).toBe(5);
  expect((await list('?agent=two')).items.map((task) => task.agentId)).toEqual(['a2', 'a2']);
  expect((await list('?agent=nobody')).total).toBe(0);
  expect((await list('?sessionId=s1')).total).toBe(2);
  expect((await list('?status=queued,running')).total).toBe(5);
  expect((await list('?status=running')).total).toBe(0);
  expect((await list('?q=NUMBER%203')).items.map((task) => task.title)).toEqual(['Build number 3']);
  expect((await list('?queue=default&agent=a1')).total).toBe(3);
  const titles = async (query: string) => (await list(query)).items.map(({ title }) => title!.at(-1));
  expect(await titles('?notAgent=two')).toEqual(['4', '2', '0']);
  expect(await titles('?notAgent=two&notLabel=team%3Dblue')).toEqual(['4', '2']);
  expect(await titles('?notSessionId=s0&notSessionId=s1')).toEqual([]);
  expect(await titles('?notStatus=queued')).toEqual([]);
  expect(await titles('?notIs=stale,pending&notExit=0&notAttempt=%3E1&notQueue=ci')).toHaveLength(5);
  expect(await titles('?order=changed&limit=2')).toEqual(['4', '3']);
  expect(await titles('?order=longest&limit=2')).toEqual(['0', '1']);
  for (const wrong of ['order=size', 'notExit=many', 'notIs=odd', 'notSince=soon']) {
    expect([wrong, (await setup.call('GET', `/api/tasks?${wrong}`)).status]).toEqual([wrong, 422]);
  }
  const first = await list('?limit=2');
  const second = await list(`?limit=2&after=${first.next}`);
  const third = await list(`?limit=2&after=${second.next}`);
  expect([...first.items, ...second.items, ...third.items].map((task) => task.id)).toEqual(ids);
  expect(third.next).toBeUndefined();
  expect([first.total, second.total, third.total]).toEqual([5, undefined, undefined]);
  expect(first.cursor).toBe(`${setup.store.epoch}.${setup.store.version()}`);
});

test('a filter that does not exist is refused, not ignored', async () => {
  const { call } = await startTestApp(cleanups);
  for (const query of [
    'stauts=running',
    'status=runing',
    'limit=0',
    'limit=501',
    'limit=x',
    'after=nonsense',
    'sessionId=-',
  ]) {
    const answer = await call('GET', `/api/tasks?${query}`);
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'invalid', errors: [{ pointer: expect.any(String) }] },
    });
  }
});

test('an ETag holds until something that is shown changes: a row, or the state of a link', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  await until(() => setup.store.version() > 0);
  for (const path of ['/api/tasks', '/api/state', '/api/sessions']) {
    const etag = (await setup.call('GET', path)).headers.get('etag')!;
    const again = () => setup.call('GET', path, undefined, { ...BEARER, 'if-none-match': etag });
    expect(await again()).toMatchObject({ status: 304, body: '' });
    setup.links[1]!.show({ state: setup.agents.viewOf('a2')!.state === 'live' ? 'late' : 'live' });
    expect((await again()).status).toBe(200);
  }
  const etag = (await setup.call('GET', '/api/tasks')).headers.get('etag')!;
  await setup.call('POST', '/api/tasks', submitOf());
  expect(
    (await setup.call('GET', '/api/tasks', undefined, { ...BEARER, 'if-none-match': etag })).status,
  ).toBe(200);
});

test('sessions are read by their ids in one request, whatever else the list holds', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  for (const sessionId of ['a', 'b', 'c']) await setup.call('POST', '/api/tasks', submitOf({ sessionId }));
  await setup.call('PATCH', '/api/sessions/b', { archived: true });
  const named = await setup.call('GET', '/api/sessions?ids=b,c,nobody,b');
  expect(named.body).toMatchObject({ items: [{ id: 'b' }, { id: 'c' }], cursor: expect.any(String) });
  expect((named.body as { items: unknown[] }).items).toHaveLength(2);
  const many = Array.from({ length: 51 }, (_, n) => `s${n}`).join(',');
  expect((await setup.call('GET', `/api/sessions?ids=${many}`)).status).toBe(422);
});

test('sessions are listed, read, renamed and archived', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  await setup.call('POST', '/api/tasks', submitOf({ sessionId: 'nightly', title: 'Run' }));
  expect((await setup.call('GET', '/api/sessions')).body).toMatchObject({
    items: [{ id: 'nightly', status: 'queued', counts: { queued: 1 }, archived: false }],
    cursor: expect.any(String),
  });
  const changed = await setup.call('PATCH', '/api/sessions/nightly', { title: 'Nightly', archived: true });
  expect(changed).toMatchObject({ status: 200, body: { title: 'Nightly', archived: true } });
  expect((await setup.call('GET', '/api/sessions?archived=false')).body).toMatchObject({ items: [] });
  expect((await setup.call('GET', '/api/sessions/nightly')).body).toMatchObject({ title: 'Nightly' });
  expect(await setup.call('GET', '/api/sessions/none')).toMatchObject({
    status: 404,
    body: { code: 'no_such_session' },
  });
  expect((await setup.call('PATCH', '/api/sessions/none', { archived: true })).status).toBe(404);
  expect((await setup.call('PATCH', '/api/sessions/nightly', {})).status).toBe(422);
});

test('attempts are asked from the agent; without it they are 503', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  const submit = submitOf();
  await setup.call('POST', '/api/tasks', submit);
  const items = [{ attempt: 1, claimedAt: NOON, outputBytes: 0 }];
  setup.network.reply = (call) => call.answer(200, { items });
  const path = `/api/tasks/${submit.id}/attempts`;
  expect(await setup.call('GET', path)).toMatchObject({ status: 200, body: { items } });
  setup.network.reply = (call) => call.cut();
  expect(await setup.call('GET', path)).toMatchObject({ status: 503, body: { code: 'agent_unreachable' } });
  setup.network.reply = (call) => call.answer(404, problemOf('no_such_task', 404));
  expect(await setup.call('GET', path)).toMatchObject({
    status: 404,
    body: { code: 'no_such_task', instance: path },
  });
  setup.network.reply = (call) => call.answer(200, { items: 'many' });
  expect(await setup.call('GET', path)).toMatchObject({ status: 502, body: { code: 'bad_agent' } });
});

test('lists filter by mark, end, attempt and exit code, in either order; labels are counted', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  const ids: string[] = [];
  for (const team of ['red', 'red', 'blue']) {
    const submit = submitOf({ labels: { team } });
    ids.push(submit.id);
    await setup.call('POST', '/api/tasks', { ...submit, agent: 'a1' });
  }
  await setup.store.markUnknown('a1', 'agent_unreachable', NOON, NOON);
  const list = async (query: string) => {
    const { status, body } = await setup.call('GET', `/api/tasks${query}`);
    return status === 200 ? (body as { items: ShownTask[] }).items.map(({ id }) => id) : status;
  };
  expect(await list('?is=needsYou&order=oldest')).toEqual(ids);
  expect(await list('?is=needsYou')).toEqual(ids.toReversed());
  expect(await list('?is=stale,pending')).toEqual([]);
  expect(await list(`?since=${NOON}&attempt=0`)).toHaveLength(3);
  expect(await list('?attempt=%3E1')).toEqual([]);
  expect(await list('?exit=!0')).toEqual([]);
  for (const query of ['?is=nonsense', '?since=yesterday', '?attempt=many', '?exit=1.5', '?order=random']) {
    expect(await list(query)).toBe(422);
  }
  const bulk = { action: 'resolve', filter: { is: ['needsYou'], attempt: 0 }, dryRun: true };
  expect(await setup.call('POST', '/api/tasks/bulk', bulk)).toMatchObject({ body: { matched: 3 } });
  expect((await setup.call('GET', '/api/labels')).body).toEqual({
    items: [
      { label: 'team=red', tasks: 2 },
      { label: 'team=blue', tasks: 1 },
    ],
  });
});
