/**
 * Supervision: every `starting` or `running` task has a watch, and every watch is judged by the recovery table.
 *
 * Whatever happens to an attempt — its shim exits, a stop is asked for, a sweep comes by, the agent has just
 * restarted — leads to the same three steps: look (the processes first, the record second), decide
 * (recovery.ts), act. There is no second way for a task to leave `running`, so none can be forgotten. Examining
 * is safe to repeat at any time; one attempt is never examined twice at once.
 *
 * One attempt whose examination throws never stops the others: it gets `attention`, and the next sweep tries
 * again.
 */
import { isUnderWay, isTerminal, type Logger, messageOf, type Task } from '@holdfast/shared';
import type { AttemptRecord, AttemptStore, ShimIdentity } from './attempts.ts';
import type { Claims } from './claims.ts';
import type { ExternalIds } from './external-id.ts';
import type { EventDraft, Journal } from './journal.ts';
import type { Look, Sight } from './look.ts';
import { decide, type Decision, isMassDeath } from './recovery.ts';
import { runDirectory } from './run-directory.ts';
import { type Ending, outputOf, type Settlement } from './settle.ts';
import type { SweepTick } from './sweep-loop.ts';
import { type GivenUp, Watch } from './watch.ts';

export interface SupervisorOptions {
  journal: Journal;
  attempts: AttemptStore;
  settlement: Settlement;
  look: Look;
  /** Judges the leases of tasks whose processes are elsewhere. */
  claims: Pick<Claims, 'judge'>;
  /** Finds the ids that runners tell in their output; without it only a task's own word counts. */
  externalIds?: Pick<ExternalIds, 'find'>;
  home: string;
  sweepPage: number;
  killGraceMs: number;
  logger: Logger;
  /** A task ended or went back to the queue: a slot may be free. */
  onFree: () => void;
  /**
   * Every process of the attempt is gone and its end is on record: what was prepared for it can go. However long that
   * takes, no sweep waits for it.
   */
  release: (attempt: AttemptRecord) => Promise<void>;
  now: () => number;
  /** Monotonic, ms. */
  monotonic: () => number;
}

/** How often an attempt is looked at of which something is expected that nobody tells of: that it ends. */
const POLL_MS = 100;
/** After SIGKILL, how long a process may take to go before a person is told. */
const UNKILLABLE_AFTER_MS = 5000;

