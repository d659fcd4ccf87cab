/**
 * Intents: what a person asked through web, and web has promised to deliver (PROTOCOL.md §4).
 *
 * Guarantees:
 * - An intent is durable before anyone is answered, and is delivered until its agent has answered it, across
 *   restarts of either side. Ids make repeats harmless.
 * - Its agent is chosen and stored before the first send and never changes: the named one, else the live one with
 *   the most free slots; with none live it waits.
 * - The intents of one task go out in order, one at a time.
 * - An agent that is slow or down delays no other agent's deliveries (P11): each has a lane of its own.
 * - Only 400, 409, 413, 415 and 422 are refusals, and the agent's own 404 `no_such_task` to a cancel, a retry or a
 *   reclaim: the submit before it was acknowledged, so the agent has lost the task, and asking again cannot bring
 *   it back. Everything else is tried again, with full jitter.
 * - A reclaim names an attempt by its number, which means something in one journal alone. It goes out only while
 *   web knows its agent's journal, and is refused here if that is another one than the number was known from.
 * - What was never sent is held back while the agent is known to be away. So a cancel that comes before it is
 *   local, and cannot find the task already begun.
 */
import { randomUUID } from 'node:crypto';
import {
  type Logger,
  ProblemError,
  type Reclaim,
  type ShownAgent,
  type Submit,
  TaskSchema,
  taskIdTime,
} from '@holdfast/shared';
import { type AgentAnswer, type AgentClient, AgentUnreachableError } from './agent-client.ts';
import { passOn } from './agent-problem.ts';
import type { Agents } from './agents.ts';
import { chooseAgent, isAway, Lane } from './delivery-lane.ts';
import { agentRemoved, refusalOf, type Action } from './judge.ts';
import { type Intent, type NewIntent, type SessionStore, StoreError, type TaskRow } from './session-store.ts';
import { jitteredDelayMs, type StartTimer, startTimer } from './timers.ts';

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
  /** `id` is the new task's. Throws `ProblemError` `no_such_task`, `not_ended`, `task_conflict`, `invalid`. */
  retry(of: string, id: string, patience?: Promise<unknown>): Promise<Accepted>;
  /**
   * Gives up one attempt of a task, for a new one; another attempt is left alone, whenever the agent hears of it.
   * Throws `ProblemError` `no_such_task`, `not_claimable`, `attempt_changed`, `agent_unreachable` (its agent was
   * removed).
   */
  reclaim(taskId: string, reclaim: Reclaim, patience?: Promise<unknown>): Promise<TaskRow>;
  /** How many wait for an answer, and since when the oldest does. */
  waiting(): { count: number; oldestAt: number | undefined };
  stop(): Promise<void>;
}

export interface IntentsOptions {
  store: SessionStore;
  agents: Pick<Agents, 'views' | 'viewOf' | 'client' | 'onChange'>;
  /** Ids of tasks that are older are refused. */
  retentionMs: number;
  logger: Logger;
  now?: () => number;
  random?: () => number;
  startTimer?: StartTimer;
}

/** How a delivery ended. `gone`: a cancel took it back before it was sent. */
type Delivered = { kind: 'settled' } | { kind: 'refused'; problem: ProblemError } | { kind: 'gone' };
type RefusedAnswer = Extract<AgentAnswer, { kind: 'refused' }>;

interface Job {
  intent: Intent;
  /** Loaded at start: the store may hold more intents of its task behind it. */
  fromStore: boolean;
  tries: number;
  done: PromiseWithResolvers<Delivered>;
}

const ANSWER_WITHIN_MS = 2000;
const FIRST_RETRY_MS = 250;
const MOST_RETRY_MS = 10_000;
const MOST_AHEAD_MS = 60_000;
const refusals = new Set([400, 409, 413, 415, 422]);

export async function startIntents(options: IntentsOptions): Promise<Intents> {
  const intents = new IntentDelivery(options);
  await intents.load();
  return intents;
}

