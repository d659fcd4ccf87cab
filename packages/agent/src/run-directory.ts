/**
 * The run directory of an attempt: what its shim and its agent tell each other through files.
 *
 *   runs/<task>/<attempt>-<launchId>/
 *     pid          the shim: its line of /proc/<pid>/stat, written before anything runs
 *     ticket       created by exactly one: the shim (it runs the command) or the agent (it never will)
 *     stop         the agent asks a command that has not begun not to begin
 *     output.log   stdout and stderr, as the command wrote them
 *     exit.<code>  the exit record; its time is the file's
 *     external-id  written by the task: the id that its runner gave the work
 *
 * What is small is read in place: it takes some microseconds, while handing it to another thread takes more, and the
 * journal beside it blocks on the same disk.
 *
 * The launch id is random: a restored journal that comes to the same attempt number again never mistakes an older
 * run for its own.
 */
import {
  closeSync,
  constants,
  fstatSync,
  type FSWatcher,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { ProcessIdentity } from './process.ts';
import type { FinalOutput } from './settle.ts';
import { cannotWatch, errnoOf, isMissing } from './start-error.ts';

const MOST_EXTERNAL_ID = 512;
/** UTF-8 takes up to four bytes for a character. */
const MOST_EXTERNAL_ID_BYTES = MOST_EXTERNAL_ID * 4;
const LAST_LINE_BYTES = 4096;
const LAST_LINE_CHARACTERS = 200;
const AGENT = 'agent';
/** What a task can make of its own files so that they cannot be read: a fifo, a loop, a forbidden file. */
const UNREADABLE = new Set(['ENOENT', 'ENOTDIR', 'ENXIO', 'ELOOP', 'EACCES', 'EPERM', 'EISDIR']);

export interface ExitRecord {
  exitCode: number;
  /** ms since the epoch */
  endedAt: number;
  /**
   * Whether it was written before the agent asked this run to stop. Told by the times of the two files, which come
   * from one clock: the kernel's file times lag some milliseconds behind the clock that the journal reads.
   */
  beforeStop: boolean;
}

export class RunDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get outputPath(): string {
    return join(this.path, 'output.log');
  }

  /** Makes it. Nothing is ever launched in a directory that does not exist yet. */
  async create(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
  }

  /** The exit record, if there is one. Throws on anything but a missing directory: a failed look is no verdict. */
  readRecord(): ExitRecord | undefined {
    try {
      let found: { exitCode: number; mtimeMs: number } | undefined;
      let stopMs = Number.POSITIVE_INFINITY;
      for (const name of readdirSync(this.path)) {
        const exit = /^exit\.(\d{1,3})$/.exec(name);
        if (exit === null && name !== 'stop') continue;
        const seen = statSync(join(this.path, name));
        // A directory of this name is the task's own doing.
        if (!seen.isFile()) continue;
        const { mtimeMs } = seen;
        if (exit === null) stopMs = mtimeMs;
        // The shim writes last: a task that left such a file in its run does not speak for it.
        else if (found === undefined || mtimeMs >= found.mtimeMs)
          found = { exitCode: Number(exit[1]), mtimeMs };
      }
      if (found === undefined) return undefined;
      const { exitCode, mtimeMs } = found;
      return { exitCode, endedAt: Math.floor(mtimeMs), beforeStop: mtimeMs < stopMs };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /**
   * Calls `onRecord` when an exit record appears, for an attempt whose shim is not this process's child. It is a
   * hint that saves waiting for the next sweep; where watching is not possible the sweep does it. Returns how to stop.
   */
  watchRecord(onRecord: () => void): () => void {
    let watcher: FSWatcher;
    try {
      watcher = watch(this.path, (_event, name) => {
        if (name?.startsWith('exit.') !== false) onRecord();
      });
    } catch (error) {
      if (!cannotWatch(error)) throw error;
      return () => undefined;
    }
    watcher.on('error', () => watcher.close());
    watcher.unref();
    return () => watcher.close();
  }

  /**
   * The shim as it recorded itself. A shim that has the ticket has recorded itself in full before; anything less
   * is of one that never got that far. Without `/proc` it records its pid alone, and the time of the file, in
   * seconds, stands for its start.
   */
  async readShim(): Promise<ProcessIdentity | undefined> {
    const path = join(this.path, 'pid');
    try {
      const line = (await readFile(path, 'utf8')).trim();
      const pid = Number.parseInt(line, 10);
      if (Number.isNaN(pid)) return undefined;
      if (line === String(pid))
        return { pid, startTicks: String(Math.floor((await stat(path)).mtimeMs / 1000)) };
      const startTicks = line.slice(line.lastIndexOf(')') + 2).split(' ')[19];
      return startTicks === undefined ? undefined : { pid, startTicks };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /**
   * Takes the launch ticket for the agent, unless it is taken. `agent`: the attempt can never run. `shim`: it has
   * begun, and its pid is on disk. The link makes name and content appear at once, so a repeated call after a
   * crash gives the same answer.
   */
  takeTicket(): 'agent' | 'shim' {
    const ticket = join(this.path, 'ticket');
    const own = join(this.path, 'ticket.agent');
    try {
      writeFileSync(own, AGENT, { mode: 0o600 });
      linkSync(own, ticket);
      return 'agent';
    } catch (error) {
      // Without a directory nothing was ever launched: it is made before the launch.
      if (isMissing(error)) return 'agent';
      if (errnoOf(error) !== 'EEXIST') throw error;
      return readFileSync(ticket, 'utf8') === AGENT ? 'agent' : 'shim';
    }
  }

  /**
   * A command that has not begun yet will not begin: its shim records 143 instead. Comes before the first signal,
   * which a command that is just beginning would miss.
   */
  requestStop(): void {
    try {
      // Created once: the time of the file is that of the first request, also after a restart of the agent.
      writeFileSync(join(this.path, 'stop'), '', { mode: 0o600, flag: 'wx' });
    } catch (error) {
      // Without a directory there is nothing that could begin.
      if (errnoOf(error) !== 'EEXIST' && !isMissing(error)) throw error;
    }
  }

  /** Size and age of the log. */
  measureOutput(): Pick<FinalOutput, 'outputBytes' | 'lastOutputAt'> {
    try {
      const { size, mtimeMs } = statSync(this.outputPath);
      return { outputBytes: size, lastOutputAt: size === 0 ? undefined : Math.floor(mtimeMs) };
    } catch (error) {
      if (isMissing(error)) return { outputBytes: 0, lastOutputAt: undefined };
      throw error;
    }
  }

  /** The last line of the log that says something, as plain text; undefined if there is none within its last 4 KiB. */
  readLastLine(): string | undefined {
    let file;
    try {
      file = openSync(this.outputPath, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (UNREADABLE.has(errnoOf(error) ?? '')) return undefined;
      throw error;
    }
    try {
      const seen = fstatSync(file);
      if (!seen.isFile()) return undefined;
      const { size } = seen;
      const buffer = Buffer.alloc(Math.min(size, LAST_LINE_BYTES));
      const bytesRead = readSync(file, buffer, 0, buffer.length, size - buffer.length);
      return lastLineOf(buffer.toString('utf8', 0, bytesRead));
    } finally {
      closeSync(file);
    }
  }

  /**
   * The first line of `external-id` if the task wrote one: at most 512 characters, none of them a control
   * character. Whatever else a task puts there is no id, and never keeps the attempt from being settled.
   */
  readExternalId(): string | undefined {
    const path = join(this.path, 'external-id');
    let file;
    try {
      // Most tasks write none: no error is made for each.
      if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
      // Not blocking: a fifo without a writer would never open.
      file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (UNREADABLE.has(errnoOf(error) ?? '')) return undefined;
      throw error;
    }
    try {
      if (!fstatSync(file).isFile()) return undefined;
      const buffer = Buffer.alloc(MOST_EXTERNAL_ID_BYTES + 2);
      const bytesRead = readSync(file, buffer, 0, buffer.length, 0);
      const line = buffer.toString('utf8', 0, bytesRead).split('\n')[0]!.trim();
      return line !== '' && line.length <= MOST_EXTERNAL_ID && !/\p{Cc}/u.test(line) ? line : undefined;
    } finally {
      closeSync(file);
    }
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }
}

function lastLineOf(text: string): string | undefined {
  for (const line of text.split(/[\r\n]+/).toReversed()) {
    const plain = stripVTControlCharacters(line)
      .replaceAll(/\p{Cc}+/gu, ' ')
      .trim();
    if (plain !== '') return Array.from(plain).slice(0, LAST_LINE_CHARACTERS).join('');
  }
  return undefined;
}

export function runDirectory(home: string, taskId: string, attempt: number, launchId: string): RunDirectory {
  return new RunDirectory(join(home, 'runs', taskId, `${attempt}-${launchId}`));
}

/** Everything that the attempts of a task left on disk. */
export function removeRunsOf(home: string, taskId: string): Promise<void> {
  return rm(join(home, 'runs', taskId), { recursive: true, force: true });
}
