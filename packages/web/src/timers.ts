/** Timers as this package asks for them, so that a test can hold the clock. */

export interface Timer {
  cancel: () => void;
}

/** Calls `run` once after `delayMs`. A timer never keeps the process alive. */
export type StartTimer = (run: () => void, delayMs: number) => Timer;

export const startTimer: StartTimer = (run, delayMs) => {
  const timer = setTimeout(run, delayMs);
  timer.unref();
  return { cancel: () => clearTimeout(timer) };
};

/**
 * A delay with full jitter: anywhere from 0 to the ceiling, which doubles with each try up to `mostMs`
 * (Brooker, "Exponential Backoff and Jitter", AWS 2015).
 */
export function jitteredDelayMs(
  tries: number,
  firstMs: number,
  mostMs: number,
  random: () => number,
): number {
  return Math.round(random() * Math.min(mostMs, firstMs * 2 ** Math.min(tries, 30)));
}
