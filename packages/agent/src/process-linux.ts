/**
 * Processes as Linux tells them: `/proc`, proc(5).
 *
 * ENOENT and ESRCH mean gone, and so do the states Z (zombie) and X (dead). Anything else that goes wrong is a
 * `ProbeError`, with one exception: the environment and the descriptors of a process that may not be read are no
 * evidence of anything.
 */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import {
  ProbeError,
  type ProcessIdentity,
  ProcessTable,
  type ProcessView,
  type SeenProcess,
} from './process-table.ts';
import { errnoOf } from './start-error.ts';

/** USER_HZ: fixed by the ABI on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
const KERNEL_THREAD = 0x0020_0000; // PF_KTHREAD, include/linux/sched.h
/** Reading the list again finds what was born meanwhile behind the reader's back; that ends soon, or here. */
const MOST_LISTINGS = 4;
const MARKER = Buffer.from('HOLDFAST_RUN=');

export interface LinuxOptions {
  /** Where proc is mounted. */
  root?: string;
  /** The pid of this process: a list that lacks it is no list. */
  self?: number;
  /** The user of this process; 0 may read everything. */
  uid?: number;
}

interface Stat {
  state: string;
  parent: number;
  group: number;
  session: number;
  flags: number;
  startTicks: string;
}

/** With the user to whom the kernel shows this process. */
type OwnedStat = Stat & { owner: number };

/** The fields of a line of /proc/<pid>/stat. The command may hold spaces and parentheses: split after the last. */
export function parseStat(line: string): Stat {
  const end = line.lastIndexOf(')');
  const fields = line.slice(end + 2).split(' ', 20);
  const [state, parent, group, session, , , flags] = fields;
  const startTicks = fields[19];
  if (end === -1 || state === undefined || startTicks === undefined || !/^\d+$/.test(startTicks)) {
    throw new ProbeError(`this is no line of /proc/<pid>/stat: ${line.slice(0, 80)}`);
  }
  return {
    state,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    flags: Number(flags),
    startTicks,
  };
}

