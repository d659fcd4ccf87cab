/**
 * The audit: for every live row what proves that somebody works on it, and what there is without a proof.
 *
 * - A *ghost* is a `starting` or `running` row that nothing works on: nobody dispatches it, no process of it lives, it
 *   left no record, no lease holds. A *stray* is a living process that carries a marker of this home and belongs to no
 *   live row, unless its task asked for its leftovers to stay.
 * - It looks with the eyes of supervision (look.ts) and judges by the same table (recovery.ts), so the two cannot
 *   disagree about what counts as alive. It changes nothing: what it finds is for the next sweep, or for a person.
 * - Tasks start and end while it looks. So what seems to be a ghost or a stray counts only if a second look, a little
 *   later, sees the very same one; until then it is told as `unseen`. A look that failed is no verdict (P10).
 */
import { basename, join } from 'node:path';
import {
  isUnderWay,
  type Audit as AuditView,
  messageOf,
  ProblemError,
  type Proof,
  type Task,
  TaskIdSchema,
} from '@holdfast/shared';
import type { AttemptStore } from './attempts.ts';
import { namesIn } from './folder.ts';
import type { Journal } from './journal.ts';
import type { Look, Sight } from './look.ts';
import { type SeenProcess, startTimeOf } from './process.ts';
import { noSuchTask } from './queue.ts';
import { decide } from './recovery.ts';
import { runDirectory } from './run-directory.ts';
import { Watch } from './watch.ts';
import type { PlannedWorktree } from './workspace.ts';

/** What a worker holds a task by. */
export interface HeldLease {
  worker: string;
  leaseExpiresAt: number;
  lastHeartbeatAt: number;
}

export interface AuditorOptions {
  journal: Journal;
  attempts: AttemptStore;
  look: Look;
  home: string;
  /** The watch that supervision has of a task, if it has one. */
  watchOf: (taskId: string) => Watch | undefined;
  /** The lease of the claim that is a task's current attempt. */
  leaseOf: (task: Task) => HeldLease | undefined;
  /** Makes sure that leases are not judged by a silence in which nobody was awake. */
  catchUp: () => Promise<void>;
  /** A lease that ran out is settled by the sweep: only one that outlives two of them is nobody's. */
  sweepMs: number;
  now: () => number;
  monotonic: () => number;
  /** Between the first look and the second. */
  pause?: () => Promise<void>;
}

type LiveTask = Task & { status: 'starting' | 'running' };
type Ghost = AuditView['ghosts'][number];
type Stray = AuditView['strays'][number];

/** A journal that was restored gives the numbers of attempts again. */
const FOREIGN = 'this journal knows no such run; it is stopped before its task starts again';

const PAUSE_MS = 250;
const PAGE = 200;
/** A row may pass to its next attempt while it is looked at; it does not do so for ever. */
const MOST_TRIES = 3;
/** `/metrics` is read by machines that nobody watches: it costs a look at most so often. */
const COUNTS_FOR_MS = 5000;

export class Auditor {
  readonly #options: AuditorOptions;
  #counts: { at: number; counted: Promise<{ ghosts: number; strays: number }> } | undefined;

  constructor(options: AuditorOptions) {
    this.#options = options;
  }

