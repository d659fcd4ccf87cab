/**
 * What the exit code of `holdfast` says. Guarantees: 0 is only ever returned for something that is known to have
 * succeeded; what is not known is 75, never a failure.
 */
import { constants } from 'node:os';
import type { Outcome, ShownStatus } from '@holdfast/shared';

export const exitCodes = {
  ok: 0,
  failed: 1,
  /** The command line, or the configuration, is wrong: nothing was asked of anyone. */
  usage: 2,
  /** A service understood and refused (a problem of 4xx): nothing was changed. */
  refused: 4,
  /** The outcome is not known: EX_TEMPFAIL of sysexits.h. */
  unknown: 75,
} as const;

/** 128 + the signal's number, as shells say it; 1 for a name that this machine does not know. */
export function signalExitCode(signal: string): number {
  const number = (constants.signals as Record<string, number | undefined>)[signal];
  return number === undefined ? exitCodes.failed : 128 + number;
}

/**
 * The exit code of `--wait`: the task's own, and never 0 for a task that did not complete.
 *
 * A cancelled task is 1 whatever its process said while it was being stopped; one that failed without an attempt was
 * refused by its agent; `lost`, a person's verdict on an outcome that nobody saw, is 75. Undefined for a task that
 * has not ended.
 */
export function taskExitCode(task: {
  status: ShownStatus;
  attempt: number;
  outcome?: Outcome | undefined;
}): number | undefined {
  switch (task.status) {
    case 'completed':
      return exitCodes.ok;
    case 'cancelled':
      return exitCodes.failed;
    case 'lost':
      return exitCodes.unknown;
    case 'failed': {
      if (task.attempt === 0) return exitCodes.refused;
      const { exitCode, signal } = task.outcome ?? {};
      if (exitCode !== undefined && exitCode !== 0) return exitCode;
      return signal === undefined ? exitCodes.failed : signalExitCode(signal);
    }
    case 'submitted':
    case 'queued':
    case 'starting':
    case 'running':
    case 'unknown':
      return undefined;
    default:
      return task.status satisfies never;
  }
}
