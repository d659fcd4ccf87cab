/**
 * Claims: tasks of a named queue, worked on by somebody whom the agent did not start.
 *
 * - A claim is an attempt with a lease and a token. The token is the fence (Kleppmann, "How to do distributed
 *   locking", 2016): only its holder may say how this attempt went, and only while the attempt is the current one.
 *   A late word is refused with `claim_lost` and changes nothing (P4, P5).
 * - Every answer is durable first. A lost answer is harmless: the same `claimId` gets the same grant, the same word
 *   is answered the same.
 * - A worker that falls silent loses its claim when its lease runs out; the sweep judges that by the recovery table.
 *   Time in which this agent was not awake is not silence (sweep-loop.ts).
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  type ActivityEntry,
  type ClaimRequest,
  DEFAULT_QUEUE,
  type Grant,
  type Lease,
  ProblemError,
  type Task,
} from '@holdfast/shared';
import type { AttemptStore } from './attempts.ts';
import type { ClaimRecord, ClaimStore } from './claim-store.ts';
import type { Journal, TaskRecord } from './journal.ts';
import type { Pool } from './pool.ts';
import { invalid, type Queue } from './queue.ts';
import { decide, type Evidence } from './recovery.ts';
import type { Settlement, WorkerWord } from './settle.ts';
import type { SweepTick } from './sweep-loop.ts';

export interface ClaimsOptions {
  journal: Journal;
  attempts: AttemptStore;
  store: ClaimStore;
  queue: Queue;
  pool: Pick<Pool, 'mayStart'>;
  settlement: Settlement;
  /** The lease of a claim that does not say, ms. */
  leaseMs: number;
  /** A task ended or went back to the queue. */
  onFree: () => void;
  now: () => number;
}

/** Raised for a claim that has been silent for more than half its lease; its next heartbeat takes it back. */
export const CLAIM_SILENT = 'claim_silent';

export class Claims {
  readonly #options: ClaimsOptions;
  /** Tasks whose worker was heard since readers were last told. */
  readonly #heard = new Set<string>();

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Whether this claim was granted before. */
  isKnown({ claimId }: ClaimRequest): boolean {
    return this.#options.store.byClaimId(claimId) !== undefined;
  }

  /** Whether a task of this queue could be given away now. */
  isGrantable(queue: string): boolean {
    return this.#options.pool.mayStart && this.#options.queue.hasNext(queue);
  }

