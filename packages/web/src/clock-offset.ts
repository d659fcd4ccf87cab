/**
 * How far an agent's clock is ahead of web's, estimated from the times in its heartbeats.
 *
 * A heartbeat says when it was sent by the agent's clock, and comes later by web's: the difference is the offset less
 * the delay on the way. So of several the greatest difference, that with the least delay, is the nearest to the truth, and
 * what it is short of it is that delay (the one-way form of the clock filter of NTP, RFC 5905 §10).
 *
 * - Nothing is said before `LEAST_SAMPLES` heartbeats: one alone may have waited behind a snapshot.
 * - An agent's clock that is set forward is noticed with the next heartbeat; one that is set back when the last of
 *   before has left the window.
 * - Web's own clock is held against the monotonic one: if it was set, or stood still while the machine slept, what was
 *   compared with it before is forgotten at once.
 * - The answer stands still while the estimate moves within `STILL_MS`: readers are told of a change, not of noise.
 */

/** How many of the last heartbeats count: 25 s of them by default. */
const WINDOW = 5;
const LEAST_SAMPLES = 3;
/** Differences of this much are no clock's: delays, and a clock that is being disciplined, explain them. */
const CLOCKS_AGREE_MS = 2000;
const STILL_MS = 500;
/** The wall clock and the monotonic one part by this much only if one of them was set or stood still. */
const STEP_MS = 1000;

export interface ClockSample {
  /** When it was sent (the agent's clock, ms). */
  sentAt: number;
  /** When it came, by web's wall clock and by its monotonic one (ms). */
  receivedAt: number;
  monotonicMs: number;
}

export class ClockOffset {
  #samples: ClockSample[] = [];
  #estimateMs: number | undefined;

  /** A heartbeat came. */
  take(sample: ClockSample): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && Math.abs(webStep(last, sample)) > STEP_MS) this.#forget();
    this.#samples = [...this.#samples, sample].slice(-WINDOW);
    if (this.#samples.length < LEAST_SAMPLES) return;
    const estimateMs = Math.max(...this.#samples.map(({ sentAt, receivedAt }) => sentAt - receivedAt));
    if (this.#estimateMs === undefined || Math.abs(estimateMs - this.#estimateMs) > STILL_MS) {
      this.#estimateMs = Math.round(estimateMs);
    }
  }

  /** Negative: behind. Undefined while it is not known, and while the clocks agree. */
  get aheadMs(): number | undefined {
    const estimateMs = this.#estimateMs;
    return estimateMs === undefined || Math.abs(estimateMs) <= CLOCKS_AGREE_MS ? undefined : estimateMs;
  }

  #forget(): void {
    this.#samples = [];
    this.#estimateMs = undefined;
  }
}

/** How much further web's wall clock went than its monotonic one. */
function webStep(before: ClockSample, after: ClockSample): number {
  return after.receivedAt - before.receivedAt - (after.monotonicMs - before.monotonicMs);
}
