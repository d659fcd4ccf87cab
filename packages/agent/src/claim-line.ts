/**
 * The line of workers that wait for a task (long poll): first come, first served, queue by queue.
 *
 * Waiting costs no query and no commit: the line looks only when something may have become claimable, and asks for
 * a change only when something has. A worker that leaves is out of the line; should it leave while its grant is
 * being committed, the grant stands, and the same `claimId` finds it again.
 */
import { type ClaimRequest, type Grant, type Logger, ProblemError } from '@holdfast/shared';
import { Alarm } from './alarm.ts';
import type { Claims } from './claims.ts';

export interface ClaimLineOptions {
  claims: Pick<Claims, 'isKnown' | 'isGrantable' | 'grant'>;
  /** When the next task becomes due (ms since the epoch) that was delayed at `since`, if there is one. */
  nextDelayedAt: (since: number) => number | undefined;
  logger: Logger;
  now: () => number;
}

interface Waiter {
  request: ClaimRequest;
  /** Its time is over or its client is gone. */
  left: boolean;
  resolve: (grant: Grant | undefined) => void;
  reject: (error: unknown) => void;
}

export class ClaimLine {
  readonly #options: ClaimLineOptions;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #serving: Promise<void> | undefined;
  #again = false;
  readonly #alarm: Alarm;
  #stopped = false;

  constructor(options: ClaimLineOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.now);
  }

  /** How many wait. */
  get length(): number {
    let length = 0;
    for (const waiters of this.#waiters.values()) length += waiters.size;
    return length;
  }

  /**
   * A grant as soon as there is one; `undefined` after `waitMs`, when `signal` is aborted, or when the agent stops.
   * Rejects with the problem of the request, or with what the journal threw.
   */
  async take(request: ClaimRequest, signal?: AbortSignal): Promise<Grant | undefined> {
    const { claims } = this.#options;
    const { queue, waitMs = 0 } = request;
    const isFirst = (this.#waiters.get(queue)?.size ?? 0) === 0;
    // Whoever asks again for what it holds stands in no line.
    if (claims.isKnown(request) || (isFirst && claims.isGrantable(queue))) {
      const [answer] = await claims.grant([request]);
      if (answer instanceof ProblemError) throw answer;
      if (answer !== undefined) return answer;
    }
    if (waitMs === 0 || this.#stopped || signal?.aborted === true) return undefined;
    const waiters = this.#waiters.get(queue) ?? new Set<Waiter>();
    this.#waiters.set(queue, waiters);
    const { promise, resolve, reject } = Promise.withResolvers<Grant | undefined>();
    const waiter: Waiter = { request, left: false, resolve, reject };
    waiters.add(waiter);
    const leave = () => {
      waiter.left = true;
      // Who is being served now gets what comes of that.
      if (waiters.delete(waiter)) resolve(undefined);
    };
    const timer = setTimeout(leave, waitMs);
    signal?.addEventListener('abort', leave);
    this.wake();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    }
  }

  /** There may be a task to claim. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#serving !== undefined) {
      this.#again = true;
      return;
    }
    if (this.length === 0) {
      this.#waiters.clear();
      return;
    }
    this.#serving = this.#serve().finally(() => {
      this.#serving = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.wake();
    });
  }

  /** Sends everyone away with nothing. */
  stop(): void {
    this.#stopped = true;
    this.#alarm.clear();
    for (const waiters of this.#waiters.values()) {
      for (const { resolve } of waiters) resolve(undefined);
      waiters.clear();
    }
  }

  async #serve(): Promise<void> {
    const { claims, logger, now } = this.#options;
    const since = now();
    for (const [queue, waiters] of this.#waiters) {
      try {
        if (waiters.size > 0 && claims.isGrantable(queue)) await this.#serveAll(waiters);
      } catch (error) {
        // Nobody was served; they wait on, and the next sweep wakes the line again.
        logger.warn({ err: error, queue }, 'no claim could be granted');
      }
    }
    this.#wakeWhenDue(since);
  }

  async #serveAll(waiters: Set<Waiter>): Promise<void> {
    const served = [...waiters];
    // Out of the line meanwhile, so that nobody leaves with nothing while a task is being given to it.
    waiters.clear();
    const unserved: Waiter[] = [];
    try {
      const answers = await this.#options.claims.grant(served.map(({ request }) => request));
      for (const [index, waiter] of served.entries()) {
        const answer = answers[index];
        if (answer === undefined) unserved.push(waiter);
        else if (answer instanceof ProblemError) waiter.reject(answer);
        else waiter.resolve(answer);
      }
    } catch (error) {
      for (const { reject } of served) reject(error);
      throw error;
    } finally {
      // In front of those who came meanwhile.
      const behind = [...waiters];
      waiters.clear();
      for (const waiter of [...unserved, ...behind]) {
        if (waiter.left || this.#stopped) waiter.resolve(undefined);
        else waiters.add(waiter);
      }
    }
  }

  #wakeWhenDue(since: number): void {
    const at = this.length === 0 ? undefined : this.#options.nextDelayedAt(since);
    if (!this.#stopped) this.#alarm.set(at, () => this.wake());
  }
}