  /**
   * Grants claims, in order, in one change; ends at the first for which there is no task (`undefined`). An entry is
   * the grant, or the problem with that request: `claim_lost` (its claim is over), `invalid` (the id is another's).
   */
  grant(requests: readonly ClaimRequest[]): Promise<(Grant | ProblemError)[]> {
    return this.#options.journal.change(() => {
      const answers: (Grant | ProblemError)[] = [];
      for (const request of requests) {
        const answer = this.#grantOne(request);
        if (answer === undefined) break;
        answers.push(answer);
      }
      return answers;
    });
  }

  /** The worker is alive: its lease begins anew. Problem: `claim_lost`. */
  async heartbeat(token: string, progress: unknown): Promise<Lease> {
    const { journal, store, now } = this.#options;
    return journal.change(() => {
      const { claim, record } = this.#held(token);
      const at = now();
      const leaseExpiresAt = at + claim.leaseMs;
      store.renew(claim, { at, leaseExpiresAt, progress });
      if (record.task.status === 'starting') {
        const { worker } = claim;
        const stated = { worker, leaseExpiresAt, lastHeartbeatAt: at };
        journal.append(record, { kind: 'started', at, data: { claim: stated } });
      }
      if (hasAttention(record.task)) {
        journal.append(record, { kind: 'attention', data: { code: CLAIM_SILENT, cleared: true } });
      }
      this.#heard.add(claim.taskId);
      return { leaseExpiresAt, cancelRequested: record.task.stopRequested?.cause === 'cancel' };
    });
  }

  /** The worker says its last word of this attempt. The same word again gets the same answer; else `claim_lost`. */
  async say(token: string, word: WorkerWord): Promise<Task> {
    const { journal, store, settlement, onFree } = this.#options;
    const said = fingerprint(word);
    const task = await journal.change(() => {
      const known = store.byToken(token);
      if (known?.lastWord === said) return journal.record(known.taskId)?.task ?? refuse();
      const { claim, record } = this.#held(token);
      store.setLastWord(claim, said);
      return settlement.claimByWord(record, word);
    });
    onFree();
    return task;
  }

  /** A restarted worker gives back all that it held. */
  async releaseWorker(worker: string): Promise<Task[]> {
    const { journal, store, settlement, onFree } = this.#options;
    const word: WorkerWord = { kind: 'release' };
    const tasks = await journal.change(() =>
      store.liveOf(worker).map((claim) => {
        store.setLastWord(claim, fingerprint(word));
        return settlement.claimByWord(journal.record(claim.taskId)!, word);
      }),
    );
    onFree();
    return tasks;
  }

  /** Before a sweep judges leases: those that were alive when everybody fell asleep get one full term. */
  async renewAfterSleep({ at, asleepSince }: SweepTick): Promise<void> {
    const { journal, store } = this.#options;
    if (asleepSince === undefined) return;
    const live = store.live();
    if (live.length === 0) return;
    await journal.change(() => store.renewAll(asleepSince, at));
    for (const { taskId } of live) this.#heard.add(taskId);
  }

  /** Judges one claimed task by the recovery table, with its lease as of `at` for evidence. */
  async judge(task: Task, at: number): Promise<void> {
    const { journal, store, settlement, onFree } = this.#options;
    const claim = store.byAttempt(task.id, task.attempt);
    const decision = decide(evidenceOf(task, claim, at));
    if (decision.do === 'leave') {
      if (claim !== undefined && isSilent(claim, at) && !hasAttention(task))
        await this.#raiseSilent(claim, at);
      return;
    }
    const settled = await journal.change(() => {
      // It may have been heard, or have ended, since it was looked at.
      const record = journal.record(task.id);
      if (record?.task.attempt !== task.attempt || !isLive(record.task)) return undefined;
      const current = store.byAttempt(task.id, task.attempt);
      if (current !== undefined && current.leaseExpiresAt > at) return undefined;
      return decision.do === 'endAsAsked'
        ? settlement.claimAsAsked(record, decision.cause)
        : settlement.claimLost(record);
    });
    if (settled !== undefined) onFree();
  }

  /** The lease of a task's current attempt, if it is a claim. */
  leaseOf(task: Task): ClaimRecord | undefined {
    return task.claim === undefined ? undefined : this.#options.store.byAttempt(task.id, task.attempt);
  }

  /** A task with its lease as of now: the events tell it as of the claim. */
  withLease(task: Task): Task {
    const lease = this.leaseOf(task);
    if (lease === undefined) return task;
    const { worker, leaseExpiresAt, lastHeartbeatAt, progress } = lease;
    const said = progress === undefined ? {} : { progress };
    return { ...task, claim: { worker, leaseExpiresAt, lastHeartbeatAt, ...said } };
  }

  /** Claims whose worker was heard since this was last asked. */
  takeHeard(): ActivityEntry[] {
    const { journal, store } = this.#options;
    const ids = [...this.#heard];
    this.#heard.clear();
    return ids.flatMap((id) => {
      const task = journal.record(id)?.task;
      const claim = task === undefined ? undefined : store.byAttempt(id, task.attempt);
      return claim === undefined ? [] : [entryOf(claim)];
    });
  }

  /** All live claims, for a reader that has just come. */
  allHeard(): ActivityEntry[] {
    return this.#options.store.live().map(entryOf);
  }

  #grantOne(request: ClaimRequest): Grant | ProblemError | undefined {
    const { attempts, store, queue, pool, leaseMs: usualLeaseMs, now } = this.#options;
    const { claimId, worker, leaseMs = usualLeaseMs } = request;
    const known = store.byClaimId(claimId);
    if (known !== undefined) return this.#grantAgain(known, request);
    if (!pool.mayStart) return undefined;
    const at = now();
    const leaseExpiresAt = at + leaseMs;
    const record = queue.claimNext(request.queue, { worker, leaseExpiresAt, lastHeartbeatAt: at });
    if (record === undefined) return undefined;
    const { id: taskId, attempt } = record.task;
    attempts.claimForWorker({ taskId, attempt, claimedAt: at });
    const token = randomBytes(24).toString('base64url');
    store.insert({ taskId, attempt, claimId, token, worker, leaseMs, leaseExpiresAt, lastHeartbeatAt: at });
    return grantOf(record, { token, attempt, leaseExpiresAt });
  }

  #grantAgain(known: ClaimRecord, { worker, queue }: ClaimRequest): Grant | ProblemError {
    const record = this.#options.journal.record(known.taskId);
    if (known.worker !== worker || (record !== undefined && record.task.queue !== queue)) {
      return invalid('/claimId', 'was used before with another worker or queue; choose a new one');
    }
    if (record?.task.attempt !== known.attempt || !isLive(record.task)) {
      return new ProblemError('claim_lost', 'The claim of this id is over. Choose a new claimId.');
    }
    return grantOf(record, known);
  }

  /** Inside a change: the claim of this token and its task, if it is still the current attempt. */
  #held(token: string): { claim: ClaimRecord; record: TaskRecord } {
    const { journal, store } = this.#options;
    const claim = store.byToken(token);
    const record = claim === undefined ? undefined : journal.record(claim.taskId);
    if (claim === undefined || record?.task.attempt !== claim.attempt || !isLive(record.task))
      return refuse();
    return { claim, record };
  }

  async #raiseSilent(claim: ClaimRecord, at: number): Promise<void> {
    const { journal, store } = this.#options;
    await journal.change(() => {
      const record = journal.record(claim.taskId);
      if (record?.task.attempt !== claim.attempt || !isLive(record.task)) return;
      const current = store.byAttempt(claim.taskId, claim.attempt)!;
      if (!isSilent(current, at) || hasAttention(record.task)) return;
      const message = `worker ${claim.worker} has been silent for more than half its lease of ${claim.leaseMs} ms`;
      journal.append(record, { kind: 'attention', data: { code: CLAIM_SILENT, message } });
    });
  }
}

