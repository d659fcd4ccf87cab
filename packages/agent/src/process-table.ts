/**
 * The process table: all processes of this machine as one look saw them, and which of them belong to an attempt.
 *
 * The identity of a process is its pid and its start time (within one boot, process.ts): a pid alone is reused.
 * A zombie is gone and never in a table. What could not be looked at is not in it either, and asking for exactly
 * that throws `ProbeError`: a failed look is no verdict (P10).
 */

/** The look itself failed: it says nothing about any process. */
export class ProbeError extends Error {
  readonly code = 'probe_failed';
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ProbeError';
  }
}

/** A pid and when its process started: clock ticks since boot (Linux), seconds since the epoch (macOS), as text. */
export interface ProcessIdentity {
  pid: number;
  startTicks: string;
}

export interface SeenProcess extends ProcessIdentity {
  parent: number;
  group: number;
  session: number;
  /** One letter, as the kernel tells it: `D` cannot be killed now, `T` is stopped. Never `Z` or `X`. */
  state: string;
  /** The run directory in its marker, if it carries one that can be read. */
  marker: string | undefined;
  /** The logs that it has open as stdout or stderr, if they are those of runs. */
  logs: readonly string[];
}

export interface ProcessTableOptions {
  processes: Iterable<SeenProcess>;
  /** Processes that ended and were not reaped: gone, but nobody else can have their pid. */
  zombies?: Iterable<ProcessIdentity>;
  /** The look before this one, which still saw who has ended since. */
  before?: ProcessTable | undefined;
  /** Pids of processes that exist but could not be looked at. */
  unreadable?: ReadonlySet<number>;
  /** How far two readings of one start time may differ. */
  startTolerance?: number;
}

/** What a platform tells of its processes. Every method throws `ProbeError` when the look itself fails. */
export interface ProcessView {
  /** Which boot of which machine (or container) this is. */
  readBoot: () => string;
  /** The process that has this pid now; undefined if there is none, or only a zombie. */
  identify: (pid: number) => ProcessIdentity | undefined;
  /** The start time of a child that was not reaped yet, dead or alive. */
  startTicksOfChild: (pid: number) => string;
  /** A start time as ms since the epoch, for display. */
  startTimeOf: (startTicks: string, now: number) => number;
  /** All processes. `before` tells what can no longer be seen: whose group one is, what marker one carried. */
  scan: (before?: ProcessTable) => ProcessTable;
}

export class ProcessTable {
  readonly #processes = new Map<number, SeenProcess>();
  readonly #unreadable: ReadonlySet<number>;
  readonly #startTolerance: number;
  readonly #groups: Circles;
  readonly #sessions: Circles;
  readonly #byParent = new Map<number, SeenProcess[]>();
  readonly #byAttempt = new Map<string, SeenProcess[]>();

