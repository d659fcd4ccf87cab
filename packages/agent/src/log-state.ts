/**
 * Where a log stands: its head, and what is counted over the tasks that have not ended. A journal has two of them, one
 * that is durable and one of the changes that are not committed yet; undoing a change is going back to a copy.
 */
import { DEFAULT_QUEUE, isTerminal, LiveDigest, type Task } from '@holdfast/shared';

export interface Counts {
  /** Queued tasks of the default queue: those that the pool will run. */
  queued: number;
  /** Starting and running ones of the default queue: what a worker has claimed takes no slot. */
  running: number;
  /** Queued tasks of all queues: those that the queue limit is about. */
  waiting: number;
  /** Starting and running ones of the other queues: what workers hold. */
  claimed: number;
}

export class LogState {
  seq: number;
  chain: string;
  /** Non-terminal tasks. */
  live = 0;
  #digest = new LiveDigest();
  #counts: Counts = { queued: 0, running: 0, waiting: 0, claimed: 0 };

  constructor(seq: number, chain: string) {
    this.seq = seq;
    this.chain = chain;
  }

  get liveDigest(): string {
    return this.#digest.toString();
  }

  get counts(): Counts {
    return { ...this.#counts };
  }

  copy(): LogState {
    const copy = new LogState(this.seq, this.chain);
    copy.live = this.live;
    copy.#digest = new LiveDigest(this.#digest);
    copy.#counts = { ...this.#counts };
    return copy;
  }

  /** A task became another one; `undefined`: it is new. */
  move(before: Task | undefined, after: Task): void {
    this.#digest.move(before, after);
    if (before !== undefined) this.#count(before, -1);
    this.#count(after, 1);
  }

  #count(task: Task, by: 1 | -1): void {
    if (isTerminal(task.status)) return;
    this.live += by;
    const isOwn = task.queue === DEFAULT_QUEUE;
    if (task.status !== 'queued') this.#counts[isOwn ? 'running' : 'claimed'] += by;
    else {
      this.#counts.waiting += by;
      if (isOwn) this.#counts.queued += by;
    }
  }
}
