import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { openAgentStream, type StreamEnd } from './agent-stream.ts';

function endOf(url: string): Promise<StreamEnd> {
  return new Promise((resolve) => {
    openAgentStream({
      url,
      token: 't',
      cursor: undefined,
      room: () => Promise.resolve(),
      onFrame: () => undefined,
      onEnd: resolve,
    });
  });
}

test('why a stream did not come about is told in words, without the codes and addresses of a library', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  expect(await endOf(`http://127.0.0.1:${port}`)).toEqual({
    status: undefined,
    message: 'nothing listens there',
  });
});

test('a stream that is cut is told as one that was cut', async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: bye\ndata: {}\n\n', () => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect((await endOf(`http://127.0.0.1:${port}`)).message).toBe('the connection was cut');
  server.closeAllConnections();
  server.close();
});
