import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeRunsOf, runDirectory } from './run-directory.ts';
import { makeFolder, TASK_ID } from './test-kit.ts';

async function makeRun(home: string) {
  const run = runDirectory(home, TASK_ID, 1, 'abc');
  await run.create();
  return run;
}

test('a run has a directory of its own, by task, attempt and launch', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  expect(run.path).toBe(join(home.path, 'runs', TASK_ID, '1-abc'));
  expect(run.outputPath).toBe(join(run.path, 'output.log'));
});

test('the ticket is given once, and to the same again', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  expect(run.takeTicket()).toBe('agent');
  expect(run.takeTicket()).toBe('agent');
});

test('a ticket that the shim has is not given', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  writeFileSync(join(run.path, 'ticket'), '');
  expect(run.takeTicket()).toBe('shim');
});

test('without a directory nothing was launched: the ticket is the agent’s', () => {
  using home = makeFolder();
  expect(runDirectory(home.path, TASK_ID, 1, 'abc').takeTicket()).toBe('agent');
});

test('P10: a ticket that cannot be taken for another reason is an error, not an answer', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  mkdirSync(join(run.path, 'ticket.agent'));
  expect(() => run.takeTicket()).toThrow(/EISDIR/);
});

test('a record tells code and time; none is none', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  expect(run.readRecord()).toBeUndefined();
  writeFileSync(join(run.path, 'exit.code'), '');
  expect(run.readRecord()).toBeUndefined();
  writeFileSync(join(run.path, 'exit.137'), '');
  utimesSync(join(run.path, 'exit.137'), 1_700_000_000.5, 1_700_000_000.5);
  expect(run.readRecord()).toEqual({ exitCode: 137, endedAt: 1_700_000_000_500, beforeStop: true });
});

test('a record tells whether it was there before the first request to stop, by the clock of the files', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  writeFileSync(join(run.path, 'exit.0'), '');
  const at = (file: string, seconds: number) => utimesSync(join(run.path, file), seconds, seconds);
  run.requestStop();
  at('stop', 1_700_000_000);
  // A restarted agent asks again: the first request is the one that counts.
  run.requestStop();
  for (const [seconds, beforeStop] of [
    [1_699_999_999.9, true],
    [1_700_000_000, false],
    [1_700_000_000.1, false],
  ] as const) {
    at('exit.0', seconds);
    expect(run.readRecord()).toMatchObject({ exitCode: 0, beforeStop });
  }
});

test('of two records the later one counts', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  writeFileSync(join(run.path, 'exit.0'), '');
  utimesSync(join(run.path, 'exit.0'), 100, 100);
  writeFileSync(join(run.path, 'exit.7'), '');
  utimesSync(join(run.path, 'exit.7'), 200, 200);
  expect(run.readRecord()?.exitCode).toBe(7);
});

test('P10: a run directory that cannot be read is an error, not "no record"', async () => {
  using home = makeFolder();
  mkdirSync(join(home.path, 'runs', TASK_ID), { recursive: true });
  symlinkSync('1-abc', join(home.path, 'runs', TASK_ID, '1-abc'));
  const run = runDirectory(home.path, TASK_ID, 1, 'abc');
  expect(() => run.readRecord()).toThrow(/ELOOP/);
  await expect(run.readShim()).rejects.toThrow(/ELOOP/);
  expect(() => run.measureOutput()).toThrow(/ELOOP/);
});

test('the shim is read as it recorded itself', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  expect(await run.readShim()).toBeUndefined();
  const path = join(run.path, 'pid');
  const line = `42 (my sh) x) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1`;
  writeFileSync(path, `${line}\n`);
  expect(await run.readShim()).toEqual({ pid: 42, startTicks: '987654' });
  writeFileSync(path, '');
  expect(await run.readShim()).toBeUndefined();
  writeFileSync(path, '42 (sh) S 1 42');
  expect(await run.readShim()).toBeUndefined();
});

