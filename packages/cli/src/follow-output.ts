/**
 * The output of a task, copied to a stream byte for byte.
 *
 * Guarantees: exact ranges, one read at a time, driven by what is known of the task; attempts in order, each from its
 * first byte to its last; "the end" is said only when the agent said that the attempt is settled and every byte was
 * read. A read that fails is tried again at the same offset; `stopped` means that the end was not reached.
 */
import { isEnded } from '@holdfast/shared/status';
import type { Client, OutputPiece, OutputRange, SeenTask } from './client.ts';
import { RefusedError, UnreachableError } from './service-error.ts';
import { type Io, type Output, pause, writeTo } from './io.ts';

export interface FollowOptions {
  client: Client;
  id: string;
  io: Pick<Io, 'now' | 'startTimer'>;
  output: Output;
  /** Only this attempt; absent: the task's current one and those that follow. */
  attempt?: number;
  /** Where to begin; absent: at the first byte of the attempt. */
  from?: { attempt: number; offset: number };
  /** How long reads may fail. */
  patienceMs: number;
  /** Stops where it is. */
  signal: AbortSignal;
  say: (text: string) => void;
}

export type FollowEnd = { kind: 'complete' } | { kind: 'stopped'; why: string };

const PIECE_BYTES = 1024 * 1024;
const RETRY_MS = 1000;
/** The agent collects the last bytes of an attempt that has just ended. */
const SETTLE_MS = 200;

/** Give it each newest state of the task by `update`; `done` resolves at the end, and rejects with a refusal. */
export interface Follower {
  update: (task: SeenTask) => void;
  done: Promise<FollowEnd>;
}

export function followOutput(options: FollowOptions): Follower {
  let known: SeenTask | undefined;
  let wake: (() => void) | undefined;

  function update(task: SeenTask): void {
    known = task;
    wake?.();
  }

  function nextUpdate(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    if (options.signal.aborted) resolve();
    return promise;
  }

  options.signal.addEventListener('abort', () => wake?.());
  return { update, done: copyOutput(options, () => known, nextUpdate) };
}

async function copyOutput(
  options: FollowOptions,
  knownTask: () => SeenTask | undefined,
  nextUpdate: () => Promise<void>,
): Promise<FollowEnd> {
  const { io, output, signal, patienceMs, say } = options;
  let attempt = options.attempt ?? options.from?.attempt;
  let offset = options.from?.offset ?? 0;
  let isRead = false;
  /** Since when nothing could be read of what is known to be there. */
  let stuckSince: number | undefined;

  while (!signal.aborted) {
    const task = knownTask();
    if (task === undefined || (task.attempt === 0 && !isEnded(task.status))) {
      await nextUpdate();
      continue;
    }
    if (task.attempt === 0) return { kind: 'complete' };
    attempt ??= task.attempt;
    const isSettled = task.attempt > attempt || isEnded(task.status) || task.status === 'queued';
    const isBehind = isSettled || task.outputBytes > offset;
    if (isRead && !isBehind) {
      await nextUpdate();
      continue;
    }

    const piece = await readPiece(options, { attempt, offset, limit: PIECE_BYTES });
    if (piece.kind === 'read') {
      if (piece.totalBytes < offset) return { kind: 'stopped', why: cutText(offset, piece.totalBytes) };
      isRead = true;
      await writeTo(output, piece.bytes);
      offset += piece.bytes.length;
      if (piece.isComplete && offset >= piece.totalBytes) {
        stuckSince = undefined;
        const newest = knownTask() ?? task;
        if (options.attempt !== undefined || (newest.attempt === attempt && isEnded(newest.status))) {
          return { kind: 'complete' };
        }
        if (newest.attempt === attempt) {
          await nextUpdate();
        } else {
          attempt += 1;
          offset = 0;
          isRead = false;
          say(`Attempt ${attempt} begins.`);
        }
        continue;
      }
      if (piece.bytes.length > 0 || !isBehind) {
        stuckSince = undefined;
        continue;
      }
    }

    if (signal.aborted) break;
    const why = piece.kind === 'failed' ? piece.why : 'its last bytes are missing';
    if (stuckSince === undefined && piece.kind === 'failed') {
      say(`The output cannot be read now: ${why}. Trying again.`);
    }
    stuckSince ??= io.now();
    if (io.now() - stuckSince >= patienceMs) return { kind: 'stopped', why };
    await pause(io, piece.kind === 'failed' ? RETRY_MS : SETTLE_MS, signal);
  }
  return { kind: 'stopped', why: 'it was not followed any longer' };
}

function cutText(offset: number, totalBytes: number): string {
  return `the log was cut underneath: it is ${totalBytes} bytes long now, and ${offset} were read of it`;
}

type Piece = ({ kind: 'read' } & OutputPiece) | { kind: 'failed'; why: string };

/** Throws a refusal; a failure that may pass is told. */
async function readPiece({ client, id, signal }: FollowOptions, range: OutputRange): Promise<Piece> {
  try {
    return { kind: 'read', ...(await client.readOutput(id, range, signal)) };
  } catch (error) {
    if (error instanceof UnreachableError) return { kind: 'failed', why: error.why };
    if (!(error instanceof RefusedError)) throw error;
    if (error.problem.status >= 500) return { kind: 'failed', why: error.message };
    if (error.problem.code === 'range_not_satisfiable') {
      throw new RefusedError(error.problem, {
        hint: `The log was truncated: it is shorter than the ${range.offset} bytes read of it.`,
      });
    }
    throw error;
  }
}
