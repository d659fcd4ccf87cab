import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { send } from './send.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

/** A target on 127.0.0.1 that answers as `listener` says. */
async function target(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

function sendTo(url: string, timeoutMs = 20_000, signal = new AbortController().signal) {
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'id-1' };
  return send({ url, headers, body: '{"a":1}' }, { fetch: globalThis.fetch, signal, timeoutMs });
}

test('a message is posted with its headers, and 2xx means that it was taken', async () => {
  const got = Promise.withResolvers<unknown>();
  const url = await target((request, response) => {
    void bodyOf(request).then((body) => {
      got.resolve([request.method, request.url, request.headers['idempotency-key'], body]);
      response.writeHead(204).end();
    });
  });
  expect(await sendTo(`${url}/in?key=secret`)).toEqual({ outcome: 'delivered' });
  expect(await got.promise).toEqual(['POST', '/in?key=secret', 'id-1', '{"a":1}']);
});

test.each([
  [400, true],
  [401, false],
  [403, false],
  [404, false],
  [408, false],
  [410, true],
  [413, true],
  [422, true],
  [429, false],
  [500, false],
  [503, false],
])('an answer of %i is a failure; final: %s', async (status, final) => {
  const url = await target((_request, response) => response.writeHead(status).end('secret-of-the-target'));
  const result = await sendTo(url);
  expect(result).toMatchObject({ outcome: 'failed', final });
  expect(JSON.stringify(result)).toContain(`it answered ${status}`);
  expect(JSON.stringify(result)).not.toContain('secret-of-the-target');
});

test('a wish to wait is heard, up to an hour', async () => {
  let retryAfter = '30';
  const url = await target((_request, response) =>
    response.writeHead(429, { 'retry-after': retryAfter }).end(),
  );
  expect(await sendTo(url)).toMatchObject({ retryAfterMs: 30_000 });
  retryAfter = '99999';
  expect(await sendTo(url)).toMatchObject({ retryAfterMs: 3_600_000 });
  retryAfter = 'Wed, 21 Oct 2026 07:28:00 GMT';
  expect(await sendTo(url)).not.toHaveProperty('retryAfterMs');
});

test('a redirect is not followed: its target was configured by nobody', async () => {
  let reached = false;
  const elsewhere = await target((_request, response) => {
    reached = true;
    response.writeHead(200).end();
  });
  const url = await target((_request, response) => response.writeHead(307, { location: elsewhere }).end());
  const result = await sendTo(url);
  expect(result).toMatchObject({ outcome: 'failed', final: false });
  expect(JSON.stringify(result)).not.toContain(elsewhere);
  expect(reached).toBe(false);
});

test('an answer without end is not read', async () => {
  const closed = Promise.withResolvers<void>();
  const url = await target((_request, response) => {
    response.writeHead(200);
    const pour = () => {
      while (response.write('x'.repeat(65_536)));
    };
    response.on('drain', pour);
    response.on('close', closed.resolve);
    pour();
  });
  expect(await sendTo(url)).toEqual({ outcome: 'delivered' });
  await closed.promise;
});

test('silence, a cut, and nobody there are failures in words that hold no address', async () => {
  const silent = await target(() => {});
  const cut = await target((request) => request.socket.destroy());
  const results = [
    await sendTo(`${silent}/secret-path`, 50),
    await sendTo(`${cut}/secret-path`),
    await sendTo('http://127.0.0.1:1/secret-path'),
    await sendTo('https://user:secret-path@127.0.0.1:1/'),
  ];
  expect(results).toEqual([
    { outcome: 'failed', error: 'no answer within 0.05 s', final: false },
    { outcome: 'failed', error: 'the connection was cut', final: false },
    {
      outcome: 'failed',
      error: 'HTTP clients refuse to call its port, which belongs to another protocol',
      final: false,
    },
    { outcome: 'failed', error: 'the request failed', final: false },
  ]);
  expect(JSON.stringify(results)).not.toContain('secret-path');
});

test('a stop ends a send that hangs', async () => {
  const arrived = Promise.withResolvers<void>();
  const url = await target(() => arrived.resolve());
  const stop = new AbortController();
  const sent = sendTo(url, 20_000, stop.signal);
  await arrived.promise;
  stop.abort();
  expect(await sent).toEqual({ outcome: 'failed', error: 'web stopped meanwhile', final: false });
});
