/**
 * Activity: once a second, how far the outputs of living attempts have grown, and whether a limit is reached.
 *
 * Readers of `/events` are told (never journalled: the log file is the truth); limits — time, silence, size — end
 * in the same stop request as a person's cancel. Time limits count awake time: the monotonic clock stands still
 * while the machine sleeps.
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

export class ActivityMonitor {
  readonly #options: ActivityOptions;
  readonly #timer: NodeJS.Timeout;
  #ticking: Promise<void> | undefined;

  constructor(options: ActivityOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      // A slow disk must not pile up ticks.
      this.#ticking ??= this.tick().finally(() => {
        this.#ticking = undefined;
      });
    }, PERIOD_MS);
    this.#timer.unref();
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
        try {
          if (await this.#check(watch)) grown.push(watch);
        } catch (error) {
          this.#options.logger.warn({ err: error, taskId: watch.taskId }, 'an attempt could not be measured');
        }
      }),
    );
    const entries = [...grown.map(entryOf), ...this.#options.takeHeard()];
    if (entries.length > 0) this.#options.announce(entries);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#ticking;
  }

  /** Measures one attempt; true if its output grew. */
  async #check(watch: Watch): Promise<boolean> {
    const { journal, supervisor, stops, monotonic, outputLimitBytes } = this.#options;
    if (!watch.confirmed) return false;
    const { outputBytes, lastOutputAt } = watch.run.measureOutput();
    const before = watch.output.outputBytes;
    const grew = outputBytes !== before;
    // The command only appends: somebody cut the log or took it away. It is said once; what follows is shown.
    if (outputBytes < before) await supervisor.reportLostOutput(watch, before, outputBytes);
    if (grew) {
      watch.output = { outputBytes, lastOutputAt, lastLine: watch.run.readLastLine() };
      watch.quietSince = monotonic();
    }
    const task = journal.record(watch.taskId)?.task;
    if (task?.attempt !== watch.attempt || task.status !== 'running') return grew;
    await supervisor.reportExternalId(watch, task);
    const cause = this.#exceeded(watch, task.spec.idleTimeoutMs, outputBytes > outputLimitBytes);
    if (cause !== undefined) await stops.stopAtLimit(watch, cause);
    return grew;
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
