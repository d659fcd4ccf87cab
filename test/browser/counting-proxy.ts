/**
 * A plain HTTP proxy before web that knows how many answers are open on each path, and can change what they say. An
 * answer that is changed is passed on by whole lines of a stream, else as a whole: nothing is missed between two pieces.
 */
import { createServer, request } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface CountingProxy extends AsyncDisposable {
  url: string;
  /** Answers of this path that have begun and not ended. */
  open: (path: string) => number;
  /** Cuts what is open, as a restart of web does. */
  cut: () => void;
}

/** `edit`: what becomes of the text of each answer that is JSON or a stream of events. */
export async function startCountingProxy(
  target: string,
  edit?: (text: string) => string,
): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  const open = new Map<string, number>();
  const add = (path: string, by: number): void => {
    open.set(path, (open.get(path) ?? 0) + by);
  };
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url!.split('?', 1)[0]!;
    add(path, 1);
    outgoing.once('close', () => add(path, -1));
    const { method } = incoming;
    // What is compressed cannot be edited.
    const headers = { ...incoming.headers, ...(edit === undefined ? {} : { 'accept-encoding': 'identity' }) };
    // A connection for each: one that is kept may be closed by web in the moment that it is used again.
    const onward = request(
      { hostname, port, path: incoming.url, method, headers, agent: false },
      (answer) => {
        const type = answer.headers['content-type'] ?? '';
        answer.on('error', () => outgoing.destroy());
        if (edit === undefined || !/json|event-stream/.test(type)) {
          outgoing.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(outgoing);
          return;
        }
        const { 'content-length': _, ...rest } = answer.headers;
        outgoing.writeHead(answer.statusCode!, rest);
        outgoing.flushHeaders();
        let held = '';
        answer.setEncoding('utf8').on('data', (text: string) => {
          held += text;
          const end = type.includes('event-stream') ? held.lastIndexOf('\n') + 1 : 0;
          if (end > 0) outgoing.write(edit(held.slice(0, end)));
          held = held.slice(end);
        });
        answer.once('end', () => outgoing.end(edit(held)));
      },
    );
    onward.on('error', () => outgoing.destroy());
    outgoing.once('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: (path) => open.get(path) ?? 0,
    cut: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
