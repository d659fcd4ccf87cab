/**
 * A part of an attempt's output, as lines. Guarantees:
 * - it is one unbroken range of bytes, `start` to `end`; bytes are added at either side, at exact offsets;
 * - a character, a colour or a line that is split over pieces comes out whole, however the bytes are cut;
 * - memory is bounded: `trimHead` and `trimTail` give up whole lines, and the range says what is left;
 * - a line has a number only while it is known how many came before it.
 *
 * A line that nobody looks at is only its text: colours are read when it is drawn (ansi.ts).
 */
import { styleAfter } from './ansi.ts';

export interface LogLine {
  /** Where in the file it begins, in bytes: its name for as long as the file stands. */
  at: number;
  /** As it was printed, the drawings that a carriage return overwrote left out. */
  text: string;
  /** What is in force at its beginning (ansi.ts). */
  style: string;
  /** Bytes of it that are left out, because it has no end in sight. */
  omittedBytes?: number;
}

export interface LogBounds {
  maxLines: number;
  maxBytes: number;
}

export interface LogPlace {
  /** Where the range begins. */
  offset: number;
  /** The number of the line there; absent where it is not known. */
  number?: number;
  /** What is there: a line's beginning; or the middle of one, whose rest is left out (`skip`) or shown (`cut`). */
  begin: 'line' | 'skip' | 'cut';
}

export const LOG_BEGINNING: LogPlace = { offset: 0, number: 1, begin: 'line' };

const DEFAULT_BOUNDS: LogBounds = { maxLines: 30_000, maxBytes: 8_000_000 };
/** A line without end is cut here: one element of ten megabytes would freeze the page. */
const LONGEST_LINE_BYTES = 20_000;

const NEWLINE = 10;
const RETURN = 13;
const NOTHING = new Uint8Array(0);

export class LogLines {
  #lines: LogLine[] = [];
  #bounds: LogBounds;
  #start: number;
  #end: number;
  #firstNumber: number | undefined;
  /** The rest of a line that began before the range is left out. */
  #isMidLine: boolean;
  /** The first line began before `start`: it was too long to be read whole. */
  #isHeadCut: boolean;
  /** The last line while it has not ended: its bytes, where it began, what of it is left out, its style. */
  #open = NOTHING;
  #openAt: number;
  #openOmitted = 0;
  #isOpenShown = false;
  #style = '';

  constructor(place: LogPlace = LOG_BEGINNING, bounds: LogBounds = DEFAULT_BOUNDS) {
    this.#start = place.offset;
    this.#end = place.offset;
    this.#openAt = place.offset;
    this.#isMidLine = place.begin === 'skip';
    this.#isHeadCut = place.begin === 'cut' && place.offset > 0;
    this.#firstNumber = place.offset === 0 ? 1 : place.begin === 'line' ? place.number : undefined;
    this.#bounds = bounds;
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }
  /** Where the first line begins; as long as there is none, where one may begin. */
  get start(): number {
    return this.#start;
  }
  /** Where in the file the next byte belongs. */
  get end(): number {
    return this.#end;
  }
  /** The number of the first line, counted from 1; undefined while it is not known. */
  get firstNumber(): number | undefined {
    return this.#firstNumber;
  }
  get isFull(): boolean {
    return this.#lines.length >= this.#bounds.maxLines || this.#end - this.#start >= this.#bounds.maxBytes;
  }

