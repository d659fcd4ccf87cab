/**
 * The output of one attempt, followed. Guarantees: bytes are read by exact range, one request at a time, driven by
 * what the feed says of the task; "end of output" is said only when the agent said that the attempt is settled and
 * every byte was read; otherwise it is said that the stream stopped, and it is taken up again. What is held is one
 * bounded range of the log: at its end while a person follows, where they look while they do not.
 */
import { signal } from '@preact/signals';
import { isEnded } from '@holdfast/shared/status';
import type { ShownTask } from '@holdfast/shared';
import { LOG_BEGINNING, LogLines, type LogLine, type LogPlace } from '../model/log-lines.ts';
import { countNewlines, LogScan, type LinePlace, type LogScanOptions } from '../model/log-scan.ts';
import { isPassing, type Problem } from '../model/problem.ts';
import { readOutput } from '../transport/api.ts';
import { webNow } from './clock.ts';

export interface LogView {
  lines: readonly LogLine[];
  /** The number of the first line; absent while it is not known. */
  firstNumber?: number;
  /** The range that is held, in bytes of the file. */
  start: number;
  end: number;
  totalBytes: number;
  /** `ended`: the attempt is settled and its size final; `stopped`: it could not be read, it is tried again. */
  state: 'loading' | 'following' | 'ended' | 'stopped';
  problem?: Problem;
  /** When the agent last answered (web's clock). */
  readAt?: number;
  /** What happened to the log underneath, oldest first. */
  gaps: readonly { at: number; text: string }[];
  /** Changes whenever `lines` does. */
  revision: number;
}

/** A pass over the whole log: how far it is. */
export interface ScanView {
  kind: 'line' | 'search';
  doneBytes: number;
  ofBytes: number;
}

/** Every match in the log, as of when `toOffset` was its end. */
export interface Matches {
  text: string;
  lines: readonly LinePlace[];
  count: number;
  toOffset: number;
}

export interface LogFollowerOptions {
  task: Pick<ShownTask, 'id' | 'outputBytes' | 'attempt'>;
  attempt: number;
  read?: typeof readOutput;
  /** Web's clock (ms). */
  now?: () => number;
  schedule?: (callback: () => void, delayMs: number) => () => void;
}

interface Piece {
  bytes: Uint8Array;
  isComplete: boolean;
}

/** A log up to this size is read from its beginning, so that its lines have numbers. */
const WHOLE_BYTES = 3_000_000;
/** Of a longer one the newest part is read first. */
const TAIL_BYTES = 1_000_000;
const PIECE_BYTES = 128 * 1024;
/** So much at a time that the page stays responsive between two. */
const SCAN_BYTES = 500_000;
/** A reader who follows and is further behind than this sees the newest part, not a race through the rest. */
const FAR_BEHIND_BYTES = 4_000_000;
/** Of a line longer than all that was read, its end is shown. */
const CUT_BYTES = 16_000;
const RETRY_MS = 3000;

export class LogFollower {
  readonly view = signal<LogView>({
    lines: [],
    start: 0,
    end: 0,
    totalBytes: 0,
    state: 'loading',
    gaps: [],
    revision: 0,
  });
  readonly scan = signal<ScanView | undefined>(undefined);
  readonly taskId: string;
  readonly attempt: number;
  readonly #read: typeof readOutput;
  readonly #now: () => number;
  readonly #schedule: NonNullable<LogFollowerOptions['schedule']>;
  #log = new LogLines();
  #total: number;
  /** The size is final. */
  #isSettled = false;
  /** The row says that the attempt is over. */
  #isOver = false;
  /** The range reaches to the end of the file and grows with it. */
  #isAttached = true;
  #isFollowing = true;
  /** Who follows is to be taken to the end; until that could be read. */
  #isEndWanted = false;
  #hasOpened = false;
  #gaps: { at: number; text: string }[] = [];
  #readAt: number | undefined;
  #isClosed = false;
  #unschedule: (() => void) | undefined;
  /** What changes the range is done one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #isCatchUpQueued = false;
  #scans = 0;

  constructor(options: LogFollowerOptions) {
    const { task, attempt } = options;
    this.taskId = task.id;
    this.attempt = attempt;
    // A row tells of its newest attempt only.
    this.#total = task.attempt === attempt ? task.outputBytes : 0;
    this.#read = options.read ?? readOutput;
    this.#now = options.now ?? (() => webNow.peek());
    this.#schedule =
      options.schedule ??
      ((callback, delayMs) => {
        const timer = setTimeout(callback, delayMs);
        return () => clearTimeout(timer);
      });
  }

  /** Takes the newest row of the task. */
  update(task: Pick<ShownTask, 'attempt' | 'status' | 'outputBytes'>): void {
    const isNewest = task.attempt === this.attempt;
    // Of a log that is settled the agent has said the size, whatever was once printed into it.
    if (isNewest && !this.#isSettled) this.#total = Math.max(this.#total, task.outputBytes);
    this.#isOver = !isNewest || isEnded(task.status) || task.status === 'queued';
    this.#catchUpSoon();
  }

  close(): void {
    this.#isClosed = true;
    this.#scans += 1;
    this.#unschedule?.();
  }

  /** Whether a person is at the end: only then are older lines given up for newer ones. */
  setFollowing(isFollowing: boolean): void {
    if (this.#isFollowing === isFollowing) return;
    this.#isFollowing = isFollowing;
    this.#isEndWanted = isFollowing && !this.#isAttached;
    if (isFollowing) this.#catchUpSoon();
  }

  /** Reads the part before the range, giving up its end if that is too much. */
  loadBefore(): Promise<void> {
    return this.#do(() => this.#readBefore());
  }

  /** Reads the part behind the range, giving up its beginning if that is too much. */
  loadAfter(): Promise<void> {
    return this.#do(async () => {
      await this.#readAfter();
      this.#catchUpSoon();
    });
  }

