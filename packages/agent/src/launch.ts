/**
 * Launching: an attempt's command through the shim, detached from the agent.
 *
 * The shim gets a session and a process group of its own and writes to a file, so nothing ties the task to the
 * agent: not its pipes, not its terminal, not its life. A small process does the forking (launcher.mjs says why).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Logger } from '@holdfast/shared';
import type { ShimIdentity } from './attempts.ts';
import { readIdentity, startTimeOf } from './process.ts';
import { parseStat } from './process-linux.ts';
import type { RunDirectory } from './run-directory.ts';
import { startErrorOf } from './start-error.ts';

const LAUNCHER = fileURLToPath(new URL('./launcher.mjs', import.meta.url));

/** The shim without its comments, as it is given to `sh -c`. */
export const SHIM = readFileSync(new URL('./shim.sh', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.trimStart().startsWith('#'))
  .join('\n');

export interface LaunchRequest {
  run: RunDirectory;
  /** The executable as an absolute path, and its arguments. */
  argv: readonly string[];
  cwd: string;
  /** What this task has besides the common environment. */
  env: Record<string, string>;
}

export interface Launched {
  shim: ShimIdentity;
  /** When the kernel started it, ms since the epoch. */
  startedAt: number;
}

/** Whether the attempt was started is not known here: that is for the evidence to say. */
export class LauncherLostError extends Error {
  readonly code = 'launcher_lost';
}

/**
 * What a launcher says last of a shim: `exited`, it was reaped; or `unseen`, the launcher is gone and nobody will
 * tell of its exit, which may have been already.
 */
export type LastWord = 'exited' | 'unseen';

interface Pending {
  resolve: (launched: Launched) => void;
  reject: (error: unknown) => void;
}

type Answer =
  | { id: number; pid: number; stat: string }
  | { id: number; errno: string; message: string }
  | { id: number; exited: true };

export interface LauncherOptions {
  /** The environment that every task gets. */
  environment: Readonly<Record<string, string>>;
  logger: Logger;
  /** A launcher that owes an answer and gives none for so long is replaced. */
  silenceMs?: number;
}

const SILENCE_MS = 10_000;

export class Launcher {
  readonly #options: LauncherOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #exits = new Map<number, (told: LastWord) => void>();
  #process: ChildProcess | undefined;
  #lastId = 0;
  #stopped = false;
  #silence: NodeJS.Timeout | undefined;

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#process = this.#start();
  }

  /**
   * Starts a shim in a run directory that exists. Rejects with a `StartError` if nothing was started, with
   * `LauncherLostError` if that is not known. `onExit` is called once for a shim that was started, unless the agent
   * stops before.
   */
  async launch(request: LaunchRequest, onExit: (told: LastWord) => void): Promise<Launched> {
    const { run, argv, cwd, env } = request;
    if (this.#stopped) throw new LauncherLostError('the agent is stopping');
    const launcher = (this.#process ??= this.#start());
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Launched>();
    this.#pending.set(id, { resolve, reject });
    this.#exits.set(id, onExit);
    // Only the first of those that wait: each further one would give a launcher that hangs as much time again.
    if (this.#pending.size === 1) this.#awaitAnswer(launcher);
    launcher.send(
      { id, argv: ['/bin/sh', '-c', SHIM, run.path, ...argv], cwd, env, output: run.outputPath },
      (error) => {
        // Its end is not known yet in this turn of the loop: without this each launch until then would be lost too.
        if (error !== null) this.#lose(launcher, error);
      },
    );
    return promise;
  }

  stop(): void {
    this.#stopped = true;
    if (this.#process?.connected === true) this.#process.disconnect();
  }

  #start(): ChildProcess {
    // A process group of its own: a Ctrl-C in a terminal is for whoever started the agent.
    const launcher = fork(LAUNCHER, [], {
      detached: true,
      execArgv: ['--max-semi-space-size=1'],
      env: {},
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    // Each time: one that cannot be started, and has no channel then, says so more than once.
    launcher.on('error', (error) => this.#lose(launcher, error));
    if (!launcher.connected) throw new LauncherLostError('the launcher cannot be started');
    launcher.send({ environment: this.#options.environment });
    launcher.on('message', (answer: Answer) => {
      this.#take(answer);
      this.#awaitAnswer(launcher);
    });
    launcher.once('disconnect', () => this.#lose(launcher));
    launcher.once('exit', () => this.#lose(launcher));
    // It keeps nobody from ending: it goes when the agent does.
    launcher.unref();
    launcher.channel?.unref();
    return launcher;
  }

  #take(answer: Answer): void {
    if ('exited' in answer) {
      const onExit = this.#exits.get(answer.id);
      this.#exits.delete(answer.id);
      onExit?.('exited');
      return;
    }
    const pending = this.#settle(answer.id);
    if (pending === undefined) return;
    if ('errno' in answer) {
      this.#exits.delete(answer.id);
      const cause = Object.assign(new Error(answer.message), { code: answer.errno });
      pending.reject(startErrorOf('spawn_failed', 'the process cannot be started', cause));
      return;
    }
    const { pid, stat } = answer;
    try {
      const startTicks = stat === '' ? readIdentity(pid).startTicks : parseStat(stat).startTicks;
      pending.resolve({ shim: { pid, startTicks }, startedAt: startTimeOf(startTicks) });
    } catch (error) {
      pending.reject(new LauncherLostError('it runs, but who it is could not be read', { cause: error }));
    }
  }

  /** From now on its answers are waited for, if it owes any; a launcher that hangs would hold starts for ever. */
  #awaitAnswer(launcher: ChildProcess): void {
    clearTimeout(this.#silence);
    if (this.#pending.size === 0 || this.#process !== launcher) return;
    const { silenceMs = SILENCE_MS } = this.#options;
    this.#silence = setTimeout(() => {
      launcher.kill('SIGKILL');
      this.#lose(launcher, new Error(`it gave no answer for ${silenceMs} ms`));
    }, silenceMs);
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #lose(launcher: ChildProcess, cause?: unknown): void {
    if (this.#process !== launcher) return;
    this.#process = undefined;
    clearTimeout(this.#silence);
    if (!this.#stopped)
      this.#options.logger.warn({ err: cause }, 'the launcher ended; another one takes its place');
    for (const [id, { reject }] of this.#pending) {
      this.#pending.delete(id);
      this.#exits.delete(id);
      reject(new LauncherLostError('the launcher ended', { cause }));
    }
    const unseen = [...this.#exits.values()];
    this.#exits.clear();
    if (this.#stopped) return;
    for (const onExit of unseen) onExit('unseen');
  }
}
