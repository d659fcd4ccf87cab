/**
 * The newest part of the log as encoded frames, shared by every reader near the head: one chunk a commit.
 *
 * Bounded by bytes, not by readers. Who falls behind it reads the database (journal.ts) until they are back.
 */
import type { Page } from '@holdfast/shared';

const MOST_BYTES = 4 * 1024 * 1024;
/** Events in one page that is read from the database. */
const PAGE_EVENTS = 200;

export class LogTail {
  /** Chunks by the position that they follow, oldest first. */
  readonly #chunks = new Map<number, Page>();
  #bytes = 0;

  /** Adds the frames of one commit: those behind `from` up to `to`. */
  push(from: number, bytes: Uint8Array, to: number): void {
    this.#chunks.set(from, { bytes, position: to });
    this.#bytes += bytes.byteLength;
    for (const [oldest, chunk] of this.#chunks) {
      if (this.#bytes <= MOST_BYTES || this.#chunks.size === 1) break;
      this.#chunks.delete(oldest);
      this.#bytes -= chunk.bytes.byteLength;
    }
  }

  /** The chunk that follows `position`, if one begins exactly there. */
  get(position: number): Page | undefined {
    return this.#chunks.get(position);
  }

  /** How many events to read behind `position` so as to end at the beginning of a chunk, or a page at most. */
  reach(position: number): number {
    for (let next = position + 1; next <= position + PAGE_EVENTS; next += 1) {
      if (this.#chunks.has(next)) return next - position;
    }
    return PAGE_EVENTS;
  }
}
