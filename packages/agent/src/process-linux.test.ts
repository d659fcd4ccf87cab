import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLinuxView, parseStat } from './process-linux.ts';
import { ProbeError } from './process-table.ts';
import { makeFolder } from './test-kit.ts';

const SELF = 900;
const KERNEL_THREAD = 0x0020_8040;

interface Planted {
  comm?: string;
  state?: string;
  parent?: number;
  group?: number;
  session?: number;
  flags?: number;
  start?: number;
  environment?: string[];
  stdout?: string;
}

/** A /proc with this process in it, to which others are added. */
function plantProc() {
  const folder = makeFolder();
  const root = folder.path;
  const plant = (pid: number, options: Planted = {}) => {
    const {
      comm = 'sh',
      state = 'S',
      parent = 1,
      group = pid,
      session = group,
      flags = 0x40_0000,
      start = 5000,
    } = options;
    const home = join(root, String(pid));
    mkdirSync(join(home, 'fd'), { recursive: true });
    const rest = '0 -1'
      .split(' ')
      .concat(String(flags), '1 0 0 0 2 3 0 0 20 0 1 0'.split(' '), String(start));
    writeFileSync(
      join(home, 'stat'),
      `${pid} (${comm}) ${[state, parent, group, session, ...rest].join(' ')} 11 22 33\n`,
    );
    writeFileSync(
      join(home, 'environ'),
      (options.environment ?? ['A=1']).map((entry) => `${entry}\0`).join(''),
    );
    symlinkSync(options.stdout ?? '/dev/null', join(home, 'fd', '1'));
    return home;
  };
  plant(SELF);
  const view = openLinuxView({ root, self: SELF, uid: 0 });
  return { root, plant, view, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

test.each([
  ['sh', 'an ordinary name'],
  ['a b', 'a space'],
  [') S 1 1 1', 'what looks like the fields'],
  ['x) (y', 'parentheses'],
])('the command name "%s" (%s) does not shift the fields', (comm) => {
  const line = `12 (${comm}) T 3 4 5 0 -1 4194560 1 0 0 0 2 3 0 0 20 0 1 0 777 11 22\n`;
  expect(parseStat(line)).toEqual({
    state: 'T',
    parent: 3,
    group: 4,
    session: 5,
    flags: 4194560,
    startTicks: '777',
  });
});

test.each(['', 'nonsense', '12 (sh) S 1 2', '12 sh S 1 2 3 0 -1 0 1 0 0 0 2 3 0 0 20 0 1 0 777'])(
  'P10: "%s" is no stat line, and that is a failed look',
  (line) => {
    expect(() => parseStat(line)).toThrow(ProbeError);
  },
);

test('a process is told with all that finds its attempt', () => {
  using proc = plantProc();
  proc.plant(50, {
    parent: 40,
    group: 41,
    session: 42,
    start: 6000,
    environment: ['X=1', 'HOLDFAST_RUN=/h/runs/t/1-a', 'Y=2'],
    stdout: '/h/runs/t/1-a/output.log',
  });
  expect(proc.view.scan().get(50)).toEqual({
    pid: 50,
    parent: 40,
    group: 41,
    session: 42,
    state: 'S',
    startTicks: '6000',
    marker: '/h/runs/t/1-a',
    logs: ['/h/runs/t/1-a/output.log'],
  });
});

// Fails without: the state Z in `isDead` (process-linux.ts).
test('failure mode 5: zombies and the dead are gone', () => {
  using proc = plantProc();
  proc.plant(50, { state: 'Z' });
  proc.plant(51, { state: 'X' });
  proc.plant(52, { state: 'D' });
  expect(new Set([...proc.view.scan().all()].map(({ pid }) => pid))).toEqual(new Set([52, SELF]));
  expect(proc.view.identify(50)).toBeUndefined();
  expect(proc.view.startTicksOfChild(50)).toBe('5000');
});

// Fails without: the start time that `readStat` reads (process-linux.ts).
test('failure mode 4: a pid that was given to another process is not the one that was seen', () => {
  using proc = plantProc();
  proc.plant(50, { start: 5000 });
  const shim = { pid: 50, startTicks: '5000' };
  expect(proc.view.scan().shimOf(shim)).toBeDefined();
  rmSync(join(proc.root, '50'), { recursive: true });
  expect(proc.view.scan().shimOf(shim)).toBeUndefined();
  proc.plant(50, { start: 5001 });
  expect(proc.view.scan().shimOf(shim)).toBeUndefined();
  expect(proc.view.identify(50)).toEqual({ pid: 50, startTicks: '5001' });
});

test.each([
  ['at the start', ['HOLDFAST_RUN=/h/runs/t/1-a', 'B=2'], '/h/runs/t/1-a'],
  ['at the end', ['B=2', 'HOLDFAST_RUN=/h/runs/t/1-a'], '/h/runs/t/1-a'],
  ['not in ASCII', ['HOLDFAST_RUN=/h/ü/runs/t/1-a'], '/h/ü/runs/t/1-a'],
  ['only inside another name', ['NOT_HOLDFAST_RUN=/h/runs/t/1-a'], undefined],
  ['only inside a value', ['B=HOLDFAST_RUN=/h/runs/t/1-a'], undefined],
  ['behind one that only looks like it', ['B=HOLDFAST_RUN=x', 'HOLDFAST_RUN=/h/runs/t/1-a'], '/h/runs/t/1-a'],
  ['behind 200 kB of others', [`B=${'b'.repeat(200_000)}`, 'HOLDFAST_RUN=/h/runs/t/1-a'], '/h/runs/t/1-a'],
  ['nowhere', [], undefined],
])('a marker %s', (_, environment, marker) => {
  using proc = plantProc();
  proc.plant(50, { environment });
  expect(proc.view.scan().get(50)?.marker).toBe(marker);
});

test('a marker that was seen stays with its process, and with no other of its pid', () => {
  using proc = plantProc();
  proc.plant(50, { environment: ['HOLDFAST_RUN=/h/runs/t/1-a'] });
  const before = proc.view.scan();
  writeFileSync(join(proc.root, '50', 'environ'), 'overwritten');
  expect(proc.view.scan(before).get(50)?.marker).toBe('/h/runs/t/1-a');
  expect(proc.view.scan().get(50)?.marker).toBeUndefined();
  rmSync(join(proc.root, '50'), { recursive: true });
  proc.plant(50, { start: 5001 });
  expect(proc.view.scan(before).get(50)?.marker).toBeUndefined();
});

test('a later look reads in full only what is new: who was born plain stays so, who came under its pid is read', () => {
  using proc = plantProc();
  const home = proc.plant(50);
  const first = proc.view.scan();
  const environment = join(home, 'environ');
  // An environment that cannot be read would fail the look, were it read again.
  rmSync(environment);
  mkdirSync(environment);
  const second = proc.view.scan(first);
  expect(second.get(50)).toMatchObject({ marker: undefined, logs: [] });
  rmSync(home, { recursive: true });
  proc.plant(50, {
    start: 5001,
    environment: ['HOLDFAST_RUN=/h/runs/t/1-a'],
    stdout: '/h/runs/t/1-a/output.log',
  });
  expect(proc.view.scan(second).get(50)).toMatchObject({
    marker: '/h/runs/t/1-a',
    logs: ['/h/runs/t/1-a/output.log'],
  });
});

test('a log that was removed is still held under its name', () => {
  using proc = plantProc();
  proc.plant(50, { stdout: '/h/runs/t/1-a/output.log (deleted)' });
  expect(proc.view.scan().get(50)?.logs).toEqual(['/h/runs/t/1-a/output.log']);
});

test('a process that ends while it is looked at is gone', () => {
  using proc = plantProc();
  const home = proc.plant(50);
  rmSync(join(home, 'stat'));
  expect(proc.view.scan().get(50)).toBeUndefined();
  const ending = proc.plant(51);
  rmSync(join(ending, 'environ'));
  rmSync(join(ending, 'fd'), { recursive: true });
  expect(proc.view.scan().get(51)).toMatchObject({ marker: undefined, logs: [] });
});

test('P10: what cannot be read is a failed look, not a process that is gone', () => {
  using proc = plantProc();
  const home = proc.plant(50);
  rmSync(join(home, 'stat'));
  mkdirSync(join(home, 'stat'));
  expect(() => proc.view.identify(50)).toThrow(ProbeError);
  expect(() => proc.view.startTicksOfChild(50)).toThrow(ProbeError);
  expect(() => proc.view.scan()).toThrow(ProbeError);
});

test('P10: an environment that cannot be read for another reason than permission is a failed look', () => {
  using proc = plantProc();
  const home = proc.plant(50);
  rmSync(join(home, 'environ'));
  mkdirSync(join(home, 'environ'));
  expect(() => proc.view.scan()).toThrow(ProbeError);
});

test('of another user’s process, and of the kernel’s threads, no more is read than the table says', () => {
  using proc = plantProc();
  const thread = proc.plant(50, { flags: KERNEL_THREAD });
  rmSync(join(thread, 'environ'));
  mkdirSync(join(thread, 'environ'));
  expect(proc.view.scan().get(50)).toMatchObject({ marker: undefined, logs: [] });
  rmSync(thread, { recursive: true });
  proc.plant(51, { environment: ['HOLDFAST_RUN=/h/runs/t/1-a'] });
  const elsewhere = openLinuxView({ root: proc.root, self: SELF, uid: 54_321 });
  expect(elsewhere.scan().get(51)).toMatchObject({ marker: undefined, logs: [], group: 51 });
});

// Fails without: the look for itself in `scan` (process-linux.ts).
test('failure mode 12: a list that lacks this very process is no list', () => {
  using proc = plantProc();
  proc.plant(50);
  rmSync(join(proc.root, String(SELF)), { recursive: true });
  expect(() => proc.view.scan()).toThrow(/this process is not in it/);
});

test('P10: a process table that cannot be read at all is a failed look', () => {
  using folder = makeFolder();
  const view = openLinuxView({ root: join(folder.path, 'nothing'), self: SELF });
  expect(() => view.scan()).toThrow(ProbeError);
  expect(() => view.readBoot()).toThrow(ProbeError);
});

test('the boot is told by boot id, PID namespace and the start of pid 1, which may be hidden', () => {
  using proc = plantProc();
  mkdirSync(join(proc.root, 'sys/kernel/random'), { recursive: true });
  writeFileSync(join(proc.root, 'sys/kernel/random/boot_id'), '0e7c-11\n');
  mkdirSync(join(proc.root, 'self/ns'), { recursive: true });
  symlinkSync('pid:[4026531836]', join(proc.root, 'self/ns/pid'));
  expect(proc.view.readBoot()).toBe('0e7c-11:4026531836:');
  proc.plant(1, { start: 12 });
  expect(proc.view.readBoot()).toBe('0e7c-11:4026531836:12');
  writeFileSync(join(proc.root, '1/stat'), 'nonsense');
  expect(() => proc.view.readBoot()).toThrow(ProbeError);
});

test('a start time counts from boot, the time asleep included', () => {
  using proc = plantProc();
  writeFileSync(join(proc.root, 'uptime'), '1000.50 1900.00\n');
  expect(proc.view.startTimeOf('99050', 2_000_000)).toBe(1_990_000);
});
