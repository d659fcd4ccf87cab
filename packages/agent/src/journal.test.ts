import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  COPY_MARK,
  applyEvent,
  formatCursor,
  LiveDigest,
  nextChain,
  type Task,
  type TaskEvent,
} from '@holdfast/shared';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Journal, type TaskRecord } from './journal.ts';
import { makeRunning, makeTask, openTestJournal } from './test-support.ts';

const extra = { env: undefined, submitHash: 'hash' };

test('events are numbered 1, 2, 3 … without holes, and each row is the fold of its events', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  await Promise.all([makeRunning(journal), makeRunning(journal), makeRunning(journal)]);
  const events = journal.eventsAfter(0, 100);
  expect(events.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const folded = new Map<string, Task>();
  for (const { json } of events) {
    const event = JSON.parse(json) as TaskEvent;
    folded.set(event.taskId, applyEvent(folded.get(event.taskId), event));
  }
  for (const [id, task] of folded) expect(journal.record(id)!.task).toEqual(task);
});

test('the chain binds every event to all before it, from the epoch on, and survives a restart', async () => {
  using opened = openTestJournal();
  await makeRunning(opened.journal);
  let chain = opened.journal.epoch;
  for (const event of opened.journal.eventsAfter(0, 10)) {
    chain = nextChain(chain, event.json);
    expect(event.chain).toBe(chain);
  }
  const { epoch } = opened.journal;
  const again = opened.reopen();
  expect([again.epoch, again.head, again.chain]).toEqual([epoch, 3, chain]);
});

test('changes of one turn share one commit, and a bad one fails alone', async () => {
  let commits = 0;
  using opened = openTestJournal({ beforeCommit: () => (commits += 1) });
  const { journal } = opened;
  const results = await Promise.allSettled([
    makeRunning(journal),
    journal.change(() => {
      journal.appendSubmitted(makeTask(), extra);
      throw new Error('no');
    }),
    makeRunning(journal),
  ]);
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(commits).toBe(1);
  expect(journal.head).toBe(6);
  expect(journal.taskCount()).toBe(2);
  expect(journal.live).toBe(2);
});

test('P1: a commit that the disk refuses answers nobody with success, publishes nothing, and is made good', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const { task } = await makeRunning(journal);
  const held = () => [
    journal.head,
    journal.chain,
    journal.liveDigest,
    journal.live,
    journal.counts,
    journal.taskCount(),
  ];
  const before = held();
  let published = 0;
  journal.onCommit(() => (published += 1));
  // SQLite refuses to grow: what a full disk answers, SQLITE_FULL.
  journal.database.pragma('max_page_count = 1');
  const big = { title: 'x'.repeat(500) };
  const submits = Array.from({ length: 200 }, () =>
    journal.change(() => journal.appendSubmitted(makeTask(big), extra)),
  );
  const results = await Promise.allSettled(submits);
  for (const result of results)
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'journal_full', status: 507 } });
  expect([held(), journal.healthy, published]).toEqual([before, false, 0]);
  journal.database.pragma('max_page_count = 1000000');
  await journal.change(() =>
    journal.append(journal.record(task.id)!, { kind: 'reported', data: { externalId: 'x' } }),
  );
  expect([journal.head, journal.healthy, published]).toEqual([4, true, 1]);
});

test('P1: what was answered is there after a SIGKILL at the next instant', async () => {
  using opened = openTestJournal();
  const script = `
    import { Journal } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).href)};
    import { makeTask } from ${JSON.stringify(new URL('./test-support.ts', import.meta.url).href)};
    const journal = new Journal({ path: process.argv[1] });
    await journal.change(() => journal.appendSubmitted(makeTask({ title: 'kept' }), { env: { A: 'b' }, submitHash: 'h' }));
    process.kill(process.pid, 'SIGKILL');`;
  const path = join(opened.folder, 'other.db');
  const ended = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script, path]);
  expect(ended.signal).toBe('SIGKILL');
  const journal = new Journal({ path });
  const [json] = journal.tasksAfterId('', 10);
  expect(JSON.parse(json!)).toMatchObject({ title: 'kept', status: 'queued' });
  expect(journal.database.pragma('synchronous', { simple: true })).toBe(2);
  journal.close();
});

