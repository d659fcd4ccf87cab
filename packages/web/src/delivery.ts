/**
 * Delivery: an intent's way from its record to its agent's answer.
 *
 *   accept ──▶ on disk ──▶ its turn in its task ──▶ its agent's lane ──▶ attempt ──▶ settled, refused, or again
 *
 * Guarantees:
 * - What was accepted is durable, and is delivered until its agent has answered it, across restarts of either side.
 *   Ids make repeats harmless.
 * - Its agent is chosen and stored before the first send and never changes: the named one, else the live one with
 *   the most free slots; with none live it waits.
 * - The intents of one task go out in order, one at a time.
 * - An agent that is slow or down delays no other agent's deliveries (P11): each has a lane of its own.
 * - What is not answered is tried again, with full jitter; delivery-attempt.ts says what an answer is.
 * - A reclaim names an attempt by its number, which means something in one journal alone. It goes out only while
 *   web knows its agent's journal, and is refused here if that is another one than the number was known from.
 * - What was never sent is held back while the agent is known to be away. So a cancel that comes before it is
 *   local, and cannot find the task already begun.
 */
import { type Logger, ProblemError, type ShownAgent } from '@holdfast/shared';
import type { Agents } from './agents.ts';
import { noteClock } from './clock-note.ts';
import { attemptDelivery } from './delivery-attempt.ts';
import { chooseAgent, isAway, Lane } from './delivery-lane.ts';
import {
  type Intent,
  type NewIntent,
  type RecordedIntent,
  type SessionStore,
  StoreError,
} from './session-store.ts';
import { jitteredDelayMs, type StartTimer, startTimer } from './timers.ts';

/** How a delivery ended. `gone`: a cancel took it back before it was sent. */
export type Delivered =
  | { kind: 'acknowledged' }
  | { kind: 'refused'; problem: ProblemError }
  | { kind: 'gone' };

export interface Delivery {
  /**
   * Records an intent, durable when this resolves, and takes it up. `ended` tells how its delivery ends; it is absent
   * while nobody is there to take it, as far as web knows. Throws what `recordIntent` throws.
   */
  accept(intent: NewIntent): Promise<{ recorded: RecordedIntent; ended?: Promise<Delivered> }>;
  /** The task was cancelled before it was sent: what was asked of it is no longer to be delivered. */
  forget(taskId: string): void;
  /** How many wait for an answer, and since when the oldest does. */
  waiting(): { count: number; oldestAt: number | undefined };
  /** Ends what is under way; it is taken up again at the next start. */
  stop(): Promise<void>;
}

export interface DeliveryOptions {
  store: SessionStore;
  agents: Pick<Agents, 'views' | 'viewOf' | 'client' | 'onChange'>;
  logger: Logger;
  now?: () => number;
  random?: () => number;
  startTimer?: StartTimer;
}

interface Job {
  intent: Intent;
  /** Loaded at start: the store may hold more intents of its task behind it. */
  fromStore: boolean;
  tries: number;
  done: PromiseWithResolvers<Delivered>;
}

/** Where a job may be sent now: one of the few sends of the lane is kept for it, until `lane.end`. */
interface Place {
  agentId: string;
  lane: Lane<Job>;
  /** The agent was chosen for it, by its word of then. */
  chosenAsOf?: number;
}

const FIRST_RETRY_MS = 250;
const MOST_RETRY_MS = 10_000;

/** Takes up everything that is not delivered yet. */
export async function startDelivery(options: DeliveryOptions): Promise<Delivery> {
  const delivery = new IntentDelivery(options);
  await delivery.load();
  return delivery;
}

class IntentDelivery implements Delivery {
  readonly #options: DeliveryOptions;
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

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#startTimer = options.startTimer ?? startTimer;
    options.agents.onChange((view, before) => this.#agentChanged(view, before));
  }

