/**
 * A look at an attempt: what is seen of its processes and its run directory, as evidence for the recovery table.
 *
 * The processes are looked at first and the record second: a task that ends in between is then seen ended, never
 * vanished. One look at the process table serves everyone who asked before it began, and the next one waits until
 * looking takes no more than a fifth of the time.
 */
import { messageOf, type Task, type TaskStatus } from '@holdfast/shared';
import type { ShimIdentity } from './attempts.ts';
import {
  bootIdentity,
  type ProcessIdentity,
  type ProcessTable,
  scanProcesses,
  type SeenProcess,
  signalProcess,
  startTimeOf,
} from './process.ts';
import type { Evidence } from './recovery.ts';
import type { Watch } from './watch.ts';

export interface Sight {
  evidence: Evidence;
  /** The shim, if it is alive. */
  shim: ShimIdentity | undefined;
  shimStartedAt: number | undefined;
  /** The shim is alive and does nothing: it was stopped (SIGSTOP). */
  shimStopped: boolean;
  /** Living processes of the attempt besides the shim. */
  others: SeenProcess[];
}

export interface LookOptions {
  scan?: (before: ProcessTable | undefined) => ProcessTable;
  bootId?: string;
  monotonic?: () => number;
}

/** Looking takes at most one part in this many of the time. */
const SHARE = 5;
/** A look that was slow for another reason (the machine was busy) must not make the next ones late. */
const MOST_REST_MS = 5;

export class Look {
  readonly #scan: (before: ProcessTable | undefined) => ProcessTable;
  readonly #bootId: string;
  readonly #monotonic: () => number;
  #last: ProcessTable | undefined;
  #next: Promise<ProcessTable> | undefined;
  #notBefore = 0;

  constructor(options: LookOptions = {}) {
    this.#scan = options.scan ?? scanProcesses;
    this.#bootId = options.bootId ?? bootIdentity();
    this.#monotonic = options.monotonic ?? (() => performance.now());
  }

  /**
   * What there is of the attempt that `watch` watches. A look that fails is part of the evidence. `readOnly`: it
   * changes nothing, so the launch ticket is not asked for and counts as the shim's.
   */
  async at(
    watch: Watch,
    task: Task & { status: Extract<TaskStatus, 'starting' | 'running'> },
    options: { readOnly?: boolean } = {},
  ): Promise<Sight> {
    const { stopRequested } = task;
    const nothing = { shim: undefined, shimStartedAt: undefined, shimStopped: false, others: [] };
    const evidence: Evidence = {
      status: task.status,
      dispatching: watch.dispatching,
      ...(stopRequested === undefined ? {} : { stopRequested }),
      shimAlive: false,
      others: 0,
      watched: watch.confirmed,
      ticket: 'shim',
      sameBoot: watch.bootId === this.#bootId,
    };
    if (watch.dispatching) return { evidence, ...nothing };
    try {
      // The ticket before the processes: who does not get it finds the pid of the shim on disk.
      const launched = options.readOnly === true || watch.shim !== undefined || task.status === 'running';
      const ticket = launched ? 'shim' : watch.run.takeTicket();
      const shim = evidence.sameBoot ? (watch.shim ?? (await watch.run.readShim())) : undefined;
      const table = await this.processes();
      const seen = shim === undefined || watch.reaped ? undefined : table.shimOf(shim);
      const alive = shim !== undefined && seen !== undefined;
      const others = table.othersOf(watch.run.path, shim);
      const record = watch.run.readRecord();
      return {
        evidence: {
          ...evidence,
          shimAlive: alive,
          others: others.length,
          ticket,
          ...(record === undefined ? {} : { record }),
        },
        shim: alive ? shim : undefined,
        shimStartedAt: alive ? startTimeOf(shim.startTicks) : undefined,
        shimStopped: seen?.state === 'T',
        others,
      };
    } catch (error) {
      return { evidence: { ...evidence, lookFailed: messageOf(error) }, ...nothing };
    }
  }

  /** Signals processes that were seen; each is verified again in the same breath. */
  signal(processes: readonly ProcessIdentity[], signal: NodeJS.Signals): void {
    for (const process of processes) signalProcess(process, signal);
  }

  /** Every process of this machine, looked at after this call. Rejects with `ProbeError` if that fails. */
  processes(): Promise<ProcessTable> {
    this.#next ??= this.#scanSoon();
    return this.#next;
  }

  async #scanSoon(): Promise<ProcessTable> {
    const waitMs = this.#notBefore - this.#monotonic();
    // At least to the end of this turn, so that everyone who asks in it shares the look.
    await new Promise((resolve) => (waitMs > 1 ? setTimeout(resolve, waitMs) : setImmediate(resolve)));
    this.#next = undefined;
    const began = this.#monotonic();
    this.#last = this.#scan(this.#last);
    const ended = this.#monotonic();
    this.#notBefore = ended + Math.min(MOST_REST_MS, (ended - began) * (SHARE - 1));
    return this.#last;
  }
}