  /**
   * The audit of all tasks, or of one. Problems: `no_such_task`; `internal` if the processes of this machine cannot
   * be looked at.
   */
  async audit(taskId?: string): Promise<AuditView> {
    await this.#options.catchUp();
    const first = await this.#see(taskId);
    if (first.ghosts.length === 0 && first.strays.length === 0) return first;
    await (this.#options.pause ?? pause)();
    const second = await this.#see(taskId);
    const ghosts = second.ghosts.filter((ghost) => first.ghosts.some((one) => isSameGhost(one, ghost)));
    const strays = second.strays.filter((stray) => first.strays.some((one) => isSameStray(one, stray)));
    const doubted = second.ghosts.filter((ghost) => !ghosts.includes(ghost));
    const tasks = [
      ...second.tasks,
      ...doubted.map(({ taskId: id, attempt, message }) => ({
        taskId: id,
        attempt,
        proof: { kind: 'unseen' as const, message: `seen like this for the first time: ${message}` },
        verifiedAt: second.at,
      })),
    ];
    return { ...second, tasks, ghosts, strays };
  }

  /** How many ghosts and strays there are, as of at most five seconds ago. */
  counts(): Promise<{ ghosts: number; strays: number }> {
    const at = this.#options.monotonic();
    if (this.#counts === undefined || at - this.#counts.at >= COUNTS_FOR_MS) {
      const counted = this.audit().then(({ ghosts, strays }) => ({
        ghosts: ghosts.length,
        strays: strays.length,
      }));
      this.#counts = { at, counted };
    }
    return this.#counts.counted;
  }

  async #see(taskId: string | undefined): Promise<AuditView> {
    const { look, now } = this.#options;
    const ids = taskId === undefined ? this.#liveIds() : [this.#known(taskId)];
    const [found, processes, worktrees] = await Promise.all([
      Promise.all(ids.map((id) => this.#examine(id))),
      look.processes().catch(refuse),
      this.#keptWorktrees(),
    ]);
    const at = now();
    const seen = found.filter((one) => one !== undefined);
    return {
      at,
      tasks: seen.filter((one) => 'proof' in one).map((one) => ({ ...one, verifiedAt: at })),
      ghosts: seen.filter((one) => 'message' in one),
      // The rows are read after the processes: what was claimed in between is no stray.
      strays: [...processes.all()].flatMap((process) => {
        const stray = this.#strayOf(process);
        return stray === undefined || (taskId !== undefined && stray.taskId !== taskId) ? [] : [stray];
      }),
      worktrees: worktrees.filter((kept) => taskId === undefined || kept.taskId === taskId),
    };
  }

  #known(taskId: string): string {
    if (this.#options.journal.record(taskId) === undefined) throw noSuchTask(taskId);
    return taskId;
  }

  #liveIds(): string[] {
    const ids: string[] = [];
    for (let after = 0; ;) {
      const page = this.#options.journal.liveAfter(after, PAGE);
      const last = page.at(-1);
      if (last === undefined) return ids;
      ids.push(...page.map(({ task }) => task.id));
      after = last.createdSeq;
    }
  }

  #live(taskId: string): LiveTask | undefined {
    const task = this.#options.journal.record(taskId)?.task;
    return task !== undefined && isLive(task) ? task : undefined;
  }

