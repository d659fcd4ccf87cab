import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Task } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { AttemptStore } from './attempts.ts';
import { Auditor, type HeldLease } from './audit.ts';
import type { TaskRecord } from './journal.ts';
import { Look } from './look.ts';
import { ProcessTable, type SeenProcess } from './process.ts';
import { ProbeError } from './process-table.ts';
import { runDirectory } from './run-directory.ts';
import { makeFolder } from './test-kit.ts';
import { makeTask, openTestJournal } from './test-support.ts';
import { Watch } from './watch.ts';

const BOOT = 'boot';
const SHIM = { pid: 4000, startTicks: '77' };

const seen = (pid: number, more: Partial<SeenProcess> = {}): SeenProcess => ({
  pid,
  startTicks: '77',
  parent: 1,
  group: pid,
  session: pid,
  state: 'S',
  marker: undefined,
  logs: [],
  ...more,
});

interface Live extends Partial<Task> {
  starting?: boolean;
  bootId?: string;
}

function openAudit() {
  const opened = openTestJournal();
  const folder = makeFolder();
  const home = folder.path;
  const { journal } = opened;
  const attempts = new AttemptStore(journal.database);
  const state = {
    processes: [] as SeenProcess[],
    leases: new Map<string, HeldLease>(),
    watches: new Map<string, Watch>(),
    now: 10_000,
    monotonic: 0,
    scans: 0,
    onScan: (): void => undefined,
    onPause: (): Promise<void> => Promise.resolve(),
  };
  const look = new Look({
    bootId: BOOT,
    scan: () => {
      state.scans += 1;
      state.onScan();
      return new ProcessTable({ processes: state.processes });
    },
  });
  const auditor = new Auditor({
    journal,
    attempts,
    look,
    home,
    watchOf: (taskId) => state.watches.get(taskId),
    leaseOf: ({ id }) => state.leases.get(id),
    catchUp: () => Promise.resolve(),
    sweepMs: 1000,
    now: () => state.now,
    monotonic: () => state.monotonic,
    pause: () => state.onPause(),
  });
  const runOf = (taskId: string, attempt = 1) => runDirectory(home, taskId, attempt, 'abc');
  return {
    auditor,
    journal,
    state,
    home,
    runOf,
    /** A live row with an attempt whose shim is `SHIM`, if it runs. */
    live({ starting = false, bootId = BOOT, ...more }: Live = {}): Promise<TaskRecord> {
      return journal.change(() => {
        const record = journal.appendSubmitted(makeTask(more), { env: undefined, submitHash: 'hash' });
        const { id: taskId } = record.task;
        journal.append(record, { kind: 'claimed' });
        attempts.claim({ taskId, attempt: 1, launchId: 'abc', claimedAt: 5000, bootId });
        if (starting) return record;
        attempts.start({ taskId, attempt: 1, startedAt: 6000, ...SHIM });
        journal.append(record, { kind: 'started' });
        return record;
      });
    },
    end(record: TaskRecord) {
      const data = { outcome: { reason: 'exit', exitCode: 0 }, endedAt: 7000, outputBytes: 0 } as const;
      return journal.change(() => journal.append(record, { kind: 'completed', reason: 'exit', data }));
    },
    write(taskId: string, name: string) {
      mkdirSync(runOf(taskId).path, { recursive: true });
      writeFileSync(join(runOf(taskId).path, name), '');
    },
    [Symbol.dispose]() {
      folder[Symbol.dispose]();
      opened[Symbol.dispose]();
    },
  };
}