  /** The line in which the byte at `offset` is: its index, or undefined when it is not here. */
  indexAt(offset: number): number | undefined {
    const lines = this.#lines;
    if (lines.length === 0 || offset < lines[0]!.at || offset >= Math.max(this.#end, lines.at(-1)!.at + 1)) {
      return undefined;
    }
    let low = 0;
    let high = lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (lines[middle]!.at <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The line at `offset` is known to be number `number`; nothing happens if it is no longer here. */
  setNumber(offset: number, number: number): void {
    const index = this.indexAt(offset);
    if (index !== undefined && this.#lines[index]!.at === offset) this.#firstNumber = number - index;
  }

  /** Adds the bytes that follow `end`. */
  append(bytes: Uint8Array): void {
    let from = 0;
    const base = this.#end;
    this.#end += bytes.length;
    if (this.#isMidLine) {
      const newline = bytes.indexOf(NEWLINE);
      from = newline < 0 ? bytes.length : newline + 1;
      this.#start = base + from;
      this.#openAt = this.#start;
      this.#isMidLine = newline < 0;
    }
    while (from < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, from);
      this.#grow(bytes.subarray(from, newline < 0 ? undefined : newline));
      if (newline < 0) {
        this.#show(true);
        return;
      }
      this.#show(false);
      this.#next(base + newline + 1);
      from = newline + 1;
    }
  }

  /**
   * Adds bytes that end exactly at `start`. A line that they cut at their beginning is left out, unless it is all there
   * is of them. Returns how many lines are new.
   */
  prepend(bytes: Uint8Array): number {
    if (this.#isMidLine || bytes.length === 0) return 0;
    const from = this.#start - bytes.length;
    let body = bytes;
    if (this.#isHeadCut) {
      // The first line goes on to the left; what is shown of it stays.
      const cut = bytes.lastIndexOf(NEWLINE) + 1;
      const first = this.#lines[0]!;
      const at = from + cut;
      this.#lines = [
        { ...first, at, omittedBytes: (first.omittedBytes ?? 0) + first.at - at },
        ...this.#lines.slice(1),
      ];
      this.#start = at;
      this.#isHeadCut = cut === 0 && from > 0;
      body = bytes.subarray(0, cut);
    }
    const newline = body.indexOf(NEWLINE);
    const isOneLine = newline === body.length - 1;
    const skipped = from === 0 || isOneLine ? 0 : newline + 1;
    const part = new LogLines({ offset: from + skipped, begin: 'line' }, UNBOUNDED);
    part.append(body.subarray(skipped));
    const count = part.#lines.length;
    if (count > 0) {
      this.#start = part.#start;
      this.#isHeadCut = isOneLine && from > 0;
      this.#lines = [...part.#lines, ...this.#lines];
      this.#restyle(count, part.#style);
    }
    if (this.#start === 0) this.#firstNumber = 1;
    else if (this.#firstNumber !== undefined) this.#firstNumber -= count;
    return count;
  }

  /** Gives up the oldest lines until the rest is within bounds. Returns how many. */
  trimHead(): number {
    let drop = Math.max(0, this.#lines.length - this.#bounds.maxLines);
    while (drop < this.#lines.length - 1 && this.#end - this.#lines[drop]!.at > this.#bounds.maxBytes)
      drop += 1;
    const first = this.#lines[drop];
    if (drop === 0 || first === undefined) return 0;
    this.#lines = this.#lines.slice(drop);
    this.#start = first.at;
    this.#isHeadCut = false;
    if (this.#firstNumber !== undefined) this.#firstNumber += drop;
    return drop;
  }

  /** Gives up the newest lines until the rest is within bounds; `end` goes back to where they began. Returns how many. */
  trimTail(): number {
    let kept = Math.min(this.#lines.length, this.#bounds.maxLines);
    while (kept > 1 && (this.#lines[kept]?.at ?? this.#end) - this.#start > this.#bounds.maxBytes) kept -= 1;
    const first = this.#lines[kept];
    if (first === undefined) return 0;
    const dropped = this.#lines.length - kept;
    this.#lines = this.#lines.slice(0, kept);
    this.#end = first.at;
    this.#style = first.style;
    this.#next(first.at);
    return dropped;
  }

  #grow(piece: Uint8Array): void {
    let bytes = this.#open.length === 0 ? piece : join(this.#open, piece);
    const drawing = bytes.includes(RETURN) ? newestDrawing(bytes) : 0;
    if (drawing > 0) {
      // A progress bar draws over its line: the newest drawing is the line. The colours of the others hold.
      this.#style = styleAfter(this.#style, decode(bytes.subarray(0, drawing)));
      bytes = bytes.subarray(drawing);
      this.#openOmitted = 0;
    }
    this.#openOmitted += Math.max(0, bytes.length - LONGEST_LINE_BYTES);
    // A copy: a few bytes would else hold on to the whole piece that they came in.
    this.#open = bytes.slice(0, LONGEST_LINE_BYTES);
  }

  /** Lines are replaced, never changed in place: a line that is the same object looks the same. */
  #show(isOpen: boolean): void {
    const isCut = isOpen || this.#openOmitted > 0;
    const text = decode(this.#open, isCut).replaceAll('\r', '');
    const line: LogLine = { at: this.#openAt, text, style: this.#style };
    if (this.#openOmitted > 0) line.omittedBytes = this.#openOmitted;
    if (this.#isOpenShown) this.#lines[this.#lines.length - 1] = line;
    else this.#lines.push(line);
    this.#isOpenShown = isOpen;
    if (!isOpen) this.#style = styleAfter(this.#style, text);
  }

  #next(at: number): void {
    this.#openAt = at;
    this.#open = NOTHING;
    this.#openOmitted = 0;
    this.#isOpenShown = false;
  }

  /** What is in force after the lines before `index` goes on in those behind, as far as they do not reset it. */
  #restyle(index: number, style: string): void {
    let inForce = style;
    for (let i = index; i < this.#lines.length; i += 1) {
      const line = this.#lines[i]!;
      if (line.style === inForce) return;
      this.#lines[i] = { ...line, style: inForce };
      if (i < this.#lines.length - 1 || !this.#isOpenShown) inForce = styleAfter(inForce, line.text);
    }
    this.#style = inForce;
  }
}

const UNBOUNDED: LogBounds = { maxLines: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Where the newest drawing of a line begins: behind the last return that something follows. */
function newestDrawing(bytes: Uint8Array): number {
  let last = bytes.length - 1;
  while (last >= 0 && bytes[last] === RETURN) last -= 1;
  return last < 0 ? 0 : bytes.lastIndexOf(RETURN, last) + 1;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** `isCut`: a character that is cut off at the end is not shown. */
function decode(bytes: Uint8Array, isCut = false): string {
  if (!isCut) return decoder.decode(bytes);
  const text = decoder.decode(bytes, { stream: true });
  decoder.decode();
  return text;
}
