import { createServer as createPlain } from 'node:net';
import { createServer as createHttp, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { explainNoAnswer, mayHaveArrived } from './no-answer.ts';

/** What `fetch` throws of an address. */
async function failureOf(url: string, signal?: AbortSignal): Promise<unknown> {
  try {
    await (await fetch(url, signal === undefined ? {} : { signal })).text();
  } catch (error) {
    return error;
  }
  throw new Error(`${url} answered`);
}

async function listen(server: Server | ReturnType<typeof createPlain>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function close(server: Server | ReturnType<typeof createPlain>): Promise<void> {
  server.close();
  await once(server, 'close');
}

test('a port at which nothing listens is refused, and nothing was sent', async () => {
  const server = createPlain();
  const port = await listen(server);
  await close(server);
  const { kind, text } = explainNoAnswer(await failureOf(`http://127.0.0.1:${port}/`), 1000);
  expect([kind, text, mayHaveArrived(kind)]).toEqual(['refused', 'nothing listens there', false]);
});

test('a service that takes the connection and says nothing is silent, and may have done what was asked', async () => {
  const server = createHttp(() => undefined);
  const port = await listen(server);
  const error = await failureOf(`http://127.0.0.1:${port}/`, AbortSignal.timeout(30));
  const { kind, text } = explainNoAnswer(error, 30);
  expect([kind, text, mayHaveArrived(kind)]).toEqual(['silent', 'no answer within 0.03 s', true]);
  server.closeAllConnections();
  await close(server);
});

test('a connection that ends before the answer, or within it, was cut', async () => {
  const server = createHttp((request, response) => {
    if (request.url === '/before') {
      request.socket.destroy();
      return;
    }
    response.writeHead(200, { 'content-length': '100' });
    response.write('some', () => request.socket.destroy());
  });
  const port = await listen(server);
  for (const path of ['before', 'within']) {
    const { kind, text } = explainNoAnswer(await failureOf(`http://127.0.0.1:${port}/${path}`), 1000);
    expect([kind, text, mayHaveArrived(kind)]).toEqual(['cut', 'the connection was cut', true]);
  }
  await close(server);
});

test('what speaks no HTTP, and what speaks no TLS, is said to', async () => {
  const server = createPlain((socket) => void socket.resume().end('220 mail.example ESMTP\r\n'));
  const port = await listen(server);
  expect(explainNoAnswer(await failureOf(`http://127.0.0.1:${port}/`), 1000)).toEqual({
    kind: 'garbled',
    text: 'what listens there does not speak HTTP',
  });
  expect(explainNoAnswer(await failureOf(`https://127.0.0.1:${port}/`), 1000)).toEqual({
    kind: 'untrusted',
    text: 'what listens there does not speak TLS (https)',
  });
  await close(server);
});

test('a name that cannot be resolved, a certificate and a blocked port have their words', async () => {
  const withCode = (code: string): unknown =>
    new TypeError('fetch failed', { cause: Object.assign(new Error('secret text'), { code }) });
  expect(explainNoAnswer(withCode('ENOTFOUND'), 1).text).toBe('its host name cannot be resolved');
  expect(explainNoAnswer(withCode('EHOSTUNREACH'), 1).text).toBe('no network leads there');
  expect(explainNoAnswer(withCode('DEPTH_ZERO_SELF_SIGNED_CERT'), 1).text).toContain('certificate');
  expect(explainNoAnswer(withCode('CERT_HAS_EXPIRED'), 1).text).toContain('has expired');
  expect(explainNoAnswer(withCode('ERR_TLS_HANDSHAKE_TIMEOUT'), 1).text).toContain(
    'ERR_TLS_HANDSHAKE_TIMEOUT',
  );
  expect(explainNoAnswer(await failureOf('http://127.0.0.1:1/'), 1).text).toContain('its port');
});

test('the words of an error itself reach nobody', () => {
  const cause = new Error('connect to https://hooks.example/secret');
  for (const error of [new TypeError('fetch failed', { cause }), cause, 'secret', undefined])
    expect(explainNoAnswer(error, 1)).toEqual({ kind: 'other', text: 'the request failed' });
  const coded = Object.assign(new Error('secret'), { code: 'EODD' });
  expect(explainNoAnswer(coded, 1).text).toBe('the request failed (EODD)');
});
