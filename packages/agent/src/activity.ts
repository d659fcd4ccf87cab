/**
 * Activity: once a second, how far the outputs of living attempts have grown, and whether a limit is reached.
 *
 * Readers of `/events` are told (never journalled: the log file is the truth); limits — time, silence, size — end
 * in the same stop request as a person's cancel. Time limits count awake time: the monotonic clock stands still
 * while the machine sleeps.
 *
 * A command may write a gigabyte in a second, so sizes are compared with their limit more often than they are told. No
 * limit of the system does it instead: RLIMIT_FSIZE holds for every file that any process of the task writes.
 */
import type { ActivityEntry, Logger } from '@holdfast/shared';
import type { Journal } from './journal.ts';
import type { Limit, StopRequests } from './stop-requests.ts';
import type { Supervisor } from './supervise.ts';
import { outputOf } from './settle.ts';
import type { Watch } from './watch.ts';

export interface ActivityOptions {
  journal: Journal;
  supervisor: Supervisor;
  stops: Pick<StopRequests, 'stopAtLimit'>;
  outputLimitBytes: number;
  /** Claims whose worker was heard since this was last asked. */
  takeHeard: () => ActivityEntry[];
  announce: (entries: ActivityEntry[]) => void;
  logger: Logger;
  monotonic: () => number;
}

const PERIOD_MS = 1000;
/** A look is one `stat` an attempt, some microseconds. */
const SIZE_PERIOD_MS = 100;
const MIB = 1024 * 1024;

export class ActivityMonitor {
  readonly #options: ActivityOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #sizeTimer: NodeJS.Timeout;
  /** Found too large between two ticks: what came of it is the next tick's to see. */
  readonly #tooLarge = new WeakSet<Watch>();
  #ticking: Promise<void> | undefined;
  #sizing: Promise<void> | undefined;

  constructor(options: ActivityOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      // A slow disk must not pile up ticks.
      this.#ticking ??= this.tick().finally(() => {
        this.#ticking = undefined;
      });
    }, PERIOD_MS);
    this.#timer.unref();
    this.#sizeTimer = setInterval(() => {
      this.#sizing ??= this.checkSizes().finally(() => {
        this.#sizing = undefined;
      });
    }, SIZE_PERIOD_MS);
    this.#sizeTimer.unref();
  }

  /** The state of every living attempt that has shown output. */
  all(): ActivityEntry[] {
    return [...this.#options.supervisor.watches()]
      .filter((watch) => watch.output.outputBytes > 0)
      .map(entryOf);
  }

  async tick(): Promise<void> {
    const grown: Watch[] = [];
    await Promise.all(
      [...this.#options.supervisor.watches()].map(async (watch) => {
        const before = watch.output;
        try {
          await this.#check(watch);
        } catch (error) {
          this.#options.logger.warn({ err: error, taskId: watch.taskId }, 'an attempt could not be measured');
        }
        // Also when something else of it failed: the next tick compares with what was measured now.
        if (watch.output !== before) grown.push(watch);
      }),
    );
    const entries = [...grown.map(entryOf), ...this.#options.takeHeard()];
    if (entries.length > 0) this.#options.announce(entries);
  }

  /** Stops attempts whose output is larger than it may be: each once, a tick tries again if that fails. */
  async checkSizes(): Promise<void> {
    const { supervisor, logger } = this.#options;
    await Promise.all(
      [...supervisor.watches()].map(async (watch) => {
        if (!watch.confirmed || this.#tooLarge.has(watch)) return;
        try {
          if (watch.run.measureOutput().outputBytes <= this.#options.outputLimitBytes) return;
          this.#tooLarge.add(watch);
          await this.#stopAtLimit(watch, 'output_limit');
        } catch (error) {
          // Once: the tick, which meets the same error, says it each time.
          this.#tooLarge.add(watch);
          logger.warn({ err: error, taskId: watch.taskId }, 'the size of an output could not be checked');
        }
      }),
    );
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    clearInterval(this.#sizeTimer);
    await this.#ticking;
    await this.#sizing;
  }

  /** Measures one attempt: its `output` is another one if that has changed. */
  async #check(watch: Watch): Promise<void> {
    const { journal, supervisor, monotonic, outputLimitBytes } = this.#options;
    if (!watch.confirmed) return;
    const { outputBytes, lastOutputAt } = watch.run.measureOutput();
    const before = watch.output.outputBytes;
    // The command only appends: somebody cut the log or took it away. It is put on record before it is forgotten.
    if (outputBytes < before) await supervisor.reportLostOutput(watch, before, outputBytes);
    if (outputBytes !== before) {
      watch.output = { outputBytes, lastOutputAt, lastLine: watch.run.readLastLine() };
      watch.quietSince = monotonic();
    }
    const task = journal.record(watch.taskId)?.task;
    if (task?.attempt !== watch.attempt || task.status !== 'running') return;
    await supervisor.reportExternalId(watch, task);
    const cause = this.#exceeded(watch, task.spec.idleTimeoutMs, outputBytes > outputLimitBytes);
    if (cause !== undefined) await this.#stopAtLimit(watch, cause);
  }

  #stopAtLimit(watch: Watch, cause: Limit): Promise<void> {
    const { stops, outputLimitBytes } = this.#options;
    const limit =
      outputLimitBytes % MIB === 0 ? `${outputLimitBytes / MIB} MiB` : `${outputLimitBytes} bytes`;
    const message = cause === 'output_limit' ? `its output passed the limit of ${limit}` : undefined;
    return stops.stopAtLimit(watch, cause, message);
  }

  #exceeded(watch: Watch, idleTimeoutMs: number | undefined, tooMuch: boolean): Limit | undefined {
    const now = this.#options.monotonic();
    if (tooMuch) return 'output_limit';
    if (watch.deadlineAt !== undefined && now >= watch.deadlineAt) return 'timeout';
    return idleTimeoutMs !== undefined && now - watch.quietSince >= idleTimeoutMs
      ? 'idle_timeout'
      : undefined;
  }
}

function entryOf(watch: Watch): ActivityEntry {
  const { taskId: id, attempt, output } = watch;
  return { id, attempt, ...outputOf(output) };
}
