import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Secret, type State } from '@holdfast/shared';
import { afterEach, expect, test } from 'vitest';
import { startTestApp } from '../test-app.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

const SECRET = 's3cret-path';

/** A channel whose target answers as `target.status` says. */
async function startWithTarget() {
  const target = { status: 200, bodies: [] as string[] };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      target.bodies.push(body);
      response.writeHead(target.status).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = new Secret(`http://${host}/${SECRET}`, host);
  const channel = { type: 'slack' as const, url, on: ['failed' as const], unknownAfterMs: 1, cooldownMs: 2 };
  const setup = await startTestApp(cleanups, { channels: { ops: channel } });
  return { ...setup, target, host };
}

test('the channels are listed without their addresses, and a test says how it went', async () => {
  const { call, target, host } = await startWithTarget();
  const before = await call('GET', '/api/notifications');
  const untried = {
    name: 'ops',
    type: 'slack',
    host,
    on: ['failed'],
    state: 'untried',
    waiting: 0,
    dropped: 0,
  };
  expect(before.body).toMatchObject({ channels: [untried], alerts: [] });
  const tried = await call('POST', '/api/notifications/test', { channel: 'ops' });
  expect(tried.status).toBe(200);
  expect(tried.body).toMatchObject({ name: 'ops', state: 'ok', lastTry: { delivered: true } });
  expect(target.bodies).toEqual([expect.stringContaining('Test from Holdfast')]);
  expect(JSON.stringify([before.body, tried.body])).not.toContain(SECRET);
});

test('a channel that fails is told in the state, under another ETag', async () => {
  const { call, target } = await startWithTarget();
  const fine = await call('GET', '/api/state');
  expect((fine.body as State).failingChannels).toEqual([]);
  target.status = 500;
  const tried = await call('POST', '/api/notifications/test', { channel: 'ops' });
  expect(tried.body).toMatchObject({
    state: 'failing',
    lastTry: { delivered: false, error: 'it answered 500' },
  });
  const state = await call('GET', '/api/state');
  expect((state.body as State).failingChannels).toEqual(['ops']);
  expect(state.headers.get('etag')).not.toBe(fine.headers.get('etag'));
});

test('a test of a channel that is not configured is refused', async () => {
  const { call } = await startWithTarget();
  const cases: [unknown, number][] = [
    [{ channel: 'nobody' }, 404],
    [{ channel: '' }, 422],
    [{}, 422],
    [{ channel: 'ops', url: 'http://127.0.0.1:1' }, 422],
  ];
  for (const [body, status] of cases) {
    expect((await call('POST', '/api/notifications/test', body)).status).toBe(status);
  }
  expect((await call('POST', '/api/notifications/test', { channel: 'ops' }, {})).status).toBe(401);
  expect((await call('GET', '/api/notifications?limit=0')).status).toBe(422);
});
