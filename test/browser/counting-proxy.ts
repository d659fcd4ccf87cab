/** A plain HTTP proxy before web that knows how many answers are open on each path. */
import { createServer, request } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface CountingProxy extends AsyncDisposable {
  url: string;
  /** Answers of this path that have begun and not ended. */
  open: (path: string) => number;
  /** Requests of this path so far. */
  seen: (path: string) => number;
}

export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  const open = new Map<string, number>();
  const seen = new Map<string, number>();
  const add = (counts: Map<string, number>, path: string, by: number): void => {
    counts.set(path, (counts.get(path) ?? 0) + by);
  };
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url!.split('?', 1)[0]!;
    add(open, path, 1);
    add(seen, path, 1);
    outgoing.once('close', () => add(open, path, -1));
    const { method, headers } = incoming;
    const onward = request({ hostname, port, path: incoming.url, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
      answer.once('error', () => outgoing.destroy());
    });
    onward.once('error', () => outgoing.destroy());
    outgoing.once('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: (path) => open.get(path) ?? 0,
    seen: (path) => seen.get(path) ?? 0,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
