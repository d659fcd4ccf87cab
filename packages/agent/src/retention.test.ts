import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger, type Task } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { Retention } from './retention.ts';
import { removeRunsOf } from './run-directory.ts';
import { until } from './test-kit.ts';
import { makeTask, openTestJournal } from './test-support.ts';

const DAY_MS = 24 * 3600 * 1000;
const NOW = 1_800_000_000_000;

/** An id that was made `days` ago. */
function idOf(days: number, last: number): string {
  const hex = (NOW - days * DAY_MS).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(last).padStart(12, '0')}`;
}

function openRetention(options: { removeRuns?: (taskId: string) => Promise<void> } = {}) {
  let now = NOW;
  const opened = openTestJournal({ now: () => now });
  const home = opened.folder;
  const released: string[] = [];
  const make = () =>
    new Retention({
      journal: opened.journal,
      home,
      retentionMs: 30 * DAY_MS,
      removeRuns: options.removeRuns ?? ((taskId) => removeRunsOf(home, taskId)),
      releaseWorktrees: () => {
        released.push('all');
        return Promise.resolve();
      },
      logger: createLogger('agent', 'silent'),
      now: () => NOW,
    });
  const runOf = (id: string) => join(home, 'runs', id);
  return {
    opened,
    released,
    retention: make(),
    runOf,
    makeRun(id: string) {
      mkdirSync(join(runOf(id), '1-abc'), { recursive: true });
      writeFileSync(join(runOf(id), '1-abc', 'output.log'), 'text');
    },
    /** A task whose events all have the age of its id, with a run on disk. */
    async add(days: number, last: number, status: Task['status'] = 'completed'): Promise<string> {
      const { journal } = opened;
      const id = idOf(days, last);
      now = NOW - days * DAY_MS;
      await journal.change(() => {
        const record = journal.appendSubmitted(makeTask({ id, createdAt: now }), {
          env: undefined,
          submitHash: 'hash',
        });
        if (status === 'queued') return;
        journal.append(record, { kind: 'claimed' });
        journal.append(record, { kind: 'started' });
        const data = { outcome: { reason: 'exit', exitCode: 0 }, endedAt: now, outputBytes: 0 } as const;
        if (status === 'completed') journal.append(record, { kind: 'completed', data });
      });
      now = NOW;
      this.makeRun(id);
      return id;
    },
    async [Symbol.asyncDispose]() {
      await this.retention.stop();
      opened[Symbol.dispose]();
    },
  };
}

test('ended tasks past retention go with their events and runs; younger ones and living ones stay', async () => {
  await using agent = openRetention();
  const old = await agent.add(40, 1);
  const living = await agent.add(40, 2, 'running');
  const young = await agent.add(10, 3);
  await agent.retention.prune();
  const { journal } = agent.opened;
  expect([old, living, young].map((id) => journal.record(id) !== undefined)).toEqual([false, true, true]);
  expect([old, living, young].map((id) => existsSync(agent.runOf(id)))).toEqual([false, true, true]);
  expect(journal.eventsAfter(0, 100).map((event) => event.seq)).toEqual([8, 9, 10, 11]);
});

test('the floor and its chain move up, so that what is left can still be checked, also after a restart', async () => {
  await using agent = openRetention();
  await agent.add(40, 1);
  await agent.add(10, 2);
  const chain = agent.opened.journal.chainAt(4);
  await agent.retention.prune();
  expect([agent.opened.journal.floor, agent.opened.journal.floorChain]).toEqual([4, chain]);
  const again = agent.opened.reopen();
  expect([again.floor, again.floorChain, again.head]).toEqual([4, chain, 8]);
});

test('a log that is pruned as a whole keeps its numbering', async () => {
  await using agent = openRetention();
  await agent.add(40, 1);
  await agent.retention.prune();
  const again = agent.opened.reopen();
  expect([again.head, again.floor, again.taskCount()]).toEqual([4, 4, 0]);
  await agent.add(1, 2, 'queued');
  expect(again.eventsAfter(0, 10).map((event) => event.seq)).toEqual([5]);
});

test('more than one batch is pruned in one go', async () => {
  await using agent = openRetention();
  for (let n = 0; n < 120; n += 1) await agent.add(40, n);
  await agent.retention.prune();
  expect([agent.opened.journal.taskCount(), agent.opened.journal.floor]).toEqual([0, 480]);
});

test('a reader whose next events were pruned is sent away, not left to wait', async () => {
  await using agent = openRetention();
  await agent.add(40, 1);
  await agent.retention.prune();
  // The tail of the log in memory still has them; a restarted agent has not.
  const again = agent.opened.reopen();
  expect(() => again.nextFrames(2)).toThrow('pruned');
  expect(again.nextFrames(4)).toBeUndefined();
  await agent.add(1, 2);
  const reopened = agent.opened.reopen();
  expect(() => reopened.nextFrames(2)).toThrow('pruned');
  expect(reopened.nextFrames(4)?.position).toBe(8);
});

test('a run that cannot be removed keeps no other, and pruning goes on', async () => {
  const removed: string[] = [];
  await using agent = openRetention({
    removeRuns: (taskId) => {
      if (taskId.endsWith('1')) return Promise.reject(new Error('EACCES'));
      removed.push(taskId);
      return Promise.resolve();
    },
  });
  await agent.add(41, 1);
  const second = await agent.add(40, 2);
  await agent.retention.prune();
  expect(removed).toEqual([second]);
  expect(agent.opened.journal.taskCount()).toBe(0);
});

test('run folders that a dead agent left are removed: of tasks that the journal does not hold and that are past retention', async () => {
  await using agent = openRetention();
  const held = await agent.add(40, 1, 'running');
  const [left, young] = [idOf(40, 8), idOf(10, 9)];
  for (const id of [left, young]) agent.makeRun(id);
  mkdirSync(agent.runOf('notes'));
  await agent.retention.removeLeftovers();
  expect([held, left, young, 'notes'].map((name) => existsSync(agent.runOf(name)))).toEqual([
    true,
    false,
    true,
    true,
  ]);
});

test('at its start it does all of it by itself', async () => {
  await using agent = openRetention();
  const old = await agent.add(40, 1);
  const left = idOf(40, 8);
  agent.makeRun(left);
  agent.retention.start();
  await until('both are gone', () => !existsSync(agent.runOf(old)) && !existsSync(agent.runOf(left)));
  expect(agent.released).toEqual(['all']);
});

test('a home without runs has nothing that was left', async () => {
  await using agent = openRetention();
  await agent.retention.removeLeftovers();
  expect(agent.opened.journal.taskCount()).toBe(0);
});
