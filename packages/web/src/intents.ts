/**
 * Intents: what a person asks through web (PROTOCOL.md §4).
 *
 *   routes ──▶ asked: refused here, or on record and answered ──▶ delivery.ts
 *
 * Guarantees:
 * - Refused here is only what can never work, whatever its agent may say; it changes nothing.
 * - Everything else is on record before anyone is answered, and is delivered from then on.
 * - The answer waits for the agent's for a moment, and says which of the two it is: the agent's word or a promise.
 *   What the agent refuses in that time is answered as its problem; later, the task's row shows it.
 */
import { randomUUID } from 'node:crypto';
import { durationText, type FencedReclaim, ProblemError, type Submit, taskIdTime } from '@holdfast/shared';
import { type Delivered, type Delivery, type DeliveryOptions, startDelivery } from './delivery.ts';
import { agentRemoved, notUnknown, refusalOf, type Action } from './judge.ts';
import { readKnown } from './known-journal.ts';
import type { NewIntent, TaskRow } from './session-store.ts';
import { type StartTimer, startTimer } from './timers.ts';

/** How a submit or a retry was answered: `acknowledged` by the agent, or promised; `repeated` changes nothing. */
interface Accepted {
  row: TaskRow;
  outcome: 'acknowledged' | 'promised' | 'repeated';
}

export interface Intents {
  /** Throws `ProblemError` `task_conflict`, `invalid`. */
  submit(submit: Submit, agentId?: string): Promise<Accepted>;
  /**
   * Throws `ProblemError` `no_such_task`, `already_ended`, `agent_unreachable` (its agent was removed). This and the
   * following wait for the agent's answer up to 2 s, or until `patience` ends.
   */
  cancel(taskId: string, patience?: Promise<unknown>): Promise<TaskRow>;
  /**
   * `id` is the new task's. Throws `ProblemError` `no_such_task`, `not_ended`, `task_conflict`, `invalid`,
   * `agent_unreachable` (its agent was removed).
   */
  retry(of: string, id: string, patience?: Promise<unknown>): Promise<Accepted>;
  /**
   * A person's verdict that a task is lost; it yields to its agent's word. Throws `ProblemError` `no_such_task`,
   * `not_unknown`.
   */
  resolve(taskId: string, note?: string): Promise<TaskRow>;
  /**
   * Gives up one attempt of a task, for a new one; another attempt is left alone, whenever the agent hears of it, and
   * so is the attempt of this number in another journal than that of `cursor`, or than the one that web knows now.
   * Throws `ProblemError` `no_such_task`, `not_claimable`, `attempt_changed`, `agent_unreachable` (its agent was
   * removed).
   */
  reclaim(taskId: string, reclaim: FencedReclaim, patience?: Promise<unknown>): Promise<TaskRow>;
  /** How many wait for an answer, and since when the oldest does. */
  waiting(): { count: number; oldestAt: number | undefined };
  stop(): Promise<void>;
}

export interface IntentsOptions extends DeliveryOptions {
  /** Ids of tasks that are older are refused. */
  retentionMs: number;
}

/** What is asked, before it has an id and a time. */
type Asked = Pick<NewIntent, 'taskId' | 'agentId' | 'body'>;

const ANSWER_WITHIN_MS = 2000;
const MOST_AHEAD_MS = 60_000;

/** Takes up everything that is not delivered yet. */
export async function startIntents(options: IntentsOptions): Promise<Intents> {
  return new AskedIntents(options, await startDelivery(options));
}

class AskedIntents implements Intents {
  readonly #options: IntentsOptions;
  readonly #delivery: Delivery;
  readonly #now: () => number;
  readonly #startTimer: StartTimer;

  constructor(options: IntentsOptions, delivery: Delivery) {
    this.#options = options;
    this.#delivery = delivery;
    this.#now = options.now ?? Date.now;
    this.#startTimer = options.startTimer ?? startTimer;
  }

  async submit(submit: Submit, agentId?: string): Promise<Accepted> {
    if ((await this.#options.store.task(submit.id)) === undefined) this.#refuseOldId(submit.id);
    return this.#askForTask({
      taskId: submit.id,
      body: { action: 'submit', submit },
      ...(agentId === undefined ? {} : { agentId }),
    });
  }

  async retry(of: string, id: string, patience?: Promise<unknown>): Promise<Accepted> {
    const { store } = this.#options;
    const row = await this.#row(of);
    this.#refuse('retry', row);
    if ((await store.task(id)) === undefined) this.#refuseOldId(id);
    return this.#askForTask({ taskId: id, body: { action: 'retry', of }, agentId: row.agentId! }, patience);
  }

