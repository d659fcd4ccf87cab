/**
 * The sweep, again and again: at start and then in a steady rhythm. A sweep that fails is told and is made up for by
 * the next one; nothing that it throws ends the agent.
 *
 * The rhythm also tells when nobody was awake: a tick that comes more than two periods late on either clock means
 * that this process did not run (the machine slept, or it was stopped), and so could not hear anybody. It is the
 * ticks that are compared, not the sweeps: a sweep that takes long is no sleep.
 */
import type { Logger } from '@holdfast/shared';

/** One sweep's idea of the time. */
export interface SweepTick {
  /** When it began (ms since the epoch): what is judged by the clock in this sweep is judged by this. */
  at: number;
  /** Since when this agent, or the one before it, may not have been awake; absent if it was all along. */
  asleepSince?: number;
}

export interface SweepLoopOptions {
  /** Before each sweep: what a sleep means for those who could not be heard in it. Once it is done, that sleep is over. */
  renew: (tick: SweepTick) => Promise<void>;
  sweep: (tick: SweepTick) => Promise<void>;
  periodMs: number;
  /** When the agent before this one was last known to be awake, if there was one. */
  lastAliveAt: number | undefined;
  /** After each sweep that was completed. */
  onSwept: () => void;
  /** After each sweep, whatever came of it. Never rejects. */
  afterwards: () => Promise<void>;
  logger: Logger;
  now: () => number;
  /** Monotonic, ms. */
  monotonic: () => number;
}

export interface SweepLoop {
  /**
   * If nobody was awake since the last tick, sweeps now. Whoever judges by the clock between two sweeps asks for this
   * first. Resolves when that is done; at once in an agent that was awake.
   */
  catchUp: () => Promise<void>;
  /** No sweep begins after this; resolves when the one that is under way has ended. */
  stop: () => Promise<void>;
}

const LATE_PERIODS = 2;

export function startSweepLoop(options: SweepLoopOptions): SweepLoop {
  const { renew, sweep, periodMs, lastAliveAt, onSwept, afterwards, logger, now, monotonic } = options;
  let sweeping: Promise<void> | undefined;
  let stopped = false;
  let last: { at: number; monotonic: number } | undefined;
  // Kept until what it means was done.
  let asleepSince = lastAliveAt;

  const noteSleep = (since: number) => {
    asleepSince = Math.min(asleepSince ?? since, since);
  };
  const once = async (tick: SweepTick) => {
    let isRenewed = false;
    try {
      await renew(tick);
      isRenewed = true;
      if (stopped) return;
      await sweep(tick);
      if (!stopped) onSwept();
    } catch (error) {
      if (tick.asleepSince !== undefined && !isRenewed) noteSleep(tick.asleepSince);
      logger.error({ err: error }, 'a sweep failed; the next one tries again');
    }
    if (!stopped) await afterwards();
  };
  const onTick = () => {
    const tick = { at: now(), monotonic: monotonic() };
    if (last !== undefined && isLate(last, tick, periodMs)) {
      logger.warn({ ms: tick.at - last.at }, 'this process was not awake; leases get a full term');
      noteSleep(last.at);
    }
    last = tick;
    if (sweeping !== undefined) return;
    const given: SweepTick = asleepSince === undefined ? { at: tick.at } : { at: tick.at, asleepSince };
    asleepSince = undefined;
    sweeping = once(given).finally(() => {
      sweeping = undefined;
    });
  };
  const timer = setInterval(onTick, periodMs);
  onTick();
  return {
    async catchUp() {
      if (last !== undefined && isLate(last, { at: now(), monotonic: monotonic() }, periodMs)) onTick();
      await sweeping;
      // A sweep was under way when it was noticed, and judged by the time before: the next one is told.
      if (asleepSince !== undefined && !stopped) onTick();
      await sweeping;
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await sweeping;
    },
  };
}

/** A clock that was set back says nothing about the time that passed: that counts as late too. */
function isLate(
  before: { at: number; monotonic: number },
  tick: { at: number; monotonic: number },
  periodMs: number,
): boolean {
  const most = periodMs * (1 + LATE_PERIODS);
  return tick.at - before.at > most || tick.monotonic - before.monotonic > most || tick.at < before.at;
}
