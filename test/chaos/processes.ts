/**
 * The harness's own look at the processes of this machine (Linux, /proc), independent of the agent's: which carry a
 * marker of this run, of which attempt they are, and which is the shim.
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface Marked {
  pid: number;
  start: string;
  parent: number;
  session: number;
  taskId: string;
  attempt: number;
  run: string;
  isShim: boolean;
}

interface Stat {
  state: string;
  parent: number;
  session: number;
  start: string;
}

/** Undefined: there is no such process (any more). */
function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Ended meanwhile, or another user's: none of this run.
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}

/** Undefined if it is gone; a zombie is gone. */
function readStat(pid: number): Stat | undefined {
  const line = read(pid, 'stat');
  if (line === undefined || line === '') return undefined;
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ', 20);
  const state = fields[0]!;
  if (state === 'Z' || state === 'X') return undefined;
  return { state, parent: Number(fields[1]), session: Number(fields[3]), start: fields[19]! };
}

/** Whether this very process is alive now. */
export function isAlive(process: { pid: number; start: string }): boolean {
  return readStat(process.pid)?.start === process.start;
}

/** A signal to exactly this process. False: it was gone. */
export function signal(target: { pid: number; start: string }, name: NodeJS.Signals): boolean {
  if (!isAlive(target)) return false;
  try {
    process.kill(target.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** A process is looked at again until it is so old (ticks of 10 ms) that it must have executed what it is. */
const SETTLED_TICKS = 300;

export class ProcessView {
  readonly #prefix: string;
  /** By pid and start; undefined: settled, and none of ours. */
  #known = new Map<string, Marked | undefined>();

  /** `home`: that of the agent whose markers are meant. */
  constructor(home: string) {
    this.#prefix = `HOLDFAST_RUN=${home}/`;
  }

  /** All living processes with a marker of this home. */
  scan(): Marked[] {
    const uptimeTicks = Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * 100;
    const known = new Map<string, Marked | undefined>();
    const found: Marked[] = [];
    for (const name of readdirSync('/proc')) {
      const pid = Number(name);
      if (!Number.isInteger(pid)) continue;
      const stat = readStat(pid);
      if (stat === undefined) continue;
      const key = `${pid}:${stat.start}`;
      const marked = this.#known.get(key) ?? (this.#known.has(key) ? undefined : this.#look(pid, stat));
      if (marked !== undefined) {
        const now = { ...marked, parent: stat.parent, session: stat.session };
        // Between fork and exec it looks like its parent; a shim is known by its session.
        known.set(key, now);
        found.push(now);
      } else if (uptimeTicks - Number(stat.start) > SETTLED_TICKS) {
        known.set(key, undefined);
      }
    }
    this.#known = known;
    return found;
  }

  #look(pid: number, stat: Stat): Marked | undefined {
    const environment = read(pid, 'environ')?.split('\0');
    const run = environment?.find((entry) => entry.startsWith(this.#prefix))?.slice('HOLDFAST_RUN='.length);
    if (run === undefined) return undefined;
    const [taskId, launch] = run.split('/').slice(-2) as [string, string];
    const isShim = stat.session === pid && read(pid, 'cmdline')?.split('\0')[3] === run;
    const attempt = Number.parseInt(launch, 10);
    return {
      pid,
      start: stat.start,
      parent: stat.parent,
      session: stat.session,
      taskId,
      attempt,
      run,
      isShim,
    };
  }
}

/** The launcher of an agent, if it has one. */
export function launcherOf(agentPid: number): { pid: number; start: string } | undefined {
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = readStat(pid);
    if (stat?.parent !== agentPid) continue;
    if (read(pid, 'cmdline')?.includes('launcher.mjs') === true) return { pid, start: stat.start };
  }
  return undefined;
}
