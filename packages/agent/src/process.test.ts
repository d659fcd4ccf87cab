import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bootIdentity, readIdentity, scanProcesses, signalProcess, startTimeOf } from './process.ts';
import { commandOf, makeFolder, startShim, until } from './test-kit.ts';

test('this very process is in the table, with its own identity', () => {
  const self = scanProcesses().get(process.pid);
  expect(self).toMatchObject({
    pid: process.pid,
    parent: process.ppid,
    startTicks: readIdentity(process.pid).startTicks,
  });
  const age = Date.now() - startTimeOf(self!.startTicks);
  expect(age).toBeGreaterThan(-1000);
  expect(age).toBeLessThan(performance.now() + 60_000);
});

test('the boot is the same each time it is asked', () => {
  expect(bootIdentity()).toBe(bootIdentity());
  expect(bootIdentity()).toMatch(/.+/);
});

// Fails without: the state Z in `isDead` (process-linux.ts).
test('failure mode 5: a child that ended and was not reaped has an identity and is gone', async () => {
  using home = makeFolder();
  // `sh` becomes `sleep`, which never waits for the child that it inherits.
  const script = 'read x <"$HOLDFAST_RUN/go" & echo $!; exec sleep 600';
  await using one = startShim(home.path, ['/bin/sh', '-c', script], {
    before: (run) => execFileSync('mkfifo', [join(run.path, 'go')]),
  });
  await until('sh is sleep', () => one.others().some(({ pid }) => commandOf(pid) === 'sleep'));
  const child = Number(one.output());
  expect(scanProcesses().get(child)).toBeDefined();
  writeFileSync(join(one.run.path, 'go'), 'go\n');
  await until('the child ended', () => scanProcesses().get(child) === undefined);
  expect(readIdentity(child).startTicks).toMatch(/^\d+$/);
  expect(readFileSync(`/proc/${child}/stat`, 'utf8')).toContain(' Z ');
  expect(one.others().map(({ pid }) => pid)).not.toContain(child);
});

// Fails without: the look by marker and log in `othersOf` (process-table.ts).
test('failure mode 6: a daemon that left group and session is found by its marker', async () => {
  using home = makeFolder();
  const daemon = 'setsid sh -c "sleep 600 >/dev/null 2>&1 & echo \\$!" & wait';
  await using one = startShim(home.path, ['/bin/sh', '-c', daemon]);
  await one.ended;
  const pid = Number(one.output());
  const daemonOf = () => one.others().find((process) => process.pid === pid);
  await until('the daemon let go of the log', () => daemonOf()?.logs.length === 0);
  const found = daemonOf();
  expect(found).toMatchObject({ marker: one.run.path, logs: [] });
  expect(found!.session).not.toBe(one.shim.pid);
  expect(found!.group).not.toBe(one.shim.pid);
});

test('a daemon without any marker is found by the log that it holds', async () => {
  using home = makeFolder();
  const daemon = 'setsid env -i /bin/sh -c "/bin/sleep 600 & echo \\$!" & wait';
  await using one = startShim(home.path, ['/bin/sh', '-c', daemon]);
  await one.ended;
  const pid = Number(one.output());
  await until('the daemon is what it will be', () => commandOf(pid) === 'sleep');
  const found = one.others().find((process) => process.pid === pid);
  expect(found).toMatchObject({ marker: undefined, logs: [one.run.outputPath, one.run.outputPath] });
  expect(found!.session).not.toBe(one.shim.pid);
});

test('a child that hides from group, session, marker and log is found by its parent', async () => {
  using home = makeFolder();
  const hidden = 'env -i /usr/bin/setsid /bin/sleep 600 >/dev/null 2>&1 & echo ready; wait';
  await using one = startShim(home.path, ['/bin/sh', '-c', hidden]);
  const isHidden = () =>
    one.others().some(({ marker, session }) => marker === undefined && session !== one.shim.pid);
  await until('the child has hidden itself', () => one.output() === 'ready\n' && isHidden());
  expect(one.others()).toHaveLength(2);
});

test('two attempts at once do not see each other', async () => {
  using home = makeFolder();
  await using one = startShim(home.path, ['/bin/sleep', '600'], { attempt: 1 });
  await using other = startShim(home.path, ['/bin/sleep', '600'], { attempt: 2 });
  await until('both run', () => one.others().length === 1 && other.others().length === 1);
  expect(one.others()[0]!.pid).not.toBe(other.others()[0]!.pid);
});