test('P3: each live row is told with what proves that somebody works on it', async () => {
  using audit = openAudit();
  const running = (await audit.live()).task;
  const preparing = (await audit.live({ starting: true })).task;
  const ended = (await audit.live({ bootId: 'before' })).task;
  const failing = await audit.live();
  await audit.journal.change(() =>
    audit.journal.append(failing, { kind: 'stopRequested', data: { cause: 'cancel' } }),
  );
  audit.write(ended.id, 'exit.3');
  const dispatched = new Watch(
    { taskId: preparing.id, attempt: 1, run: audit.runOf(preparing.id), bootId: BOOT, shim: undefined },
    0,
  );
  dispatched.dispatching = true;
  audit.state.watches.set(preparing.id, dispatched);
  const other = { group: 5000, session: 5000 };
  audit.state.processes = [
    seen(SHIM.pid, { marker: audit.runOf(running.id).path }),
    seen(4001, { parent: SHIM.pid, marker: audit.runOf(running.id).path }),
    seen(5001, { ...other, marker: audit.runOf(failing.task.id).path }),
  ];
  const { tasks, ghosts, strays, at } = await audit.auditor.audit();
  expect([ghosts, strays, at]).toEqual([[], [], 10_000]);
  const proofs = new Map(tasks.map((one) => [one.taskId, one]));
  expect(tasks).toHaveLength(4);
  expect(proofs.get(running.id)).toMatchObject({
    attempt: 1,
    verifiedAt: 10_000,
    proof: { kind: 'process', pid: SHIM.pid, bootId: BOOT, others: 1 },
  });
  expect(proofs.get(preparing.id)!.proof).toEqual({ kind: 'dispatching', sinceAt: 5000 });
  expect(proofs.get(ended.id)!.proof).toMatchObject({ kind: 'record', exitCode: 3 });
  // All four name the same shim, which is alive: the one that is being stopped is held by both.
  expect(proofs.get(failing.task.id)!.proof).toMatchObject({ kind: 'stopping' });
  expect((proofs.get(failing.task.id)!.proof as { pids: number[] }).pids.toSorted((a, b) => a - b)).toEqual([
    4000, 4001, 5001,
  ]);
});

test('a row that nothing works on is a ghost, and says why', async () => {
  using audit = openAudit();
  const vanished = (await audit.live()).task;
  const rebooted = (await audit.live({ bootId: 'earlier' })).task;
  const never = (await audit.live({ starting: true })).task;
  const { tasks, ghosts } = await audit.auditor.audit();
  expect(tasks).toEqual([]);
  expect(ghosts).toEqual([
    {
      taskId: vanished.id,
      attempt: 1,
      status: 'running',
      message: 'no process of it lives, and it left no record',
    },
    {
      taskId: rebooted.id,
      attempt: 1,
      status: 'running',
      message: 'the machine was restarted since, and it left no record',
    },
    {
      taskId: never.id,
      attempt: 1,
      status: 'starting',
      message: 'no process of it lives, and it left no record',
    },
  ]);
});

test('the look of an audit takes no launch ticket: what it sees may still be launched', async () => {
  using audit = openAudit();
  const { task } = await audit.live({ starting: true });
  audit.write(task.id, 'pid');
  await audit.auditor.audit();
  expect(audit.runOf(task.id).takeTicket()).toBe('agent');
});

test('a claimed task is proven by its lease, and is a ghost once that has run out', async () => {
  using audit = openAudit();
  const claim = { worker: 'ci', leaseExpiresAt: 20_000, lastHeartbeatAt: 9000 };
  const held = await audit.journal.change(() => {
    const record = audit.journal.appendSubmitted(makeTask({ queue: 'gpu' }), {
      env: undefined,
      submitHash: 'hash',
    });
    audit.journal.append(record, { kind: 'claimed', data: { claim } });
    return record.task;
  });
  audit.state.leases.set(held.id, claim);
  const { tasks, ghosts } = await audit.auditor.audit();
  expect(ghosts).toEqual([]);
  expect(tasks).toMatchObject([{ taskId: held.id, proof: { kind: 'lease', ...claim } }]);
  // The sweep settles it: only what outlives two of them is nobody's.
  audit.state.now = 22_500;
  const later = await audit.auditor.audit();
  expect(later.tasks).toEqual([]);
  expect(later.ghosts).toMatchObject([
    { taskId: held.id, message: 'the lease of its worker ci ran out at 1970-01-01T00:00:20.000Z' },
  ]);
});

test('a process with a marker of this home and no live row is a stray, whatever became of its task', async () => {
  using audit = openAudit();
  const ended = await audit.live();
  await audit.end(ended);
  const waiting = await audit.journal.change(() =>
    audit.journal.appendSubmitted(makeTask(), { env: undefined, submitHash: 'hash' }),
  );
  const kept = await audit.live({ spec: { command: ['true'], keepLeftovers: true } });
  await audit.end(kept);
  const unknown = makeTask().id;
  audit.state.processes = [
    seen(1001, { marker: audit.runOf(ended.task.id).path }),
    seen(1002, { logs: [audit.runOf(waiting.task.id).outputPath] }),
    seen(1003, { marker: audit.runOf(unknown, 2).path }),
    seen(1004, { marker: audit.runOf(kept.task.id).path }),
    seen(1005, { marker: `/another/home/runs/${unknown}/1-abc` }),
    seen(1006, { marker: `${audit.home}/runs/anything` }),
    seen(1007),
  ];
  const { strays } = await audit.auditor.audit();
  expect(strays.map(({ pid, attempt, message }) => [pid, attempt, message])).toEqual([
    [1001, 1, 'its task has ended: completed'],
    [1002, 1, 'its task waits for its next attempt'],
    [1003, 2, 'this agent knows no such task (any more)'],
  ]);
});