test('the live digest and the counts equal what the rows say, after any walk and after a restart', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 40 }), async (steps) => {
      using opened = openTestJournal();
      const { journal } = opened;
      const records: TaskRecord[] = [];
      for (const step of steps) {
        await journal.change(() => {
          const record = records[step];
          if (record === undefined) {
            records.push(journal.appendSubmitted(makeTask(), extra));
          } else if (record.task.status === 'queued') {
            journal.append(record, { kind: 'claimed' });
          } else if (record.task.status === 'starting') {
            journal.append(record, { kind: 'started' });
          } else if (record.task.status === 'running') {
            const data = { outcome: { reason: 'exit', exitCode: 0 }, endedAt: 1, outputBytes: 0 } as const;
            journal.append(record, { kind: 'completed', data });
          }
        });
      }
      const digest = new LiveDigest();
      for (const { task } of records) digest.move(undefined, task);
      expect(journal.liveDigest).toBe(digest.toString());
      const held = [journal.liveDigest, journal.live, journal.counts, journal.head, journal.chain];
      const again = opened.reopen();
      expect([again.liveDigest, again.live, again.counts, again.head, again.chain]).toEqual(held);
    }),
    { numRuns: 25 },
  );
});

test('P5: an event cannot follow a terminal one, and trying changes nothing', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const { task } = await makeRunning(journal);
  const data = { outcome: { reason: 'exit', exitCode: 0 }, endedAt: 1, outputBytes: 0 } as const;
  const end = (kind: 'completed' | 'failed') =>
    journal.change(() => journal.append(journal.record(task.id)!, { kind, data }));
  await end('completed');
  await expect(end('failed')).rejects.toMatchObject({ code: 'illegal_transition' });
  expect(journal.head).toBe(4);
  expect(journal.record(task.id)!.task.status).toBe('completed');
});

test('a copy that says so is opened under a new epoch; one made behind its back is not, but its chain tells', async () => {
  using opened = openTestJournal();
  await makeRunning(opened.journal);
  const { epoch } = opened.journal;
  const copy = join(opened.folder, 'copy.db');
  opened.journal.database.prepare('VACUUM INTO ?').run(copy);
  const silent = join(opened.folder, 'silent.db');
  copyFileSync(copy, silent);

  const unmarked = new Journal({ path: silent });
  await makeRunning(unmarked);
  await makeRunning(opened.journal);
  expect(unmarked.epoch).toBe(epoch);
  expect(unmarked.head).toBe(opened.journal.head);
  expect(unmarked.chain).not.toBe(opened.journal.chain);
  await unmarked.change(() => unmarked.setMeta(COPY_MARK, '1'));
  unmarked.close();

  const marked = new Journal({ path: silent });
  expect(marked.epoch).not.toBe(epoch);
  expect(marked.head).toBe(6);
  marked.close();
});

test('pruning moves the floor with its chain, takes ended tasks with it, and keeps those that live', async () => {
  let now = 1000;
  using opened = openTestJournal({ now: () => now });
  const { journal } = opened;
  const old = { createdAt: 1000 };
  const living = await makeRunning(journal, old);
  const ended = await makeRunning(journal, old);
  const data = { outcome: { reason: 'exit', exitCode: 0 }, endedAt: 1, outputBytes: 0 } as const;
  await journal.change(() => journal.append(ended, { kind: 'completed', data }));
  const { chain } = journal;
  now = 5000;
  const young = await makeRunning(journal, { createdAt: 5000 });
  expect(await journal.change(() => journal.prune(2000, 3))).toEqual([]);
  expect(journal.floor).toBe(3);
  expect(await journal.change(() => journal.prune(2000, 100))).toEqual([ended.task.id]);
  expect([journal.floor, journal.floorChain]).toEqual([7, chain]);
  expect(await journal.change(() => journal.prune(2000, 100))).toBeUndefined();
  expect(journal.record(living.task.id)).toBeDefined();
  expect(journal.record(young.task.id)).toBeDefined();
  expect(journal.eventsAfter(0, 1)[0]!.seq).toBe(8);
  expect(journal.chainAt(7)).toBe(chain);
  const again = opened.reopen();
  expect([again.floor, again.floorChain, again.head]).toEqual([7, chain, 10]);
});

test('frames behind any position give the same text, whether from the shared tail or from the database', async () => {
  using opened = openTestJournal();
  await makeRunning(opened.journal);
  await makeRunning(opened.journal);
  const texts = (journal: Journal, from: number) => {
    let text = '';
    for (let position = from; ;) {
      const page = journal.nextFrames(position);
      if (page === undefined) return text;
      text += new TextDecoder().decode(page.bytes);
      position = page.position;
    }
  };
  const shared = [0, 1, 3, 4, 6].map((from) => texts(opened.journal, from));
  expect(opened.journal.nextFrames(3)!.bytes).toBe(opened.journal.nextFrames(3)!.bytes);
  const { epoch, chain } = opened.journal;
  expect(shared[0]).toContain(`id: ${formatCursor({ epoch, seq: 6, chain })}\n`);
  const again = opened.reopen();
  expect([0, 1, 3, 4, 6].map((from) => texts(again, from))).toEqual(shared);
  expect(shared[4]).toBe('');
});
