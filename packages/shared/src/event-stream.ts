/**
 * One SSE server for both hops (agent → web, web → browser).
 *
 * No reader has a queue. A reader is a *position* in a source (the agent's log, web's rows) that pulls the next
 * page when its socket has drained, so a slow reader costs no memory and delays nobody (P11). This is etcd's
 * "unsynced watcher": everyone reads the same log, some from further back. Frames are encoded once, by the
 * source; readers at the same position share the bytes.
 *
 * A reader goes through two phases: its *preamble* (hello, and a reset with its snapshot, page by page), then it
 * *follows* the source. Between them nothing can be missed, because both read the same source by position.
 * Heartbeats go out in both phases: a long replay is not silence.
 *
 * The body is a `ReadableStream` with a high-water mark of 0: `pull` means that the socket took everything.
 */

export interface Page {
  /** Encoded frames, shared between readers: never written to. */
  bytes: Uint8Array;
  /** The position after them. */
  position: number;
}

export interface StreamSource {
  /**
   * The frames that follow `position`, or undefined if it is the head. A page is bounded (aim at 64 KiB).
   * A throw or a rejection ends the reader's connection.
   */
  next(position: number): Page | undefined | Promise<Page | undefined>;
}

export interface EventStreamOptions {
  source: StreamSource;
  heartbeatMs: number;
  /** The heartbeat as of now, encoded; called once an interval, not once a reader. */
  heartbeat: () => Uint8Array;
  /** A reader whose socket has not drained for so long is told `bye` and destroyed. */
  slowAfterMs?: number;
  /** Told of what ends a reader's connection from this side: `slow`, or an error of the source. */
  onDrop?: (why: 'slow' | 'failed', error?: unknown) => void;
  /** Monotonic clock, ms. */
  now?: () => number;
}

export interface OpenOptions {
  /**
   * The frames before following, made lazily while the socket drains; returns the position to follow from.
   * Its first frame is `hello`.
   */
  preamble: Iterator<Uint8Array, number> | AsyncIterator<Uint8Array, number>;
  /** Destroys the connection underneath, without waiting for it to drain: for a reader that is slow. */
  destroy?: (() => void) | undefined;
}

/** Encoded notes for every reader that is caught up; one who missed some gets `all` instead of `latest`. */
export interface Note {
  latest: Uint8Array;
  all: () => Uint8Array;
}

export const SSE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream; charset=utf-8',
  // no-transform keeps compressing middleware away, X-Accel-Buffering keeps nginx from holding frames back.
  'cache-control': 'no-cache, no-store, no-transform',
  'x-accel-buffering': 'no',
};

const encoder = new TextEncoder();
const DEFAULT_SLOW_AFTER_MS = 30_000;
/**
 * What a reader may take before the event loop turns: a socket that drains as fast as pages are made would
 * otherwise be served to its end within one turn, and timers, heartbeats and everyone else would wait for it.
 */
const BURST_BYTES = 256 * 1024;

/**
 * One SSE frame. `data` is one line of JSON text, `id` ASCII without line ends. The names `message`, `open` and
 * `error` belong to EventSource itself and are never used.
 */
