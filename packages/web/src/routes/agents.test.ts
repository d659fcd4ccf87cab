import { afterEach, expect, test } from 'vitest';
import { startTestApp } from '../test-app.ts';
import { problemOf } from '../test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

test('an agent’s pool is changed through web, and its refusals come back', async () => {
  const setup = await startTestApp(cleanups);
  const pool = { slots: 2, running: 0, queued: 0, paused: true, draining: false };
  const seen: unknown[] = [];
  setup.network.reply = (call) => {
    seen.push([call.agent, call.method, call.path, call.body]);
    call.answer(200, pool);
  };
  expect(await setup.call('POST', '/api/agents/a1/pause')).toMatchObject({ status: 200, body: pool });
  await setup.call('POST', '/api/agents/a1/drain');
  await setup.call('POST', '/api/agents/a1/resume');
  expect(await setup.call('PATCH', '/api/agents/a2', { slots: 2 })).toMatchObject({
    status: 200,
    body: pool,
  });
  expect(seen).toEqual([
    ['a1', 'POST', '/pool/pause', undefined],
    ['a1', 'POST', '/pool/drain', undefined],
    ['a1', 'POST', '/pool/resume', undefined],
    ['a2', 'PATCH', '/pool', { slots: 2 }],
  ]);
  setup.network.reply = (call) =>
    call.answer(422, { ...problemOf('invalid', 422), errors: [{ pointer: '/slots', detail: 'too many' }] });
  expect(await setup.call('PATCH', '/api/agents/a2', { slots: 9 })).toMatchObject({
    status: 422,
    body: {
      code: 'invalid',
      errors: [{ pointer: '/slots', detail: 'too many' }],
      instance: '/api/agents/a2',
    },
  });
  setup.network.reply = (call) => call.answer(401, problemOf('unauthorized', 401));
  expect(await setup.call('POST', '/api/agents/a1/pause')).toMatchObject({
    status: 502,
    body: { code: 'bad_agent' },
  });
  setup.network.reply = (call) => call.cut();
  expect(await setup.call('POST', '/api/agents/a1/pause')).toMatchObject({
    status: 503,
    body: { code: 'agent_unreachable' },
  });
  expect(await setup.call('POST', '/api/agents/a9/pause')).toMatchObject({
    status: 404,
    body: { code: 'no_such_agent' },
  });
});

test('a person ends the wait for the next connection to an agent', async () => {
  const setup = await startTestApp(cleanups);
  const answer = await setup.call('POST', '/api/agents/a1/reconnect');
  expect(answer).toMatchObject({ status: 202, body: { id: 'a1' } });
  expect(setup.links.map((link) => link.retries)).toEqual([1, 0]);
  expect(await setup.call('POST', '/api/agents/a9/reconnect')).toMatchObject({
    status: 404,
    body: { code: 'no_such_agent' },
  });
});

test('agents are added and removed, and no token is ever shown', async () => {
  const setup = await startTestApp(cleanups);
  setup.network.reply = (call) => call.answer(200, { agentId: 'r1', name: 'far' });
  const added = await setup.call('POST', '/api/agents', { url: 'http://r1.test/', token: 'secret-of-r1' });
  expect(added).toMatchObject({ status: 201, body: { id: 'r1', name: 'far', url: 'http://r1.test' } });
  const list = await setup.call('GET', '/api/agents');
  expect((list.body as { items: { id: string }[] }).items.map(({ id }) => id)).toEqual(['r1', 'a1', 'a2']);
  expect(JSON.stringify([added.body, list.body, (await setup.call('GET', '/api/state')).body])).not.toContain(
    'secret-of-r1',
  );
  expect(await setup.call('DELETE', '/api/agents/r1')).toMatchObject({ status: 200, body: { id: 'r1' } });
  expect((await setup.call('DELETE', '/api/agents/r1')).status).toBe(404);
  for (const url of ['file:///etc/passwd', 'gopher://x', 'http://user:pw@host', 'nonsense']) {
    expect(await setup.call('POST', '/api/agents', { url, token: 't' })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/url' }] },
    });
  }
});