test('another launch of the same attempt, as a restored journal meets it, is found', async () => {
  using home = makeFolder();
  await using one = startShim(home.path, ['/bin/sleep', '600'], { launchId: 'first' });
  await until('it runs', () => one.others().length === 1);
  const seen = scanProcesses().othersOf(one.run.path.replace('1-first', '1-second'), undefined);
  expect(seen.map(({ pid }) => pid)).toContain(one.shim.pid);
});

test('a signal reaches the process that was seen, and tells when it is gone', async () => {
  const child = spawn('/bin/sleep', ['600'], { stdio: 'ignore' });
  const seen = { pid: child.pid!, startTicks: readIdentity(child.pid!).startTicks };
  const exit = once(child, 'exit');
  expect(signalProcess(seen, 'SIGTERM')).toBe('sent');
  expect(await exit).toEqual([null, 'SIGTERM']);
  expect(signalProcess(seen, 'SIGTERM')).toBe('gone');
});

const identityOf = (startTicks: string) => (pid: number) => ({ pid, startTicks });
const refuse = (code: string) => () => {
  throw Object.assign(new Error(code), { code });
};

// Fails without: the comparison of start times in `signalProcess` (process.ts).
test('failure mode 4: nothing is sent to a process of the same pid that is not the one that was seen', () => {
  const sent: number[] = [];
  const kill = (pid: number) => void sent.push(pid);
  const identify = identityOf('6000');
  expect(signalProcess({ pid: 50, startTicks: '5000' }, 'SIGKILL', { identify, kill })).toBe('gone');
  expect(signalProcess({ pid: 50, startTicks: '6000' }, 'SIGKILL', { identify, kill })).toBe('sent');
  expect(sent).toEqual([50]);
});

test('no identity, no signal; and what the system refuses keeps nobody else from theirs', () => {
  const sent: number[] = [];
  const seen = { pid: 50, startTicks: '5000' };
  const identify = () => seen;
  const kill = (pid: number) => void sent.push(pid);
  expect(signalProcess(seen, 'SIGKILL', { identify: refuse('EIO'), kill })).toBe('refused');
  expect(signalProcess(seen, 'SIGKILL', { identify, kill: refuse('EPERM') })).toBe('refused');
  expect(signalProcess(seen, 'SIGKILL', { identify, kill: refuse('ESRCH') })).toBe('gone');
  expect(sent).toEqual([]);
});

test('signals to every member end a tree, and the shim still records', async () => {
  using home = makeFolder();
  const tree = 'sleep 600 & sleep 600 & (sleep 600; true) & echo ready; wait';
  await using one = startShim(home.path, ['/bin/sh', '-c', tree]);
  await until('the tree stands', () => one.output() === 'ready\n' && one.others().length === 5);
  for (const process of one.others()) expect(signalProcess(process, 'SIGTERM')).not.toBe('refused');
  await one.ended;
  await until('the tree is gone', () => one.others().length === 0);
  expect(one.run.readRecord()?.exitCode).toBe(143);
});

test.runIf(process.getuid?.() === 0 && existsSync('/usr/bin/setpriv'))(
  'an agent of an ordinary user sees its own attempts, and others stop nothing',
  () => {
    const script = join(import.meta.dirname, 'process-linux.ts');
    const code = `
      const { openLinuxView } = await import(${JSON.stringify(script)});
      const { spawn } = await import('node:child_process');
      const env = { HOLDFAST_RUN: '/h/runs/t/1-a' };
      const child = spawn('/bin/sleep', ['600'], { env, stdio: 'ignore' });
      const table = openLinuxView().scan();
      const init = table.get(1);
      console.log(JSON.stringify([table.get(child.pid).marker, init.marker ?? null, init.logs]));
      child.kill();`;
    const args = [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      '--input-type=module',
      '-e',
      code,
    ];
    const output = execFileSync('/usr/bin/setpriv', args, { cwd: '/', encoding: 'utf8' });
    expect(JSON.parse(output)).toEqual(['/h/runs/t/1-a', null, []]);
  },
);