test('what only one of two looks saw counts for nothing: tasks end and start meanwhile', async () => {
  using audit = openAudit();
  const vanishing = await audit.live();
  const ended = await audit.live();
  await audit.end(ended);
  audit.state.processes = [seen(1001, { marker: audit.runOf(ended.task.id).path })];
  let late: TaskRecord | undefined;
  // The ghost is settled and the stray is gone, and others of their kind are seen for the first time.
  audit.state.onPause = async () => {
    await audit.end(vanishing);
    late = await audit.live();
    audit.state.processes = [seen(1002, { marker: audit.runOf(ended.task.id).path })];
  };
  const { tasks, ghosts, strays } = await audit.auditor.audit();
  expect([ghosts, strays]).toEqual([[], []]);
  expect(audit.state.scans).toBe(2);
  expect(tasks).toMatchObject([{ taskId: late!.task.id, proof: { kind: 'unseen' } }]);
  audit.state.onPause = () => Promise.resolve();
  expect((await audit.auditor.audit()).ghosts).toMatchObject([{ taskId: late!.task.id }]);
});

test('P10: a look that fails proves nothing, and makes no ghost', async () => {
  using audit = openAudit();
  const { task } = await audit.live();
  const run = audit.runOf(task.id).path;
  mkdirSync(dirname(run), { recursive: true });
  symlinkSync(run, run);
  const { tasks, ghosts } = await audit.auditor.audit();
  expect(ghosts).toEqual([]);
  expect(tasks).toMatchObject([{ taskId: task.id, proof: { kind: 'unseen' } }]);
  audit.state.onScan = () => {
    throw new ProbeError('EMFILE');
  };
  await expect(audit.auditor.audit()).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining('EMFILE') as string,
  });
});

test('one task alone can be asked for; one that is unknown is refused, one that has ended has no proof', async () => {
  using audit = openAudit();
  const one = await audit.live();
  const other = await audit.live();
  audit.state.processes = [seen(1001, { marker: audit.runOf(makeTask().id).path })];
  expect(await audit.auditor.audit(one.task.id)).toMatchObject({
    ghosts: [{ taskId: one.task.id }],
    strays: [],
  });
  await audit.end(other);
  expect(await audit.auditor.audit(other.task.id)).toMatchObject({ tasks: [], ghosts: [], strays: [] });
  await expect(audit.auditor.audit(makeTask().id)).rejects.toMatchObject({ code: 'no_such_task' });
});

test('the counts for metrics cost a look at most once in five seconds', async () => {
  using audit = openAudit();
  await audit.live();
  expect(await audit.auditor.counts()).toEqual({ ghosts: 1, strays: 0 });
  const { scans } = audit.state;
  audit.state.monotonic = 4999;
  await audit.auditor.counts();
  expect(audit.state.scans).toBe(scans);
  audit.state.monotonic = 5000;
  await audit.auditor.counts();
  expect(audit.state.scans).toBeGreaterThan(scans);
});

test('worktrees of attempts that are over are listed: they hold somebody’s work, and nobody else speaks of them', async () => {
  using audit = openAudit();
  const running = (await audit.live()).task;
  const ended = await audit.live();
  await audit.end(ended);
  const forgotten = makeTask().id;
  for (const name of [`${running.id}-1`, `${ended.task.id}-1`, `${forgotten}-12`, 'notes']) {
    mkdirSync(join(audit.home, 'worktrees', name), { recursive: true });
  }
  const { worktrees } = await audit.auditor.audit();
  const path = (name: string) => join(audit.home, 'worktrees', name);
  expect(worktrees!.toSorted((a, b) => a.attempt - b.attempt)).toEqual([
    { taskId: ended.task.id, attempt: 1, path: path(`${ended.task.id}-1`) },
    { taskId: forgotten, attempt: 12, path: path(`${forgotten}-12`) },
  ]);
});
