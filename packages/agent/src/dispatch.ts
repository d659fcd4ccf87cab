/**
 * Dispatch: from a free slot to a confirmed process.
 *
 * claim (committed) → prepare (workspace, executable, argv) → launch (shim) → `started` (committed). A start that
 * fails leaves nothing behind (P8): what was begun is undone, and the task goes back to the queue or ends
 * `failed` with the error. Should the agent die in between, the recovery table finds the attempt by its ticket.
 */
import { randomBytes } from 'node:crypto';
import { type Logger, messageOf, type Runner, type Task } from '@holdfast/shared';
import { Alarm } from './alarm.ts';
import type { AttemptRecord, AttemptStore } from './attempts.ts';
import { ownEnvironment, resolveExecutable } from './environment.ts';
import type { ForeignRuns } from './foreign-runs.ts';
import type { Journal, TaskRecord } from './journal.ts';
import { type Launched, type Launcher, LauncherLostError } from './launch.ts';
import type { Pool } from './pool.ts';
import { bootIdentity } from './process.ts';
import type { Queue } from './queue.ts';
import { argvOf } from './runners.ts';
import type { Ending, Settlement } from './settle.ts';
import { StartError } from './start-error.ts';
import type { Supervisor } from './supervise.ts';
import type { Watch } from './watch.ts';
import type { PlannedWorktree, Workspaces } from './workspace.ts';

export interface DispatcherOptions {
  journal: Journal;
  attempts: AttemptStore;
  queue: Queue;
  pool: Pool;
  supervisor: Supervisor;
  settlement: Settlement;
  foreignRuns: Pick<ForeignRuns, 'stop'>;
  workspaces: Workspaces;
  runners: Readonly<Record<string, Runner>>;
  launcher: Launcher;
  /** What every task gets (cleanEnvironment). */
  environment: Readonly<Record<string, string>>;
  prepareMs: number;
  logger: Logger;
  /** Told at each step of each start. A test that ends the agent there proves that none of them is a trap. */
  onStep?: ((step: DispatchStep, taskId: string) => void) | undefined;
  now: () => number;
}

/**
 * The steps of a start, in their order; between any two the agent may die. `claiming` and `confirming`: written, not
 * committed yet. `launchAsked`: the launcher was told, its answer is awaited.
 */
export const dispatchSteps = [
  'claiming',
  'claimed',
  'prepared',
  'runCreated',
  'launchAsked',
  'launched',
  'confirming',
  'confirmed',
] as const;
export type DispatchStep = (typeof dispatchSteps)[number];