export function frameText(event: string, data: string, id?: string): string {
  return id === undefined
    ? `event: ${event}\ndata: ${data}\n\n`
    : `event: ${event}\nid: ${id}\ndata: ${data}\n\n`;
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

export function encodeFrame(event: string, data: unknown, id?: string): Uint8Array {
  return encoder.encode(frameText(event, JSON.stringify(data), id));
}

interface Reader {
  controller: ReadableStreamDefaultController<Uint8Array>;
  preamble: OpenOptions['preamble'] | undefined;
  /** The first frame of the preamble is out: nothing goes before it. */
  greeted: boolean;
  position: number;
  /** The socket has drained and waits for a frame. */
  idle: boolean;
  /** A page of the source or the preamble is being read for this reader, or waits for the next turn. */
  loading: boolean;
  /** Bytes since it last waited for a turn. */
  burstBytes: number;
  /** Something came while it was loading: an empty answer may be out of date. */
  woken: boolean;
  heartbeat: Uint8Array | undefined;
  /** The number of the last note it got; behind by more than one means that it missed some. */
  noteNumber: number;
  /** When the socket last drained or a frame was first refused by it. */
  busySince: number;
  destroy: (() => void) | undefined;
}

export class EventStream {
  readonly #options: Required<Omit<EventStreamOptions, 'onDrop'>> & Pick<EventStreamOptions, 'onDrop'>;
  readonly #readers = new Set<Reader>();
  readonly #timer: NodeJS.Timeout;
  #note: Note | undefined;
  #noteNumber = 0;
  #stopped: Uint8Array | undefined;

  constructor(options: EventStreamOptions) {
    this.#options = {
      slowAfterMs: DEFAULT_SLOW_AFTER_MS,
      now: () => performance.now(),
      ...options,
    };
    this.#timer = setInterval(() => this.#beat(), options.heartbeatMs);
    this.#timer.unref();
  }

  /** How many readers are connected. */
  get size(): number {
    return this.#readers.size;
  }

  /** A new reader. The answer is 200 at once; what the preamble refuses, it says in the stream. */
  open(options: OpenOptions): Response {
    let reader: Reader;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          reader = {
            controller,
            preamble: options.preamble,
            greeted: false,
            position: 0,
            idle: false,
            loading: false,
            burstBytes: 0,
            woken: false,
            heartbeat: undefined,
            noteNumber: -1,
            busySince: this.#options.now(),
            destroy: options.destroy,
          };
          this.#readers.add(reader);
        },
        pull: () => {
          reader.idle = true;
          // Two pages at once would overtake each other.
          if (!reader.loading) this.#feed(reader);
        },
        cancel: () => {
          this.#leave(reader);
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: SSE_HEADERS });
  }

  /** The source has more: everyone who waits gets it. Call it once a batch. */
  wake(): void {
    for (const reader of this.#readers) this.#poke(reader);
  }

  /** Sends a note that is not part of the source (activity) to everyone who is caught up, now or when they are. */
  notify(note: Note): void {
    this.#note = note;
    this.#noteNumber += 1;
    this.wake();
  }

  /** Says `bye` to everyone and ends their streams; readers that come later get the same. */
  stop(bye: Uint8Array): void {
    this.#stopped = bye;
    clearInterval(this.#timer);
    for (const reader of this.#readers) this.#end(reader, bye);
  }

  #poke(reader: Reader): void {
    if (reader.loading) reader.woken = true;
    else if (reader.idle) this.#feed(reader);
  }

  #feed(reader: Reader): void {
    if (this.#stopped !== undefined) {
      this.#end(reader, this.#stopped);
      return;
    }
    if (reader.greeted && reader.heartbeat !== undefined) {
      const { heartbeat } = reader;
      reader.heartbeat = undefined;
      this.#send(reader, heartbeat);
      return;
    }
    if (reader.burstBytes >= BURST_BYTES) {
      this.#waitForTurn(reader);
      return;
    }
    try {
      const step = reader.preamble?.next() ?? this.#options.source.next(reader.position);
      if (step instanceof Promise) {
        reader.loading = true;
        reader.woken = false;
        step
          .then((value) => {
            reader.loading = false;
            this.#take(reader, value);
          })
          .catch((error: unknown) => this.#fail(reader, error));
      } else {
        this.#take(reader, step);
      }
    } catch (error) {
      this.#fail(reader, error);
    }
  }

  #waitForTurn(reader: Reader): void {
    reader.burstBytes = 0;
    reader.loading = true;
    setImmediate(() => {
      reader.loading = false;
      if (this.#readers.has(reader)) this.#feed(reader);
    });
  }

  #take(reader: Reader, step: IteratorResult<Uint8Array, number> | Page | undefined): void {
    if (!this.#readers.has(reader)) return;
    if (step === undefined) {
      if (reader.woken) {
        reader.woken = false;
        this.#feed(reader);
      } else {
        this.#sendNote(reader);
      }
    } else if ('bytes' in step) {
      reader.position = step.position;
      this.#send(reader, step.bytes);
    } else if (step.done === true) {
      reader.preamble = undefined;
      reader.greeted = true;
      reader.position = step.value;
      this.#feed(reader);
    } else {
      reader.greeted = true;
      this.#send(reader, step.value);
    }
  }

  #sendNote(reader: Reader): void {
    if (this.#note === undefined || reader.noteNumber === this.#noteNumber) return;
    const missedSome = reader.noteNumber !== this.#noteNumber - 1;
    reader.noteNumber = this.#noteNumber;
    this.#send(reader, missedSome ? this.#note.all() : this.#note.latest);
  }

  #send(reader: Reader, bytes: Uint8Array): void {
    reader.idle = false;
    reader.busySince = this.#options.now();
    reader.burstBytes += bytes.byteLength;
    reader.controller.enqueue(bytes);
  }

  #beat(): void {
    const bytes = this.#options.heartbeat();
    const now = this.#options.now();
    for (const reader of this.#readers) {
      if (!reader.idle && now - reader.busySince > this.#options.slowAfterMs) {
        this.#drop(reader);
        continue;
      }
      // Only the newest heartbeat is worth sending.
      reader.heartbeat = bytes;
      this.#poke(reader);
    }
  }

  #drop(reader: Reader): void {
    if (!this.#leave(reader)) return;
    reader.controller.enqueue(encodeFrame('bye', { reason: 'slow', retryMs: 1000 }));
    reader.controller.close();
    // A socket that takes nothing would hold what the kernel has buffered for as long as the peer lives.
    reader.destroy?.();
    this.#options.onDrop?.('slow');
  }

  #end(reader: Reader, bye: Uint8Array): void {
    if (!this.#leave(reader)) return;
    reader.controller.enqueue(bye);
    reader.controller.close();
  }

  #fail(reader: Reader, error: unknown): void {
    if (!this.#leave(reader)) return;
    // Its socket has drained, or it would not have been fed: the end comes through.
    reader.controller.close();
    this.#options.onDrop?.('failed', error);
  }

  /** Forgets a reader. False if it had left already: its stream is closed and takes nothing more. */
  #leave(reader: Reader): boolean {
    if (!this.#readers.delete(reader)) return false;
    const { preamble } = reader;
    reader.preamble = undefined;
    if (preamble !== undefined) void this.#finish(preamble);
    return true;
  }

  /** A preamble that was not read to its end may hold something open. */
  async #finish(preamble: OpenOptions['preamble']): Promise<void> {
    try {
      await preamble.return?.();
    } catch (error) {
      this.#options.onDrop?.('failed', error);
    }
  }
}
