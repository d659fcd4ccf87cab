/**
 * What the tests of processes share: a folder that goes away, a patient condition, and a shim that is run as the
 * agent runs it, by any shell.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHIM } from './launch.ts';
import {
  type ProcessIdentity,
  readIdentity,
  scanProcesses,
  type SeenProcess,
  signalProcess,
} from './process.ts';
import { type RunDirectory, runDirectory } from './run-directory.ts';
import { errnoOf, isMissing } from './start-error.ts';

export const TASK_ID = '019a9f0e-7c00-7000-8000-000000000001';

export function makeFolder(): { path: string } & Disposable {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-agent-')));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

const PATIENCE_MS = 30_000;

/** Waits for a condition that has no event of its own. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The name of the program that a process runs; '' once it has ended. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch (error) {
    if (isMissing(error) || errnoOf(error) === 'ESRCH') return '';
    throw error;
  }
}

export interface ShimRun extends AsyncDisposable {
  run: RunDirectory;
  shim: ProcessIdentity;
  child: ChildProcess;
  /** Resolves with the shim's own exit code, or the name of the signal that killed it. */
  ended: Promise<number | string>;
  output: () => string;
  /** The living processes of the attempt besides the shim. */
  others: () => SeenProcess[];
}

export interface ShimOptions {
  shell?: string;
  env?: Record<string, string>;
  cwd?: string;
  attempt?: number;
  launchId?: string;
  /** Called with the run directory before the shim starts. */
  before?: (run: RunDirectory) => void;
}

/** Runs a command through the shim; whatever is left of it is killed at the end of the test. */
export function startShim(home: string, argv: readonly string[], options: ShimOptions = {}): ShimRun {
  const { shell = '/bin/sh', env = {}, cwd = '/', attempt = 1, launchId = 'abc', before } = options;
  const run = runDirectory(home, TASK_ID, attempt, launchId);
  mkdirSync(run.path, { recursive: true });
  before?.(run);
  const log = openSync(run.outputPath, 'a');
  const child = spawn(shell, ['-c', SHIM, run.path, ...argv], {
    cwd,
    env: { PATH: '/usr/bin:/bin', ...env, HOLDFAST_RUN: run.path },
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const pid = child.pid!;
  const shim = { pid, startTicks: readIdentity(pid).startTicks };
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  const others = () => scanProcesses().othersOf(run.path, shim);
  return {
    run,
    shim,
    child,
    ended,
    others,
    output: () => readFileSync(run.outputPath, 'utf8'),
    async [Symbol.asyncDispose]() {
      await until('everything of the run is gone', () => {
        const left = others();
        for (const process of left) signalProcess(process, 'SIGKILL');
        return left.length === 0;
      });
      child.kill('SIGKILL');
      await ended;
    },
  };
}
