/** One alarm at a time of the wall clock, however far away. It keeps no process alive. */

/** Node cannot wait longer than this in one timer; a later alarm rings early, and whoever hears it looks again. */
const MOST_TIMER_MS = 2 ** 31 - 1;

export class Alarm {
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Calls `ring` at `at` (ms since the epoch) instead of whatever was set before; `undefined`: never. */
  set(at: number | undefined, ring: () => void): void {
    clearTimeout(this.#timer);
    if (at === undefined) return;
    this.#timer = setTimeout(ring, Math.min(MOST_TIMER_MS, Math.max(1, at - this.#now())));
    this.#timer.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
