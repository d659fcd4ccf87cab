/**
 * The sweep, again and again: at start and then in a steady rhythm. A sweep that fails is told and is made up for by
 * the next one; nothing that it throws ends the agent.
 */
import type { Logger } from '@holdfast/shared';

export interface SweepLoopOptions {
  sweep: () => Promise<void>;
  periodMs: number;
  /** After each sweep that was completed. */
  onSwept: () => void;
  /** After each sweep, whatever came of it. Never rejects. */
  afterwards: () => Promise<void>;
  logger: Logger;
}

export interface SweepLoop {
  /** No sweep begins after this; resolves when the one that is under way has ended. */
  stop: () => Promise<void>;
}

export function startSweepLoop(options: SweepLoopOptions): SweepLoop {
  const { sweep, periodMs, onSwept, afterwards, logger } = options;
  let sweeping: Promise<void> | undefined;
  let stopped = false;

  const once = async () => {
    try {
      await sweep();
      if (!stopped) onSwept();
    } catch (error) {
      logger.error({ err: error }, 'a sweep failed; the next one tries again');
    }
    if (!stopped) await afterwards();
  };
  const begin = () => {
    sweeping ??= once().finally(() => {
      sweeping = undefined;
    });
  };
  const timer = setInterval(begin, periodMs);
  begin();
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      await sweeping;
    },
  };
}