  loadBeginning(): Promise<void> {
    return this.#do(async () => {
      await this.#openAt(LOG_BEGINNING);
      this.#catchUpSoon();
    });
  }

  /** Makes the line of that number part of the range; `tooFew`: there are only so many. */
  async seekLine(number: number): Promise<LinePlace | { tooFew: number } | undefined> {
    const held = this.#numbered(number);
    if (held !== undefined) return held;
    const scan = await this.#scanAll({ from: this.#nearest(number), line: number }, 'line');
    if (scan === undefined) return undefined;
    const { found, current, offset } = scan;
    if (found === undefined || found.at >= this.#total) {
      return { tooFew: current.at >= offset ? current.number - 1 : current.number };
    }
    await this.seekPlace(found);
    return found;
  }

  /** Makes the line at a place part of the range, with what is around it. */
  seekPlace(place: { at: number; number?: number }): Promise<void> {
    return this.#do(async () => {
      if (this.#log.indexAt(place.at) !== undefined) {
        if (place.number !== undefined && this.#log.firstNumber === undefined) {
          this.#log.setNumber(place.at, place.number);
          this.#publish();
        }
        return;
      }
      const { at: offset, number } = place;
      const line: LogPlace = { offset, begin: 'line', ...(number === undefined ? {} : { number }) };
      if (await this.#openAt(line)) await this.#readBefore();
      this.#catchUpSoon();
    });
  }

  /** Searches all of the log, over gaps in which it cannot be read. Resolves to undefined when it was given up. */
  async searchAll(text: string): Promise<Matches | undefined> {
    const scan = await this.#scanAll({ from: { at: 0, number: 1 }, text }, 'search');
    if (scan === undefined) return undefined;
    await this.#numberBy(scan);
    return { text, lines: scan.matches, count: scan.matchCount, toOffset: scan.offset };
  }

  stopScan(): void {
    this.#scans += 1;
    this.scan.value = undefined;
  }

  // ── The range ────────────────────────────────────────────────────────────────────────────────────────────

  #do(change: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(() => (this.#isClosed ? undefined : change()));
    this.#queue = done;
    return done;
  }

  #catchUpSoon(): void {
    if (this.#isCatchUpQueued || this.#isClosed) return;
    this.#isCatchUpQueued = true;
    void this.#do(() => {
      this.#isCatchUpQueued = false;
      return this.#catchUp();
    });
  }

  async #catchUp(): Promise<void> {
    this.#unschedule?.();
    if (!this.#hasOpened && !(await this.#openFirst())) return;
    if (this.#isEndWanted) await this.#openTail();
    while (this.#isAttached && !this.#isSettled && !this.#isClosed) {
      if (this.#log.end >= this.#total && !this.#isOver && this.view.peek().state === 'following') return;
      if (!this.#isFollowing && this.#log.isFull) {
        // What a person reads is not taken away from them for what is newer.
        this.#isAttached = false;
        this.#publish();
        return;
      }
      if (this.#isFollowing && this.#total - this.#log.end > FAR_BEHIND_BYTES) {
        if (!(await this.#openAt(this.#tail()))) return;
        this.#isAttached = true;
        continue;
      }
      const piece = await this.#readRange(this.#log.end, PIECE_BYTES);
      if (piece === undefined) return;
      this.#log.append(piece.bytes);
      if (this.#isFollowing) this.#log.trimHead();
      const isAtEnd = this.#log.end >= this.#total;
      if (isAtEnd) this.#showCutLine(piece.bytes);
      this.#isSettled = piece.isComplete && isAtEnd;
      this.#publish(this.#isSettled ? 'ended' : 'following');
      if (this.#isSettled) return;
      if (piece.bytes.length === 0 || isAtEnd) {
        // Ended by its row, not yet by its log: the agent is still collecting.
        if (this.#isOver) this.#again();
        return;
      }
    }
    if (this.view.peek().state === 'stopped') {
      // Nothing of the end is wanted: whether it can be had again is worth knowing all the same.
      const piece = await this.#readPiece(this.#log.end, 1);
      if (piece !== undefined) this.#publish(piece.isComplete ? 'ended' : 'following');
    } else if (this.#total > this.view.peek().totalBytes) this.#publish();
  }

  /** The first look: how long it is decides where reading begins. */
  async #openFirst(): Promise<boolean> {
    if (this.#total <= WHOLE_BYTES) {
      const piece = await this.#readRange(0, PIECE_BYTES);
      if (piece === undefined) return false;
      if (this.#total <= WHOLE_BYTES) {
        this.#log.append(piece.bytes);
        this.#isSettled = piece.isComplete && this.#log.end >= this.#total;
        this.#publish(this.#isSettled ? 'ended' : 'following');
      }
    }
    if (this.#total > WHOLE_BYTES && this.#log.end === 0) this.#openAtTail();
    this.#hasOpened = true;
    return true;
  }

  #tail(): LogPlace {
    const offset = Math.max(0, this.#total - TAIL_BYTES);
    return offset === 0 ? LOG_BEGINNING : { offset, begin: 'skip' };
  }

  #openAtTail(): void {
    this.#log = new LogLines(this.#tail());
    this.#isAttached = true;
  }

  async #openTail(): Promise<void> {
    if (!(await this.#openAt(this.#tail()))) return;
    this.#isAttached = true;
    while (this.#log.end < this.#total) {
      const { end } = this.#log;
      await this.#readAfter();
      if (this.#log.end === end) return;
    }
  }

  /** Another range, from `place` on. What is held is given up only for something that was read: false, and it stays. */
  async #openAt(place: LogPlace): Promise<boolean> {
    const log = this.#log;
    const piece = await this.#readPiece(place.offset, PIECE_BYTES);
    if (piece === undefined || log !== this.#log) return false;
    this.#log = new LogLines(place);
    this.#isAttached = false;
    this.#isEndWanted = false;
    this.#takeAfter(piece);
    return true;
  }

  /** All that was read is the middle of one line: its end is better than nothing. */
  #showCutLine(newest: Uint8Array): void {
    const { start, end } = this.#log;
    if (this.#log.lines.length > 0 || start === 0 || start < end || newest.at(-1) === 10) return;
    const bytes = newest.subarray(-CUT_BYTES);
    this.#log = new LogLines({ offset: end - bytes.length, begin: 'cut' });
    this.#log.append(bytes);
  }

  async #readBefore(): Promise<void> {
    const { start } = this.#log;
    const from = Math.max(0, start - PIECE_BYTES);
    if (from === start) return;
    const piece = await this.#readRange(from, start - from);
    // Fewer bytes than there were: the log was cut underneath, which the next look at its end will say.
    if (piece === undefined || piece.bytes.length < start - from) return;
    this.#log.prepend(piece.bytes);
    if (this.#log.trimTail() > 0) this.#isAttached = false;
    this.#publish();
  }

  async #readAfter(): Promise<void> {
    const piece = await this.#readRange(this.#log.end, PIECE_BYTES);
    if (piece !== undefined) this.#takeAfter(piece);
  }

  #takeAfter(piece: Piece): void {
    this.#log.append(piece.bytes);
    this.#log.trimHead();
    if (this.#log.end >= this.#total) {
      this.#isAttached = true;
      this.#isSettled = piece.isComplete;
      this.#showCutLine(piece.bytes);
    }
    this.#publish(piece.isComplete ? 'ended' : 'following');
  }

  // ── Passes over the whole ────────────────────────────────────────────────────────────────────────────────

  async #scanAll(options: LogScanOptions, kind: ScanView['kind']): Promise<LogScan | undefined> {
    this.#scans += 1;
    const mine = this.#scans;
    const scan = new LogScan(options);
    while (scan.found === undefined) {
      this.scan.value = { kind, doneBytes: scan.offset, ofBytes: Math.max(this.#total, scan.offset) };
      const piece = await this.#readPiece(scan.offset, SCAN_BYTES);
      if (mine !== this.#scans) return undefined;
      if (piece === undefined) {
        const { problem } = this.view.peek();
        if (problem === undefined || !isPassing(problem)) {
          this.scan.value = undefined;
          return undefined;
        }
        // It goes on from where it is once that can be read, unless it is given up.
        await new Promise((resolve) => this.#schedule(() => resolve(undefined), RETRY_MS));
        if (mine !== this.#scans) return undefined;
        continue;
      }
      if (piece.bytes.length === 0) break;
      scan.feed(piece.bytes);
    }
    scan.finish();
    this.scan.value = undefined;
    return scan;
  }

  #numbered(number: number): LinePlace | undefined {
    const { firstNumber, lines } = this.#log;
    const line = firstNumber === undefined ? undefined : lines[number - firstNumber];
    return line === undefined ? undefined : { at: line.at, number };
  }

  /** The last line before `number` whose place is known. */
  #nearest(number: number): LinePlace {
    const { firstNumber, lines } = this.#log;
    if (firstNumber === undefined || lines.length === 0 || number < firstNumber) return { at: 0, number: 1 };
    return { at: lines.at(-1)!.at, number: firstNumber + lines.length - 1 };
  }

  /** After a pass over the log its lines can be numbered. */
  #numberBy(scan: LogScan): Promise<void> {
    return this.#do(async () => {
      const { start, firstNumber } = this.#log;
      const near = scan.landmarkBefore(start);
      if (firstNumber !== undefined || near === undefined || start > scan.offset) return;
      const piece = start === near.at ? undefined : await this.#readPiece(near.at, start - near.at);
      if (start !== near.at && piece?.bytes.length !== start - near.at) return;
      this.#log.setNumber(start, near.number + (piece === undefined ? 0 : countNewlines(piece.bytes)));
      this.#publish();
    });
  }

  // ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Undefined when nothing can be done with it: it could not be had, or the range is another one by now. */
  async #readRange(offset: number, limit: number): Promise<Piece | undefined> {
    const log = this.#log;
    const piece = await this.#readPiece(offset, limit);
    return log === this.#log ? piece : undefined;
  }

  async #readPiece(offset: number, limit: number): Promise<Piece | undefined> {
    const answer = await this.#read(this.taskId, { attempt: this.attempt, offset, limit });
    if (this.#isClosed) return undefined;
    if (!answer.ok) {
      this.#publish('stopped', answer.problem);
      this.#again();
      return undefined;
    }
    this.#readAt = this.#now();
    const { bytes, totalBytes, isComplete } = answer.value;
    if (totalBytes < this.#log.end || totalBytes < offset) {
      this.#beginAnew(totalBytes);
      return undefined;
    }
    this.#total = totalBytes;
    return { bytes, isComplete };
  }

  /** The log was cut or replaced underneath: what was read of it is no more. */
  #beginAnew(totalBytes: number): void {
    const { end } = this.#log;
    const what = totalBytes === 0 ? 'is gone' : `was cut to ${totalBytes} bytes`;
    this.#gaps.push({
      at: this.#now(),
      text: `The log ${what} underneath: ${end} bytes of it had been read.`,
    });
    this.#total = totalBytes;
    this.#isSettled = false;
    this.#openAtTail();
    this.#publish('following');
    this.#catchUpSoon();
  }

  #again(): void {
    this.#unschedule?.();
    this.#unschedule = this.#schedule(() => this.#catchUpSoon(), RETRY_MS);
  }

  #publish(state?: LogView['state'], problem?: Problem): void {
    const { lines, start, end, firstNumber } = this.#log;
    const before = this.view.peek();
    this.view.value = {
      lines,
      start,
      end,
      totalBytes: Math.max(this.#total, end),
      state: state ?? before.state,
      gaps: this.#gaps,
      revision: before.revision + 1,
      ...(firstNumber === undefined ? {} : { firstNumber }),
      ...(problem === undefined ? {} : { problem }),
      ...(this.#readAt === undefined ? {} : { readAt: this.#readAt }),
    };
  }
}
