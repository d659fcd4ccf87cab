/**
 * Settling: how an attempt ends, as one durable change. Every path out of `starting` and `running` is here.
 *
 * Each function commits at most one event, for exactly the attempt that it was called for: if the task has moved
 * on (another attempt, or ended), nothing is changed and `undefined` is returned (P5).
 */
import { constants } from 'node:os';
import { isUnderWay, type Outcome, type Reason, type StopCause, type Task } from '@holdfast/shared';
import type { AttemptStore } from './attempts.ts';
import type { EventDraft, Journal, TaskRecord } from './journal.ts';
import { decideRetry } from './retry.ts';

export interface SettleOptions {
  journal: Journal;
  attempts: AttemptStore;
  /** Attempts of a task that does not say. */
  maxAttempts: number;
  retryDelayMs: number;
  random: () => number;
  now: () => number;
}

/** What is known of the output when the attempt ends. */
export interface FinalOutput {
  outputBytes: number;
  lastOutputAt: number | undefined;
  /** Its last line as plain text. */
  lastLine: string | undefined;
}

export const noOutput: FinalOutput = { outputBytes: 0, lastOutputAt: undefined, lastLine: undefined };

export interface Ending extends FinalOutput {
  taskId: string;
  attempt: number;
}

/** What a worker may say last of an attempt that it has claimed. */
export type WorkerWord =
  | { kind: 'complete'; result?: unknown }
  /** `retryable`: whether another attempt makes sense; what it does not say, the task's own `retry.on` does. */
  | { kind: 'fail'; message: string; retryable?: boolean | undefined }
  | { kind: 'release' };

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** An exit code as an outcome. Above 128 a shell means a signal; the code is kept, the signal is a reading of it. */
export function outcomeOfExit(exitCode: number): Outcome {
  const signal = exitCode > 128 ? signalNames.get(exitCode - 128) : undefined;
  return signal === undefined ? { reason: 'exit', exitCode } : { reason: 'signal', exitCode, signal };
}

export class Settlement {
  readonly #options: SettleOptions;

  constructor(options: SettleOptions) {
    this.#options = options;
  }

