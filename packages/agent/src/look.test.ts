import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Task } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { Look } from './look.ts';
import { ProcessTable, type SeenProcess } from './process.ts';
import { runDirectory } from './run-directory.ts';
import { makeFolder, TASK_ID } from './test-kit.ts';
import { makeTask } from './test-support.ts';
import { Watch } from './watch.ts';

const shim = { pid: 4000, startTicks: '77' };
const shimLine = `4000 (sh) S 1 4000 4000 0 -1 0 ${'0 '.repeat(12)}77 0`;

const seen = (pid: number, more: Partial<SeenProcess> = {}): SeenProcess => ({
  pid,
  startTicks: '77',
  parent: 1,
  group: 4000,
  session: 4000,
  state: 'S',
  marker: undefined,
  logs: [],
  ...more,
});

function openRun(options: { bootId?: string; shim?: typeof shim } = {}) {
  const folder = makeFolder();
  const run = runDirectory(folder.path, TASK_ID, 1, 'abc');
  mkdirSync(run.path, { recursive: true });
  const watch = new Watch(
    { taskId: TASK_ID, attempt: 1, run, bootId: options.bootId ?? 'boot', shim: options.shim },
    0,
  );
  return {
    run,
    watch,
    write: (name: string, text = '') => writeFileSync(join(run.path, name), text),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

const taskAs = <S extends 'starting' | 'running'>(status: S): Task & { status: S } => ({
  ...makeTask({ id: TASK_ID, attempt: 1 }),
  status,
});

const lookOver = (processes: () => SeenProcess[], onScan: () => void = () => undefined) =>
  new Look({
    bootId: 'boot',
    scan: () => {
      onScan();
      return new ProcessTable({ processes: processes() });
    },
  });

// Fails without: the order of the two: the record read before the table in look.ts.
test('failure mode 8: the processes are looked at first and the record second, so an end in between is seen as one', async () => {
  using opened = openRun({ shim });
  // It ends while it is looked at: no process any more, and the record is there by then.
  const look = lookOver(
    () => [],
    () => opened.write('exit.3'),
  );
  const { evidence } = await look.at(opened.watch, taskAs('running'));
  expect(evidence).toMatchObject({ shimAlive: false, record: { exitCode: 3 } });
});

test('P4: the ticket is taken before the processes are looked at: who does not get it finds the shim on disk', async () => {
  using opened = openRun();
  const takenAtScan: boolean[] = [];
  const look = lookOver(
    () => [],
    () => takenAtScan.push(existsSync(join(opened.run.path, 'ticket'))),
  );
  expect((await look.at(opened.watch, taskAs('starting'))).evidence.ticket).toBe('agent');
  expect(takenAtScan).toEqual([true]);
});

test('a look that is to change nothing takes no ticket, and sees the rest', async () => {
  using opened = openRun();
  opened.write('pid', shimLine);
  const look = lookOver(() => [seen(4000), seen(4001, { parent: 4000 })]);
  const { evidence } = await look.at(opened.watch, taskAs('starting'), { readOnly: true });
  expect(evidence).toMatchObject({ ticket: 'shim', shimAlive: true, others: 1 });
  expect(existsSync(join(opened.run.path, 'ticket'))).toBe(false);
});

test('P4: a shim that has the ticket is found by what it wrote of itself', async () => {
  using opened = openRun();
  opened.write('pid', shimLine);
  opened.write('ticket');
  const look = lookOver(() => [seen(4000), seen(4001, { parent: 4000 })]);
  const sight = await look.at(opened.watch, taskAs('starting'));
  expect(sight.evidence).toMatchObject({ ticket: 'shim', shimAlive: true, others: 1 });
  expect(sight.shim).toEqual(shim);
});

// Fails without: the comparison of start times in `shimOf` (process-table.ts).
test('failure mode 4: the same pid with another start is not the shim', async () => {
  using opened = openRun({ shim });
  const look = lookOver(() => [seen(4000, { startTicks: '99' })]);
  const { evidence } = await look.at(opened.watch, taskAs('running'));
  expect(evidence).toMatchObject({ shimAlive: false, others: 0 });
});

test('in another boot no pid counts, but a marker does', async () => {
  using opened = openRun({ bootId: 'earlier', shim });
  const look = lookOver(() => [
    seen(4000),
    seen(5000, { group: 5000, session: 5000, marker: opened.run.path }),
  ]);
  const { evidence, others } = await look.at(opened.watch, taskAs('running'));
  expect(evidence).toMatchObject({ shimAlive: false, sameBoot: false });
  expect(others.map(({ pid }) => pid)).toEqual([5000]);
});

test('a shim that was reaped is gone whatever has its pid and start', async () => {
  using opened = openRun({ shim });
  opened.watch.reaped = true;
  const look = lookOver(() => [seen(4000)]);
  expect((await look.at(opened.watch, taskAs('running'))).evidence.shimAlive).toBe(false);
});

test('P10: a look that fails is part of the evidence, and the next one is made anew', async () => {
  using opened = openRun({ shim });
  let fails = true;
  const look = lookOver(
    () => [seen(4000)],
    () => {
      if (fails) throw new Error('EMFILE');
    },
  );
  const [one, two] = await Promise.all([
    look.at(opened.watch, taskAs('running')),
    look.at(opened.watch, taskAs('running')),
  ]);
  expect([one.evidence.lookFailed, two.evidence.lookFailed]).toEqual(['EMFILE', 'EMFILE']);
  fails = false;
  expect((await look.at(opened.watch, taskAs('running'))).evidence.shimAlive).toBe(true);
});

test('P10: a run directory that cannot be read is a look that failed, one that is gone is not', async () => {
  using opened = openRun({ shim });
  const look = lookOver(() => []);
  rmSync(opened.run.path, { recursive: true });
  expect((await look.at(opened.watch, taskAs('running'))).evidence).not.toHaveProperty('lookFailed');
  symlinkSync(opened.run.path, opened.run.path);
  expect((await look.at(opened.watch, taskAs('running'))).evidence.lookFailed).toContain('ELOOP');
});

test('what is being dispatched is not looked at: its ticket is the shim’s', async () => {
  using opened = openRun();
  opened.watch.dispatching = true;
  let scans = 0;
  const look = lookOver(
    () => [],
    () => (scans += 1),
  );
  expect((await look.at(opened.watch, taskAs('starting'))).evidence).toMatchObject({
    dispatching: true,
    ticket: 'shim',
  });
  expect(scans).toBe(0);
});

test('one scan serves everyone who asked before it began, and nobody who asked after', async () => {
  using opened = openRun({ shim });
  let scans = 0;
  const look = lookOver(
    () => [seen(4000)],
    () => (scans += 1),
  );
  await Promise.all(Array.from({ length: 20 }, () => look.at(opened.watch, taskAs('running'))));
  expect(scans).toBe(1);
  await look.at(opened.watch, taskAs('running'));
  expect(scans).toBe(2);
});

test('a scan is given the one before it', async () => {
  using opened = openRun({ shim });
  const given: (ProcessTable | undefined)[] = [];
  const tables: ProcessTable[] = [];
  const look = new Look({
    bootId: 'boot',
    scan: (before) => {
      given.push(before);
      tables.push(new ProcessTable({ processes: [] }));
      return tables.at(-1)!;
    },
  });
  await look.at(opened.watch, taskAs('running'));
  await look.at(opened.watch, taskAs('running'));
  expect(given).toEqual([undefined, tables[0]]);
});