  constructor(options: ProcessTableOptions) {
    const { processes, zombies = [], before, unreadable = new Set(), startTolerance = 0 } = options;
    this.#unreadable = unreadable;
    this.#startTolerance = startTolerance;
    for (const process of processes) this.#processes.set(process.pid, process);
    const leaders = new Map<number, string>();
    for (const { pid, startTicks } of [...zombies, ...this.#processes.values()]) leaders.set(pid, startTicks);
    const survivors = [...this.#processes.values()].filter((process) => {
      return before?.get(process.pid)?.startTicks === process.startTicks;
    });
    this.#groups = circlesOf(
      'group',
      this.#processes.values(),
      leaders,
      survivors,
      before === undefined ? undefined : before.#groups,
    );
    this.#sessions = circlesOf(
      'session',
      this.#processes.values(),
      leaders,
      survivors,
      before === undefined ? undefined : before.#sessions,
    );
    for (const process of this.#processes.values()) {
      file(this.#byParent, process.parent, process);
      for (const path of [process.marker, ...process.logs.map(directoryOf)]) {
        if (path !== undefined) file(this.#byAttempt, attemptOf(path), process);
      }
    }
  }

  /** The shim itself, if it is alive: same pid, same start. */
  shimOf(shim: ProcessIdentity): SeenProcess | undefined {
    if (this.#unreadable.has(shim.pid)) throw new ProbeError(`process ${shim.pid} cannot be looked at`);
    const process = this.#processes.get(shim.pid);
    return process !== undefined && this.#isStart(process.startTicks, shim) ? process : undefined;
  }

  /**
   * The living processes of the attempt that runs in `run`, its shim not among them:
   *
   * - members of the group and the session that the shim leads, or led when it was last seen;
   * - who carries its marker, or has its log open as stdout or stderr;
   * - descendants of all of these.
   *
   * A marker of another launch of the same attempt counts too: a journal that was restored from a copy made it.
   * `run` is compared as text with what the kernel tells: its path holds no symbolic link.
   */
  othersOf(run: string, shim: ProcessIdentity | undefined): SeenProcess[] {
    const found = new Set<SeenProcess>(this.#byAttempt.get(attemptOf(run)));
    if (shim !== undefined) {
      const alive = this.#processes.get(shim.pid);
      if (alive !== undefined && this.#isStart(alive.startTicks, shim)) found.add(alive);
      for (const circle of [this.#groups.get(shim.pid), this.#sessions.get(shim.pid)]) {
        if (circle?.leaderStart === undefined || !this.#isStart(circle.leaderStart, shim)) continue;
        for (const member of circle.members) found.add(member);
      }
    }
    // A set that grows while it is walked is walked to its end: descendants of descendants too.
    for (const process of found) {
      for (const child of this.#byParent.get(process.pid) ?? [])
        if (this.#isSince(child, process)) found.add(child);
    }
    return [...found].filter(({ pid, startTicks }) => pid !== shim?.pid || !this.#isStart(startTicks, shim));
  }

  all(): IterableIterator<SeenProcess> {
    return this.#processes.values();
  }

  get(pid: number): SeenProcess | undefined {
    return this.#processes.get(pid);
  }

  #isStart(startTicks: string, { startTicks: other }: ProcessIdentity): boolean {
    if (startTicks === other) return true;
    return this.#startTolerance > 0 && Math.abs(Number(startTicks) - Number(other)) <= this.#startTolerance;
  }

  #isSince(process: SeenProcess, earlier: ProcessIdentity): boolean {
    return Number(process.startTicks) >= Number(earlier.startTicks) - this.#startTolerance;
  }
}

/** A group or a session: who is in it, and when the process started whose pid is its number. */
interface Circle {
  members: SeenProcess[];
  leaderStart: string | undefined;
}
type Circles = ReadonlyMap<number, Circle>;

/**
 * Groups or sessions, with the identity of their leader. The number of a group is free again once it has no member
 * and its leader was reaped; the same number then means somebody else's, which may have lost its leader in turn.
 * So a group without a leader is known only by a member that was in it when the leader was still seen: this member
 * has kept the number from being reused ever since.
 */
function circlesOf(
  kind: 'group' | 'session',
  processes: Iterable<SeenProcess>,
  leaders: ReadonlyMap<number, string>,
  survivors: readonly SeenProcess[],
  before: Circles | undefined,
): Circles {
  const circles = new Map<number, Circle>();
  for (const process of processes) {
    const known = circles.get(process[kind]);
    if (known !== undefined) known.members.push(process);
    else circles.set(process[kind], { members: [process], leaderStart: leaders.get(process[kind]) });
  }
  for (const survivor of survivors) {
    const circle = circles.get(survivor[kind]);
    const earlier = before?.get(survivor[kind]);
    if (circle === undefined || circle.leaderStart !== undefined || earlier === undefined) continue;
    if (earlier.members.some(({ pid }) => pid === survivor.pid)) circle.leaderStart = earlier.leaderStart;
  }
  return circles;
}

/** Of a run directory (`<home>/runs/<task>/<attempt>-<launchId>`) what all launches of its attempt share. */
function attemptOf(run: string): string {
  return run.slice(0, run.lastIndexOf('-'));
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function file<K>(index: Map<K, SeenProcess[]>, key: K, process: SeenProcess): void {
  const entries = index.get(key);
  if (entries === undefined) index.set(key, [process]);
  else entries.push(process);
}
