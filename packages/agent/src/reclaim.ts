/**
 * Reclaim: a person takes an attempt back, so that the task gets another one.
 *
 * The number of the attempt is the fence: only that one is given up, and asking twice is harmless. What runs here is
 * stopped first, every process of it (P4); a claim is taken back at once, and what its worker says later is refused.
 *
 * *Stale* is what nobody can vouch for: a lease that ran out and is not swept yet, a worker that has been silent for
 * more than half its lease, a process that cannot be looked at. A task that was verified alive is never stale,
 * however quiet it is.
 */
import {
  isUnderWay,
  messageOf,
  ProblemError,
  type ReclaimItem,
  type ReclaimStale,
  type Task,
} from '@holdfast/shared';
import type { AttemptStore } from './attempts.ts';
import type { ClaimRecord } from './claim-store.ts';
import { isSilent, silenceOf } from './claims.ts';
import type { Journal } from './journal.ts';
import type { StopRequests } from './stop-requests.ts';

export interface ReclaimerOptions {
  journal: Journal;
  attempts: AttemptStore;
  leaseOf: (task: Task) => HeldLease | undefined;
  /** Makes sure that leases are not judged by a silence in which nobody was awake. */
  catchUp: () => Promise<void>;
  stops: Pick<StopRequests, 'reclaim'>;
  /** Tasks that are looked at in one go. */
  page: number;
  now: () => number;
}

type Evidence = ReclaimItem['evidence'];

/** What is looked at of a claim; its token is nobody's business here. */
type HeldLease = Pick<ClaimRecord, 'worker' | 'leaseMs' | 'leaseExpiresAt' | 'lastHeartbeatAt'>;

export class Reclaimer {
  readonly #options: ReclaimerOptions;

  constructor(options: ReclaimerOptions) {
    this.#options = options;
  }

  /** Takes back every stale attempt that the query is about, each for itself; a dry run says which. */
  async reclaimStale(query: ReclaimStale): Promise<ReclaimItem[]> {
    const { journal, catchUp, page } = this.#options;
    await catchUp();
    const items: ReclaimItem[] = [];
    for (let after = 0; ;) {
      const records = journal.liveAfter(after, page);
      const last = records.at(-1);
      if (last === undefined) return items;
      after = last.createdSeq;
      const reclaims = records.flatMap(({ task }) => {
        const evidence = this.#isMeant(task, query) ? this.#evidenceOf(task) : undefined;
        return evidence === undefined ? [] : [this.#reclaimOne(task, evidence, query.dryRun === true)];
      });
      items.push(...(await Promise.all(reclaims)));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #reclaimOne(task: Task, evidence: Evidence, isDryRun: boolean): Promise<ReclaimItem> {
    const { stops } = this.#options;
    const action = task.claim === undefined ? 'stop' : 'requeue';
    const item = { taskId: task.id, attempt: task.attempt, evidence, action } as const;
    if (isDryRun) return { ...item, result: 'wouldReclaim' };
    try {
      const isStillStale = (now: Task) => this.#evidenceOf(now) !== undefined;
      const after = await stops.reclaim(task.id, task.attempt, evidence.message, isStillStale);
      if (after === undefined) return { ...item, result: 'changed' };
      return { ...item, result: after.status === 'queued' ? 'reclaimed' : resultOf(after) };
    } catch (error) {
      // One task that cannot be reclaimed keeps nobody from the next; its row says why.
      const code = error instanceof ProblemError ? error.code : 'internal';
      return { ...item, result: code, message: messageOf(error) };
    }
  }

  #isMeant(task: Task, { olderThanMs, maxAttempts }: ReclaimStale): boolean {
    const { attempts, now } = this.#options;
    if (task.stopRequested !== undefined && task.claim === undefined) return false;
    if (maxAttempts !== undefined && task.attempt > maxAttempts) return false;
    if (olderThanMs === undefined) return true;
    const began = attempts.get(task.id, task.attempt)?.claimedAt ?? task.createdAt;
    return now() - began >= olderThanMs;
  }

  #evidenceOf(task: Task): Evidence | undefined {
    const at = this.#options.now();
    if (task.claim !== undefined) {
      const lease = this.#options.leaseOf(task);
      return lease === undefined ? undefined : evidenceOfLease(lease, at);
    }
    const unseen = task.attention?.find(({ code }) => code === 'probe_failed');
    if (unseen === undefined) return undefined;
    const message = `its processes cannot be looked at: ${unseen.message}`;
    return { code: 'probe_failed', message, sinceAt: unseen.sinceAt };
  }
}

function evidenceOfLease(lease: HeldLease, at: number): Evidence | undefined {
  const { worker, leaseExpiresAt, lastHeartbeatAt } = lease;
  if (leaseExpiresAt <= at) {
    const message = `the lease of worker ${worker} has run out`;
    return { code: 'lease_expired', message, sinceAt: leaseExpiresAt };
  }
  if (!isSilent(lease, at)) return undefined;
  return { code: 'claim_silent', message: silenceOf(lease), sinceAt: lastHeartbeatAt };
}

/** A reclaimed task that is not queued: it is being stopped, or its last uncharged attempt is used up. */
function resultOf({ status }: Task): string {
  return isUnderWay(status) ? 'stopping' : status;
}