class IntentDelivery implements Intents {
  readonly #options: IntentsOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #startTimer: StartTimer;
  readonly #jobs = new Map<string, Job>();
  /** By task, in order; only the first of each may be on its way. */
  readonly #queues = new Map<string, Job[]>();
  readonly #unassigned = new Set<Job>();
  readonly #lanes = new Map<string, Lane<Job>>();
  readonly #running = new Set<Promise<void>>();
  readonly #abort = new AbortController();

  constructor(options: IntentsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#startTimer = options.startTimer ?? startTimer;
    options.agents.onChange((view, before) => this.#agentChanged(view, before));
  }

  /** Takes up everything that is not delivered yet. */
  async load(): Promise<void> {
    for (const intent of await this.#options.store.dueIntents()) this.#enqueue(intent, true);
    this.#pump();
  }

  async submit(submit: Submit, agentId?: string): Promise<Accepted> {
    if ((await this.#options.store.task(submit.id)) === undefined) this.#refuseOldId(submit.id);
    return this.#ask({
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
    return this.#ask({ taskId: id, body: { action: 'retry', of }, agentId: row.agentId! }, patience);
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
        for (const job of this.#queues.get(taskId) ?? []) this.#remove(job, { kind: 'gone' });
        return row;
      }
    }
    const { agentId } = row;
    if (agentId === undefined || agents.viewOf(agentId) === undefined) throw agentRemoved();
    return this.#act({ taskId, body: { action: 'cancel' }, agentId }, patience);
  }

  async reclaim(taskId: string, { attempt, reason }: Reclaim, patience?: Promise<unknown>): Promise<TaskRow> {
    const row = await this.#row(taskId);
    this.#refuse('reclaim', row);
    return this.#act(
      { taskId, body: { action: 'reclaim', attempt, reason }, agentId: row.agentId! },
      patience,
    );
  }

  waiting(): { count: number; oldestAt: number | undefined } {
    let oldestAt: number | undefined;
    for (const { intent } of this.#jobs.values()) oldestAt = Math.min(oldestAt ?? Infinity, intent.createdAt);
    return { count: this.#jobs.size, oldestAt };
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    for (const lane of this.#lanes.values()) lane.stop();
    await Promise.all(this.#running);
  }

  // ── Asking ──

  #refuse(action: Action, row: TaskRow): void {
    const refusal = refusalOf(action, row, (id) => this.#options.agents.viewOf(id) !== undefined);
    if (refusal !== undefined) throw refusal;
  }

  /** Something is done to a task; what only the agent knows against it is thrown as its problem. */
  async #act(intent: Omit<NewIntent, 'id' | 'at'>, patience: Promise<unknown> | undefined): Promise<TaskRow> {
    const { job } = await this.#record(intent);
    const delivered = await this.#within(job, patience);
    if (delivered?.kind === 'refused') throw delivered.problem;
    return this.#row(intent.taskId);
  }

  async #ask(intent: Omit<NewIntent, 'id' | 'at'>, patience?: Promise<unknown>): Promise<Accepted> {
    const { outcome, row, job } = await this.#record(intent);
    if (outcome === 'repeated') return { row, outcome };
    const delivered = await this.#within(job, patience);
    return {
      row: await this.#row(intent.taskId),
      outcome: delivered?.kind === 'settled' ? 'acknowledged' : 'promised',
    };
  }

  async #record(
    asked: Omit<NewIntent, 'id' | 'at'>,
  ): Promise<{ outcome: 'recorded' | 'repeated'; row: TaskRow; job: Job | undefined }> {
    const intent: NewIntent = { ...asked, id: randomUUID(), at: this.#now() };
    const recorded = await this.#options.store.recordIntent(intent);
    if (recorded.outcome === 'conflict') {
      throw new ProblemError(
        'task_conflict',
        `The id ${intent.taskId} belongs to another task. Use a new one.`,
      );
    }
    if (recorded.outcome === 'repeated') return { outcome: 'repeated', row: recorded.row, job: undefined };
    const { id, taskId, agentId, body, at } = intent;
    const chosen = agentId === undefined ? {} : { agentId };
    const job = this.#enqueue(
      { id, taskId, action: body.action, body, createdAt: at, tries: 0, ...chosen },
      false,
    );
    this.#pump();
    return { outcome: 'recorded', row: recorded.row, job };
  }

  /** How a delivery ended, if it does in time; one that cannot even begin is not waited for. */
  async #within(job: Job | undefined, patience?: Promise<unknown>): Promise<Delivered | undefined> {
    if (job === undefined || this.#isHeldBack(job.intent)) return undefined;
    if (patience !== undefined) return Promise.race([job.done.promise, patience.then(() => undefined)]);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const timer = this.#startTimer(() => resolve(undefined), ANSWER_WITHIN_MS);
    try {
      return await Promise.race([job.done.promise, promise]);
    } finally {
      timer.cancel();
    }
  }

  /** Whether nobody is there to take it, as far as web knows. */
  #isHeldBack({ agentId, sentAt, action }: Intent): boolean {
    const { agents } = this.#options;
    if (action === 'reclaim' && agentId !== undefined && !isJournalKnown(agents.viewOf(agentId))) return true;
    if (sentAt !== undefined) return false;
    return agentId === undefined ? agents.views().every(isAway) : isAway(agents.viewOf(agentId));
  }

  async #row(taskId: string): Promise<TaskRow> {
    const row = await this.#options.store.task(taskId);
    if (row === undefined) throw new ProblemError('no_such_task', `There is no task ${taskId}.`);
    return row;
  }

  #refuseOldId(id: string): void {
    const age = this.#now() - taskIdTime(id);
    if (age >= -MOST_AHEAD_MS && age <= this.#options.retentionMs) return;
    const detail =
      age < 0
        ? 'The time in this id lies in the future. Check the clock that made it.'
        : 'The time in this id is older than what is kept. Make a new UUIDv7.';
    throw new ProblemError('invalid', detail, { errors: [{ pointer: '/id', detail }] });
  }

  // ── Delivering ──

  #enqueue(intent: Intent, fromStore: boolean): Job {
    const known = this.#jobs.get(intent.id);
    if (known !== undefined) return known;
    const job = newJob(intent, fromStore);
    this.#jobs.set(intent.id, job);
    const queue = this.#queues.get(intent.taskId);
    if (queue === undefined) {
      this.#queues.set(intent.taskId, [job]);
      this.#route(job);
    } else {
      queue.push(job);
    }
    return job;
  }