  async load(): Promise<void> {
    for (const intent of await this.#options.store.dueIntents()) this.#enqueue(intent, true);
    this.#pump();
  }

  async accept(asked: NewIntent): Promise<{ recorded: RecordedIntent; ended?: Promise<Delivered> }> {
    // What makes its task is the first of it: where there is room, its send begins with its record, in one commit.
    const { action } = asked.body;
    const place = action === 'submit' || action === 'retry' ? this.#findPlace(asked.agentId) : undefined;
    const intent: NewIntent =
      place === undefined ? asked : { ...asked, agentId: place.agentId, sentAt: asked.at };
    let isNew = false;
    try {
      const recorded = await this.#options.store.recordIntent(intent);
      if (recorded.outcome !== 'recorded') return { recorded };
      isNew = true;
      const { at, ...rest } = intent;
      const job = this.#enqueue({ ...rest, action, createdAt: at, tries: 0 }, false);
      return this.#isHeldBack(job.intent) ? { recorded } : { recorded, ended: job.done.promise };
    } finally {
      if (!isNew && place?.chosenAsOf !== undefined) place.lane.takeBackChosen(place.chosenAsOf);
      place?.lane.end();
      this.#pump();
    }
  }

  forget(taskId: string): void {
    for (const job of this.#queues.get(taskId) ?? []) this.#remove(job, { kind: 'gone' });
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

  // ── Whose turn it is ──

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
      logger.error({ err: error, task: taskId }, 'its next intent could not be read; trying again');
      // Whatever was asked since has to go out behind it.
      this.#startTimer(() => {
        if (!this.#abort.signal.aborted) void this.#loadNext(taskId);
      }, MOST_RETRY_MS);
      return;
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

  /** Its turn has come: into its agent's lane, or among those that wait for an agent. */
  #route(job: Job): void {
    const { agentId } = job.intent;
    if (agentId === undefined) this.#unassigned.add(job);
    else this.#lane(agentId).add(job);
  }

  // ── To which agent, and when ──

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

  /** With the named agent, or with the one that is to be chosen. */
  #findPlace(agentId: string | undefined): Place | undefined {
    const { agents } = this.#options;
    const view =
      agentId === undefined ? chooseAgent(agents.views(), (id) => this.#lane(id)) : agents.viewOf(agentId);
    if (view === undefined || isAway(view)) return undefined;
    const lane = this.#lane(view.id);
    if (!lane.hasRoom) return undefined;
    lane.begin();
    if (agentId !== undefined) return { agentId, lane };
    lane.countChosen(view.asOf);
    return { agentId: view.id, lane, chosenAsOf: view.asOf };
  }

  /** Whether nobody is there to take it, as far as web knows. */
  #isHeldBack({ agentId, sentAt, action }: Intent): boolean {
    const { agents } = this.#options;
    if (action === 'reclaim' && agentId !== undefined && !isJournalKnown(agents.viewOf(agentId))) return true;
    if (sentAt !== undefined) return false;
    return agentId === undefined ? agents.views().every(isAway) : isAway(agents.viewOf(agentId));
  }