  /** It ended by itself: 0 is `completed`, else `failed`, or another attempt where the task asks for it. */
  byRecord(ending: Ending, record: { exitCode: number; endedAt: number }): Promise<Task | undefined> {
    const outcome = outcomeOfExit(record.exitCode);
    return this.#change(ending, (task) => {
      const { endedAt } = record;
      if (record.exitCode === 0) return this.#end(task, ending, 'completed', outcome, endedAt);
      if (task.task.spec.retry?.on?.includes('failed') === true) {
        return this.#again(task, ending, outcome, true, endedAt);
      }
      return this.#end(task, ending, 'failed', outcome, endedAt);
    });
  }

  /** It was stopped, and every process is gone: what was asked decides. */
  asAsked(ending: Ending, cause: StopCause, exitCode: number | undefined): Promise<Task | undefined> {
    const exit = exitCode === undefined ? {} : outcomeOfExit(exitCode);
    return this.#change(ending, (task) => this.#asAsked(task, ending, cause, exit));
  }

  /** It was lost: another attempt while the budget has room and the task does not refuse one. */
  lost(ending: Ending, reason: Reason, charged: boolean): Promise<Task | undefined> {
    return this.#change(ending, (task) => this.#lost(task, ending, reason, charged));
  }

  /** It could not be started, and nothing of it is left: for good, or for a cause that may pass (P8). */
  startFailed(
    ending: Ending,
    failure: { reason: 'spawn_failed' | 'workspace_failed'; message: string; passing: boolean },
  ): Promise<Task | undefined> {
    const outcome: Outcome = { reason: failure.reason, message: failure.message };
    return this.#change(ending, (task) => {
      const at = this.#options.now();
      return failure.passing
        ? this.#again(task, ending, outcome, true, at)
        : this.#end(task, ending, 'failed', outcome, at);
    });
  }

  // ── Inside a change: of a claim, whose live record the caller has just read ─────────────────────────────

  /** Its worker said how it went. */
  claimByWord(record: TaskRecord, word: WorkerWord): Task {
    const ending = claimEnding(record);
    const at = this.#options.now();
    const isCancelled = record.task.stopRequested?.cause === 'cancel';
    switch (word.kind) {
      case 'complete': {
        // The work is done, even if somebody has asked for it to be stopped meanwhile.
        const result = word.result === undefined ? {} : { result: word.result };
        return this.#end(record, ending, 'completed', { reason: 'worker_completed', ...result }, at);
      }
      case 'fail': {
        const outcome: Outcome = { reason: 'worker_failed', message: word.message };
        const retryable = word.retryable ?? record.task.spec.retry?.on?.includes('failed') === true;
        if (retryable || isCancelled) return this.#again(record, ending, outcome, true, at);
        return this.#end(record, ending, 'failed', outcome, at);
      }
      case 'release':
        return this.#again(record, ending, { reason: 'released' }, false, at);
      default:
        return word satisfies never;
    }
  }

  /** Its lease ran out. */
  claimLost(record: TaskRecord): Task {
    return this.#lost(record, claimEnding(record), 'lease_expired', true);
  }

  /** A stop was asked for and nobody is left who would tell how it went. */
  claimAsAsked(record: TaskRecord, cause: StopCause): Task {
    return this.#asAsked(record, claimEnding(record), cause, {});
  }

  // ── Inside ──────────────────────────────────────────────────────────────────────────────────────────────

  #asAsked(record: TaskRecord, ending: Ending, cause: StopCause, exit: Partial<Outcome>): Task {
    const at = this.#options.now();
    switch (cause) {
      case 'cancel':
        return this.#end(record, ending, 'cancelled', { ...exit, reason: 'cancelled_by_user' }, at);
      case 'reclaim': {
        const why = record.task.stopRequested?.message;
        const outcome: Outcome = {
          ...exit,
          reason: 'reclaimed',
          ...(why === undefined ? {} : { message: why }),
        };
        // A person decided it: that says nothing about how often the task may be lost.
        return this.#again(record, ending, outcome, false, at);
      }
      case 'timeout':
      case 'idle_timeout':
      case 'output_limit': {
        const message = limitMessage(record.task, cause);
        return this.#end(record, ending, 'failed', { ...exit, reason: cause, message }, at);
      }
      default:
        return cause satisfies never;
    }
  }

  #lost(record: TaskRecord, ending: Ending, reason: Reason, charged: boolean): Task {
    const at = this.#options.now();
    const wanted = record.task.spec.retry?.on;
    const isCancelled = record.task.stopRequested?.cause === 'cancel';
    if (charged && !isCancelled && wanted !== undefined && !wanted.includes('lost')) {
      return this.#end(record, ending, 'failed', { reason }, at);
    }
    return this.#again(record, ending, { reason }, charged, at);
  }

  #change(ending: Ending, change: (record: TaskRecord) => Task): Promise<Task | undefined> {
    return this.#options.journal.change((journal) => {
      const record = journal.record(ending.taskId);
      if (record === undefined || record.task.attempt !== ending.attempt) return undefined;
      const { status } = record.task;
      return isUnderWay(status) ? change(record) : undefined;
    });
  }

  #end(
    record: TaskRecord,
    ending: Ending,
    kind: 'completed' | 'failed' | 'cancelled',
    outcome: Outcome,
    endedAt: number,
  ): Task {
    // A command that ends at once has its record before its start is on record; and a clock may be set back.
    const at = Math.max(endedAt, record.task.startedAt ?? endedAt);
    const data = { outcome, endedAt: at, ...outputOf(ending) };
    return this.#close(record, ending, { kind, reason: outcome.reason, data }, outcome, at);
  }

  #again(record: TaskRecord, ending: Ending, outcome: Outcome, charged: boolean, endedAt: number): Task {
    // A cancel that came while this end was being found out: its answer promised that there is no next attempt.
    if (record.task.stopRequested?.cause === 'cancel') {
      return this.#end(record, ending, 'cancelled', { ...outcome, reason: 'cancelled_by_user' }, endedAt);
    }
    const { maxAttempts, retryDelayMs, random, now } = this.#options;
    const policy = { maxAttempts: record.task.spec.retry?.maxAttempts ?? maxAttempts, retryDelayMs, random };
    const next = decideRetry(policy, record, { outcome, charged }, now());
    if (next.kind === 'exhausted') {
      // The first and only attempt of a budget of one ends with its own reason: nothing was retried.
      const final = policy.maxAttempts === 1 && charged ? outcome : next.outcome;
      return this.#end(record, ending, 'failed', final, endedAt);
    }
    const data = {
      charged,
      ...(next.notBeforeAt === undefined ? {} : { notBeforeAt: next.notBeforeAt }),
      outcome,
      ...outputOf(ending),
    };
    return this.#close(record, ending, { kind: 'requeued', reason: outcome.reason, data }, outcome, endedAt);
  }

  #close(record: TaskRecord, ending: Ending, draft: EventDraft, outcome: Outcome, endedAt: number): Task {
    const { journal, attempts } = this.#options;
    const { attempt } = record.task;
    const task = journal.append(record, draft);
    attempts.end({ taskId: task.id, attempt, endedAt, outcome, outputBytes: ending.outputBytes });
    return task;
  }
}

/** The output of a claim is its worker's: none of it is here. */
function claimEnding({ task }: TaskRecord): Ending {
  return { taskId: task.id, attempt: task.attempt, ...noOutput };
}

/** Of an output what there is to say, as events and tasks carry it. */
export function outputOf(output: FinalOutput | Pick<Task, 'outputBytes' | 'lastOutputAt' | 'lastLine'>) {
  const { outputBytes, lastOutputAt, lastLine } = output;
  return {
    outputBytes,
    ...(lastOutputAt === undefined ? {} : { lastOutputAt }),
    ...(lastLine === undefined ? {} : { lastLine }),
  };
}

function limitMessage(task: Task, cause: 'timeout' | 'idle_timeout' | 'output_limit'): string {
  switch (cause) {
    case 'timeout':
      return `stopped after ${task.spec.timeoutMs} ms, its time limit`;
    case 'idle_timeout':
      return `stopped after ${task.spec.idleTimeoutMs} ms without output`;
    case 'output_limit':
      return `stopped because ${task.stopRequested?.message ?? 'its output passed the limit'}`;
    default:
      return cause satisfies never;
  }
}
