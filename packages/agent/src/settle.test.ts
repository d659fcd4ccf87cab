import type { StopCause, Task, TaskStatus } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { AttemptStore } from './attempts.ts';
import type { Journal } from './journal.ts';
import { outcomeOfExit, Settlement } from './settle.ts';
import { makeRunning, openTestJournal } from './test-support.ts';

const NOW = 2_000_000_000_000;

function settlementOf(journal: Journal) {
  const attempts = new AttemptStore(journal.database);
  const options = { journal, attempts, maxAttempts: 3, retryDelayMs: 1000 };
  return { attempts, settlement: new Settlement({ ...options, random: () => 0.5, now: () => NOW }) };
}

/** A running task with its attempt on record, and how its end is named. */
async function run(journal: Journal, spec: Partial<Task['spec']> = {}) {
  const { task } = await makeRunning(journal, { spec: { command: ['true'], ...spec } });
  const { attempts } = settlementOf(journal);
  const launchId = 'abc';
  await journal.change(() =>
    attempts.claim({ taskId: task.id, attempt: 1, launchId, claimedAt: 1, bootId: 'boot' }),
  );
  const ending = { taskId: task.id, attempt: 1, outputBytes: 5, lastOutputAt: 7, lastLine: 'the end' };
  return { id: task.id, startedAt: task.startedAt!, ending };
}

function askToStop(journal: Journal, id: string, cause: StopCause): Promise<Task> {
  return journal.change(() =>
    journal.append(journal.record(id)!, { kind: 'stopRequested', data: { cause } }),
  );
}

// Fails without: the name of the signal in `outcomeOfExit` (settle.ts).
test.each([
  [0, { reason: 'exit', exitCode: 0 }],
  [7, { reason: 'exit', exitCode: 7 }],
  [128, { reason: 'exit', exitCode: 128 }],
  [137, { reason: 'signal', exitCode: 137, signal: 'SIGKILL' }],
  [143, { reason: 'signal', exitCode: 143, signal: 'SIGTERM' }],
  [255, { reason: 'exit', exitCode: 255 }],
])('failure mode 8: the exit code %i is kept as it is, a signal is named beside it', (code, outcome) => {
  expect(outcomeOfExit(code)).toEqual(outcome);
});

test.each<[number, TaskStatus]>([
  [0, 'completed'],
  [7, 'failed'],
])(
  'a record of %i is one event, %s, with the time of the record and the final size',
  async (exitCode, status) => {
    using opened = openTestJournal();
    const { journal } = opened;
    const { id, startedAt, ending } = await run(journal);
    const { attempts, settlement } = settlementOf(journal);
    const head = journal.head;
    const task = await settlement.byRecord(ending, { exitCode, endedAt: startedAt + 9 });
    expect(task).toMatchObject({
      status,
      endedAt: startedAt + 9,
      outputBytes: 5,
      lastOutputAt: 7,
      lastLine: 'the end',
      outcome: { exitCode },
    });
    expect(journal.head).toBe(head + 1);
    expect(attempts.list(id)).toMatchObject([{ attempt: 1, endedAt: startedAt + 9, outputBytes: 5 }]);
  },
);

test('a command that was over before its start was on record did not end before it started', async () => {
  using opened = openTestJournal();
  const { startedAt, ending } = await run(opened.journal);
  const { settlement } = settlementOf(opened.journal);
  const task = await settlement.byRecord(ending, { exitCode: 0, endedAt: startedAt - 3 });
  expect(task!.endedAt).toBe(startedAt);
});

// Fails without: the comparison of the attempt in `#change` (settle.ts).
test('P5, failure mode 7: what comes late, or for another attempt, changes nothing', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const { id, ending } = await run(journal);
  const { settlement } = settlementOf(journal);
  await settlement.byRecord(ending, { exitCode: 0, endedAt: 1 });
  const held = [journal.head, journal.record(id)];
  const record = { exitCode: 1, endedAt: 2 };
  const failure = { reason: 'spawn_failed', message: 'no', passing: true } as const;
  expect(await settlement.byRecord(ending, record)).toBeUndefined();
  expect(await settlement.asAsked(ending, 'cancel', undefined)).toBeUndefined();
  expect(await settlement.lost(ending, 'process_vanished', true)).toBeUndefined();
  expect(await settlement.startFailed(ending, failure)).toBeUndefined();
  const other = await run(journal);
  const head = journal.head;
  expect(await settlement.byRecord({ ...other.ending, attempt: 2 }, record)).toBeUndefined();
  expect([held[0], journal.record(id)]).toEqual(held);
  expect(journal.head).toBe(head);
});

test('P5: of two that settle in the same commit one wins', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const { ending } = await run(journal);
  const { settlement } = settlementOf(journal);
  const head = journal.head;
  const tasks = await Promise.all([
    settlement.byRecord(ending, { exitCode: 0, endedAt: 1 }),
    settlement.lost(ending, 'process_vanished', true),
  ]);
  expect(tasks.map((task) => task?.status)).toEqual(['completed', undefined]);
  expect(journal.head).toBe(head + 1);
});

