/**
 * Processes: who they are, which belong to an attempt, and signals to exactly those.
 *
 * The identity of a process is its pid, its start time and the boot that it belongs to; a pid alone is reused.
 * A zombie is gone. A look that fails (permission, I/O) throws `ProbeError` and is never read as "gone" (P10).
 * Nothing is signalled that was not verified in the same breath.
 */
import { openLinuxView } from './process-linux.ts';
import { openMacosView } from './process-macos.ts';
import type { ProcessIdentity, ProcessTable, ProcessView } from './process-table.ts';
import { errnoOf } from './start-error.ts';

export { ProcessTable } from './process-table.ts';
export type { ProcessIdentity, SeenProcess } from './process-table.ts';

const view: ProcessView = process.platform === 'darwin' ? openMacosView() : openLinuxView();

let boot: string | undefined;

/**
 * Which boot of which machine (or container) this is: boot id, PID namespace and the start of its pid 1. A pid and
 * a start time mean something only within it.
 */
export function bootIdentity(): string {
  boot ??= view.readBoot();
  return boot;
}

/** Identity of a child of this process that was not reaped yet: nobody else can have its pid. */
export function readIdentity(pid: number): { startTicks: string; startedAt: number } {
  const startTicks = view.startTicksOfChild(pid);
  return { startTicks, startedAt: startTimeOf(startTicks) };
}

/** A start time of this boot as ms since the epoch, for display: it moves when the clock is set. */
export function startTimeOf(startTicks: string, now = Date.now()): number {
  return view.startTimeOf(startTicks, now);
}

/** Looks at every process. Throws `ProbeError` if the table as a whole cannot be read. */
export function scanProcesses(before?: ProcessTable): ProcessTable {
  return view.scan(before);
}

export interface SignalOptions {
  identify?: ProcessView['identify'];
  kill?: (pid: number, signal: NodeJS.Signals) => void;
}

/**
 * Sends a signal to a process if it is still the one that was seen. `refused`: it could not be verified, or the
 * system does not permit it (a child that changed its user): nothing was sent. It never throws, so that one
 * process does not keep others from their signal.
 */
export function signalProcess(
  seen: ProcessIdentity,
  signal: NodeJS.Signals,
  options: SignalOptions = {},
): 'sent' | 'gone' | 'refused' {
  const { identify = view.identify, kill = process.kill.bind(process) } = options;
  try {
    if (identify(seen.pid)?.startTicks !== seen.startTicks) return 'gone';
    kill(seen.pid, signal);
    return 'sent';
  } catch (error) {
    return errnoOf(error) === 'ESRCH' ? 'gone' : 'refused';
  }
}
