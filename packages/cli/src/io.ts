/**
 * Everything that a command touches outside itself. Guarantees: commands reach the terminal, the network, other
 * processes and the clock through an `Io` only, so that a test runs them whole and in its own process.
 */
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** A stream that may be a terminal. */
export type Output = Writable & { isTTY?: boolean; columns?: number; rows?: number };

/** Columns of a terminal that says how wide it is: some say 0. */
export function widthOf({ isTTY, columns }: Output): number | undefined {
  return isTTY === true && columns !== 0 ? columns : undefined;
}

export type Input = Readable & { isTTY?: boolean };

export interface Timer {
  cancel: () => void;
}

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

export type Spawn = (program: string, args: readonly string[], options: SpawnOptions) => ChildProcess;

export interface Io {
  /** What follows the name of the program. */
  argv: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  platform: NodeJS.Platform;
  stdin: Input;
  stdout: Output;
  stderr: Output;
  fetch: typeof globalThis.fetch;
  spawn: Spawn;
  now: () => number;
  random: () => number;
  /** Calls `run` once after `delayMs`; keeps the process alive until then. */
  startTimer: (run: () => void, delayMs: number) => Timer;
  /** Takes over what would end the process. Returns how to give it back. */
  onStopSignal: (listener: (signal: StopSignal) => void) => () => void;
}

const stopSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

const stopListeners = new Set<(signal: StopSignal) => void>();

function tellStopListeners(signal: StopSignal): void {
  for (const listener of stopListeners) listener(signal);
}

/** One listener of the process for all of ours: many waits at a time are no leak, and Node warns of many. */
function onProcessStop(listener: (signal: StopSignal) => void): () => void {
  if (stopListeners.size === 0) for (const signal of stopSignals) process.on(signal, tellStopListeners);
  stopListeners.add(listener);
  return () => {
    stopListeners.delete(listener);
    if (stopListeners.size === 0) for (const signal of stopSignals) process.off(signal, tellStopListeners);
  };
}

/** The real thing. */
export function processIo(): Io {
  return {
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    platform: process.platform,
    // A getter: whoever does not ask for it does not open it.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    fetch: globalThis.fetch,
    spawn,
    now: Date.now,
    random: Math.random,
    startTimer: (run, delayMs) => {
      const timer = setTimeout(run, delayMs);
      return { cancel: () => clearTimeout(timer) };
    },
    onStopSignal: onProcessStop,
  };
}

/** Writes, and waits until the stream has taken it: a reader that is slow slows the writer. */
export function writeTo(output: Output, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(chunk, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Resolves after `delayMs`, or at once when `signal` is aborted; never rejects. */
export function pause(io: Pick<Io, 'startTimer'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const end = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = io.startTimer(end, delayMs);
    signal?.addEventListener('abort', end);
  });
}
