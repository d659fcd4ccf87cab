/**
 * One stream of `/api/events`, kept alive. Guarantees:
 * - at most one connection; a broken, refused or silent one is replaced by a new EventSource at our own cursor, with
 *   back-off and full jitter. EventSource's own reconnecting is not used: after any answer but 200 it stops for
 *   ever, and it cannot tell "signed out" from "down". A read of `/api/state` before each attempt can;
 * - every change is published once and in order; a `reset` is published before any change that follows it;
 * - silence longer than the deadline (2 heartbeats + 5 s) counts as broken, however open the socket looks.
 */
import type { FeedChange, FeedHeartbeat, FeedHello, FeedReset, State } from '@holdfast/shared';
import { backOffMs, deadlineMs, newLink, noteLink, type LinkFacts } from '../model/link.ts';
import type { FeedMessage } from './messages.ts';

export interface EventSourceLike {
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/** What a read of `/api/state` says about the connection to be made. */
export type Probe =
  | { kind: 'ok'; cursor: string }
  | { kind: 'signedOut' }
  | { kind: 'failed'; error: string };

export interface FeedStreamOptions {
  publish: (message: FeedMessage) => void;
  openSource?: (url: string) => EventSourceLike;
  probe?: () => Promise<Probe>;
  now?: () => number;
  random?: () => number;
  /** Calls back after `delayMs`; the result takes it back. */
  schedule?: (callback: () => void, delayMs: number) => () => void;
}

export interface FeedStream {
  readonly link: LinkFacts;
  /** Replaces a connection that is late, and hurries one that waits. */
  verify(): void;
  retry(): void;
  signedOut(): void;
  close(): void;
}

/** A connection that stood this long was a good one: the next failure starts from the shortest wait. */
const HEALTHY_MS = 10_000;

export function startFeedStream(options: FeedStreamOptions): FeedStream {
  const {
    publish,
    openSource = (url) => new EventSource(url),
    probe = probeState,
    now = Date.now,
    random = Math.random,
    schedule = scheduleTimeout,
  } = options;

  let link = newLink();
  let source: EventSourceLike | undefined;
  let openedAt = 0;
  let failures = 0;
  let unschedule: (() => void) | undefined;
  /** Each attempt has its own number; an answer that belongs to an older one is ignored. */
  let attempt = 0;
  let isClosed = false;

  function say(change: Partial<LinkFacts>, note?: string): void {
    link = { ...link, ...change };
    if (note !== undefined) link = noteLink(link, now(), note);
    publish({ kind: 'link', link });
  }

  function arm(delayMs: number, callback: () => void): void {
    disarm();
    unschedule = schedule(callback, delayMs);
  }

  function disarm(): void {
    unschedule?.();
    unschedule = undefined;
  }

  function drop(): void {
    disarm();
    source?.close();
    source = undefined;
    attempt += 1;
  }

  function connect(): void {
    drop();
    const mine = attempt;
    const { retryAt: _, ...rest } = link;
    link = rest;
    say({ phase: 'connecting' });
    probe().then(
      (answer) => {
        if (mine === attempt && !isClosed) proceed(answer);
      },
      (error: unknown) => {
        if (mine === attempt && !isClosed) fail(error instanceof Error ? error.message : String(error));
      },
    );
  }

  function proceed(answer: Probe): void {
    switch (answer.kind) {
      case 'signedOut':
        endSession();
        return;
      case 'failed':
        fail(answer.error);
        return;
      case 'ok':
        if (link.cursor === undefined) {
          link = { ...link, cursor: answer.cursor };
          publish({ kind: 'reset', cursor: answer.cursor });
        }
        open(link.cursor ?? answer.cursor);
        return;
      default:
        answer satisfies never;
    }
  }

  function open(cursor: string): void {
    const opened = openSource(`/api/events?cursor=${encodeURIComponent(cursor)}`);
    source = opened;
    const listen = (type: string, take: (data: string, id: string) => void): void =>
      opened.addEventListener(type, (event) => {
        if (source !== opened) return;
        arm(deadlineMs(link.heartbeatMs), () => fail('the connection went silent'));
        take(event.data, event.lastEventId);
      });
    listen('hello', (data) => {
      const hello: FeedHello = JSON.parse(data);
      openedAt = now();
      const { brokenAt: _broken, lastError: _error, ...rest } = link;
      link = { ...rest, lastFrameAt: openedAt, heartbeatMs: hello.heartbeatMs };
      arm(deadlineMs(link.heartbeatMs), () => fail('the connection went silent'));
      publish({ kind: 'hello', hello });
      say({ phase: 'open' }, 'connected');
    });
    listen('change', (data, id) => {
      link = { ...link, lastFrameAt: now(), cursor: id };
      const change: FeedChange = JSON.parse(data);
      publish({ kind: 'change', change, cursor: id });
    });
    listen('heartbeat', (data) => {
      link = { ...link, lastFrameAt: now() };
      const heartbeat: FeedHeartbeat = JSON.parse(data);
      publish({ kind: 'heartbeat', heartbeat });
    });
    listen('reset', (data) => {
      const { reason }: FeedReset = JSON.parse(data);
      link = noteLink(link, now(), `web asked for a new read (${reason})`);
      const { cursor: _, ...rest } = link;
      link = rest;
      connect();
    });
    listen('bye', () => fail('web closed the stream'));
    opened.addEventListener('error', () => {
      if (source === opened) fail(openedAt === 0 ? 'web did not answer' : 'the connection was cut');
    });
    arm(deadlineMs(link.heartbeatMs), () => fail('web did not answer in time'));
  }

  function fail(error: string): void {
    drop();
    const at = now();
    if (openedAt !== 0 && at - openedAt >= HEALTHY_MS) failures = 0;
    openedAt = 0;
    const waitMs = backOffMs(failures, random());
    failures += 1;
    say(
      {
        phase: 'waiting',
        brokenAt: link.brokenAt ?? at,
        retryAt: at + waitMs,
        lastError: error,
        reconnects: link.reconnects + 1,
      },
      error,
    );
    arm(waitMs, connect);
  }

  function endSession(): void {
    drop();
    openedAt = 0;
    const { retryAt: _, cursor: _cursor, ...rest } = link;
    link = rest;
    say({ phase: 'signedOut', brokenAt: link.brokenAt ?? now() }, 'signed out');
  }

  connect();

  return {
    get link() {
      return link;
    },
    verify() {
      const isLate = now() - link.lastFrameAt > 1.5 * link.heartbeatMs;
      if (link.phase === 'waiting' || (link.phase === 'open' && isLate)) connect();
    },
    retry() {
      failures = 0;
      connect();
    },
    signedOut: endSession,
    close() {
      isClosed = true;
      drop();
    },
  };
}

function scheduleTimeout(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
}

const PROBE_TIMEOUT_MS = 10_000;

async function probeState(): Promise<Probe> {
  let answer: Response;
  try {
    answer = await fetch('/api/state', { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
  } catch (error) {
    return {
      kind: 'failed',
      error:
        error instanceof Error && error.name === 'TimeoutError' ? 'no answer in 10 s' : 'web did not answer',
    };
  }
  if (answer.status === 401) return { kind: 'signedOut' };
  if (!answer.ok) return { kind: 'failed', error: `web answered ${answer.status}` };
  const { cursor }: Pick<State, 'cursor'> = await answer.json();
  return { kind: 'ok', cursor };
}
