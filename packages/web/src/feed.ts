/**
 * The feed to browsers: state, not a log (PROTOCOL.md §5).
 *
 * A reader is a version. It gets the rows whose version is above its own, each in its newest state, so any cursor
 * of this store can resume, a slow browser skips intermediate states, and memory is bounded by rows.
 *
 * Each page is encoded once and shared: the pages behind one another, by the version they start from, are kept up
 * to a bound of bytes. The newest one is made at once after a quiet moment and at most every 8 ms else, whatever the
 * number of commits: a page costs a write to each socket, and nobody sees more than one picture in 8 ms. Then everyone
 * who waits is woken. A reader further back reads pages by version until it reaches the others.
 *
 * A page that was kept holds rows as they were when it was made; whatever changed since has a higher version and
 * comes in a later page. A reader that has read state elsewhere (`/api/tasks`) may pass over every `change` whose
 * id is not above the cursor of what it read.
 */
import {
  encodeFrame,
  EventStream,
  type FeedChange,
  type FeedHeartbeat,
  type FeedHello,
  type FeedReset,
  formatFeedCursor,
  type Logger,
  type Page,
  parseFeedCursor,
  PROTOCOL_VERSION,
  VERSION,
} from '@holdfast/shared';
import type { Agents } from './agents.ts';
import type { Changes, SessionStore } from './session-store.ts';
import { showTask } from './shown.ts';
import { type StartTimer, startTimer } from './timers.ts';

export interface FeedOptions {
  store: Pick<SessionStore, 'epoch' | 'counts' | 'version' | 'oldestVersion' | 'changesAfter' | 'onChange'>;
  agents: Pick<Agents, 'views' | 'viewOf'>;
  /** Names of the notification channels whose newest message was not delivered; default none. */
  failingChannels?: () => string[];
  heartbeatMs: number;
  logger: Logger;
  now?: () => number;
  /** Most bytes of pages that are kept for readers behind. */
  keptBytes?: number;
  slowAfterMs?: number;
  /** Monotonic, ms. */
  monotonic?: () => number;
  startTimer?: StartTimer;
}

export interface Feed {
  /** Answers `GET /api/events`. `destroy` ends the connection underneath. */
  open(cursor: string | undefined, destroy?: () => void): Response;
  readonly readers: number;
  readonly slowDrops: number;
  stop(): void;
}

/** Most rows in one `change`. */
const PAGE_ROWS = 200;
const KEPT_BYTES = 8 * 1024 * 1024;
const BYE_RETRY_MS = 1000;
const PAGE_EVERY_MS = 8;