test('a shim that recorded its pid alone started when its file was written', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  writeFileSync(join(run.path, 'pid'), '42\n');
  utimesSync(join(run.path, 'pid'), 1_700_000_000.9, 1_700_000_000.9);
  expect(await run.readShim()).toEqual({ pid: 42, startTicks: '1700000000' });
});

test('output is measured by size and last change', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  expect(run.measureOutput()).toEqual({ outputBytes: 0, lastOutputAt: undefined });
  writeFileSync(run.outputPath, '');
  expect(run.measureOutput()).toEqual({ outputBytes: 0, lastOutputAt: undefined });
  writeFileSync(run.outputPath, 'four');
  utimesSync(run.outputPath, 5, 5);
  expect(run.measureOutput()).toEqual({ outputBytes: 4, lastOutputAt: 5000 });
});

test.each([
  ['plain\n', 'plain'],
  ['  first \nsecond\n', 'first'],
  ['no line end', 'no line end'],
  ['x'.repeat(512), 'x'.repeat(512)],
  ['ü'.repeat(512), 'ü'.repeat(512)],
  ['x'.repeat(513), undefined],
  ['', undefined],
  ['\n\n', undefined],
  ['bell\u0007', undefined],
  ['\u001B[31mred', undefined],
])('external-id %j is read as %j', async (text, expected) => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  writeFileSync(join(run.path, 'external-id'), text);
  expect(run.readExternalId()).toBe(expected);
});

test('whatever else a task makes of external-id is no id, and keeps nobody waiting', async () => {
  using home = makeFolder();
  const path = (name: string) => join(runDirectory(home.path, TASK_ID, 1, name).path, 'external-id');
  const runs = ['none', 'directory', 'fifo', 'loop', 'endless'].map((name) =>
    runDirectory(home.path, TASK_ID, 1, name),
  );
  for (const run of runs) await run.create();
  mkdirSync(path('directory'));
  execFileSync('mkfifo', [path('fifo')]);
  symlinkSync('external-id', path('loop'));
  symlinkSync('/dev/zero', path('endless'));
  expect(runs.map((run) => run.readExternalId())).toEqual(runs.map(() => undefined));
});

test('a record that appears is told', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  const told = Promise.withResolvers<void>();
  const stop = run.watchRecord(told.resolve);
  writeFileSync(join(run.path, 'exit.0'), '');
  await expect(told.promise).resolves.toBeUndefined();
  stop();
});

test('a run without a directory cannot be watched, and that is no error', () => {
  using home = makeFolder();
  const run = runDirectory(home.path, TASK_ID, 1, 'abc');
  expect(() => run.watchRecord(() => undefined)()).not.toThrow();
  expect(() => run.requestStop()).not.toThrow();
});

test('removing the runs of a task removes all of them and no other’s', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  const other = runDirectory(home.path, TASK_ID.replace(/1$/, '2'), 1, 'abc');
  await other.create();
  writeFileSync(join(other.path, 'exit.0'), '');
  await removeRunsOf(home.path, TASK_ID);
  expect(run.readRecord()).toBeUndefined();
  expect(other.readRecord()).toBeDefined();
});

test.each([
  ['one\ntwo\n\n', 'two'],
  ['10 %\r20 %\r\u001b[32m30 %\u001b[0m\r', '30 %'],
  ['a\u0000b\tc  ', 'a b c'],
  [`${'x'.repeat(5000)}\n${'é'.repeat(300)}`, 'é'.repeat(200)],
  ['\n \n', undefined],
])('of %j the last line that says something is told as plain text', async (text, line) => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  expect(run.readLastLine()).toBeUndefined();
  writeFileSync(run.outputPath, text);
  expect(run.readLastLine()).toBe(line);
});

test('a task that puts something else in the place of its log keeps nobody from reading on', async () => {
  using home = makeFolder();
  const run = await makeRun(home.path);
  mkdirSync(run.outputPath);
  expect(run.readLastLine()).toBeUndefined();
});
