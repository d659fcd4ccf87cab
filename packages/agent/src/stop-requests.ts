/**
 * Requests to stop: a person's cancel, a person's reclaim, a limit that was reached.
 *
 * Each is put on record before anything is done about it, so an agent that dies in between finds it and goes on; the
 * answer that follows it survives everything (P1). What ends an attempt afterwards is the one ladder of supervise.ts.
 */
import { isTerminal, isUnderWay, ProblemError, type StopCause, type Task } from '@holdfast/shared';
import type { AttemptStore } from './attempts.ts';
import type { Journal } from './journal.ts';
import { noSuchTask } from './queue.ts';
import { outputOf, type Settlement } from './settle.ts';
import type { Supervisor } from './supervise.ts';

/** The limits of an attempt whose reaching ends it. */
export type Limit = Extract<StopCause, 'timeout' | 'idle_timeout' | 'output_limit'>;

interface AttemptName {
  taskId: string;
  attempt: number;
}

export interface StopRequestsOptions {
  journal: Journal;
  attempts: AttemptStore;
  settlement: Settlement;
  supervisor: Pick<Supervisor, 'beginStop'>;
  /** A task ended or went back to the queue without any process having to end. */
  onFree: () => void;
  now: () => number;
}

export class StopRequests {
  readonly #options: StopRequestsOptions;

  constructor(options: StopRequestsOptions) {
    this.#options = options;
  }

  /**
   * Puts a person's cancel on record and begins with it. It is committed before the first signal, so an agent that
   * dies in between finds it and goes on. Problems: `no_such_task`, `already_ended` (with `taskStatus`).
   */
  async cancel(taskId: string): Promise<Task> {
    const { journal, supervisor, now, onFree } = this.#options;
    const task = await journal.change(() => {
      const record = journal.record(taskId);
      if (record === undefined) throw noSuchTask(taskId);
      const { status, stopRequested } = record.task;
      if (isTerminal(status)) {
        const detail = `The task has already ended: ${status}.`;
        throw new ProblemError('already_ended', detail, { extra: { taskStatus: status } });
      }
      if (status === 'queued') {
        const data = {
          outcome: { reason: 'cancelled_by_user' },
          endedAt: now(),
          ...outputOf(record.task),
        } as const;
        return journal.append(record, { kind: 'cancelled', reason: 'cancelled_by_user', data });
      }
      // It overrides what else was to follow the stop; a repeated one adds nothing.
      if (stopRequested?.cause === 'cancel') return record.task;
      return journal.append(record, { kind: 'stopRequested', data: { cause: 'cancel' } });
    });
    if (isTerminal(task.status)) onFree();
    else supervisor.beginStop(taskId, task.attempt);
    return task;
  }

  /**
   * Puts on record that an attempt is to be given up for another one, and begins with it. A claim is taken back in
   * the same change (one that was being cancelled ends so); processes are stopped first. Harmless to repeat. Problems:
   * `no_such_task`, `attempt_changed`, `not_claimable`. With `onlyIf`, what it says of the task at that moment decides:
   * else `undefined`.
   */
  async reclaim(
    taskId: string,
    attempt: number,
    message: string,
    onlyIf: (task: Task) => boolean = () => true,
  ): Promise<Task | undefined> {
    const { journal, attempts, supervisor, settlement, onFree } = this.#options;
    const task = await journal.change(() => {
      const record = journal.record(taskId);
      if (record === undefined) throw noSuchTask(taskId);
      const { status, stopRequested, claim } = record.task;
      if (attempts.outcomeOf(taskId, attempt)?.reason === 'reclaimed') return record.task;
      if (record.task.attempt === attempt && stopRequested?.cause === 'reclaim') return record.task;
      if (record.task.attempt !== attempt) {
        const detail = `Attempt ${attempt} is not the current one; that is ${record.task.attempt}.`;
        throw new ProblemError('attempt_changed', detail);
      }
      if (!isUnderWay(status)) {
        const detail = `Nobody works on it: it is ${status}.`;
        throw new ProblemError('not_claimable', detail, { extra: { taskStatus: status } });
      }
      // Nobody is left to wait for: what was asked before is done now.
      if (stopRequested !== undefined && claim !== undefined) {
        return settlement.claimAsAsked(record, stopRequested.cause);
      }
      if (stopRequested !== undefined) {
        throw new ProblemError('not_claimable', `It is being stopped already: ${stopRequested.cause}.`);
      }
      if (!onlyIf(record.task)) return undefined;
      journal.append(record, { kind: 'stopRequested', data: { cause: 'reclaim', message } });
      return claim === undefined ? record.task : settlement.claimAsAsked(record, 'reclaim');
    });
    if (task !== undefined && isUnderWay(task.status)) supervisor.beginStop(taskId, attempt);
    else onFree();
    return task;
  }

  /**
   * Stops an attempt that has reached a limit, unless it is over or being stopped already. `message`: what the task
   * itself does not say of the limit.
   */
  async stopAtLimit({ taskId, attempt }: AttemptName, cause: Limit, message?: string): Promise<void> {
    const { journal, supervisor } = this.#options;
    const task = await journal.change(() => {
      const record = journal.record(taskId);
      if (record?.task.attempt !== attempt || record.task.status !== 'running') return undefined;
      if (record.task.stopRequested !== undefined) return undefined;
      const data = { cause, ...(message === undefined ? {} : { message }) };
      return journal.append(record, { kind: 'stopRequested', data });
    });
    if (task !== undefined) supervisor.beginStop(taskId, attempt);
  }
}
