/**
 * One connection to a stream of changes, web's feed or an agent's events.
 *
 * Guarantees: it ends, once, by a frame that ends it, by silence for longer than the stream's heart allows, by a frame
 * that cannot be used (a listener that throws would be a silent loss), or because nobody wants it any more; nothing is
 * passed on after its end.
 */
import type { FeedHello, Hello } from '@holdfast/shared';
import { textOf } from './cli-error.ts';
import type { Client } from './client.ts';
import type { Io, Timer } from './io.ts';

export type StreamEnd =
  /** It is not wanted any more. */
  | { kind: 'over' }
  /** Everything is to be read anew. */
  | { kind: 'reset' }
  /** The next read tells whether that matters. */
  | { kind: 'cut'; why: string }
  | { kind: 'garbled'; why: string };

export interface StreamOptions {
  client: Client;
  /** From where; taken before what is known was read. */
  cursor: string;
  io: Pick<Io, 'startTimer'>;
  signal: AbortSignal;
  /** The stream is up. */
  onHello: () => void;
  /** Any frame: the service lives. */
  onFrame?: () => void;
  /** Frames by name, as text of JSON. Those not named are ignored. */
  frames: Readonly<Record<string, (data: string) => void>>;
}

export interface TaskStream {
  ended: Promise<StreamEnd>;
  /** Ends it, if it has not ended. */
  end: (how: StreamEnd) => void;
  isOver: () => boolean;
}

/** Until `hello` has said how often the stream's heart beats. */
const HEARTBEAT_MS = 5000;
const SLACK_MS = 5000;

/** Between two connections: doubling, with jitter, so that many readers do not come back together. */
const FIRST_DELAY_MS = 250;
const MOST_DELAY_MS = 5000;

export function reconnectDelayMs(failures: number, random: () => number): number {
  const ceilingMs = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 10));
  return (0.5 + random() / 2) * ceilingMs;
}

export function openTaskStream(options: StreamOptions): TaskStream {
  const { client, cursor, io, signal, onHello, onFrame, frames } = options;
  const { promise: ended, resolve } = Promise.withResolvers<StreamEnd>();
  const source = client.openEvents(cursor);
  let heartbeatMs = HEARTBEAT_MS;
  let watchdog: Timer | undefined;
  let isOver = false;

  function end(how: StreamEnd): void {
    if (isOver) return;
    isOver = true;
    watchdog?.cancel();
    source.close();
    signal.removeEventListener('abort', abort);
    resolve(how);
  }

  function abort(): void {
    end({ kind: 'over' });
  }

  /** A frame has come; the next is due. */
  function hear(): void {
    onFrame?.();
    watchdog?.cancel();
    const silent: StreamEnd = { kind: 'cut', why: 'it has fallen silent' };
    watchdog = io.startTimer(() => end(silent), 2 * heartbeatMs + SLACK_MS);
  }

  function on(name: string, handle: (data: string) => void): void {
    source.addEventListener(name, (event: MessageEvent) => {
      if (isOver) return;
      hear();
      try {
        handle(String(event.data));
      } catch (error) {
        end({ kind: 'garbled', why: `it sent something that cannot be understood: ${textOf(error)}` });
      }
    });
  }

  on('hello', (data) => {
    const hello: FeedHello | Hello = JSON.parse(data);
    ({ heartbeatMs } = hello);
    hear();
    onHello();
  });
  on('heartbeat', () => undefined);
  on('bye', () => end({ kind: 'cut', why: 'it is stopping' }));
  on('reset', () => end({ kind: 'reset' }));
  for (const [name, handle] of Object.entries(frames)) on(name, handle);
  source.addEventListener('error', () => end({ kind: 'cut', why: 'the connection was cut' }));
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  else hear();
  return { ended, end, isOver: () => isOver };
}