  /** Its turn has come: into its agent's lane, or among those that wait for an agent. */
  #route(job: Job): void {
    const { agentId } = job.intent;
    if (agentId === undefined) this.#unassigned.add(job);
    else this.#lane(agentId).add(job);
  }

  #lane(agentId: string): Lane<Job> {
    let lane = this.#lanes.get(agentId);
    if (lane === undefined) {
      lane = new Lane({
        startTimer: this.#startTimer,
        onReady: () => this.#pump(),
      });
      this.#lanes.set(agentId, lane);
    }
    return lane;
  }

  #agentChanged(view: ShownAgent, before: ShownAgent | undefined): void {
    if (view.state === 'live' && before?.state !== 'live') this.#lanes.get(view.id)?.wake();
    this.#pump();
  }

  #pump(): void {
    if (this.#abort.signal.aborted) return;
    const { agents } = this.#options;
    for (const [agentId, lane] of this.#lanes) {
      const away = isAway(agents.viewOf(agentId));
      for (let job = lane.take(away); job !== undefined; job = lane.take(away))
        this.#start(job, agentId, lane);
    }
    if (this.#unassigned.size === 0) return;
    const views = agents.views();
    for (const job of this.#unassigned) {
      const view = chooseAgent(views, (id) => this.#lane(id));
      if (view === undefined) return;
      this.#unassigned.delete(job);
      const lane = this.#lane(view.id);
      lane.countChosen(view.asOf);
      lane.begin();
      this.#start(job, view.id, lane);
    }
  }

  #start(job: Job, agentId: string, lane: Lane<Job>): void {
    const run = this.#deliver(job, agentId, lane)
      .catch((error: unknown) => {
        // The store could not be written: the intent is still there, and is tried again.
        this.#options.logger.error({ err: error, intent: job.intent.id }, 'a delivery could not be recorded');
        this.#retryLater(job, lane);
      })
      .finally(() => {
        lane.end();
        this.#running.delete(run);
        this.#pump();
      });
    this.#running.add(run);
  }

  async #deliver(job: Job, agentId: string, lane: Lane<Job>): Promise<void> {
    const { store, agents } = this.#options;
    const { intent } = job;
    const client = agents.client(agentId);
    if (client === undefined) {
      await this.#failLane(job, lane, 'The address of its agent is not known.');
      return;
    }
    const { body } = intent;
    if (body.action === 'reclaim' && !isJournalKnown(agents.viewOf(agentId))) {
      lane.addLater(job, MOST_RETRY_MS);
      return;
    }
    if (intent.sentAt === undefined || body.action === 'reclaim') {
      const begun = await this.#beginSend(job, agentId);
      if (begun === 'gone') {
        this.#remove(job, { kind: 'gone' });
        return;
      }
      if (begun === 'otherJournal') {
        const problem = otherJournal(intent);
        await store.refuseIntent(intent.id, problem.message, this.#now());
        this.#remove(job, { kind: 'refused', problem });
        return;
      }
    }
    let answer: AgentAnswer;
    try {
      answer = await send(client, intent, this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (!(error instanceof AgentUnreachableError)) throw error;
      await this.#failLane(job, lane, `The agent cannot be reached: ${error.message}.`);
      return;
    }
    if (answer.kind === 'ok' && !isAbout(intent.taskId, answer.body)) {
      // A proxy's friendly page acknowledges nothing.
      await this.#failLane(job, lane, `Its address answered ${answer.status}, but not as an agent does.`);
    } else if (answer.kind === 'ok') {
      lane.succeed();
      const task = TaskSchema.safeParse(answer.body);
      await store.settleIntent(intent.id, this.#now(), task.success ? task.data : undefined);
      this.#remove(job, { kind: 'settled' });
    } else if (isRefusal(intent, answer)) {
      lane.succeed();
      await store.refuseIntent(intent.id, answer.message, this.#now());
      this.#remove(job, { kind: 'refused', problem: passOn(answer) });
    } else if (isOfTheLane(answer)) {
      await this.#failLane(job, lane, answer.message);
    } else {
      lane.succeed();
      await store.recordFailure(intent.id, answer.message);
      this.#retryLater(job, lane, answer.retryAfterMs);
    }
  }

  /** The agent as a whole cannot be used now: everything for it waits. */
  async #failLane(job: Job, lane: Lane<Job>, why: string): Promise<void> {
    await this.#options.store.recordFailure(job.intent.id, why);
    lane.fail(jitteredDelayMs(lane.failures, FIRST_RETRY_MS, MOST_RETRY_MS, this.#random));
    if (this.#jobs.has(job.intent.id)) lane.add(job);
  }

  /** Stores agent and send, in one commit. `gone`: the intent was taken back meanwhile. */
  async #beginSend(job: Job, agentId: string): Promise<'begun' | 'gone' | 'otherJournal'> {
    const { store } = this.#options;
    const { intent } = job;
    const at = this.#now();
    try {
      const assigned = intent.agentId === undefined ? store.assignIntent(intent.id, agentId) : undefined;
      await Promise.all([assigned, store.markSent(intent.id, at)]);
    } catch (error) {
      if (error instanceof StoreError && error.code === 'no_such_intent') return 'gone';
      if (error instanceof StoreError && error.code === 'other_journal') return 'otherJournal';
      throw error;
    }
    intent.agentId = agentId;
    intent.sentAt ??= at;
    return 'begun';
  }

  #retryLater(job: Job, lane: Lane<Job>, leastMs = 0): void {
    if (!this.#jobs.has(job.intent.id)) return;
    const delayMs = jitteredDelayMs(job.tries, FIRST_RETRY_MS, MOST_RETRY_MS, this.#random);
    job.tries += 1;
    lane.addLater(job, Math.max(leastMs, delayMs));
  }

  #remove(job: Job, delivered: Delivered): void {
    const { intent } = job;
    if (!this.#jobs.delete(intent.id)) return;
    this.#unassigned.delete(job);
    if (intent.agentId !== undefined) this.#lanes.get(intent.agentId)?.remove(job);
    const queue = this.#queues.get(intent.taskId) ?? [];
    const wasFirst = queue[0] === job;
    const rest = queue.filter((other) => other !== job);
    this.#queues.set(intent.taskId, rest);
    job.done.resolve(delivered);
    if (job.fromStore && !this.#abort.signal.aborted) void this.#loadNext(intent.taskId);
    else if (rest.length === 0 || (wasFirst && delivered.kind !== 'gone')) this.#goOn(intent.taskId);
  }

  /** What waits behind an intent that was loaded at start is in the store only; what was asked since comes after it. */
  async #loadNext(taskId: string): Promise<void> {
    const { store, logger } = this.#options;
    try {
      const [next] = await store.dueIntents(taskId);
      if (next !== undefined && !this.#jobs.has(next.id)) {
        const job = newJob(next, true);
        this.#jobs.set(next.id, job);
        this.#queues.set(taskId, [job, ...(this.#queues.get(taskId) ?? [])]);
      }
    } catch (error) {
      logger.error({ err: error, task: taskId }, 'its next intent could not be read');
    }
    this.#goOn(taskId);
    this.#pump();
  }

  /** It is the turn of the task's next intent. */
  #goOn(taskId: string): void {
    const first = this.#queues.get(taskId)?.[0];
    if (first === undefined) this.#queues.delete(taskId);
    else this.#route(first);
  }
}

function newJob(intent: Intent, fromStore: boolean): Job {
  return { intent, fromStore, tries: intent.tries, done: Promise.withResolvers<Delivered>() };
}

function send(client: AgentClient, intent: Intent, signal: AbortSignal): Promise<AgentAnswer> {
  const { body, taskId } = intent;
  switch (body.action) {
    case 'submit':
      return client.call('POST', '/tasks', { body: body.submit, signal });
    case 'cancel':
      return client.call('POST', `/tasks/${taskId}/cancel`, { signal });
    case 'retry':
      return client.call('POST', `/tasks/${body.of}/retry`, { body: { id: taskId }, signal });
    case 'reclaim':
      return client.call('POST', `/tasks/${taskId}/reclaim`, {
        body: { attempt: body.attempt, reason: body.reason },
        signal,
      });
    default:
      return body satisfies never;
  }
}

/** From a break until its journal was read up to its head, an agent may have come back with another one. */
function isJournalKnown(view: ShownAgent | undefined): boolean {
  return view?.state === 'live' || view?.state === 'late';
}

function otherJournal({ body, sentAt }: Intent): ProblemError {
  const attempt = body.action === 'reclaim' ? `attempt ${body.attempt}` : 'it';
  return new ProblemError(
    'attempt_changed',
    `The agent's journal was replaced or restored since: ${attempt} may be another one there. ` +
      `It was not sent${sentAt === undefined ? '' : ' again'}. Look at the task, and reclaim it again if that is still needed.`,
  );
}

function isAbout(taskId: string, body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'id' in body && body.id === taskId;
}

function isRefusal(intent: Intent, answer: RefusedAnswer): boolean {
  if (refusals.has(answer.status)) return true;
  return answer.status === 404 && answer.code === 'no_such_task' && intent.action !== 'submit';
}

/** A proxy's answer, or one about web's own credential: it would be the same for every intent of this agent. */
function isOfTheLane(answer: RefusedAnswer): boolean {
  return (
    answer.code === undefined || answer.status === 401 || answer.status === 403 || answer.code === 'stopping'
  );
}
