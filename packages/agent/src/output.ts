/**
 * Output: the log of an attempt, read by byte offset while it grows. The file is the truth.
 *
 * Offsets are exact bytes; text never breaks a UTF-8 sequence. "End of output" is said only when the attempt is
 * settled and every byte was sent; a log that was cut or removed underneath is a `gap`, never a crash.
 */
import { constants, watch } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { encodeFrame, SSE_HEADERS } from '@holdfast/shared';
import { cannotWatch, isMissing } from './start-error.ts';

const CHUNK_BYTES = 64 * 1024;
/** Where a change of the file is not told, it is looked at this often. */
const POLL_MS = 1000;
/** A command that writes line by line is sent in batches of this much time. */
const BATCH_MS = 20;

export interface OutputState {
  /** The attempt is settled: the log grows no more. */
  complete: boolean;
  /** With `complete`: how it ended. */
  status?: string;
  outcome?: unknown;
}

/** The size of a log, or undefined if there is none: what a task put in its place and is no file counts as none. */
export async function outputSize(path: string): Promise<number | undefined> {
  try {
    const stats = await stat(path);
    return stats.isFile() ? stats.size : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** At most `limit` bytes from `offset`; empty behind the end or without a file. */
export async function readOutput(path: string, offset: number, limit: number): Promise<Buffer> {
  let file;
  try {
    // Not blocking: a fifo without a writer would never open, and hold one of the few threads that read files.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isMissing(error)) return Buffer.alloc(0);
    throw error;
  }
  try {
    if (!(await file.stat()).isFile()) return Buffer.alloc(0);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(limit), 0, limit, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The bytes from `offset` up to `end` as a body that reads only as fast as it is taken. */
export function outputBody(path: string, offset: number, end: number): ReadableStream<Uint8Array> {
  let position = offset;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const bytes =
          position >= end
            ? undefined
            : await readOutput(path, position, Math.min(CHUNK_BYTES, end - position));
        if (bytes === undefined || bytes.byteLength === 0) {
          controller.close();
          return;
        }
        position += bytes.byteLength;
        controller.enqueue(bytes);
      },
    },
    { highWaterMark: 0 },
  );
}

/** How many bytes of `bytes` are whole UTF-8 sequences: a last one that is cut short is left for the next read. */
export function wholeSequences(bytes: Uint8Array): number {
  const { length } = bytes;
  for (let back = 1; back <= Math.min(3, length); back += 1) {
    const byte = bytes[length - back]!;
    if (byte < 0x80) return length;
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needed > back ? length - back : length;
    }
  }
  return length;
}

export interface FollowOptions {
  /** The log; undefined while there is no attempt that could have one. */
  path: () => string | undefined;
  offset: number;
  state: () => OutputState;
  /** Calls the listener whenever `path` or `state` may have changed; returns how to stop. */
  onStateChange?: (listener: () => void) => () => void;
  /** Calls the listener when streams have to end although the output has not; returns how to stop. */
  onStop?: (listener: () => void) => () => void;
}

/**
 * A log as server-sent events: `output { offset, text }` (id: the next offset), `gap { from, to, why }`, and
 * `end { bytes, status, outcome }`. Nothing is read before the reader has taken what came before, so a reader that
 * does not drain costs one chunk.
 */
export function followOutput(options: FollowOptions): Response {
  const follower = new Follower(options);
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const frame = await follower.next();
        if (frame === undefined) controller.close();
        else controller.enqueue(frame);
      },
      cancel: () => follower.close(),
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: SSE_HEADERS });
}

class Follower {
  readonly #options: FollowOptions;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** The next byte to be sent. */
  #offset: number;
  #missing = false;
  #ended = false;
  /** Something may have changed since the last look. */
  #woken = false;
  #wake: (() => void) | undefined;
  #unwatch: (() => void) | undefined;
  readonly #unsubscribe: (() => void)[] = [];

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#offset = options.offset;
    const { onStateChange, onStop } = options;
    if (onStateChange !== undefined) this.#unsubscribe.push(onStateChange(() => this.#notify()));
    if (onStop !== undefined) this.#unsubscribe.push(onStop(() => this.close()));
  }

  /** The next frame, as soon as there is one; undefined behind the last. */
  async next(): Promise<Uint8Array | undefined> {
    try {
      while (!this.#ended) {
        this.#woken = false;
        const frame = await this.#look();
        if (frame !== undefined) return frame;
        await this.#change();
      }
    } catch (error) {
      this.close();
      throw error;
    }
    return undefined;
  }

  close(): void {
    this.#ended = true;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#notify();
  }

  async #look(): Promise<Uint8Array | undefined> {
    // The state before the size: what is written before the settlement is then seen.
    const { complete, status, outcome } = this.#options.state();
    const path = this.#options.path();
    const size = path === undefined ? undefined : await outputSize(path);
    const gap = this.#gap(size);
    if (gap !== undefined) return gap;
    if (path !== undefined && size !== undefined && size > this.#offset) {
      const bytes = await readOutput(path, this.#offset, Math.min(CHUNK_BYTES, size - this.#offset));
      const last = complete && this.#offset + bytes.byteLength >= size;
      const whole = last ? bytes.byteLength : wholeSequences(bytes);
      if (whole > 0) {
        const offset = this.#offset;
        this.#offset += whole;
        const text = this.#decoder.decode(bytes.subarray(0, whole));
        return encodeFrame('output', { offset, text }, String(this.#offset));
      }
    }
    if (!complete || this.#ended) return undefined;
    const bytes = this.#offset;
    this.close();
    return encodeFrame('end', { bytes, status, outcome });
  }

  /** The log lost what was to be read next. A log that was cut begins anew, from its first byte. */
  #gap(size: number | undefined): Uint8Array | undefined {
    const from = this.#offset;
    if (size === undefined) {
      if (from === 0 || this.#missing) return undefined;
      this.#missing = true;
      return encodeFrame('gap', { from, to: from, why: 'the log is gone' });
    }
    this.#missing = false;
    if (size >= from) return undefined;
    this.#offset = 0;
    return encodeFrame('gap', { from, to: 0, why: 'the log was cut' }, '0');
  }

  /** Resolves when the file or the state may have changed since the last look began, or after a while. */
  async #change(): Promise<void> {
    // Watched from the first wait on, and looked at once more: a change may have come before the watch.
    const path = this.#options.path();
    if (this.#unwatch === undefined && path !== undefined) {
      this.#unwatch = watchFile(path, () => this.#notify());
      if (this.#unwatch !== undefined) return;
    }
    if (this.#woken || this.#ended) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, POLL_MS);
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
    if (this.#ended || this.#options.state().complete) return;
    await new Promise((then) => setTimeout(then, BATCH_MS));
  }

  #notify(): void {
    this.#woken = true;
    this.#wake?.();
  }
}

/** Undefined if it cannot be watched: there is no such file yet, or the system has no watch left. */
function watchFile(path: string, onChange: () => void): (() => void) | undefined {
  try {
    const watcher = watch(path, { persistent: false }, onChange);
    watcher.on('error', onChange);
    return () => watcher.close();
  } catch (error) {
    if (!cannotWatch(error)) throw error;
    return undefined;
  }
}
