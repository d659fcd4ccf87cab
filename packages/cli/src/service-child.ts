/**
 * A service that runs as a child of `holdfast up`.
 *
 * Guarantees: the child has a process group of its own, so that a Ctrl-C at the terminal is `up`'s to handle; it is
 * ready only when it has announced itself under its own pid and answers so; what it wrote before that is kept as its
 * last words and afterwards passed on line by line.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CliError, textOf } from './cli-error.ts';
import { askReady, readServiceFiles, type ServiceFile, type ServiceName } from './find-services.ts';
import { type Io, pause } from './io.ts';
import { isObject, parseObject } from './json.ts';

export interface ServiceChildOptions {
  name: ServiceName;
  home: string;
  /** The program and its arguments. */
  command: readonly [string, ...string[]];
  env: NodeJS.ProcessEnv;
  io: Pick<Io, 'fetch' | 'now' | 'spawn' | 'startTimer'>;
  /** A line that the service wrote to its standard error. */
  onLine: (line: string) => void;
}

/** How a child ended. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ServiceChild {
  readonly name: ServiceName;
  /**
   * Where it listens, once it is ready. Rejects with a `CliError` that holds its last words if it ends before, or is
   * not ready within a minute.
   */
  readonly ready: Promise<ServiceFile>;
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<Ending>;
  /** Asks it to end; a second time nothing. */
  stop(): void;
  kill(): void;
}

const READY_TIMEOUT_MS = 60_000;
const LOOK_MS = 50;
const MOST_LAST_WORDS = 20;

export function startServiceChild(options: ServiceChildOptions): ServiceChild {
  const { name, command, env, io, onLine } = options;
  const [program, ...args] = command;
  const child = io.spawn(program, args, { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  const lastWords: string[] = [];
  let isReady = false;

  const lines = child.stderr === null ? undefined : createInterface({ input: child.stderr });
  lines?.on('line', (line) => {
    if (isReady) onLine(line);
    else {
      lastWords.push(line);
      if (lastWords.length > MOST_LAST_WORDS) lastWords.shift();
    }
  });

  const ended = endOf(child, lastWords);
  const ready = waitUntilReady(child, ended, options).then(
    (file) => {
      isReady = true;
      for (const line of lastWords.splice(0)) onLine(line);
      return file;
    },
    (error: unknown) => {
      const words = lastWords.map((line) => `\n    ${readableLine(line)}`).join('');
      throw new CliError(`${textOf(error)}${words}`, { cause: error });
    },
  );
  // Whoever stops a child that is not ready yet does not wait for its readiness.
  ready.catch(() => undefined);
  let isAsked = false;
  return {
    name,
    ready,
    ended,
    stop() {
      // To a service that is stopping already a second SIGTERM could mean something else.
      if (!isAsked) child.kill('SIGTERM');
      isAsked = true;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** `close` comes after the last line of its output, `exit` before; a child that could not be started has neither. */
function endOf(child: ChildProcess, lastWords: string[]): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  child.on('close', (code, signal) => resolve({ code, signal }));
  child.on('error', (error) => {
    if (child.pid !== undefined) return;
    lastWords.push(error.message);
    resolve({ code: null, signal: null });
  });
  return promise;
}

async function waitUntilReady(
  child: ChildProcess,
  ended: Promise<Ending>,
  { name, home, io }: ServiceChildOptions,
): Promise<ServiceFile> {
  const over = new AbortController();
  const early = ended.then((ending): never => {
    over.abort();
    throw new Error(`${name} ended during its start (${endingText(ending)})`);
  });
  const deadlineAt = io.now() + READY_TIMEOUT_MS;
  const look = async (): Promise<ServiceFile> => {
    let why = 'it has not announced itself';
    while (io.now() < deadlineAt && !over.signal.aborted) {
      const file = readServiceFiles(home, name).find((one) => one.pid === child.pid);
      if (file !== undefined) {
        const readiness = await askReady(file.url, io.fetch);
        if (readiness.ready) return file;
        ({ why } = readiness);
      }
      await pause(io, LOOK_MS, over.signal);
    }
    throw new Error(`${name} is not ready after ${READY_TIMEOUT_MS / 1000} s: ${why}`);
  };
  return Promise.race([early, look()]);
}

export function endingText({ code, signal }: Ending): string {
  if (signal !== null) return signal;
  return code === null ? 'it could not be started' : `exit code ${code}`;
}

/** A line of a service's log as a person reads it: `warn  the folder cannot be watched`. Other lines as they are. */
export function readableLine(line: string): string {
  const { level, msg, why, err } = parseObject(line) ?? {};
  if (typeof level !== 'number' || typeof msg !== 'string') return line;
  const reason = isObject(err) ? err.message : why;
  const name = levels.find(([least]) => level >= least)?.[1] ?? 'trace';
  return `${name}  ${msg}${typeof reason === 'string' && reason !== msg ? `: ${reason}` : ''}`;
}

/** pino's numbers. */
const levels: readonly (readonly [least: number, name: string])[] = [
  [60, 'fatal'],
  [50, 'error'],
  [40, 'warn'],
  [30, 'info'],
  [20, 'debug'],
];
