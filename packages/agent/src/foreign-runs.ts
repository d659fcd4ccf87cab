/**
 * Foreign runs: run directories of a task that this journal knows nothing of. A journal that was restored from a copy
 * has forgotten the attempts that were made since, and gives their numbers again; their processes may still be alive.
 *
 * Before an attempt is launched they are stopped, every process of them (P4). In the ordinary case there is nothing to
 * look at: each run directory of the task is an attempt on record, and no process is looked for.
 */
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '@holdfast/shared';
import type { AttemptStore } from './attempts.ts';
import { namesIn } from './folder.ts';
import type { Look } from './look.ts';
import type { ProcessIdentity } from './process.ts';
import { RunDirectory } from './run-directory.ts';
import { StartError } from './start-error.ts';

export interface ForeignRunsOptions {
  home: string;
  attempts: AttemptStore;
  look: Pick<Look, 'processes' | 'signal'>;
  killGraceMs: number;
  logger: Logger;
  /** Monotonic, ms. */
  monotonic: () => number;
}

const POLL_MS = 100;

export class ForeignRuns {
  readonly #options: ForeignRunsOptions;

  constructor(options: ForeignRunsOptions) {
    this.#options = options;
  }

  /**
   * Resolves when no process of a foreign run of this task is left. Throws a passing `StartError` when `signal` is
   * aborted before, and what a look that fails throws: then nothing is started either (P10).
   */
  async stop(taskId: string, signal: AbortSignal): Promise<void> {
    const { look, killGraceMs, logger, monotonic } = this.#options;
    const runs = await this.#find(taskId);
    if (runs.length === 0) return;
    const began = monotonic();
    for (let isTold = false; ;) {
      const alive = await this.#alive(runs);
      if (alive.length === 0) return;
      if (!isTold) {
        logger.warn(
          { taskId, pids: alive.map(({ pid }) => pid) },
          'a run that this journal does not know is stopped',
        );
        look.signal(alive, 'SIGTERM');
        look.signal(alive, 'SIGCONT');
        isTold = true;
      } else if (monotonic() - began >= killGraceMs) {
        look.signal(alive, 'SIGKILL');
      }
      if (signal.aborted) {
        const pids = alive.map(({ pid }) => pid).join(', ');
        const message = `processes of a run that this journal does not know are still alive: ${pids}`;
        throw new StartError('spawn_failed', message, { passing: true });
      }
      await wait(POLL_MS);
    }
  }

  async #find(taskId: string): Promise<RunDirectory[]> {
    const { home, attempts } = this.#options;
    const folder = join(home, 'runs', taskId);
    const names = await namesIn(folder);
    const known = attempts.runNames(taskId);
    return names
      .filter((name) => /^\d+-/.test(name) && !known.has(name))
      .map((name) => new RunDirectory(join(folder, name)));
  }

  async #alive(runs: readonly RunDirectory[]): Promise<ProcessIdentity[]> {
    const shims = await Promise.all(runs.map((run) => run.readShim()));
    const table = await this.#options.look.processes();
    const alive = new Map<number, ProcessIdentity>();
    for (const [index, run] of runs.entries()) {
      const shim = shims[index];
      const own = shim === undefined ? undefined : table.shimOf(shim);
      for (const process of [...(own === undefined ? [] : [own]), ...table.othersOf(run.path, shim)]) {
        alive.set(process.pid, process);
      }
    }
    return [...alive.values()];
  }
}
