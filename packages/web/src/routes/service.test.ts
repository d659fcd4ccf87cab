import { type Problem, type State } from '@holdfast/shared';
import { afterEach, expect, test } from 'vitest';
import { acceptAll, type Answer, BEARER, startTestApp } from '../test-app.ts';
import { newTaskId, NOON, submitOf, until } from '../test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

test('bad input is told by its own status, and changes nothing', async () => {
  const setup = await startTestApp(cleanups);
  const { call } = setup;
  const big = JSON.stringify({ ...submitOf(), title: 'x'.repeat(2 * 1024 * 1024) });
  const cases: [Promise<Answer>, number, string][] = [
    [call('POST', '/api/tasks', '{"id":'), 400, 'malformed_json'],
    [call('POST', '/api/tasks', { ...submitOf(), priority: 'high' }), 422, 'invalid'],
    [call('POST', '/api/tasks', { ...submitOf(), id: 'x' }), 422, 'invalid'],
    [call('POST', '/api/tasks', { ...submitOf(), sessionId: undefined }), 422, 'invalid'],
    [call('POST', '/api/tasks', { ...submitOf(), spec: {} }), 422, 'invalid'],
    [call('POST', '/api/tasks', { ...submitOf(), spec: { shell: 'a', command: ['b'] } }), 422, 'invalid'],
    [call('POST', '/api/tasks', { ...submitOf(), unknown: 1 }), 422, 'invalid'],
    [call('POST', '/api/tasks', []), 422, 'invalid'],
    [call('POST', '/api/tasks', submitOf({ id: newTaskId(NOON + 3_600_000) })), 422, 'invalid'],
    [call('POST', '/api/tasks', big), 413, 'too_large'],
    [
      call('POST', '/api/tasks', 'a=b', { ...BEARER, 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'unsupported_media_type',
    ],
    [call('GET', '/api/nothing'), 404, 'no_such_route'],
    [call('POST', '/nothing'), 404, 'no_such_route'],
    [call('DELETE', '/api/tasks'), 405, 'method_not_allowed'],
    [call('GET', '/api/sign-in'), 405, 'method_not_allowed'],
    [call('GET', '/api/tasks/none'), 404, 'no_such_task'],
  ];
  for (const [answer, status, code] of cases) {
    const { body, headers, ...rest } = await answer;
    expect([rest.status, (body as Problem).code]).toEqual([status, code]);
    expect(headers.get('content-type')).toBe('application/problem+json');
  }
  expect(setup.store.counts()).toEqual({});
  expect(setup.network.calls).toEqual([]);
});

test('the state names agents, counts and the cursor from which the feed goes on', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  await setup.call('POST', '/api/tasks', submitOf());
  const state = (await setup.call('GET', '/api/state')).body as State;
  expect(state).toMatchObject({ agents: [{ id: 'a1', state: 'live' }, { id: 'a2' }], counts: { queued: 1 } });
  const feed = await fetch(`${setup.url}/api/events?cursor=${state.cursor}`, { headers: BEARER });
  expect(feed.headers.get('content-type')).toContain('text/event-stream');
  const reader = feed.body!.getReader();
  const hello = new TextDecoder().decode((await reader.read()).value);
  expect(hello).toContain('event: hello');
  await reader.cancel();
});

test('the feed goes on from Last-Event-ID before ?cursor=', async () => {
  const setup = await startTestApp(cleanups);
  await until(() => setup.store.version() > 0);
  const { store, url } = setup;
  const answer = await fetch(`${url}/api/events?cursor=nonsense`, {
    headers: { ...BEARER, 'last-event-id': `${store.epoch}.${store.version() + 7}` },
  });
  const reader = answer.body!.getReader();
  let text = '';
  // The frame as a whole, however it comes in pieces.
  while (!/event: reset\ndata: .*\n/.test(text)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the feed ended without a reset:\n${text}`);
    text += new TextDecoder().decode(value);
  }
  expect(text).toContain('"ahead"');
  await reader.cancel();
});

test('health says whether web serves; agents that are away do not count', async () => {
  const { call, links } = await startTestApp(cleanups);
  for (const link of links) link.show({ state: 'lost' });
  expect(await call('GET', '/readyz', undefined, {})).toMatchObject({
    status: 200,
    body: { ready: true, checks: { store: true } },
  });
  expect(await call('GET', '/livez', undefined, {})).toMatchObject({ status: 200, body: 'ok' });
});

test('metrics count tasks by status, unknown among them, agents by state, and intents', async () => {
  const setup = await startTestApp(cleanups);
  acceptAll(setup);
  await setup.call('POST', '/api/tasks', { ...submitOf(), agent: 'a1' });
  await setup.store.markUnknown('a1', 'agent_unreachable', NOON, NOON);
  const text = (await setup.call('GET', '/metrics')).body as string;
  for (const line of [
    'holdfast_web_tasks{status="unknown",service="holdfast-web"} 1',
    'holdfast_web_tasks{status="running",service="holdfast-web"} 0',
    'holdfast_web_agents{state="live",service="holdfast-web"} 2',
    'holdfast_web_agent_reconnects{agent="a1",service="holdfast-web"} 1',
    'holdfast_web_agent_gaps{agent="a1",service="holdfast-web"} 2',
    'holdfast_web_agent_digest_mismatches{agent="a2",service="holdfast-web"} 5',
    'holdfast_web_intents{service="holdfast-web"} 0',
    'holdfast_web_intent_oldest_age_seconds{service="holdfast-web"} 0',
    'holdfast_web_feed_clients{service="holdfast-web"} 0',
  ]) {
    expect(text).toContain(line);
  }
});

test('the published description names every route', async () => {
  const { call } = await startTestApp(cleanups);
  const { paths } = (await call('GET', '/openapi.json')).body as {
    paths: Record<string, Record<string, unknown>>;
  };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(routes.toSorted()).toEqual(
    [
      'delete /api/agents/{id}',
      'get /api/agents',
      'get /api/agents/{id}/audit',
      'get /api/agents/{id}/runners',
      'get /api/events',
      'get /api/labels',
      'get /api/notifications',
      'get /api/sessions',
      'get /api/sessions/{id}',
      'get /api/state',
      'get /api/tasks',
      'get /api/tasks/{id}',
      'get /api/tasks/{id}/attempts',
      'get /api/tasks/{id}/events',
      'get /api/tasks/{id}/knowledge',
      'get /api/tasks/{id}/output',
      'get /api/tasks/{id}/output/stream',
      'get /api/tasks/{id}/proof',
      'get /livez',
      'get /metrics',
      'get /readyz',
      'patch /api/agents/{id}',
      'patch /api/sessions/{id}',
      'post /api/agents',
      'post /api/agents/{id}/drain',
      'post /api/agents/{id}/pause',
      'post /api/agents/{id}/reconnect',
      'post /api/agents/{id}/resume',
      'post /api/login-codes',
      'post /api/notifications/test',
      'post /api/reclaim',
      'post /api/sign-in',
      'post /api/sign-out',
      'post /api/tasks',
      'post /api/tasks/bulk',
      'post /api/tasks/{id}/cancel',
      'post /api/tasks/{id}/reclaim',
      'post /api/tasks/{id}/resolve',
      'post /api/tasks/{id}/retry',
    ].toSorted(),
  );
  expect((await call('GET', '/docs')).status).toBe(200);
});

test('pages run no inline script, and are framed by nobody', async () => {
  const { call } = await startTestApp(cleanups);
  const { headers } = await call('GET', '/', undefined, {});
  const policy = headers.get('content-security-policy')!;
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toContain('unsafe');
  expect(policy).toContain("frame-ancestors 'none'");
  expect(headers.get('x-content-type-options')).toBe('nosniff');
});
