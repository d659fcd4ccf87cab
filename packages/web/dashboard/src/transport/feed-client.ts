/**
 * A tab's end of the stream. Guarantees: one stream per browser where SharedWorker exists, else one per *visible*
 * tab; the tab's own watchdog joins anew when the worker itself has died.
 */
import { deadlineMs, type LinkFacts } from '../model/link.ts';
import type { FeedStream } from './feed-stream.ts';
import type { FeedMessage, TabMessage } from './messages.ts';

export interface FeedClient {
  retry(): void;
  signedOut(): void;
}

const AGAIN_MS = 2000;

export function connectFeed(take: (message: FeedMessage) => void): FeedClient {
  return typeof SharedWorker === 'undefined' ? connectAlone(take) : connectShared(take);
}

function connectShared(take: (message: FeedMessage) => void): FeedClient {
  let port: MessagePort | undefined;
  let watchdog: number | undefined;
  let heartbeatMs = 0;

  const send = (message: TabMessage): void => port?.postMessage(message);

  function watch(): void {
    window.clearTimeout(watchdog);
    // Later than the worker's own deadline: it acts first if it lives.
    watchdog = window.setTimeout(join, deadlineMs(heartbeatMs) + heartbeatMs + 10_000);
  }

  function join(): void {
    leave();
    const worker = new SharedWorker(new URL('./feed-worker.ts', import.meta.url), {
      type: 'module',
      name: 'holdfast-feed',
    });
    const joined = worker.port;
    port = joined;
    joined.addEventListener('message', (event: MessageEvent<FeedMessage>) => {
      if (port !== joined) return;
      if (event.data.kind === 'link') ({ heartbeatMs } = event.data.link);
      watch();
      take(event.data);
    });
    joined.start();
    watch();
  }

  function leave(): void {
    window.clearTimeout(watchdog);
    send({ kind: 'leave' });
    port?.close();
    port = undefined;
  }

  join();
  window.addEventListener('pagehide', leave);
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) join();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') send({ kind: 'verify' });
  });
  window.addEventListener('online', () => send({ kind: 'verify' }));
  return { retry: () => send({ kind: 'retry' }), signedOut: () => send({ kind: 'signedOut' }) };
}

function connectAlone(take: (message: FeedMessage) => void): FeedClient {
  let stream: FeedStream | undefined;
  let link: LinkFacts | undefined;
  let isWanted = false;

  // Fetched only here: with a SharedWorker it is the worker that has it.
  async function start(): Promise<void> {
    isWanted = true;
    let startFeedStream;
    try {
      ({ startFeedStream } = await import('./feed-stream.ts'));
    } catch (error) {
      // A browser says so of any module that it could not fetch: web went away since it sent this page.
      if (!(error instanceof TypeError)) throw error;
      window.setTimeout(() => {
        if (isWanted) void start();
      }, AGAIN_MS);
      return;
    }
    if (!isWanted) return;
    stream ??= startFeedStream({
      publish(message) {
        if (message.kind === 'link') link = message.link;
        take(message);
      },
    });
  }

  function stop(): void {
    isWanted = false;
    if (stream === undefined) return;
    stream.close();
    stream = undefined;
    if (link !== undefined && link.phase !== 'signedOut') {
      take({ kind: 'link', link: { ...link, phase: 'waiting', brokenAt: Date.now() } });
    }
  }

  if (document.visibilityState === 'visible') void start();
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void start();
    else stop();
  });
  window.addEventListener('online', () => stream?.verify());
  return { retry: () => stream?.retry(), signedOut: () => stream?.signedOut() };
}