export function startFeed(options: FeedOptions): Feed {
  const { store, agents, heartbeatMs, logger, keptBytes = KEPT_BYTES, failingChannels = () => [] } = options;
  const { now = Date.now, monotonic = () => performance.now(), startTimer: later = startTimer } = options;
  /** Pages by the version they start from, oldest first. */
  const pages = new Map<number, Page>();
  const loading = new Map<number, Promise<Page | undefined>>();
  let bytesKept = 0;
  let slowDrops = 0;
  let scheduled = false;
  let stopped = false;
  /** Where the newest page ends: the readers that wait are here. */
  let head = store.version();
  let madeAt = Number.NEGATIVE_INFINITY;

  const stream = new EventStream({
    source: { next },
    heartbeatMs,
    heartbeat,
    ...(options.slowAfterMs === undefined ? {} : { slowAfterMs: options.slowAfterMs }),
    onDrop: (why, error) => {
      if (why === 'slow') slowDrops += 1;
      else logger.error({ err: error }, 'a reader of the feed was dropped');
    },
  });

  function next(position: number): Page | undefined | Promise<Page | undefined> {
    // Whoever stands at the head waits for the next page: made for each as it comes, none would be shared.
    if (position >= head) return undefined;
    return pages.get(position) ?? load(position);
  }

  /** Reads and encodes the page after `position`; readers that ask for it meanwhile wait for the same. */
  function load(position: number): Promise<Page | undefined> {
    const known = loading.get(position);
    if (known !== undefined) return known;
    const made = store
      .changesAfter(position, PAGE_ROWS)
      .then((changes) => (changes.version > position ? keep(position, encode(changes)) : undefined))
      .finally(() => loading.delete(position));
    loading.set(position, made);
    return made;
  }

  function keep(position: number, page: Page): Page {
    pages.set(position, page);
    bytesKept += page.bytes.byteLength;
    for (const [start, old] of pages) {
      if (bytesKept <= keptBytes || start === position) break;
      pages.delete(start);
      bytesKept -= old.bytes.byteLength;
    }
    return page;
  }

  function encode(changes: Changes): Page {
    const shownAgents = changes.agents.map(agents.viewOf).filter((view) => view !== undefined);
    const change: FeedChange = {
      ...(changes.tasks.length === 0
        ? {}
        : { tasks: changes.tasks.map((row) => showTask(row, agents.viewOf)) }),
      ...(changes.sessions.length === 0 ? {} : { sessions: changes.sessions }),
      ...(shownAgents.length === 0 ? {} : { agents: shownAgents }),
      ...(changes.removed.length === 0 ? {} : { removed: changes.removed }),
      counts: store.counts(),
    };
    const id = formatFeedCursor({ epoch: store.epoch, version: changes.version });
    return { bytes: encodeFrame('change', change, id), position: changes.version };
  }

  function heartbeat(): Uint8Array {
    const beat: FeedHeartbeat = {
      at: now(),
      version: store.version(),
      agents: agents.views().map(({ id, state, asOf }) => ({ id, state, asOf })),
      failingChannels: failingChannels(),
    };
    return encodeFrame('heartbeat', beat);
  }

  /** Makes the newest pages, then wakes everyone. Commits of one turn are one page. */
  async function advance(): Promise<void> {
    while (head < store.version()) {
      // Nobody to make it for: a reader that comes later asks for what it needs.
      const page = stream.size === 0 ? undefined : (pages.get(head) ?? (await load(head)));
      head = page?.position ?? store.version();
      stream.wake();
    }
  }

  function schedule(): void {
    if (scheduled || stopped) return;
    scheduled = true;
    later(
      () => {
        madeAt = monotonic();
        advance()
          .catch((error: unknown) => {
            logger.error({ err: error }, 'the newest changes could not be read');
            // Those who wait try for themselves, and if they fail too their connection ends: silence would be a lie.
            head = store.version();
            stream.wake();
          })
          .finally(() => {
            scheduled = false;
            if (head < store.version()) schedule();
          });
      },
      Math.max(0, madeAt + PAGE_EVERY_MS - monotonic()),
    );
  }

  const unsubscribe = store.onChange(schedule);

  function resetReason(cursor: string | undefined): FeedReset['reason'] | undefined {
    if (cursor === undefined) return 'no_cursor';
    const parsed = parseFeedCursor(cursor);
    if (parsed === undefined) return 'bad_cursor';
    if (parsed.epoch !== store.epoch) return 'epoch';
    if (parsed.version > store.version()) return 'ahead';
    return parsed.version < store.oldestVersion() ? 'too_old' : undefined;
  }

  /** Hello, and a reset if the cursor cannot be followed from; then the reader stands at the version returned. */
  function* preamble(cursor: string | undefined): Generator<Uint8Array, number> {
    const hello: FeedHello = {
      protocol: PROTOCOL_VERSION,
      version: VERSION,
      epoch: store.epoch,
      at: now(),
      heartbeatMs,
      head: store.version(),
    };
    yield encodeFrame('hello', hello);
    const reason = resetReason(cursor);
    if (reason === undefined) return parseFeedCursor(cursor!)!.version;
    // Taken before the frame goes out: what the reader reads because of it is at least as new.
    const version = store.version();
    yield encodeFrame('reset', { reason } satisfies FeedReset);
    return version;
  }

  return {
    open: (cursor, destroy) =>
      stream.open({ preamble: preamble(cursor), ...(destroy === undefined ? {} : { destroy }) }),
    get readers() {
      return stream.size;
    },
    get slowDrops() {
      return slowDrops;
    },
    stop() {
      stopped = true;
      unsubscribe();
      stream.stop(encodeFrame('bye', { reason: 'shutdown', retryMs: BYE_RETRY_MS }));
    },
  };
}