test.each<[StopCause, TaskStatus, string]>([
  ['cancel', 'cancelled', 'cancelled_by_user'],
  ['timeout', 'failed', 'timeout'],
  ['idle_timeout', 'failed', 'idle_timeout'],
  ['output_limit', 'failed', 'output_limit'],
  ['reclaim', 'queued', 'reclaimed'],
])(
  'a stop for %s ends %s, with the reason %s and the exit code that there was',
  async (cause, status, reason) => {
    using opened = openTestJournal();
    const { journal } = opened;
    const { id, ending } = await run(journal, { timeoutMs: 5, idleTimeoutMs: 6 });
    await askToStop(journal, id, cause);
    const task = await settlementOf(journal).settlement.asAsked(ending, cause, 143);
    expect(task).toMatchObject({ status, outcome: { reason, exitCode: 143, signal: 'SIGTERM' } });
  },
);

test('P3: lost attempts are requeued with a delay, then the task ends with the last cause', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const { id, ending } = await run(journal);
  const { settlement } = settlementOf(journal);
  const delays: (number | undefined)[] = [];
  let task: Task | undefined;
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    task = await settlement.lost({ ...ending, attempt }, 'process_vanished', true);
    delays.push(task!.notBeforeAt);
    if (task!.status === 'queued')
      await journal.change(() => journal.append(journal.record(id)!, { kind: 'claimed' }));
  }
  expect(delays).toEqual([NOW + 500, NOW + 1000, undefined]);
  expect(task).toMatchObject({ status: 'failed', attempt: 3, outcome: { reason: 'attempts_exhausted' } });
  expect(task!.outcome!.message).toContain('process_vanished');
});

test('failure mode 14: what is not charged leaves the budget as it was', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const { id, ending } = await run(journal, { retry: { maxAttempts: 1 } });
  const task = await settlementOf(journal).settlement.lost(ending, 'host_rebooted', false);
  expect(task!.status).toBe('queued');
  expect(journal.record(id)).toMatchObject({ charged: 0, uncharged: 1 });
});

test('a budget of one attempt ends with its own reason, since nothing was tried again', async () => {
  using opened = openTestJournal();
  const { ending } = await run(opened.journal, { retry: { maxAttempts: 1 } });
  const task = await settlementOf(opened.journal).settlement.lost(ending, 'process_vanished', true);
  expect(task).toMatchObject({ status: 'failed', outcome: { reason: 'process_vanished' } });
});

test('a task says after what it is tried again: a lost one not, a failed one', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const { settlement } = settlementOf(journal);
  const retry = { on: ['failed' as const] };
  const one = await run(journal, { retry });
  expect((await settlement.lost(one.ending, 'process_vanished', true))!.status).toBe('failed');
  const two = await run(journal, { retry });
  const again = await settlement.byRecord(two.ending, { exitCode: 7, endedAt: 1 });
  expect(again).toMatchObject({ status: 'queued', outcome: { reason: 'exit', exitCode: 7 }, outputBytes: 5 });
});

test('P8: a start that failed for a passing cause is tried again and charged, for another one it ends the task', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const { settlement } = settlementOf(journal);
  const one = await run(journal);
  const passing = { reason: 'spawn_failed', message: 'EAGAIN', passing: true } as const;
  expect((await settlement.startFailed(one.ending, passing))!.status).toBe('queued');
  expect(journal.record(one.id)!.charged).toBe(1);
  const two = await run(journal);
  const final = { reason: 'workspace_failed', message: 'it does not exist', passing: false } as const;
  const task = await settlement.startFailed(two.ending, final);
  expect(task).toMatchObject({
    status: 'failed',
    outcome: { reason: 'workspace_failed', message: 'it does not exist' },
  });
});

test('a cancel that is committed while an end is found out leads to no further attempt', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const { settlement } = settlementOf(journal);
  const failure = { reason: 'spawn_failed', message: 'EAGAIN', passing: true } as const;
  const ends = [
    (ending: Parameters<typeof settlement.lost>[0]) => settlement.lost(ending, 'process_vanished', true),
    (ending: Parameters<typeof settlement.lost>[0]) => settlement.lost(ending, 'dispatch_interrupted', false),
    (ending: Parameters<typeof settlement.lost>[0]) => settlement.startFailed(ending, failure),
    (ending: Parameters<typeof settlement.lost>[0]) =>
      settlement.byRecord(ending, { exitCode: 1, endedAt: 1 }),
  ];
  for (const end of ends) {
    const { id, ending } = await run(journal, { retry: { on: ['lost', 'failed'] } });
    // In one commit, the cancel first: what was seen of the attempt is older than it.
    const [, task] = await Promise.all([askToStop(journal, id, 'cancel'), end(ending)]);
    expect(task).toMatchObject({ status: 'cancelled', outcome: { reason: 'cancelled_by_user' } });
  }
});

test('P1: a disk that refuses the end leaves the task as it was, to be settled again', async () => {
  let full = false;
  using opened = openTestJournal({
    beforeCommit: () => {
      if (full) throw new Error('the disk is full');
    },
  });
  const { journal } = opened;
  const { id, ending } = await run(journal);
  const { settlement } = settlementOf(journal);
  full = true;
  await expect(settlement.byRecord(ending, { exitCode: 0, endedAt: 1 })).rejects.toThrow('the disk is full');
  expect(journal.record(id)!.task.status).toBe('running');
  full = false;
  expect((await settlement.byRecord(ending, { exitCode: 0, endedAt: 1 }))!.status).toBe('completed');
});
