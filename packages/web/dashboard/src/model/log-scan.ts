/**
 * A log read once from a known line on, without keeping it. Guarantees: bytes go in in order, cut anywhere; each line
 * is counted once; of the matches only their places are kept, and only so many.
 */
import { plainOf } from './ansi.ts';

/** A line by its place and its number. */
export interface LinePlace {
  at: number;
  number: number;
}

export interface LogScanOptions {
  /** Where to begin: the beginning of a line whose number is known. */
  from: LinePlace;
  /** Ends when this line is found. */
  line?: number;
  /** Collects the lines that contain it, whatever the case. */
  text?: string;
}

/** More matches than this are counted, not kept. */
const MOST_MATCHES = 10_000;
/** Of a line without end only so much is searched. */
const LONGEST_LINE_BYTES = 1_000_000;
/** Places that are remembered, at least this far apart. */
const LANDMARK_BYTES = 500_000;
const NEWLINE = 10;

export class LogScan {
  readonly matches: LinePlace[] = [];
  matchCount = 0;
  /** The line that was looked for. */
  found: LinePlace | undefined;
  /** The line that the next byte belongs to. */
  current: LinePlace;
  /** Where in the file the next byte belongs. */
  offset: number;
  readonly #landmarks: LinePlace[];
  readonly #line: number | undefined;
  readonly #needle: string | undefined;
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  #decoder = new TextDecoder();

  constructor({ from, line, text }: LogScanOptions) {
    this.current = { ...from };
    this.offset = from.at;
    this.#landmarks = [this.current];
    this.#line = line;
    this.#needle = text?.toLowerCase();
    if (line === from.number) this.found = this.current;
  }

  feed(bytes: Uint8Array): void {
    const base = this.offset;
    this.offset += bytes.length;
    let from = 0;
    while (this.found === undefined) {
      const newline = bytes.indexOf(NEWLINE, from);
      if (newline < 0) break;
      this.#search(bytes.subarray(from, newline));
      from = newline + 1;
      this.#begin({ at: base + from, number: this.current.number + 1 });
    }
    if (this.#needle !== undefined) this.#keep(bytes.subarray(from));
  }

  /** No byte follows: the last line is whole. */
  finish(): void {
    if (this.#restBytes > 0) this.#search(new Uint8Array(0));
  }

  /** The last known line at or before `offset`. */
  landmarkBefore(offset: number): LinePlace | undefined {
    return this.#landmarks.findLast((place) => place.at <= offset);
  }

  #begin(place: LinePlace): void {
    this.current = place;
    if (place.number === this.#line) this.found = place;
    if (place.at - this.#landmarks.at(-1)!.at >= LANDMARK_BYTES) this.#landmarks.push(place);
  }

  #search(end: Uint8Array): void {
    if (this.#needle === undefined) return;
    let line = end;
    if (this.#restBytes > 0) {
      this.#keep(end);
      line = new Uint8Array(this.#restBytes);
      let at = 0;
      for (const part of this.#rest) {
        line.set(part, at);
        at += part.length;
      }
      this.#rest = [];
      this.#restBytes = 0;
    }
    if (!plainOf(this.#decoder.decode(line)).toLowerCase().includes(this.#needle)) return;
    this.matchCount += 1;
    if (this.matches.length < MOST_MATCHES) this.matches.push(this.current);
  }

  #keep(part: Uint8Array): void {
    const kept = part.slice(0, LONGEST_LINE_BYTES - this.#restBytes);
    if (kept.length === 0) return;
    this.#rest.push(kept);
    this.#restBytes += kept.length;
  }
}

/** How many lines end in `bytes`. */
export function countNewlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
