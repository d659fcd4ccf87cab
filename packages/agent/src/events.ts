/**
 * `GET /events`: the log as a stream (PROTOCOL.md §2).
 *
 * A reader comes with a cursor. If the log proves that it continues that cursor (epoch, range and chain), it is
 * replayed from there; else the reader is told why not, gets a snapshot of all tasks, and then every event that
 * the log still holds. Both follow the same log by position, so nothing lies between replay and live.
 */
import {
  type Activity,
  type ActivityEntry,
  type AgentInfo,
  type Cursor,
  encodeFrame,
  encodeText,
  EventStream,
  frameText,
  type Heartbeat,
  type Hello,
  parseCursor,
  PROTOCOL_VERSION,
  type ResetReason,
  SNAPSHOT_PAGE,
  VERSION,
} from '@holdfast/shared';
import type { Journal } from './journal.ts';

/** How a reader goes on from its cursor. */
export type ResumePlan = { kind: 'replay'; from: number } | { kind: 'reset'; reason: ResetReason };

export interface EventsOptions {
  journal: Journal;
  agentId: string;
  name: string;
  instance: string;
  heartbeatMs: number;
  sweepMs: number;
  /** The parts of a heartbeat that the journal does not know. */
  status: () => Pick<Heartbeat, 'sweptAt' | 'pool'>;
  /** The output sizes of all live attempts, for a reader that missed some. */
  allActivity: () => ActivityEntry[];
  onDrop: (why: 'slow' | 'failed', error?: unknown) => void;
  now: () => number;
}

/** The resume rule, as a function of the cursor and the log. */
export function planResume(
  given: string | undefined,
  log: { epoch: string; head: number; floor: number; chainAt: (seq: number) => string | undefined },
): ResumePlan {
  if (given === undefined || given === '') return { kind: 'reset', reason: 'no_cursor' };
  const cursor: Cursor | undefined = parseCursor(given);
  if (cursor === undefined) return { kind: 'reset', reason: 'bad_cursor' };
  if (cursor.epoch !== log.epoch) return { kind: 'reset', reason: 'epoch' };
  if (cursor.seq > log.head) return { kind: 'reset', reason: 'ahead' };
  if (cursor.seq < log.floor) return { kind: 'reset', reason: 'too_old' };
  // Same place, other content: a journal that was restored from a copy and went on differently.
  if (log.chainAt(cursor.seq) !== cursor.chain) return { kind: 'reset', reason: 'diverged' };
  return { kind: 'replay', from: cursor.seq };
}

export class Events {
  readonly #options: EventsOptions;
  readonly #stream: EventStream;
  readonly #unsubscribe: () => void;

  constructor(options: EventsOptions) {
    this.#options = options;
    const { journal } = options;
    this.#stream = new EventStream({
      source: { next: (position) => journal.nextFrames(position) },
      heartbeatMs: options.heartbeatMs,
      heartbeat: () => encodeFrame('heartbeat', this.heartbeat()),
      onDrop: options.onDrop,
    });
    this.#unsubscribe = journal.onCommit(() => this.#stream.wake());
  }

  get readers(): number {
    return this.#stream.size;
  }

  /** A new reader at `cursor` (the text it sent, if any). */
  open(cursor: string | undefined, destroy: (() => void) | undefined): Response {
    const plan = planResume(cursor, this.#log());
    return this.#stream.open({ preamble: this.#preamble(plan), destroy });
  }

  /**
   * Whether the log goes on from this cursor: what was known there is known of this journal. `too_old`: the log does not
   * reach back so far, so it cannot be proven; every other reason means another journal.
   */
  continuation(cursor: string): 'continues' | ResetReason {
    const plan = planResume(cursor, this.#log());
    return plan.kind === 'replay' ? 'continues' : plan.reason;
  }

  heartbeat(): Heartbeat {
    const { journal } = this.#options;
    return {
      at: this.#options.now(),
      head: journal.head,
      chain: journal.chain,
      floor: journal.floor,
      liveDigest: journal.liveDigest,
      live: journal.live,
      journalOk: journal.healthy,
      ...this.#options.status(),
    };
  }

  info(): AgentInfo {
    const { resume: _, ...hello } = this.#hello('replay');
    return { ...hello, ...this.heartbeat() };
  }

  /** Tells readers how far outputs have grown: at most once a second. */
  announceActivity(entries: ActivityEntry[]): void {
    this.#stream.notify({
      latest: encodeActivity(entries),
      all: () => encodeActivity(this.#options.allActivity()),
    });
  }

  stop(retryMs: number): void {
    this.#unsubscribe();
    this.#stream.stop(encodeFrame('bye', { reason: 'shutdown', retryMs }));
  }

  #log() {
    const { journal } = this.#options;
    return {
      epoch: journal.epoch,
      head: journal.head,
      floor: journal.floor,
      chainAt: (seq: number) => journal.chainAt(seq),
    };
  }

  #hello(resume: Hello['resume']): Hello {
    const { journal, agentId, name, instance, heartbeatMs, sweepMs } = this.#options;
    return {
      protocol: PROTOCOL_VERSION,
      agentId,
      name,
      version: VERSION,
      epoch: journal.epoch,
      instance,
      head: journal.head,
      floor: journal.floor,
      heartbeatMs,
      sweepMs,
      resume,
    };
  }

  *#preamble(plan: ResumePlan): Generator<Uint8Array, number> {
    const { journal } = this.#options;
    yield encodeFrame('hello', this.#hello(plan.kind));
    if (plan.kind === 'replay') {
      // A first heartbeat at once: it says up to where to read before anything is vouched for.
      yield encodeFrame('heartbeat', this.heartbeat());
      return plan.from;
    }
    // The history begins at the floor as it is now; should pruning overtake a slow reader, it meets a hole in
    // the seqs and comes again.
    const { floor, floorChain } = journal;
    yield encodeFrame('reset', { reason: plan.reason, floor, floorChain, tasks: journal.taskCount() });
    let sent = 0;
    for (let after = ''; ;) {
      const page = journal.tasksAfterId(after, SNAPSHOT_PAGE);
      if (page.length === 0) break;
      sent += page.length;
      after = (JSON.parse(page.at(-1)!) as { id: string }).id;
      for (const tasks of splitByLength(page))
        yield encodeText(frameText('snapshot', `{"tasks":[${tasks.join(',')}]}`));
    }
    yield encodeFrame('snapshotEnd', { seq: journal.head, chain: journal.chain, tasks: sent });
    yield encodeFrame('heartbeat', this.heartbeat());
    return floor;
  }
}

function encodeActivity(tasks: ActivityEntry[]): Uint8Array {
  const entries = tasks.map((task) => JSON.stringify(task satisfies Activity['tasks'][number]));
  const frames = splitByLength(entries).map((part) => frameText('activity', `{"tasks":[${part.join(',')}]}`));
  return encodeText(frames.join(''));
}

/** Frames stay small although one task may be a megabyte: a reader buffers a frame whole. */
const MOST_FRAME_CHARACTERS = 1024 * 1024;

function splitByLength(texts: readonly string[]): string[][] {
  const parts: string[][] = [];
  let left = 0;
  for (const text of texts) {
    if (text.length > left) {
      parts.push([]);
      left = MOST_FRAME_CHARACTERS;
    }
    parts.at(-1)!.push(text);
    left -= text.length;
  }
  return parts;
}
