import type { Attention } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { Pool } from './pool.ts';
import { makeRunning, makeTask, openTestJournal } from './test-support.ts';

test('the pool counts its own tasks: what runs, and what waits for a slot', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const pool = new Pool(journal, 3);
  await makeRunning(journal);
  await makeRunning(journal, { queue: 'gpu' });
  const extra = { env: undefined, submitHash: 'hash' };
  await journal.change(() => journal.appendSubmitted(makeTask(), extra));
  await journal.change(() => journal.appendSubmitted(makeTask({ queue: 'gpu' }), extra));
  expect(pool.view).toEqual({ slots: 3, running: 1, queued: 1, claimed: 1, paused: false, draining: false });
  expect(pool.free).toBe(2);
});

test('what the pool was told survives a restart and overrides the configuration', async () => {
  using opened = openTestJournal();
  const pool = new Pool(opened.journal, 3);
  await pool.setSlots(7);
  await pool.setMode('draining');
  const again = new Pool(opened.reopen(), 3);
  expect(again.view).toMatchObject({ slots: 7, paused: false, draining: true });
  expect(again.free).toBe(0);
  await again.setMode('active');
  expect(again.free).toBe(7);
});

test('fewer slots than running tasks free none, and none are owed', async () => {
  using opened = openTestJournal();
  const pool = new Pool(opened.journal, 3);
  await makeRunning(opened.journal);
  await makeRunning(opened.journal);
  await pool.setSlots(1);
  expect(pool.free).toBe(0);
});

test('a change is told once it is on the disk, and one that the disk refuses is not', async () => {
  let full = false;
  using opened = openTestJournal({
    beforeCommit: () => {
      if (full) throw new Error('the disk is full');
    },
  });
  const pool = new Pool(opened.journal, 3);
  const told: number[] = [];
  pool.onChange(() => told.push(pool.view.slots));
  await pool.setSlots(5);
  full = true;
  await expect(pool.setSlots(9)).rejects.toThrow();
  expect(told).toEqual([5]);
  expect(pool.view.slots).toBe(5);
});

test('inside a change the free slots are those that this very commit leaves', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const pool = new Pool(journal, 2);
  const seen: number[] = [];
  await journal.change(() => {
    for (let n = 0; n < 2; n += 1) {
      const record = journal.appendSubmitted(makeTask(), { env: undefined, submitHash: 'hash' });
      journal.append(record, { kind: 'claimed' });
      seen.push(pool.free);
    }
  });
  expect(seen).toEqual([1, 0]);
});

test('a disk without room starts nothing, says why, and leaves what runs alone', async () => {
  using opened = openTestJournal();
  let attention: Attention | undefined;
  const pool = new Pool(opened.journal, 3, {
    get attention() {
      return attention;
    },
  });
  const told: boolean[] = [];
  pool.onChange(() => told.push(pool.mayStart));
  await makeRunning(opened.journal);
  pool.checkDisk();
  expect([pool.mayStart, pool.free, pool.view.attention]).toEqual([true, 2, undefined]);
  attention = { code: 'low_disk', message: 'little room', sinceAt: 1 };
  expect([pool.mayStart, pool.free]).toEqual([false, 0]);
  expect(pool.view).toMatchObject({ slots: 3, running: 1, paused: false, attention: [attention] });
  pool.checkDisk();
  pool.checkDisk();
  attention = undefined;
  pool.checkDisk();
  expect(told).toEqual([false, true]);
});

test('a paused or draining pool may start nothing, whatever slots are free', async () => {
  using opened = openTestJournal();
  const pool = new Pool(opened.journal, 3);
  for (const [mode, mayStart] of [
    ['paused', false],
    ['draining', false],
    ['active', true],
  ] as const) {
    await pool.setMode(mode);
    expect(pool.mayStart).toBe(mayStart);
  }
});