/** What is known of a claim, as evidence: its processes are elsewhere. A claim without its row has no lease. */
function evidenceOf(task: Task, claim: ClaimRecord | undefined, at: number): Evidence {
  const { status, stopRequested } = task;
  return {
    status: status as Evidence['status'],
    dispatching: false,
    claim: { expired: claim === undefined || claim.leaseExpiresAt <= at },
    ...(stopRequested === undefined ? {} : { stopRequested }),
    shimAlive: false,
    others: 0,
    watched: false,
    ticket: 'shim',
    sameBoot: true,
  };
}

/** Whether a claim has not been heard for more than half its lease. */
export function isSilent({ leaseExpiresAt, leaseMs }: ClaimRecord, at: number): boolean {
  return leaseExpiresAt - at < leaseMs / 2;
}

function isLive(task: Task): boolean {
  return task.status === 'starting' || task.status === 'running';
}

function hasAttention(task: Task): boolean {
  return task.attention?.some(({ code }) => code === CLAIM_SILENT) === true;
}

function grantOf(record: TaskRecord, claim: Grant['claim']): Grant {
  const { token, attempt, leaseExpiresAt } = claim;
  const { task, env } = record;
  return { task, ...(env === undefined ? {} : { env }), claim: { token, attempt, leaseExpiresAt } };
}

function entryOf(claim: ClaimRecord): ActivityEntry {
  const { taskId: id, attempt, progress, leaseExpiresAt, lastHeartbeatAt } = claim;
  const said = progress === undefined ? {} : { progress };
  return { id, attempt, outputBytes: 0, ...said, leaseExpiresAt, lastHeartbeatAt };
}

function fingerprint(word: WorkerWord): string {
  return `${word.kind} ${createHash('sha256').update(JSON.stringify(word)).digest('hex')}`;
}

function refuse(): never {
  throw new ProblemError(
    'claim_lost',
    'This claim is no longer the current one. Drop the work; what you say of it is not taken.',
  );
}

/** Problem `invalid` for a queue whose tasks the agent runs itself. */
export function refuseDefaultQueue(request: ClaimRequest): void {
  if (request.queue !== DEFAULT_QUEUE) return;
  throw invalid(
    '/queue',
    'the tasks of "default" are run by the agent itself; claim from a queue of your own',
  );
}
