/**
 * A watch: what this instance of the agent holds in memory of one living attempt. Everything in it can be made
 * again from the journal and the run directory; losing it loses nothing.
 */
import type { Task } from '@holdfast/shared';
import type { ShimIdentity } from './attempts.ts';
import type { RunDirectory } from './run-directory.ts';
import { type Ending, type FinalOutput, noOutput } from './settle.ts';

/** A start that was given up before anything was launched; both are done once nothing of it is alive. */
export interface GivenUp {
  /** Takes back what was made for it. Harmless to repeat. */
  undo: () => Promise<void>;
  /** Puts the failure on record, unless a stop was asked for: then that decides. */
  conclude: (ending: Ending) => Promise<Task | undefined>;
}

export interface WatchOptions {
  taskId: string;
  attempt: number;
  run: RunDirectory;
  bootId: string;
  shim: ShimIdentity | undefined;
}

export class Watch {
  readonly taskId: string;
  readonly attempt: number;
  readonly run: RunDirectory;
  readonly bootId: string;
  shim: ShimIdentity | undefined;
  /** The dispatcher of this instance is preparing or launching it. */
  dispatching = false;
  /** The dispatcher of this instance gave its start up. */
  givenUp: GivenUp | undefined;
  /** This instance confirmed its process, by starting or by adopting it. */
  confirmed = false;
  /** Its shim is a child of this process, whose exit is told at once; `reaped`: it is proven to be gone. */
  ownChild = false;
  reaped = false;
  /** Aborted when a stop is asked for: ends the preparation of a start. */
  readonly abort = new AbortController();
  /** On the monotonic clock: when its time limit ends, and when output was last seen to grow. */
  deadlineAt: number | undefined;
  quietSince: number;
  /** As it was last measured. */
  output: FinalOutput = noOutput;
  /** On the monotonic clock: since when it is being stopped, if it is. */
  stoppingSince: number | undefined;
  /** Some process of it was told to end. */
  told = false;
  /** It is being examined; a further wish to do so is remembered. */
  busy = false;
  again = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #closers: (() => void)[] = [];

  constructor(options: WatchOptions, monotonic: number) {
    this.taskId = options.taskId;
    this.attempt = options.attempt;
    this.run = options.run;
    this.bootId = options.bootId;
    this.shim = options.shim;
    this.quietSince = monotonic;
  }

  /** Calls `then` after `delayMs`, instead of whatever was planned before. */
  plan(delayMs: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, delayMs);
  }

  onClose(closer: () => void): void {
    this.#closers.push(closer);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const closer of this.#closers.splice(0)) closer();
  }
}
