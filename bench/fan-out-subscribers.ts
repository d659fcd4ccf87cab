/**
 * The subscribers of the fan-out benchmark, as a process: `fork('fan-out-subscribers.ts')`. On `{ port, path,
 * subscribers, batch }` it opens raw sockets, counts the changes that come, and says `{ level: n }` whenever *every*
 * subscriber has all changes of the first n turns. It parses nothing, so that all contestants meet the same
 * costs here, and these stay small.
 */
import { connect } from 'node:net';

export interface Subscribe {
  port: number;
  path: string;
  subscribers: number;
  batch: number;
}

export type Report = { connected: true } | { level: number };

const MARK = '~'.charCodeAt(0);
const HEAD_END = '\r\n\r\n';
/** At the same time: a server lets only some 500 wait to be accepted, and the kernel resets what comes beyond. */
const CONNECTING = 100;
/** Read by one socket at a time, and never kept. */
const buffer = Buffer.alloc(256 * 1024);

function subscribe({ port, path, subscribers, batch }: Subscribe): void {
  let opened = 0;
  let connected = 0;
  /** How many subscribers have the turn of this number. */
  const reached: number[] = [0];

  const open = (): void => {
    if (opened === subscribers) return;
    opened += 1;
    let changes = 0;
    let level = 0;
    let isOpen = false;
    const take = (bytes: Buffer) => {
      if (!isOpen) {
        if (!bytes.includes(HEAD_END)) return;
        const head = bytes.toString('latin1', 0, 12);
        if (head !== 'HTTP/1.1 200') throw new Error(`a subscriber was answered ${head}`);
        isOpen = true;
        connected += 1;
        if (connected === subscribers) report({ connected: true });
        else open();
      }
      for (let at = bytes.indexOf(MARK); at !== -1; at = bytes.indexOf(MARK, at + 1)) changes += 1;
      while (changes >= (level + 1) * batch) {
        level += 1;
        reached[level] = (reached[level] ?? 0) + 1;
        if (reached[level] === subscribers) report({ level });
      }
    };
    const socket = connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer,
        callback: (length) => {
          take(buffer.subarray(0, length));
          return true;
        },
      },
    });
    socket.once('error', (error) => {
      throw error;
    });
    socket.once('close', () => {
      throw new Error('a subscriber lost its connection');
    });
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer bench\r\nAccept: text/event-stream\r\n\r\n`,
    );
  };
  for (let index = 0; index < CONNECTING; index += 1) open();
}

function report(message: Report): void {
  // Once it has measured, the parent hangs up, and what is still coming in is of no interest.
  if (process.connected) process.send!(message, undefined, undefined, () => {});
}

process.once('message', (message: Subscribe) => subscribe(message));
process.once('disconnect', () => process.exit(0));
