/**
 * Processes as macOS tells them: `ps`. It tells less than `/proc`: no environment of others (so no marker), no
 * session that can be compared, and start times to the second. An attempt is known by its group and descendants.
 */
import { execFileSync } from 'node:child_process';
import { ProbeError, ProcessTable, type ProcessView, type SeenProcess } from './process-table.ts';

/** Two readings of one start time differ by a second at most; the shim's own is the time of its pid file. */
const START_TOLERANCE_SECONDS = 2;

/** Runs a program of the system and returns its stdout; throws an error with `status` if it fails. */
export type Run = (file: string, args: readonly string[]) => string;

const runSystem: Run = (file, args) =>
  execFileSync(file, args, {
    encoding: 'utf8',
    // `lstart` follows the locale and the time zone.
    env: { LC_ALL: 'C', TZ: 'UTC0' },
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 64 * 1024 * 1024,
  });

/** One `-o` each: in one list, what follows the first `=` would be its header (ps(1)). */
const COLUMNS = ['pid=', 'ppid=', 'pgid=', 'sess=', 'state=', 'lstart='].flatMap((column) => ['-o', column]);
const LINE = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+)\s+(\w{3}\s+\w{3}\s+\d+\s+[\d:]+\s+\d{4})\s*$/;

/** The living processes in the output of `ps` with these columns, in the C locale and UTC. */
export function parsePs(text: string): SeenProcess[] {
  const processes: SeenProcess[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const match = LINE.exec(line);
    if (match === null) throw new ProbeError(`this is no line of ps: ${line.slice(0, 80)}`);
    const [, pid, parent, group, , state, start] = match;
    if (state!.startsWith('Z')) continue;
    const startTicks = String(Date.parse(`${start} UTC`) / 1000);
    // The session is printed as an address, or as 0: the group stands for it.
    processes.push({
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      session: Number(group),
      state: state!.charAt(0),
      startTicks,
      marker: undefined,
      logs: [],
    });
  }
  return processes;
}

export function openMacosView(options: { run?: Run; self?: number } = {}): ProcessView {
  const { run = runSystem, self = process.pid } = options;

  const identify = (pid: number): SeenProcess | undefined => {
    let text: string;
    try {
      text = run('/bin/ps', [...COLUMNS, '-p', String(pid)]);
    } catch (error) {
      // ps(1) exits with 1 and prints nothing when there is no such process.
      if (isNoMatch(error)) return undefined;
      throw new ProbeError(`process ${pid} cannot be looked at`, error);
    }
    return parsePs(text)[0];
  };

  return {
    readBoot() {
      try {
        return run('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid']).trim();
      } catch (error) {
        throw new ProbeError('the boot of this machine cannot be told', error);
      }
    },

    identify,

    startTicksOfChild(pid) {
      let text: string;
      try {
        text = run('/bin/ps', ['-o', 'lstart=', '-p', String(pid)]);
      } catch (error) {
        throw new ProbeError(`process ${pid} cannot be looked at`, error);
      }
      const seconds = Date.parse(`${text.trim()} UTC`) / 1000;
      if (Number.isNaN(seconds))
        throw new ProbeError(`ps does not tell when process ${pid} started: ${text}`);
      return String(seconds);
    },

    startTimeOf: (startTicks) => Number(startTicks) * 1000,

    scan(before) {
      let text: string;
      try {
        text = run('/bin/ps', ['-ax', ...COLUMNS]);
      } catch (error) {
        throw new ProbeError('the process table cannot be read', error);
      }
      const processes = parsePs(text);
      if (!processes.some(({ pid }) => pid === self)) {
        throw new ProbeError('the process table cannot be right: this process is not in it');
      }
      return new ProcessTable({ processes, before, startTolerance: START_TOLERANCE_SECONDS });
    },
  };
}

function isNoMatch(error: unknown): boolean {
  if (!(error instanceof Error) || !('status' in error) || error.status !== 1) return false;
  return !('stdout' in error) || error.stdout === '';
}
