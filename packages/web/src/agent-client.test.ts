import { getEventListeners } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createAgentClient } from './agent-client.ts';
import { passOn } from './agent-problem.ts';
import { problemOf } from './test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

async function clientOf(answer: RequestListener, prefix = '') {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  const { port } = server.address() as AddressInfo;
  return createAgentClient({ url: `http://127.0.0.1:${port}${prefix}`, token: 'token-of-a1' });
}

/** A port that nobody listens on (fetch itself refuses the well-known ones). */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const refusedWith = (status: number, problem?: ReturnType<typeof problemOf>) =>
  passOn({
    kind: 'refused',
    status,
    message: 'm',
    ...(problem === undefined ? {} : { code: problem.code, problem }),
  });

test('a call carries the token and JSON, below the address’s own path', async () => {
  const seen: unknown[] = [];
  const client = await clientOf((request, response) => {
    seen.push(request.method, request.url, request.headers.authorization, request.headers['content-type']);
    request.pipe(response);
  }, '/agent-7');
  const answer = await client.call('POST', '/tasks', { body: { hello: 'wörld' } });
  expect(answer).toEqual({ kind: 'ok', status: 200, body: { hello: 'wörld' } });
  expect(seen).toEqual(['POST', '/agent-7/tasks', 'Bearer token-of-a1', 'application/json']);
});

test('a refusal says whether the agent itself answered', async () => {
  const own = await clientOf((_request, response) => {
    response.writeHead(503, { 'retry-after': '3' }).end(JSON.stringify(problemOf('queue_full', 503, 'full')));
  });
  expect(await own.call('GET', '/')).toMatchObject({
    kind: 'refused',
    status: 503,
    code: 'queue_full',
    message: 'full',
    retryAfterMs: 3000,
  });
  const proxy = await clientOf((_request, response) => {
    response.writeHead(502, { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }).end('<h1>Bad Gateway</h1>');
  });
  const answer = await proxy.call('GET', '/');
  expect(answer).toMatchObject({ kind: 'refused', status: 502 });
  expect(answer).not.toHaveProperty('code');
  expect(answer).not.toHaveProperty('retryAfterMs');
});

test('the token follows no redirect', async () => {
  let elsewhere = 0;
  const other = await clientOf((_request, response) => {
    elsewhere += 1;
    response.end('{}');
  });
  expect(await other.call('GET', '/')).toMatchObject({ kind: 'ok' });
  const client = await clientOf((_request, response) =>
    response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  );
  expect(await client.call('GET', '/')).toMatchObject({ kind: 'refused', status: 302 });
  expect(elsewhere).toBe(1);
});

test('a call ends with its caller’s signal, and one that is over leaves nothing on it', async () => {
  const stop = new AbortController();
  const quick = await clientOf((_request, response) => response.end('{}'));
  expect(await quick.call('GET', '/', { signal: stop.signal })).toMatchObject({ kind: 'ok' });
  expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  const silent = await clientOf(() => stop.abort());
  await expect(silent.call('GET', '/', { signal: stop.signal })).rejects.toMatchObject({
    code: 'agent_unreachable',
  });
  expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  await expect(quick.call('GET', '/', { signal: stop.signal })).rejects.toMatchObject({
    code: 'agent_unreachable',
  });
});

test('no whole answer is no answer: refused, cut, silent, not JSON, endless', async () => {
  const unreachable = { code: 'agent_unreachable' };
  const nobody = createAgentClient({ url: `http://127.0.0.1:${await freePort()}`, token: 't' });
  await expect(nobody.call('GET', '/')).rejects.toMatchObject({
    ...unreachable,
    message: 'nothing listens there',
  });
  const cut = await clientOf((_request, response) => response.destroy());
  await expect(cut.call('GET', '/')).rejects.toMatchObject(unreachable);
  const half = await clientOf((_request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"id":');
    setImmediate(() => response.destroy());
  });
  await expect(half.call('GET', '/')).rejects.toMatchObject(unreachable);
  const silent = await clientOf(() => {});
  await expect(silent.call('GET', '/', { timeoutMs: 20 })).rejects.toMatchObject({
    ...unreachable,
    message: 'no answer within 0.02 s',
  });
  const page = await clientOf((_request, response) => response.end('<html>'));
  await expect(page.call('GET', '/')).rejects.toMatchObject({
    ...unreachable,
    message: 'its answer is not JSON',
  });
  const endless = await clientOf((_request, response) => {
    const write = () => {
      while (response.write(Buffer.alloc(1024 * 1024, 32)));
      response.once('drain', write);
    };
    write();
  });
  await expect(endless.call('GET', '/')).rejects.toMatchObject(unreachable);
});

test('what an agent refuses is passed on as it is, what is no problem of the protocol is the agent’s fault', () => {
  expect(refusedWith(503, problemOf('queue_full', 503))).toMatchObject({ code: 'queue_full', status: 503 });
  expect(
    refusedWith(409, { ...problemOf('already_ended', 409), taskStatus: 'failed' } as never).options.extra,
  ).toEqual({ taskStatus: 'failed' });
  expect(refusedWith(401, problemOf('unauthorized', 401))).toMatchObject({ code: 'bad_agent', status: 502 });
  expect(refusedWith(404)).toMatchObject({ code: 'bad_agent' });
  expect(refusedWith(404, problemOf('hasOwnProperty', 404))).toMatchObject({ code: 'bad_agent' });
  expect(refusedWith(200, problemOf('no_such_task', 404))).toMatchObject({ code: 'bad_agent' });
});
