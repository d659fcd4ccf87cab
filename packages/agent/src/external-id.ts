/**
 * The id that a runner gave its work, found in what it prints (`externalIdPattern`), while it runs and at its end.
 *
 * Only whole lines are looked at, so an id is never taken in half; each byte is read once, and no more than the first
 * 256 KiB: a runner that names its session does so when it begins.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Runner, Task } from '@holdfast/shared';
import type { RunDirectory } from './run-directory.ts';
import { errnoOf } from './start-error.ts';

const MOST_READ_BYTES = 256 * 1024;
const MOST_ID = 512;
const NEWLINE = 0x0a;
/** What a task can make of its own log so that it cannot be read: it tells no id then. */
const NO_LOG = new Set(['ENOENT', 'ENOTDIR', 'ENXIO', 'ELOOP', 'EACCES', 'EPERM', 'EISDIR']);

/** What has been read of one output. */
interface Reading {
  bytes: number;
  /** The beginning of a line that has not ended yet. */
  rest: Buffer;
  found: string | undefined;
}

export class ExternalIds {
  readonly #runners: Readonly<Record<string, Runner>>;
  readonly #patterns = new Map<string, RegExp>();
  readonly #readings = new WeakMap<RunDirectory, Reading>();

  constructor(runners: Readonly<Record<string, Runner>>) {
    this.#runners = runners;
  }

  /**
   * The id that the runner of this attempt has told so far. `isOver`: nothing follows, so a last line without its end
   * counts too. Undefined where a task that can be resumed has its id: what a resumed run calls itself need not be
   * what can be resumed the next time (anthropics/claude-code#58760).
   */
  find(run: RunDirectory, task: Task, isOver: boolean): string | undefined {
    const { runner } = task.spec;
    if (runner === undefined || !Object.hasOwn(this.#runners, runner)) return undefined;
    const { externalIdPattern, resume } = this.#runners[runner]!;
    if (externalIdPattern === undefined) return undefined;
    let reading = this.#readings.get(run);
    if (task.externalId !== undefined && resume !== undefined && reading?.found === undefined)
      return undefined;
    reading ??= { bytes: 0, rest: Buffer.alloc(0), found: undefined };
    this.#readings.set(run, reading);
    if (reading.found === undefined)
      readMore(run.outputPath, reading, this.#pattern(externalIdPattern), isOver);
    return reading.found;
  }

  #pattern(source: string): RegExp {
    const known = this.#patterns.get(source) ?? new RegExp(source);
    this.#patterns.set(source, known);
    return known;
  }
}

function readMore(path: string, reading: Reading, pattern: RegExp, isOver: boolean): void {
  const fresh = readFrom(path, reading.bytes, MOST_READ_BYTES - reading.bytes);
  reading.bytes += fresh.length;
  const text = Buffer.concat([reading.rest, fresh]);
  // What the limit cut off is no line either.
  const end = isOver && reading.bytes < MOST_READ_BYTES ? text.length : text.lastIndexOf(NEWLINE) + 1;
  reading.rest = text.subarray(end);
  for (const line of text.toString('utf8', 0, end).split('\n')) {
    const match = pattern.exec(line);
    const id = (match?.[1] ?? match?.[0])?.trim();
    if (id === undefined || id === '' || id.length > MOST_ID || /\p{Cc}/u.test(id)) continue;
    reading.found = id;
    reading.rest = Buffer.alloc(0);
    return;
  }
}

/** Up to `most` bytes of a log from `offset` on. */
function readFrom(path: string, offset: number, most: number): Buffer {
  if (most <= 0) return Buffer.alloc(0);
  let file;
  try {
    // Not blocking: a task may have put a fifo there.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (NO_LOG.has(errnoOf(error) ?? '')) return Buffer.alloc(0);
    throw error;
  }
  try {
    const stats = fstatSync(file);
    const length = stats.isFile() ? Math.min(most, Math.max(0, stats.size - offset)) : 0;
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, length === 0 ? 0 : readSync(file, buffer, 0, length, offset));
  } finally {
    closeSync(file);
  }
}
