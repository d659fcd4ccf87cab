/**
 * Claims: tasks of a named queue, worked on by somebody whom the agent did not start.
 *
 * - A claim is an attempt with a lease and a token. The token is the fence (Kleppmann, "How to do distributed
 *   locking", 2016): only its holder may say how this attempt went, and only while the attempt is the current one.
 *   A late word is refused with `claim_lost` and changes nothing (P4, P5).
 * - Every answer is durable first. A lost answer is harmless: the same `claimId` gets the same grant, the same word
 *   is answered the same.
 * - A worker that falls silent loses its claim when its lease runs out; the sweep judges that by the recovery table.
 *   Time in which this agent was not awake is not silence (sweep-loop.ts), but for an agent that is never awake for long
 *   (`MOST_GIVEN_TERMS`).
 */
import { randomBytes } from 'node:crypto';
import {
  type ActivityEntry,
  type ClaimRequest,
  type Grant,
  hashContent,
  isUnderWay,
  type Lease,
  ProblemError,
  type StaleEvidence,
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
const CLAIM_SILENT = 'claim_silent' satisfies StaleEvidence;

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
   * Grants claims, in order, in one change. For each request its grant, the problem with it (`claim_lost`: its claim
   * is over; `invalid`: the id is another's), or `undefined`: there is no task for it.
   */
  grant(requests: readonly ClaimRequest[]): Promise<(Grant | ProblemError | undefined)[]> {
    return this.#options.journal.change(() => {
      // Whoever asks again for what it holds gets it, also when the tasks have run out before it.
      let isEmpty = false;
      return requests.map((request) => {
        if (isEmpty && !this.isKnown(request)) return undefined;
        const answer = this.#grantOne(request);
        isEmpty ||= answer === undefined;
        return answer;
      });
    });
  }

  /** The worker is alive: its lease begins anew. Problem: `claim_lost`. */
  async heartbeat(token: string, progress: unknown): Promise<Lease> {
    const { journal, attempts, store, now } = this.#options;
    return journal.change(() => {
      const { claim, record } = this.#held(token);
      const at = now();
      const leaseExpiresAt = at + claim.leaseMs;
      store.renew(claim, { at, leaseExpiresAt, progress });
      if (record.task.status === 'starting') {
        const { worker } = claim;
        const stated = { worker, leaseExpiresAt, lastHeartbeatAt: at };
        attempts.beginForWorker({ taskId: claim.taskId, attempt: claim.attempt, startedAt: at });
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

  /**
   * Before a sweep judges leases: those that were alive when everybody fell asleep, or when the journal could not be
   * written any more, get one full term, since nobody could be heard. A claim that was given so many without being heard
   * in any of them (`MOST_GIVEN_TERMS`) is judged as it stands: an agent that restarts for ever must not keep it alive.
   */
  async renewAfterSilence({ at, asleepSince }: SweepTick): Promise<void> {
    const { journal, store } = this.#options;
    if (!journal.healthy) return;
    const since = Math.min(asleepSince ?? Infinity, journal.outageSince ?? Infinity);
    if (since === Infinity) return;
    const live = store.live();
    if (live.length > 0) await journal.change(() => store.renewAll(since, at));
    for (const { taskId } of live) this.#heard.add(taskId);
    journal.endOutage();
  }

  /** Judges one claimed task by the recovery table, with its lease as of `at` for evidence. */
  async judge(task: Task, at: number): Promise<void> {
    const { journal, store, settlement } = this.#options;
    // Heartbeats could not be taken, and that is not made up for yet: their absence says nothing.
    if (journal.outageSince !== undefined) return;
    const claim = store.byAttempt(task.id, task.attempt);
    const decision = decide(evidenceOf(task, claim, at));
    if (decision.do === 'leave') {
      if (claim !== undefined && isSilent(claim, at) && !hasAttention(task))
        await this.#raiseSilent(claim, at);
    } else if (decision.do === 'lost') {
      await this.#end(task, at, (record) => settlement.claimLost(record));
    } else if (decision.do === 'endAsAsked') {
      await this.#end(task, at, (record) => settlement.claimAsAsked(record, decision.cause));
    } else {
      throw new Error(`a claim has no process, so nothing can be done by "${decision.do}"`);
    }
  }

  /** Ends a claim whose lease has run out at `at`, unless it was heard, or has ended, since it was looked at. */
  async #end(task: Task, at: number, end: (record: TaskRecord) => Task): Promise<void> {
    const { journal, store, onFree } = this.#options;
    const ended = await journal.change(() => {
      const record = journal.record(task.id);
      if (record?.task.attempt !== task.attempt || !isUnderWay(record.task.status)) return undefined;
      const current = store.byAttempt(task.id, task.attempt);
      return current !== undefined && current.leaseExpiresAt > at ? undefined : end(record);
    });
    if (ended !== undefined) onFree();
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
    const { journal } = this.#options;
    const ids = [...this.#heard];
    this.#heard.clear();
    return ids.flatMap((id) => {
      const task = journal.record(id)?.task;
      const claim = task === undefined ? undefined : this.leaseOf(task);
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
    if (record?.task.attempt !== known.attempt || !isUnderWay(record.task.status)) {
      return new ProblemError('claim_lost', 'The claim of this id is over. Choose a new claimId.');
    }
    return grantOf(record, known);
  }

  /** Inside a change: the claim of this token and its task, if it is still the current attempt. */
  #held(token: string): { claim: ClaimRecord; record: TaskRecord } {
    const { journal, store } = this.#options;
    const claim = store.byToken(token);
    const record = claim === undefined ? undefined : journal.record(claim.taskId);
    if (claim === undefined || record?.task.attempt !== claim.attempt || !isUnderWay(record.task.status))
      return refuse();
    return { claim, record };
  }

  async #raiseSilent(claim: ClaimRecord, at: number): Promise<void> {
    const { journal, store } = this.#options;
    await journal.change(() => {
      const record = journal.record(claim.taskId);
      if (record?.task.attempt !== claim.attempt || !isUnderWay(record.task.status)) return;
      const current = store.byAttempt(claim.taskId, claim.attempt)!;
      if (!isSilent(current, at) || hasAttention(record.task)) return;
      const message = silenceOf(claim);
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

/** What `isSilent` means, for a person. */
export function silenceOf({ worker, leaseMs }: Pick<ClaimRecord, 'worker' | 'leaseMs'>): string {
  return `worker ${worker} has been silent for more than half its lease of ${leaseMs / 1000} s`;
}

/** Whether a claim has not been heard for more than half its lease. */
export function isSilent(
  { leaseExpiresAt, leaseMs }: Pick<ClaimRecord, 'leaseExpiresAt' | 'leaseMs'>,
  at: number,
): boolean {
  return leaseExpiresAt - at < leaseMs / 2;
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
  return `${word.kind} ${hashContent(word)}`;
}

function refuse(): never {
  throw new ProblemError(
    'claim_lost',
    'This claim is no longer the current one. Drop the work; what you say of it is not taken.',
  );
}
