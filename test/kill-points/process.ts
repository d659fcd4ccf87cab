/** Processes as tests look at them, apart from how the agent does. Whoever ends between two looks is gone, no error. */
import { readFileSync } from 'node:fs';
import { killIfThere, type System } from '../system.ts';

/** Not gone, and no zombie: whoever reaps it may take its time. */
export function isAlive(pid: number): boolean {
  return /^State:\s[^ZX]/m.test(readProc(pid, 'status'));
}

/** The process that starts the shims of an agent. */
export function launcherOf(agent: number): number {
  const launcher = findLauncher(agent);
  if (launcher === undefined) throw new Error(`agent ${agent} has no launcher`);
  return launcher;
}

/** The same where there may be none: from the death of one until the next task is launched. */
export function findLauncher(agent: number): number | undefined {
  const children = readFileSync(`/proc/${agent}/task/${agent}/children`, 'utf8').trim().split(' ');
  return children.map(Number).find((pid) => readProc(pid, 'cmdline').includes('launcher.mjs'));
}

/** SIGKILL to all processes of all tasks, the shims first, so that no record is written. */
export function killTasks(system: System): void {
  const strays = system.strays();
  for (const pid of strays.filter((one) => readProc(one, 'cmdline').includes('ticket'))) killIfThere(pid);
  for (const pid of strays) killIfThere(pid);
}

/** A file of `/proc/<pid>`; '' once the process is gone. */
function readProc(pid: number, file: 'cmdline' | 'status'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}