export function openLinuxView(options: LinuxOptions = {}): ProcessView {
  const { root = '/proc', self = process.pid, uid = process.getuid?.() ?? 0 } = options;
  let buffer = Buffer.allocUnsafe(16 * 1024);

  /** All of a small file; read into one buffer, because a look reads thousands of them. */
  const readAll = (path: string): { bytes: Buffer; owner: number } => {
    const descriptor = openSync(path, 'r');
    try {
      let length = 0;
      for (;;) {
        if (length === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
        const read = readSync(descriptor, buffer, length, buffer.length - length, null);
        if (read === 0) break;
        length += read;
      }
      // The owner tells whether there is a point in reading more of this process.
      const owner = uid === 0 ? 0 : fstatSync(descriptor).uid;
      return { bytes: buffer.subarray(0, length), owner };
    } finally {
      closeSync(descriptor);
    }
  };

  const readStat = (pid: number): OwnedStat | undefined => {
    try {
      const { bytes, owner } = readAll(`${root}/${pid}/stat`);
      return { ...parseStat(bytes.toString('latin1')), owner };
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error instanceof ProbeError ? error : new ProbeError(`process ${pid} cannot be looked at`, error);
    }
  };

  const readMarker = (pid: number): string | undefined => {
    const bytes = unlessRefused(pid, () => readAll(`${root}/${pid}/environ`).bytes);
    if (bytes === undefined) return undefined;
    for (let at = bytes.indexOf(MARKER); at !== -1; at = bytes.indexOf(MARKER, at + 1)) {
      if (at !== 0 && bytes[at - 1] !== 0) continue;
      const end = bytes.indexOf(0, at);
      return bytes.toString('utf8', at + MARKER.length, end === -1 ? undefined : end);
    }
    return undefined;
  };

  const readLogs = (pid: number): string[] => {
    const logs: string[] = [];
    for (const descriptor of [1, 2]) {
      const target = unlessRefused(pid, () => readlinkSync(`${root}/${pid}/fd/${descriptor}`));
      // A log that was removed is still held under its name.
      const path = target?.endsWith(' (deleted)') === true ? target.slice(0, -' (deleted)'.length) : target;
      if (path?.endsWith('/output.log') === true) logs.push(path);
    }
    return logs;
  };

  const see = (pid: number, stat: OwnedStat, before: ProcessTable | undefined): SeenProcess => {
    const { state, parent, group, session, startTicks } = stat;
    const closed = (stat.flags & KERNEL_THREAD) !== 0 || (uid !== 0 && stat.owner !== uid);
    const known = before?.get(pid);
    const same = known?.startTicks === startTicks ? known : undefined;
    // Marker and log are inherited: whoever was born without them stays without, so only what is new is read in full.
    // (A shim has its marker only once it has executed; it is known by its identity.)
    const plain = closed || (same !== undefined && same.marker === undefined && same.logs.length === 0);
    // A marker that was seen once stays: a process may overwrite its environment, as setproctitle(3) does.
    const marker = same?.marker ?? (plain ? undefined : readMarker(pid));
    return { pid, parent, group, session, state, startTicks, marker, logs: plain ? [] : readLogs(pid) };
  };

  return {
    readBoot() {
      try {
        const id = readFileSync(`${root}/sys/kernel/random/boot_id`, 'utf8').trim();
        const namespace = readlinkSync(`${root}/self/ns/pid`).replaceAll(/\D/g, '');
        return `${id}:${namespace}:${startOfInit(root)}`;
      } catch (error) {
        throw error instanceof ProbeError
          ? error
          : new ProbeError('the boot of this machine cannot be told', error);
      }
    },

    identify(pid) {
      const stat = readStat(pid);
      return stat === undefined || isDead(stat) ? undefined : { pid, startTicks: stat.startTicks };
    },

    startTicksOfChild(pid) {
      const stat = readStat(pid);
      if (stat === undefined) throw new ProbeError(`process ${pid} is not there`);
      return stat.startTicks;
    },

    startTimeOf(startTicks, now) {
      // Both count from boot, the time asleep included: field 22 and /proc/uptime, proc(5).
      const uptimeSeconds = Number.parseFloat(readFileSync(`${root}/uptime`, 'latin1'));
      return Math.round(now - uptimeSeconds * 1000 + (Number(startTicks) * 1000) / TICKS_PER_SECOND);
    },

    scan(before) {
      const looked = new Set<number>();
      const unreadable = new Set<number>();
      const processes: SeenProcess[] = [];
      const zombies: ProcessIdentity[] = [];
      for (let listing = 0; listing < MOST_LISTINGS; listing += 1) {
        const fresh = listPids(root).filter((pid) => !looked.has(pid));
        if (fresh.length === 0) break;
        for (const pid of fresh) {
          looked.add(pid);
          try {
            const stat = readStat(pid);
            if (stat === undefined) continue;
            if (isDead(stat)) zombies.push({ pid, startTicks: stat.startTicks });
            else processes.push(see(pid, stat, before));
          } catch (error) {
            // Of a process that hides (hidepid=1) nothing is known; who asks for exactly that one is told so.
            if (!(error instanceof ProbeError) || !isRefused(error.cause)) throw error;
            unreadable.add(pid);
          }
        }
      }
      if (!processes.some(({ pid }) => pid === self)) {
        throw new ProbeError('the process table cannot be right: this process is not in it');
      }
      return new ProcessTable({ processes, zombies, before, unreadable });
    },
  };
}

/** The start of pid 1 tells one container from the next in the same kernel; where it is hidden it is left out. */
function startOfInit(root: string): string {
  try {
    return parseStat(readFileSync(`${root}/1/stat`, 'latin1')).startTicks;
  } catch (error) {
    if (isGone(error) || isRefused(error)) return '';
    throw error;
  }
}

function listPids(root: string): number[] {
  try {
    return readdirSync(root)
      .filter((name) => name >= '1' && name <= ':')
      .map(Number)
      .filter(Number.isSafeInteger);
  } catch (error) {
    throw new ProbeError('the process table cannot be read', error);
  }
}

/** What `read` gives; undefined if the process is gone or does not let itself be read. */
function unlessRefused<T>(pid: number, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isGone(error) || isRefused(error)) return undefined;
    throw new ProbeError(`process ${pid} cannot be looked at`, error);
  }
}

function isDead({ state }: Stat): boolean {
  return state === 'Z' || state === 'X';
}

function isGone(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ESRCH';
}

function isRefused(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'EACCES' || errno === 'EPERM';
}