  /** What is to be said of one live row; undefined if it is none any more. */
  async #examine(
    taskId: string,
  ): Promise<{ taskId: string; attempt: number; proof: Proof } | Ghost | undefined> {
    for (let tries = 0; ; tries += 1) {
      const task = this.#live(taskId);
      if (task === undefined) return undefined;
      const { attempt, status } = task;
      const seen = await this.#lookAt(task);
      if (this.#live(taskId)?.attempt === attempt) {
        return typeof seen === 'string'
          ? { taskId, attempt, status, message: seen }
          : { taskId, attempt, proof: seen };
      }
      if (tries === MOST_TRIES) {
        const proof: Proof = {
          kind: 'unseen',
          message: 'it passed to another attempt while it was looked at',
        };
        return { taskId, attempt, proof };
      }
    }
  }

  /** What proves that somebody works on an attempt, or in words why nothing does. */
  async #lookAt(task: LiveTask): Promise<Proof | string> {
    const { attempts, home, look, leaseOf, sweepMs, watchOf, monotonic, now } = this.#options;
    if (task.claim !== undefined) {
      const lease = leaseOf(task);
      return lease === undefined
        ? 'the journal knows nothing of this claim'
        : leaseProof(lease, now() - 2 * sweepMs);
    }
    const attempt = attempts.get(task.id, task.attempt);
    if (attempt === undefined) return 'the journal knows nothing of this attempt';
    const { taskId, launchId, bootId, shim } = attempt;
    const known = watchOf(taskId);
    // Without a watch of its own this instance has not judged the attempt yet: the evidence is looked at all the same.
    const run = runDirectory(home, taskId, attempt.attempt, launchId);
    const watch =
      known?.attempt === task.attempt
        ? known
        : new Watch({ taskId, attempt: task.attempt, run, bootId, shim }, monotonic());
    const sight = await look.at(watch, task, { readOnly: true });
    return processProof(sight, { bootId, claimedAt: attempt.claimedAt });
  }

  #strayOf(process: SeenProcess): Stray | undefined {
    const { home, journal, attempts } = this.#options;
    for (const run of [process.marker, ...process.logs.map((log) => log.slice(0, log.lastIndexOf('/')))]) {
      const of = run === undefined ? undefined : attemptOf(home, run);
      if (run === undefined || of === undefined) continue;
      const task = journal.record(of.taskId)?.task;
      const message =
        whyStray(task, of.attempt) ?? (attempts.runNames(of.taskId).has(basename(run)) ? undefined : FOREIGN);
      if (message === undefined) return undefined;
      return { pid: process.pid, startedAt: startTimeOf(process.startTicks), ...of, message };
    }
    return undefined;
  }

  /** Worktrees of attempts that are over: kept because they hold what is nowhere else. Only a person removes them. */
  async #keptWorktrees(): Promise<NonNullable<AuditView['worktrees']>> {
    const folder = join(this.#options.home, 'worktrees');
    const names = await namesIn(folder);
    return names.flatMap((name) => {
      const of = attemptNamed(name);
      const path = join(folder, name);
      if (of === undefined || this.#isLiveWorktree(of, path)) return [];
      return [{ ...of, path }];
    });
  }

  /** The attempt of this number may have another worktree than the one that an older run left. */
  #isLiveWorktree({ taskId, attempt }: { taskId: string; attempt: number }, path: string): boolean {
    if (this.#live(taskId)?.attempt !== attempt) return false;
    const workspace = this.#options.attempts.get(taskId, attempt)?.workspace;
    return workspace === undefined || (JSON.parse(workspace) as PlannedWorktree).path === path;
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

function refuse(cause: unknown): never {
  const detail = `The processes of this machine could not be looked at, which says nothing about any task: ${messageOf(cause)}. Try again.`;
  throw new ProblemError('internal', detail, { cause });
}

function isLive(task: Task): task is LiveTask {
  return isUnderWay(task.status);
}

function isSameGhost(one: Ghost, other: Ghost): boolean {
  return one.taskId === other.taskId && one.attempt === other.attempt;
}

function isSameStray(one: Stray, other: Stray): boolean {
  // `startedAt` is computed from the start and the clock: it may differ between two looks at one process.
  return one.pid === other.pid && one.taskId === other.taskId && one.attempt === other.attempt;
}

function leaseProof(lease: HeldLease, settledBy: number): Proof | string {
  const { worker, leaseExpiresAt, lastHeartbeatAt } = lease;
  if (leaseExpiresAt > settledBy) return { kind: 'lease', worker, leaseExpiresAt, lastHeartbeatAt };
  return `the lease of its worker ${worker} ran out at ${new Date(leaseExpiresAt).toISOString()}`;
}

/** What the table of recovery makes of a look, told as a proof, or in words why there is none. */
function processProof(
  { evidence, shim, shimStartedAt, others }: Sight,
  attempt: { bootId: string; claimedAt: number },
): Proof | string {
  const { record } = evidence;
  const decision = decide(evidence);
  switch (decision.do) {
    case 'leave':
    case 'start':
    case 'adopt':
      if (evidence.dispatching) return { kind: 'dispatching', sinceAt: attempt.claimedAt };
      return {
        kind: 'process',
        pid: shim!.pid,
        startedAt: shimStartedAt!,
        bootId: attempt.bootId,
        others: others.length,
      };
    case 'noVerdict':
      return { kind: 'unseen', message: decision.message };
    case 'endShim':
    case 'stop':
    case 'stopOthers': {
      const pids = others.map(({ pid }) => pid);
      return { kind: 'stopping', pids: shim === undefined ? pids : [shim.pid, ...pids] };
    }
    case 'settle':
    case 'endAsAsked':
    case 'requeue':
    case 'lost':
      if (record !== undefined) {
        return { kind: 'record', exitCode: record.exitCode, endedAt: record.endedAt };
      }
      return evidence.sameBoot
        ? 'no process of it lives, and it left no record'
        : 'the machine was restarted since, and it left no record';
    default:
      return decision satisfies never;
  }
}

/** Why a process of this attempt is a stray; undefined if it is none. */
function whyStray(task: Task | undefined, attempt: number): string | undefined {
  if (task === undefined) return 'this agent knows no such task (any more)';
  if (task.spec.keepLeftovers === true) return undefined;
  if (isLive(task)) {
    return task.attempt === attempt ? undefined : `its task is in attempt ${task.attempt} now`;
  }
  return task.status === 'queued'
    ? 'its task waits for its next attempt'
    : `its task has ended: ${task.status}`;
}

/** The attempt that runs in a directory, if it is one of this home (run-directory.ts). */
function attemptOf(home: string, run: string): { taskId: string; attempt: number } | undefined {
  const folder = `${join(home, 'runs')}/`;
  if (!run.startsWith(folder)) return undefined;
  const [taskId, name, ...rest] = run.slice(folder.length).split('/');
  return rest.length === 0 ? attemptNamed(`${taskId}-${name?.split('-')[0]}`) : undefined;
}

/** `<task>-<attempt>`, as worktrees are named (workspace.ts), with or without a launch id behind it. */
function attemptNamed(name: string): { taskId: string; attempt: number } | undefined {
  const [, taskId, attempt] = /^(.{36})-([1-9]\d*)(?:-[0-9a-f]{12})?$/.exec(name) ?? [];
  return TaskIdSchema.safeParse(taskId).success ? { taskId: taskId!, attempt: Number(attempt) } : undefined;
}