  #agentChanged(view: ShownAgent, before: ShownAgent | undefined): void {
    if (view.state === 'live' && before?.state !== 'live') this.#lanes.get(view.id)?.wake();
    this.#pump();
  }

  #pump(): void {
    if (this.#abort.signal.aborted) return;
    this.#pumpLanes(this.#unassigned.size > 0);
    this.#pumpUnassigned();
    // Those that let others go first.
    this.#pumpLanes(false);
  }

  #pumpLanes(othersWait: boolean): void {
    for (const [agentId, lane] of this.#lanes) {
      const away = isAway(this.#options.agents.viewOf(agentId));
      const take = () => lane.take(away, othersWait);
      for (let job = take(); job !== undefined; job = take()) this.#start(job, { agentId, lane });
    }
  }

  #pumpUnassigned(): void {
    for (const job of this.#unassigned) {
      const place = this.#findPlace(undefined);
      if (place === undefined) return;
      this.#unassigned.delete(job);
      this.#start(job, place);
    }
  }

  // ── The send ──

  #start(job: Job, place: Place): void {
    const { lane } = place;
    const run = this.#deliver(job, place)
      .catch((error: unknown) => {
        // The store could not be written: the intent is still there, and is tried again.
        this.#options.logger.error({ err: error, intent: job.intent.id }, 'a delivery could not be recorded');
        if (job.intent.agentId === undefined) this.#chooseLater(job);
        else this.#retryLater(job, lane);
      })
      .finally(() => {
        lane.end();
        this.#running.delete(run);
        this.#pump();
      });
    this.#running.add(run);
  }

  async #deliver(job: Job, { agentId, lane }: Place): Promise<void> {
    const { store, agents } = this.#options;
    const { intent } = job;
    const client = agents.client(agentId);
    if (client === undefined) return this.#failLane(job, lane, 'The address of its agent is not known.');
    const isReclaim = intent.action === 'reclaim';
    if (isReclaim && !isJournalKnown(agents.viewOf(agentId))) return lane.addLater(job, MOST_RETRY_MS);
    if (intent.sentAt === undefined || isReclaim) {
      const begun = await this.#beginSend(job, agentId);
      if (begun === 'gone') return this.#remove(job, { kind: 'gone' });
      if (begun === 'otherJournal') {
        const problem = otherJournal(intent);
        return this.#refuse(job, problem.message, problem);
      }
    }
    const attempt = await attemptDelivery(client, intent, this.#abort.signal);
    switch (attempt.kind) {
      case 'acknowledged':
        lane.succeed();
        await store.settleIntent(intent.id, this.#now(), attempt.task);
        return this.#remove(job, { kind: 'acknowledged' });
      case 'refused':
        lane.succeed();
        return this.#refuseAsSaid(job, attempt, agents.viewOf(agentId));
      case 'notNow':
        lane.succeed();
        await store.recordFailure(intent.id, attempt.message);
        return this.#retryLater(job, lane, attempt.leastMs);
      case 'unusable':
        return this.#failLane(job, lane, attempt.message);
      case 'aborted':
        return undefined;
      default:
        return attempt satisfies never;
    }
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

  #refuseAsSaid(
    job: Job,
    { message, problem }: { message: string; problem: ProblemError },
    view: ShownAgent | undefined,
  ): Promise<void> {
    const noted = noteClock(problem, view);
    return this.#refuse(job, noted === problem ? message : noted.message, noted);
  }

  async #refuse(job: Job, message: string, problem: ProblemError): Promise<void> {
    await this.#options.store.refuseIntent(job.intent.id, message, this.#now());
    this.#remove(job, { kind: 'refused', problem });
  }

  /** The agent as a whole cannot be used now: everything for it waits. */
  async #failLane(job: Job, lane: Lane<Job>, why: string): Promise<void> {
    await this.#options.store.recordFailure(job.intent.id, why);
    lane.fail(jitteredDelayMs(lane.failures, FIRST_RETRY_MS, MOST_RETRY_MS, this.#random));
    if (this.#jobs.has(job.intent.id)) lane.add(job);
  }

  #retryLater(job: Job, lane: Lane<Job>, leastMs = 0): void {
    if (!this.#jobs.has(job.intent.id)) return;
    lane.addLater(job, Math.max(leastMs, this.#delayOf(job)));
  }

  /** The agent that was chosen could not be stored, so it has none: in that one's lane it would wait for it alone. */
  #chooseLater(job: Job): void {
    this.#startTimer(() => {
      if (!this.#jobs.has(job.intent.id)) return;
      this.#unassigned.add(job);
      this.#pump();
    }, this.#delayOf(job));
  }

  /** Until its next try. */
  #delayOf(job: Job): number {
    const delayMs = jitteredDelayMs(job.tries, FIRST_RETRY_MS, MOST_RETRY_MS, this.#random);
    job.tries += 1;
    return delayMs;
  }
}

function newJob(intent: Intent, fromStore: boolean): Job {
  return { intent, fromStore, tries: intent.tries, done: Promise.withResolvers<Delivered>() };
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
