/** Processes as tests look at them, apart from how the agent does. */
import { existsSync, readFileSync } from 'node:fs';

/** Not gone, and no zombie: whoever reaps it may take its time. */
export function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/status`;
  return existsSync(path) && !/^State:\s[ZX]/m.test(readFileSync(path, 'utf8'));
}

/** The process that starts the shims of an agent. */
export function launcherOf(agent: number): number {
  const children = readFileSync(`/proc/${agent}/task/${agent}/children`, 'utf8').trim().split(' ');
  const launcher = children.find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('launcher.mjs'),
  );
  if (launcher === undefined) throw new Error(`agent ${agent} has no launcher`);
  return Number(launcher);
}