type AttentionCode = 'probe_failed' | 'recovery_failed' | 'unkillable' | 'output_lost';

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #watches = new Map<string, Watch>();
  readonly #examinations = new Set<Promise<void>>();
  #sweeping: Promise<void> | undefined;
  #sweptAt = 0;
  #suspicious = false;
  #stopped = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** When the last whole sweep ended (ms since the epoch), 0 before the first. */
  get sweptAt(): number {
    return this.#sweptAt;
  }

  watches(): Iterable<Watch> {
    return this.#watches.values();
  }

  watchOf(taskId: string): Watch | undefined {
    return this.#watches.get(taskId);
  }

  /** A task with its output as it was last measured: the events tell it at its end. */
  withOutput(task: Task): Task {
    const watch = this.#watches.get(task.id);
    if (watch?.attempt !== task.attempt || watch.output.outputBytes === 0) return task;
    return { ...task, ...outputOf(watch.output) };
  }

  /** The dispatcher begins with an attempt: while `dispatching`, the table leaves it alone. */
  beginDispatch(attempt: AttemptRecord): Watch {
    const watch = this.#open(attempt);
    watch.dispatching = true;
    return watch;
  }

  /**
   * The start of an attempt failed before anything was launched. Whatever else began for it (a hook of git, say) is
   * ended as every attempt is, and only then is the failure put on record. Resolves when it is, or when something has to
   * end before; an agent that stops meanwhile leaves the attempt to the next one.
   */
  async giveUp(watch: Watch, givenUp: GivenUp): Promise<void> {
    watch.dispatching = false;
    watch.givenUp = givenUp;
    await this.#examineNow(watch);
  }

  /** The attempt is on record as over and nothing of it is left: its watch ends. */
  forget(watch: Watch): void {
    if (this.#watches.get(watch.taskId) === watch) this.#watches.delete(watch.taskId);
    watch.close();
    this.#options.onFree();
  }

  /** A stop of this attempt was put on record: whatever is under way for it ends, and the ladder begins. */
  beginStop(taskId: string, attempt: number): void {
    const watch = this.#watches.get(taskId);
    if (watch?.attempt !== attempt) return;
    watch.abort.abort();
    this.examine(watch);
  }

  /** Looks at an attempt soon and does what the table says; if it is being looked at, once more after that. */
  examine(watch: Watch): void {
    void this.#examineNow(watch);
  }

  /** Resolves when that is done; at once if it was being looked at. Never rejects. */
  async #examineNow(watch: Watch): Promise<void> {
    if (this.#stopped) return;
    if (watch.busy) {
      watch.again = true;
      return;
    }
    watch.busy = true;
    await this.#track(this.#lookAt(watch).then((seen) => this.#act(watch, seen)));
  }

  /**
   * Judges every `starting` and `running` task of the journal, page by page, yielding between pages; at start
   * and on every tick alike. Asked for while one runs, it is that one.
   */
  sweep(tick: SweepTick = { at: this.#options.now() }): Promise<void> {
    this.#sweeping ??= this.#sweepPages(tick).finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  /** Stops judging, a sweep too, and waits for what is under way. The tasks go on without the agent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const watch of this.#watches.values()) watch.close();
    // The last of them may begin to release what was made for its attempt.
    while (this.#examinations.size > 0) await Promise.all(this.#examinations);
  }

  async #sweepPages(tick: SweepTick): Promise<void> {
    const { journal, sweepPage, now, logger } = this.#options;
    // Judged when all were looked at: many that vanish at once make the look suspect, not the tasks.
    const vanished: { watch: Watch; judged: Judged }[] = [];
    let looked = 0;
    let spare = true;
    try {
      for (let after = 0; !this.#stopped;) {
        const page = journal.liveAfter(after, sweepPage);
        const last = page.at(-1);
        if (last === undefined) break;
        after = last.createdSeq;
        const watches = page
          .map(({ task }) => this.#watchForSweep(task))
          .filter((watch) => watch !== undefined);
        // A task of a named queue is its worker's: it has no process here.
        const claimed = page.filter(({ task }) => task.claim !== undefined);
        await Promise.all(claimed.map(({ task }) => this.#judgeClaim(task, tick)));
        looked += watches.length;
        await Promise.all(
          watches.map(async (watch) => {
            const judged = await this.#lookAt(watch);
            if (judged !== undefined && isLost(judged)) vanished.push({ watch, judged });
            else await this.#track(this.#act(watch, judged));
          }),
        );
        await new Promise((resolve) => setImmediate(resolve));
      }
      const suspicious = isMassDeath(vanished.length, looked);
      spare = suspicious && !this.#suspicious;
      this.#suspicious = suspicious;
      if (spare) {
        const counts = { lost: vanished.length, looked };
        logger.warn(counts, 'most attempts seem to be gone at once: the next sweep decides');
      }
    } finally {
      await Promise.all(
        vanished.map(({ watch, judged }) => this.#track(this.#act(watch, spare ? undefined : judged))),
      );
    }
    if (!this.#stopped) this.#sweptAt = now();
  }

  /** The watch of a live task, taken for this sweep; undefined if there is nothing to look at, or somebody looks already. */
  #watchForSweep(task: Task): Watch | undefined {
    if (task.claim !== undefined) return undefined;
    try {
      const watch = this.#watchFor(task);
      if (watch === undefined || watch.busy) return undefined;
      watch.busy = true;
      return watch;
    } catch (error) {
      this.#options.logger.error({ err: error, taskId: task.id }, 'an attempt could not be looked at');
      return undefined;
    }
  }

  /** Never rejects. */
  async #judgeClaim(task: Task, tick: SweepTick): Promise<void> {
    try {
      if (this.#stopped) return;
      await this.#options.claims.judge(task, tick.at);
      await this.#clear({ taskId: task.id, attempt: task.attempt }, task);
    } catch (error) {
      this.#options.logger.error({ err: error, taskId: task.id }, 'a claim could not be judged');
      await this.#raise({ taskId: task.id, attempt: task.attempt }, 'recovery_failed', messageOf(error));
    }
  }

  /** The watch of a live task, made now if this instance has none: that is how a restarted agent adopts. */
  #watchFor(task: Task): Watch | undefined {
    const known = this.#watches.get(task.id);
    if (known?.attempt === task.attempt) return known;
    const attempt = this.#options.attempts.get(task.id, task.attempt);
    return attempt === undefined ? undefined : this.#open(attempt);
  }

  #open(attempt: AttemptRecord): Watch {
    const { home, monotonic } = this.#options;
    const run = runDirectory(home, attempt.taskId, attempt.attempt, attempt.launchId);
    const { taskId, bootId, shim } = attempt;
    const watch = new Watch({ taskId, attempt: attempt.attempt, run, bootId, shim }, monotonic());
    this.#watches.set(attempt.taskId, watch);
    return watch;
  }

  #track(examination: Promise<void>): Promise<void> {
    const tracked: Promise<void> = examination.finally(() => this.#examinations.delete(tracked));
    this.#examinations.add(tracked);
    return tracked;
  }

  /** What is seen of an attempt and what it means; undefined if the task is no longer this attempt's. Never rejects. */
  async #lookAt(watch: Watch): Promise<Judged | undefined> {
    const { journal, look } = this.#options;
    try {
      const task = journal.record(watch.taskId)?.task;
      if (task?.attempt !== watch.attempt) return { over: true };
      if (!isUnderWay(task.status)) return { over: true };
      const sight = await look.at(watch, { ...task, status: task.status });
      return { over: false, task, sight, decision: decide(sight.evidence) };
    } catch (error) {
      await this.#raise(watch, 'recovery_failed', messageOf(error));
      return undefined;
    }
  }

  /** Does what was decided and lets go of the watch. Never rejects. */
  async #act(watch: Watch, judged: Judged | undefined): Promise<void> {
    try {
      if (judged !== undefined && !this.#stopped) await this.#perform(watch, judged);
    } catch (error) {
      this.#options.logger.error({ err: error, taskId: watch.taskId }, 'an attempt could not be judged');
      await this.#raise(watch, 'recovery_failed', messageOf(error));
    } finally {
      watch.busy = false;
      if (watch.again) {
        watch.again = false;
        this.examine(watch);
      }
    }
  }

  async #perform(watch: Watch, judged: Judged): Promise<void> {
    if (judged.over) return this.forget(watch);
    const { task, sight, decision } = judged;
    const { settlement } = this.#options;
    if (decision.do !== 'noVerdict') await this.#clear(watch, task);
    this.#rouse(watch, sight);
    switch (decision.do) {
      case 'leave':
        return;
      case 'noVerdict':
        return this.#raise(watch, 'probe_failed', decision.message);
      case 'start':
      case 'adopt':
        return this.#confirm(watch, sight, decision.do);
      case 'endShim':
        return this.#endShim(watch, sight);
      case 'stop':
      case 'stopOthers':
        return this.#climb(watch, sight);
      case 'settle':
        // What it left behind goes first, so that nothing of it outlives its end (P4).
        if (sight.others.length > 0 && task.spec.keepLeftovers !== true) return this.#climb(watch, sight);
        return this.#end(watch, task, (ending) => settlement.byRecord(ending, decision.record));
      case 'endAsAsked':
        return this.#end(watch, task, (ending) =>
          settlement.asAsked(ending, decision.cause, sight.evidence.record?.exitCode),
        );
      case 'requeue':
        return this.#end(watch, task, (ending) =>
          watch.givenUp === undefined
            ? settlement.lost(ending, decision.reason, decision.charged)
            : watch.givenUp.conclude(ending),
        );
      case 'lost':
        return this.#end(watch, task, (ending) => settlement.lost(ending, decision.reason, true));
      default:
        return decision satisfies never;
    }
  }

  /**
   * A shim whose command has ended writes the record and ends: should it have been stopped, it is told to go on. Who
   * stops a whole task means it, and is left alone. A record beside a living shim is looked at again soon.
   */
  #rouse(watch: Watch, { evidence, shim, shimStopped, others }: Sight): void {
    if (shim === undefined || others.length > 0) return;
    if (shimStopped) this.#options.look.signal([shim], 'SIGCONT');
    if (evidence.record !== undefined || shimStopped) watch.plan(POLL_MS, () => this.examine(watch));
  }

  /** It never ran its command and never will; should it hang before it finds that out, it is ended. */
  #endShim(watch: Watch, { shim }: Sight): void {
    this.#options.look.signal([shim!], 'SIGKILL');
    watch.plan(POLL_MS, () => this.examine(watch));
  }

  /** A living shim is this attempt's process: say so once. */
  async #confirm(watch: Watch, sight: Sight, kind: 'start' | 'adopt'): Promise<void> {
    const { journal, attempts, now } = this.#options;
    const shim = sight.shim!;
    const committed = await journal.change(() => {
      const record = journal.record(watch.taskId);
      if (record?.task.attempt !== watch.attempt) return undefined;
      if (record.task.status !== (kind === 'start' ? 'starting' : 'running')) return undefined;
      const at = now();
      const data = { process: { pid: shim.pid, startedAt: sight.shimStartedAt ?? at, verifiedAt: at } };
      if (kind === 'start') {
        attempts.start({ taskId: watch.taskId, attempt: watch.attempt, startedAt: at, ...shim });
        return journal.append(record, { kind: 'started', at, data });
      }
      return journal.append(record, { kind: 'adopted', at, data });
    });
    if (committed !== undefined) this.confirmed(watch, committed, shim);
  }

  /** The process of an attempt is verified: from here on its limits count and its exit is waited for. */
  confirmed(watch: Watch, task: Task, shim: ShimIdentity): void {
    const { monotonic, now } = this.#options;
    watch.shim = shim;
    watch.confirmed = true;
    // Nothing could be written while it was being prepared: that is no silence of its command.
    watch.quietSince = monotonic();
    if (task.spec.timeoutMs !== undefined) {
      // After a restart of the agent the time already used counts.
      watch.deadlineAt = monotonic() + task.spec.timeoutMs - Math.max(0, now() - (task.startedAt ?? now()));
    }
    if (!watch.ownChild) watch.onClose(watch.run.watchRecord(() => this.examine(watch)));
  }

  /** One rung of the ladder: TERM at first, KILL after the grace, and a look again soon. */
  async #climb(watch: Watch, sight: Sight): Promise<void> {
    const { monotonic, killGraceMs, look } = this.#options;
    if (watch.stoppingSince === undefined) {
      watch.stoppingSince = monotonic();
      // A command that has not begun yet never will; one that has is told to end.
      watch.run.requestStop();
    }
    // Once: what a command starts in order to end well is not told to end in turn.
    if (!watch.told && sight.others.length > 0) {
      watch.told = true;
      look.signal(sight.others, 'SIGTERM');
      // What was stopped (SIGSTOP) hears of it only once it goes on.
      look.signal(sight.others, 'SIGCONT');
    }
    // A shim that was stopped would never write its record, nor end.
    if (sight.shim !== undefined) look.signal([sight.shim], 'SIGCONT');
    const waitedMs = monotonic() - watch.stoppingSince;
    if (waitedMs >= killGraceMs) look.signal(sight.others, 'SIGKILL');
    if (waitedMs >= killGraceMs + UNKILLABLE_AFTER_MS && sight.others.length > 0) {
      const pids = sight.others.map((process) => process.pid).join(', ');
      await this.#raise(watch, 'unkillable', `these processes survive SIGKILL and keep the slot: ${pids}`);
    }
    // All that it could still do is write a record, and what was asked decides without one.
    if (
      waitedMs >= killGraceMs + UNKILLABLE_AFTER_MS &&
      sight.others.length === 0 &&
      sight.shim !== undefined
    ) {
      look.signal([sight.shim], 'SIGKILL');
    }
    const untilKillMs = killGraceMs - waitedMs;
    watch.plan(untilKillMs > 0 ? Math.min(POLL_MS, untilKillMs) : POLL_MS, () => this.examine(watch));
  }

  /** Puts the end of an attempt on record, and begins to let go of everything that was made for it. */
  async #end(watch: Watch, task: Task, commit: (ending: Ending) => Promise<Task | undefined>): Promise<void> {
    const { attempts } = this.#options;
    const attempt = attempts.get(watch.taskId, watch.attempt);
    await watch.givenUp?.undo();
    await this.reportExternalId(watch, task, true);
    const output = { ...watch.run.measureOutput(), lastLine: watch.run.readLastLine() };
    await commit({ taskId: watch.taskId, attempt: watch.attempt, ...output });
    this.forget(watch);
    if (attempt !== undefined && watch.givenUp === undefined) void this.#track(this.#release(attempt));
  }

  /** Never rejects. */
  async #release(attempt: AttemptRecord): Promise<void> {
    try {
      await this.#options.release(attempt);
    } catch (error) {
      const { taskId } = attempt;
      this.#options.logger.error(
        { err: error, taskId },
        'what was made for an attempt could not be released',
      );
    }
  }

  /**
   * A task may report the id that its runner gave the work (`$HOLDFAST_RUN/external-id`), or its runner tells it in
   * its output. `isOver`: nothing follows what is there.
   */
  async reportExternalId(watch: Watch, task: Task, isOver = false): Promise<void> {
    const externalId = watch.run.readExternalId() ?? this.#options.externalIds?.find(watch.run, task, isOver);
    if (externalId === undefined || externalId === task.externalId) return;
    await this.#appendIfCurrent(watch, { kind: 'reported', data: { externalId } });
  }

  /** The log of a living attempt became shorter: what was in it is gone. Rejects if that could not be put on record. */
  async reportLostOutput(watch: Watch, fromBytes: number, toBytes: number): Promise<void> {
    const what = toBytes === 0 ? 'removed or emptied' : `cut to ${toBytes} bytes`;
    await this.#attend(watch, 'output_lost', `the log was ${what} after ${fromBytes} bytes had been written`);
  }

  /** Says once that a person should look; `#clear` takes back what a later look can disprove. */
  async #raise(watch: AttemptName, code: AttentionCode, message: string): Promise<void> {
    try {
      await this.#attend(watch, code, message);
    } catch (error) {
      // The journal cannot be written: its own health says so, and the next sweep comes back here.
      this.#options.logger.warn(
        { err: error, taskId: watch.taskId, code },
        'attention could not be recorded',
      );
    }
  }

  async #attend(watch: AttemptName, code: AttentionCode, message: string): Promise<void> {
    const { attention } = this.#options.journal.record(watch.taskId)?.task ?? {};
    if (attention?.some((entry) => entry.code === code) === true) return;
    await this.#appendIfCurrent(watch, { kind: 'attention', data: { code, message } });
  }

  async #clear(watch: AttemptName, task: Task): Promise<void> {
    for (const { code } of task.attention ?? []) {
      if (code === 'probe_failed' || code === 'recovery_failed') {
        await this.#appendIfCurrent(watch, { kind: 'attention', data: { code, cleared: true } });
      }
    }
  }

  #appendIfCurrent(watch: AttemptName, draft: EventDraft): Promise<Task | undefined> {
    const { journal } = this.#options;
    return journal.change(() => {
      const record = journal.record(watch.taskId);
      if (record?.task.attempt !== watch.attempt || isTerminal(record.task.status)) return undefined;
      return journal.append(record, draft);
    });
  }
}

type AttemptName = Pick<Watch, 'taskId' | 'attempt'>;

/** What a look at an attempt led to; `over`: the task has ended or belongs to another attempt. */
type Judged = { over: true } | { over: false; task: Task; sight: Sight; decision: Decision };

function isLost(judged: Judged | undefined): boolean {
  return judged !== undefined && !judged.over && judged.decision.do === 'lost';
}