  async cancel(taskId: string, patience?: Promise<unknown>): Promise<TaskRow> {
    const { store, agents } = this.#options;
    let row = await this.#row(taskId);
    this.#refuse('cancel', row);
    if (row.pending.some((pending) => pending.action === 'cancel')) return row;
    if (row.status === 'submitted') {
      const isLocal = await store.cancelUnsent(taskId, this.#now());
      // The submit may have been sent meanwhile, and its agent chosen.
      row = await this.#row(taskId);
      if (isLocal) {
        this.#delivery.forget(taskId);
        return row;
      }
      // It may have ended in between, by somebody else's cancel: another one would be owed to an agent for ever.
      this.#refuse('cancel', row);
    }
    const { agentId } = row;
    if (agentId === undefined || agents.viewOf(agentId) === undefined) throw agentRemoved();
    return this.#askOfTask({ taskId, body: { action: 'cancel' }, agentId }, patience);
  }

  async reclaim(taskId: string, asked: FencedReclaim, patience?: Promise<unknown>): Promise<TaskRow> {
    const { attempt, reason } = asked;
    const read = () => this.#row(taskId);
    // Who named the journal saves looking at all agents, which a bulk action would do for each of its rows.
    const { value: row, cursorOf } =
      asked.cursor === undefined
        ? await readKnown(this.#options.store, read)
        : { value: await read(), cursorOf: () => asked.cursor };
    this.#refuse('reclaim', row);
    const cursor = cursorOf(row.agentId);
    const body = { action: 'reclaim' as const, attempt, reason, ...(cursor === undefined ? {} : { cursor }) };
    return this.#askOfTask({ taskId, body, agentId: row.agentId! }, patience);
  }

  async resolve(taskId: string, note?: string): Promise<TaskRow> {
    const row = await this.#row(taskId);
    this.#refuse('resolve', row);
    if (!(await this.#options.store.resolveLost(taskId, note, this.#now()))) throw notUnknown();
    // Of a submit that nobody will answer.
    if (row.status === 'submitted') this.#delivery.forget(taskId);
    return this.#row(taskId);
  }

  waiting(): { count: number; oldestAt: number | undefined } {
    return this.#delivery.waiting();
  }

  stop(): Promise<void> {
    return this.#delivery.stop();
  }

  // ── What can never work ──

  #refuse(action: Action, row: TaskRow): void {
    const refusal = refusalOf(action, row, (id) => this.#options.agents.viewOf(id) !== undefined);
    if (refusal !== undefined) throw refusal;
  }

  #refuseOldId(id: string): void {
    const age = this.#now() - taskIdTime(id);
    if (age >= -MOST_AHEAD_MS && age <= this.#options.retentionMs) return;
    const detail =
      age < 0
        ? `The time in this id is ${durationText(-age)} ahead of web's clock. Either the clock that made the id is ahead, or web's is behind: set the one that is wrong.`
        : 'The time in this id is older than what is kept. Make a new UUIDv7.';
    throw new ProblemError('invalid', detail, { errors: [{ pointer: '/id', detail }] });
  }

  async #row(taskId: string): Promise<TaskRow> {
    const row = await this.#options.store.task(taskId);
    if (row === undefined) throw new ProblemError('no_such_task', `There is no task ${taskId}.`);
    return row;
  }

  // ── On record, and answered ──

  /** A new task. */
  async #askForTask(asked: Asked, patience?: Promise<unknown>): Promise<Accepted> {
    const { recorded, ended } = await this.#record(asked);
    const { outcome, row } = recorded;
    if (outcome === 'conflict') {
      throw new ProblemError(
        'task_conflict',
        `The id ${asked.taskId} belongs to another task. Use a new one.`,
      );
    }
    if (outcome === 'repeated') return { row, outcome };
    const delivered = await this.#within(ended, patience);
    return {
      row: await this.#row(asked.taskId),
      outcome: delivered?.kind === 'acknowledged' ? 'acknowledged' : 'promised',
    };
  }

  /** Something is done to a task; what only the agent knows against it is thrown as its problem. */
  async #askOfTask(asked: Asked, patience?: Promise<unknown>): Promise<TaskRow> {
    const { ended } = await this.#record(asked);
    const delivered = await this.#within(ended, patience);
    if (delivered?.kind === 'refused') throw delivered.problem;
    return this.#row(asked.taskId);
  }

  #record(asked: Asked): ReturnType<Delivery['accept']> {
    return this.#delivery.accept({ ...asked, id: randomUUID(), at: this.#now() });
  }

  /** How a delivery ended, if it does in time. */
  async #within(
    ended: Promise<Delivered> | undefined,
    patience?: Promise<unknown>,
  ): Promise<Delivered | undefined> {
    if (ended === undefined) return undefined;
    if (patience !== undefined) return Promise.race([ended, patience.then(() => undefined)]);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const timer = this.#startTimer(() => resolve(undefined), ANSWER_WITHIN_MS);
    try {
      return await Promise.race([ended, promise]);
    } finally {
      timer.cancel();
    }
  }
}
