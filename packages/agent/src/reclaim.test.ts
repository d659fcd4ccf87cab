import { ProblemError, type ReclaimStale, type Task } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { AttemptStore } from './attempts.ts';
import type { ClaimRecord } from './claim-store.ts';
import { Reclaimer } from './reclaim.ts';
import { makeRunning, openTestJournal } from './test-support.ts';

const NOW = 1_000_000;

function openReclaimer() {
  const opened = openTestJournal();
  const { journal } = opened;
  const attempts = new AttemptStore(journal.database);
  const leases = new Map<string, ClaimRecord>();
  const outcomes = new Map<string, Task | undefined | Error>();
  const asked: string[] = [];
  /** What happens between the look and the change. */
  const whenAsked = new Map<string, () => void>();
  const reclaimer = new Reclaimer({
    journal,
    attempts,
    leaseOf: ({ id }) => leases.get(id),
    catchUp: () => Promise.resolve(),
    stops: {
      reclaim(taskId, _attempt, _message, onlyIf) {
        asked.push(taskId);
        whenAsked.get(taskId)?.();
        const outcome = outcomes.get(taskId);
        if (outcome instanceof Error) return Promise.reject(outcome);
        const { task } = journal.record(taskId)!;
        return Promise.resolve(
          onlyIf?.(task) === true ? (outcome ?? { ...task, status: 'queued' }) : undefined,
        );
      },
    },
    page: 2,
    now: () => NOW,
  });
  const run = async (claimedAt = 0, more: Partial<Task> = {}) => {
    const { task } = await makeRunning(journal, more);
    await journal.change(() =>
      attempts.claim({ taskId: task.id, attempt: 1, launchId: 'abc', claimedAt, bootId: 'boot' }),
    );
    return task.id;
  };
  return {
    asked,
    leases,
    outcomes,
    whenAsked,
    journal,
    run,
    /** A claim whose lease of 1000 ms runs out at `leaseExpiresAt`. */
    async claimed(leaseExpiresAt: number, claimedAt = 0): Promise<string> {
      const claim = { worker: 'w1', leaseExpiresAt, lastHeartbeatAt: leaseExpiresAt - 1000 };
      const id = await run(claimedAt);
      await journal.change(() => {
        const record = journal.record(id)!;
        journal.append(record, {
          kind: 'requeued',
          data: { charged: false, outcome: { reason: 'released' }, outputBytes: 0 },
        });
        journal.append(record, { kind: 'claimed', data: { claim } });
        attempts.claimForWorker({ taskId: id, attempt: 2, claimedAt });
      });
      leases.set(id, {
        ...claim,
        taskId: id,
        attempt: 2,
        claimId: 'c',
        token: 't',
        leaseMs: 1000,
        progress: undefined,
        lastWord: undefined,
      });
      return id;
    },
    async unseen(): Promise<string> {
      const id = await run();
      await journal.change(() =>
        journal.append(journal.record(id)!, {
          kind: 'attention',
          data: { code: 'probe_failed', message: 'EIO' },
        }),
      );
      return id;
    },
    async results(query: ReclaimStale = {}) {
      const items = await reclaimer.reclaimStale(query);
      return items.map(({ taskId, evidence, action, result }) => [taskId, evidence.code, action, result]);
    },
    [Symbol.dispose]: () => opened[Symbol.dispose](),
  };
}

test('stale is what nobody can vouch for; a task that was verified alive is none of it, however quiet', async () => {
  using at = openReclaimer();
  await at.run();
  const expired = await at.claimed(NOW);
  await at.claimed(NOW + 500);
  const silent = await at.claimed(NOW + 499);
  const unseen = await at.unseen();
  expect(await at.results({ dryRun: true })).toEqual([
    [expired, 'lease_expired', 'requeue', 'wouldReclaim'],
    [silent, 'claim_silent', 'requeue', 'wouldReclaim'],
    [unseen, 'probe_failed', 'stop', 'wouldReclaim'],
  ]);
  expect(at.asked).toEqual([]);
});

test('each has its own result, and one that cannot be reclaimed keeps nobody from the next', async () => {
  using at = openReclaimer();
  const [refused, stopping, heard, taken] = [
    await at.unseen(),
    await at.unseen(),
    await at.claimed(NOW),
    await at.claimed(NOW),
  ];
  at.outcomes.set(refused, new ProblemError('not_claimable', 'It is being stopped.'));
  at.outcomes.set(stopping, at.journal.record(stopping)!.task);
  at.whenAsked.set(heard, () => {
    at.leases.set(heard, { ...at.leases.get(heard)!, leaseExpiresAt: NOW + 1000 });
  });
  expect((await at.results()).map(([id, , , result]) => [id, result])).toEqual([
    [refused, 'not_claimable'],
    [stopping, 'stopping'],
    [heard, 'changed'],
    [taken, 'reclaimed'],
  ]);
});

test('age and attempts narrow it down, and what is being stopped is left alone', async () => {
  using at = openReclaimer();
  const id = await at.claimed(NOW, 0);
  const young = await at.claimed(NOW, NOW - 10);
  const idsOf = async (query: ReclaimStale) =>
    (await at.results({ ...query, dryRun: true })).map(([one]) => one);
  expect(await idsOf({ olderThanMs: 11 })).toEqual([id]);
  expect(await idsOf({ olderThanMs: 10 })).toEqual([id, young]);
  expect(await at.results({ dryRun: true, maxAttempts: 1 })).toEqual([]);
  expect(await at.results({ dryRun: true, maxAttempts: 2 })).toHaveLength(2);
  const unseen = await at.unseen();
  await at.journal.change(() => {
    for (const one of [young, unseen]) {
      at.journal.append(at.journal.record(one)!, { kind: 'stopRequested', data: { cause: 'cancel' } });
    }
  });
  // The ladder has the process; of the claim nobody else would hear before its lease is over.
  expect(await idsOf({})).toEqual([id, young]);
});
