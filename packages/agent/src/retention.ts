/**
 * Retention: ended tasks and events past it are pruned from the front of the log, in small batches, with the
 * runs and worktrees on disk. The floor moves up and is announced by the heartbeat, so that web may prune below it.
 *
 * What an agent that died in the middle left on disk is found at the next start: folders of tasks that the journal
 * does not hold, and which are too old to be anything but pruned. A folder that cannot be removed keeps no other.
 */
import { join } from 'node:path';
import { type Logger, TaskIdSchema, taskIdTime } from '@holdfast/shared';
import { namesIn } from './folder.ts';
import type { Journal } from './journal.ts';

export interface RetentionOptions {
  journal: Journal;
  home: string;
  retentionMs: number;
  /** Removes what a pruned task left on disk. */
  removeRuns: (taskId: string) => Promise<void>;
  /** Releases worktrees of attempts that ended when the agent died before their worktree was released. */
  releaseWorktrees: () => Promise<void>;
  logger: Logger;
  now: () => number;
}

/** Small enough that nobody waits for a batch. */
const BATCH = 200;
const PERIOD_MS = 60_000;

export class Retention {
  readonly #options: RetentionOptions;
  #timer: NodeJS.Timeout | undefined;
  #pruning: Promise<void> | undefined;
  #stopped = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** From here on it prunes by itself: now, with what was left behind, and then once a minute. */
  start(): void {
    this.#run(async () => {
      await this.#options.releaseWorktrees();
      await this.removeLeftovers();
      await this.prune();
    });
    this.#timer = setInterval(() => this.#run(() => this.prune()), PERIOD_MS);
    this.#timer.unref();
  }

  /** Prunes until nothing older than the retention is left. */
  async prune(): Promise<void> {
    const { journal, retentionMs, now } = this.#options;
    const before = now() - retentionMs;
    while (!this.#stopped) {
      const pruned = await journal.change(() => journal.prune(before, BATCH));
      if (pruned === undefined) return;
      for (const taskId of pruned) await this.#remove(taskId);
    }
  }

  /** Removes run folders of tasks that were pruned when the agent died before their folder was gone. */
  async removeLeftovers(): Promise<void> {
    const { journal, home, retentionMs, now } = this.#options;
    const before = now() - retentionMs;
    for (const name of await namesIn(join(home, 'runs'))) {
      if (this.#stopped) return;
      // Whatever else lies there is not the agent's.
      if (!TaskIdSchema.safeParse(name).success || taskIdTime(name) >= before) continue;
      if (journal.record(name) === undefined) await this.#remove(name);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#pruning;
  }

  #run(work: () => Promise<void>): void {
    this.#pruning ??= work()
      .catch((error: unknown) =>
        this.#options.logger.warn({ err: error }, 'pruning failed; it is tried again'),
      )
      .finally(() => {
        this.#pruning = undefined;
      });
  }

  async #remove(taskId: string): Promise<void> {
    const { removeRuns, logger } = this.#options;
    try {
      await removeRuns(taskId);
    } catch (error) {
      logger.warn(
        { err: error, taskId },
        'the runs of a pruned task could not be removed; the next start tries again',
      );
    }
  }
}
