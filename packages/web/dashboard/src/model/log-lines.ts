/**
 * The output of one attempt as lines. Guarantees: bytes go in at exact offsets and in order; a character or a
 * colour that is split over chunks comes out whole; memory is bounded, and what was let go is counted.
 */
import { AnsiReader, type Segment } from './ansi.ts';

export interface LogLine {
  /** Counts from 1 at the first line that was read; stable while older lines are let go. */
  number: number;
  segments: Segment[];
  /** Characters, for an estimate of the height. */
  length: number;
}

export interface LogBounds {
  maxLines: number;
  maxChars: number;
}

const DEFAULT_BOUNDS: LogBounds = { maxLines: 50_000, maxChars: 8_000_000 };
/** A line without end is cut here: one element of ten megabytes would freeze the page. */
const LONGEST_LINE = 20_000;

export class LogLines {
  #decoder = new TextDecoder('utf-8');
  #ansi = new AnsiReader();
  #lines: LogLine[] = [];
  #chars = 0;
  #skipped = 0;
  #isOpen = false;
  #sawReturn = false;
  #isMidLine: boolean;
  #bounds: LogBounds;
  /** Where in the file the next byte belongs. */
  offset: number;
  /** Where reading began. */
  readonly startOffset: number;

  /** `startOffset` > 0: the head of the file was left out; the rest of the line that it cut is dropped too. */
  constructor(startOffset = 0, bounds: LogBounds = DEFAULT_BOUNDS) {
    this.startOffset = startOffset;
    this.offset = startOffset;
    this.#isMidLine = startOffset > 0;
    this.#bounds = bounds;
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }
  /** Lines that were read and let go again to bound memory. */
  get skipped(): number {
    return this.#skipped;
  }

  append(bytes: Uint8Array): void {
    this.offset += bytes.length;
    let text = this.#decoder.decode(bytes, { stream: true });
    if (this.#isMidLine) {
      const end = text.indexOf('\n');
      if (end < 0) return;
      this.#isMidLine = false;
      text = text.slice(end + 1);
    }
    let from = 0;
    while (from < text.length) {
      const end = text.indexOf('\n', from);
      this.#write(text.slice(from, end < 0 ? undefined : end));
      if (end < 0) break;
      this.#open();
      this.#isOpen = false;
      this.#sawReturn = false;
      from = end + 1;
    }
    this.#bound();
  }

  /** The last line if it has not ended, else a new one. */
  #open(): LogLine {
    const last = this.#lines.at(-1);
    if (this.#isOpen && last !== undefined) return last;
    const line: LogLine = { number: this.#skipped + this.#lines.length + 1, segments: [], length: 0 };
    this.#lines.push(line);
    this.#isOpen = true;
    return line;
  }

  #write(text: string): void {
    const parts = text.split('\r');
    for (const [index, part] of parts.entries()) {
      if (index > 0) this.#sawReturn = true;
      if (part === '') continue;
      if (this.#sawReturn) {
        // A progress bar draws over its line: the newest drawing is the line.
        this.#change([]);
        this.#sawReturn = false;
      }
      const line = this.#open();
      const room = LONGEST_LINE - line.length;
      const segments = this.#ansi.read(part);
      this.#change(room <= 0 ? line.segments : [...line.segments, ...cut(segments, room)]);
    }
  }

  /** Lines are replaced, never changed in place: a line that is the same object looks the same. */
  #change(segments: Segment[]): void {
    const line = this.#open();
    const length = segments.reduce((sum, segment) => sum + segment.text.length, 0);
    this.#chars += length - line.length;
    this.#lines[this.#lines.length - 1] = { number: line.number, segments, length };
  }

  #bound(): void {
    let drop = Math.max(0, this.#lines.length - this.#bounds.maxLines);
    for (let i = 0; i < drop; i += 1) this.#chars -= this.#lines[i]!.length;
    while (this.#chars > this.#bounds.maxChars && drop < this.#lines.length - 1) {
      this.#chars -= this.#lines[drop]!.length;
      drop += 1;
    }
    if (drop === 0) return;
    this.#lines.splice(0, drop);
    this.#skipped += drop;
  }
}

function cut(segments: Segment[], room: number): Segment[] {
  const kept: Segment[] = [];
  let left = room;
  for (const segment of segments) {
    if (left <= 0) break;
    kept.push(
      segment.text.length > left ? { ...segment, text: `${segment.text.slice(0, left)} …` } : segment,
    );
    left -= segment.text.length;
  }
  return kept;
}