interface Claimed {
  record: TaskRecord;
  attempt: AttemptRecord;
  worktree: PlannedWorktree | undefined;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #starts = new Set<Promise<void>>();
  /** Aborted when the agent stops: ends preparations. */
  readonly #halt = new AbortController();
  #filling: Promise<void> | undefined;
  #again = false;
  readonly #alarm: Alarm;
  #open = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.now);
  }

  /** From here on tasks are started: called once what was running before has been judged. */
  start(): void {
    if (this.#halt.signal.aborted) return;
    this.#open = true;
    this.wake();
  }

  /** There may be a task to start, or a slot to start it in. */
  wake(): void {
    if (!this.#open) return;
    if (this.#filling !== undefined) {
      this.#again = true;
      return;
    }
    this.#filling = this.#fill()
      .catch((error: unknown) => {
        // The journal refused the claim: nothing was started; the sweep wakes the dispatcher again.
        this.#options.logger.warn({ err: error }, 'no task could be claimed');
      })
      .finally(() => {
        this.#filling = undefined;
        if (this.#again) {
          this.#again = false;
          this.wake();
        }
      });
  }

  /**
   * Starts nothing more, and waits for starts that are under way: what is being prepared goes back to the queue, what
   * is being launched is launched.
   */
  async stop(): Promise<void> {
    this.#open = false;
    this.#halt.abort();
    this.#alarm.clear();
    await this.#filling;
    await Promise.all(this.#starts);
  }

  async #fill(): Promise<void> {
    const { journal, pool, queue, now } = this.#options;
    const since = now();
    if (pool.free > 0) {
      const claimed = await journal.change(() => {
        const found: Claimed[] = [];
        // Asked again here, once a claim: the pool may have been paused or made smaller in this very commit.
        while (pool.free > 0 && this.#open) {
          const one = this.#claim();
          if (one === undefined) break;
          found.push(one);
        }
        return found;
      });
      for (const one of claimed) {
        const start: Promise<void> = this.#start(one).finally(() => this.#starts.delete(start));
        this.#starts.add(start);
      }
    }
    this.#alarm.set(queue.nextDelayedAt(since), () => this.wake());
  }

  /** Inside a change: claims one task, with all that a recovery needs to know of the attempt. */
  #claim(): Claimed | undefined {
    const { queue, attempts, workspaces, now } = this.#options;
    const record = queue.claimNext();
    if (record === undefined) return undefined;
    const { id: taskId, attempt, spec } = record.task;
    const launchId = randomBytes(6).toString('hex');
    attempts.claim({ taskId, attempt, launchId, claimedAt: now(), bootId: bootIdentity() });
    const worktree = workspaces.plan(spec, taskId, attempt, launchId);
    if (worktree !== undefined) attempts.setWorkspace(taskId, attempt, JSON.stringify(worktree));
    this.#step('claiming', taskId);
    return { record, attempt: attempts.get(taskId, attempt)!, worktree };
  }

  /** Never rejects: whatever happens, the attempt is running, settled, or judged by its evidence like any other. */
  async #start(claimed: Claimed): Promise<void> {
    const { supervisor } = this.#options;
    const watch = supervisor.beginDispatch(claimed.attempt);
    this.#step('claimed', watch.taskId);
    let launched: Launched;
    try {
      launched = await this.#launch(claimed, watch);
    } catch (error) {
      await this.#giveUp(claimed, watch, error);
      return;
    }
    watch.dispatching = false;
    await this.#confirm(watch, launched);
  }

  async #launch(claimed: Claimed, watch: Watch): Promise<Launched> {
    const { foreignRuns, workspaces, runners, prepareMs, environment, launcher, supervisor } = this.#options;
    const { task, env } = claimed.record;
    const { signal: halt } = this.#halt;
    const deadline = AbortSignal.any([watch.abort.signal, halt, AbortSignal.timeout(prepareMs)]);
    const marker = { taskId: task.id, attempt: task.attempt, sessionId: task.sessionId, run: watch.run.path };
    const marked = ownEnvironment(undefined, marker);
    await foreignRuns.stop(task.id, deadline);
    const cwd = await workspaces.prepare(task.spec, claimed.worktree, deadline, marked);
    const argv = argvOf(task, runners);
    if (argv === undefined) {
      throw new StartError('spawn_failed', `this agent has no runner "${task.spec.runner}"`, {
        passing: false,
      });
    }
    const own = ownEnvironment(env, marker);
    const executable = resolveExecutable(argv[0]!, cwd, own.PATH ?? environment.PATH);
    // A stop that was asked for while preparing: nothing was launched, and the evidence says so.
    if (watch.abort.signal.aborted || halt.aborted) throw new StopAskedError('a stop was asked for');
    this.#step('prepared', task.id);
    await watch.run.create();
    this.#step('runCreated', task.id);
    watch.ownChild = true;
    const request = { run: watch.run, argv: [executable, ...argv.slice(1)], cwd, env: own };
    const launching = launcher.launch(request, (told) => {
      if (told === 'exited') watch.reaped = true;
      else this.#watchRecord(watch);
      supervisor.examine(watch);
    });
    this.#step('launchAsked', task.id);
    const launched = await launching;
    this.#step('launched', task.id);
    return launched;
  }

  /** The process runs and was verified: `started`. If the journal refuses, the next sweep says it. */
  async #confirm(watch: Watch, launched: Launched): Promise<void> {
    const { journal, attempts, supervisor, logger, now } = this.#options;
    watch.shim = launched.shim;
    try {
      const task = await journal.change(() => {
        const record = journal.record(watch.taskId);
        if (record?.task.attempt !== watch.attempt || record.task.status !== 'starting') return undefined;
        const at = now();
        attempts.start({ taskId: watch.taskId, attempt: watch.attempt, startedAt: at, ...launched.shim });
        const { pid } = launched.shim;
        const data = { process: { pid, startedAt: launched.startedAt, verifiedAt: at } };
        const started = journal.append(record, { kind: 'started', at, data });
        this.#step('confirming', watch.taskId);
        return started;
      });
      this.#step('confirmed', watch.taskId);
      if (task !== undefined) supervisor.confirmed(watch, task, launched.shim);
    } catch (error) {
      logger.error(
        { err: error, taskId: watch.taskId },
        '"started" could not be put on record; the next sweep tries again',
      );
    }
    // It may have ended, or a stop may have come, while it was being launched.
    if (watch.reaped || !watch.ownChild || watch.abort.signal.aborted) supervisor.examine(watch);
  }

  /** Nobody tells of its exit any more: its record does. */
  #watchRecord(watch: Watch): void {
    const { supervisor } = this.#options;
    watch.ownChild = false;
    // One that is not confirmed yet is watched from then on.
    if (!watch.confirmed || supervisor.watchOf(watch.taskId) !== watch) return;
    watch.onClose(watch.run.watchRecord(() => supervisor.examine(watch)));
  }

  #step(step: DispatchStep, taskId: string): void {
    this.#options.onStep?.(step, taskId);
  }

  /** The start failed: what it began is ended and undone before the failure is put on record (P4, P8). */
  async #giveUp(claimed: Claimed, watch: Watch, error: unknown): Promise<void> {
    const { supervisor, logger } = this.#options;
    if (error instanceof LauncherLostError) {
      // Perhaps it was started: the evidence decides, as for any attempt. Nobody tells of its exit.
      watch.ownChild = false;
      watch.dispatching = false;
      supervisor.examine(watch);
      return;
    }
    const isHalted = this.#halt.signal.aborted;
    if (!isHalted && !(error instanceof StartError) && !(error instanceof StopAskedError)) {
      logger.error({ err: error, taskId: watch.taskId }, 'a start failed unexpectedly');
    }
    let left = '';
    await supervisor.giveUp(watch, {
      undo: async () => {
        left = await this.#undoWorktree(claimed);
        await watch.run.remove();
      },
      conclude: async (ending) => {
        try {
          return await this.#conclude(ending, error, { left, isHalted });
        } catch (cause) {
          // What failed while the journal did may go well the next time: the evidence says that it never ran.
          watch.givenUp = undefined;
          logger.error({ err: cause, taskId: watch.taskId }, 'a failed start could not be put on record');
          throw cause;
        }
      },
    });
  }

  #conclude(
    ending: Ending,
    error: unknown,
    { left, isHalted }: { left: string; isHalted: boolean },
  ): Promise<Task | undefined> {
    const { settlement } = this.#options;
    if (isHalted) return settlement.lost(ending, 'dispatch_interrupted', false);
    const failure =
      error instanceof StartError
        ? { reason: error.code, message: error.message, passing: error.passing }
        : { reason: 'spawn_failed' as const, message: messageOf(error), passing: true };
    return settlement.startFailed(ending, { ...failure, message: failure.message + left });
  }

  /** What is left of the worktree of a start that failed, in words; '' if nothing is. */
  async #undoWorktree({ record, worktree }: Claimed): Promise<string> {
    const { workspaces, logger } = this.#options;
    if (worktree === undefined) return '';
    try {
      await workspaces.undo(worktree);
      return '';
    } catch (error) {
      logger.warn(
        { err: error, taskId: record.task.id },
        'the worktree of a failed start could not be removed',
      );
      return `; its worktree is left at ${worktree.path}: ${messageOf(error)}`;
    }
  }
}

/** A stop was asked for before anything was launched. */
class StopAskedError extends Error {
  readonly code = 'stop_asked';
}
