/**
 * The subscribers of the latency benchmark as a process: `fork('latency-subscribers.ts')`. On `{ url, token, subscribers }` it
 * follows the feed so many times and says `{ echoPort }`, where a byte is sent back at once, when all are connected. On `{ tasks: n }` it says `{ arrivals }` as soon as
 * every subscriber was told the end of n tasks.
 */
import { get, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import type { FeedChange } from './internals.ts';
import { clock } from './clock.ts';

export interface Follow {
  url: string;
  token: string;
  subscribers: number;
  tasks: number;
}

/** When each subscriber was told the end of a task (`clock`), by task. */
export type Arrivals = Record<string, number[]>;
export type Said = { echoPort: number } | { arrivals: Arrivals };

const arrivals: Arrivals = {};
/** Ended tasks in a `data:` line: all subscribers get the same ones, and one of them is enough to parse it. */
const parsed = new Map<string, string[]>();
const MOST_PARSED = 64;

function endedIn(line: string): string[] {
  const known = parsed.get(line);
  if (known !== undefined) return known;
  const { tasks = [] } = JSON.parse(line.slice('data: '.length)) as FeedChange;
  const ended = tasks.filter(({ status }) => status === 'completed').map(({ id }) => id);
  parsed.set(line, ended);
  if (parsed.size > MOST_PARSED) parsed.delete(parsed.keys().next().value!);
  return ended;
}

function follow({ url, token, subscribers, tasks }: Follow, onConnected: () => void): void {
  let connected = 0;
  let complete = 0;
  const read = (response: IncomingMessage) => {
    if (response.statusCode !== 200) throw new Error(`the feed answered ${response.statusCode}`);
    const seen = new Set<string>();
    let rest = '';
    response.setEncoding('utf8').once('data', () => {
      connected += 1;
      if (connected === subscribers) onConnected();
    });
    response.on('data', (text: string) => {
      const at = clock();
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (!line.startsWith('data: ')) continue;
        for (const id of endedIn(line)) {
          if (seen.has(id)) continue;
          seen.add(id);
          (arrivals[id] ??= []).push(at);
          if (seen.size === tasks) complete += 1;
        }
      }
      if (complete === subscribers) {
        complete += 1;
        process.send!({ arrivals } satisfies Said);
      }
    });
  };
  for (let index = 0; index < subscribers; index += 1) {
    get(url, { agent: false, headers: { authorization: `Bearer ${token}` } }, read);
  }
}

const echo = createServer((socket) => socket.setNoDelay(true).pipe(socket));
process.once('message', (message: Follow) => {
  echo.listen(0, '127.0.0.1', () => {
    follow(message, () => process.send!({ echoPort: (echo.address() as AddressInfo).port } satisfies Said));
  });
});
process.once('disconnect', () => process.exit(0));
