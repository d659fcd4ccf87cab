import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '@holdfast/shared';
import { expect, onTestFinished, test } from 'vitest';
import { type LastWord, Launcher, LauncherLostError } from './launch.ts';
import { scanProcesses, signalProcess } from './process.ts';
import { runDirectory } from './run-directory.ts';
import { StartError } from './start-error.ts';
import { commandOf, makeFolder, TASK_ID, until } from './test-kit.ts';

/** One that is not known to have started is another attempt's to try again. */
async function untilLaunched<T>(launch: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await launch();
    } catch (error) {
      if (!(error instanceof LauncherLostError)) throw error;
    }
  }
}

function makeLauncher(environment: Record<string, string> = { PATH: '/usr/bin:/bin' }, silenceMs?: number) {
  const home = makeFolder();
  const silence = silenceMs === undefined ? {} : { silenceMs };
  const launcher = new Launcher({ environment, logger: createLogger('agent', 'silent'), ...silence });
  let launches = 0;
  const launch = async (argv: string[], options: { cwd?: string; env?: Record<string, string> } = {}) => {
    launches += 1;
    const run = runDirectory(home.path, TASK_ID, launches, 'abc');
    mkdirSync(run.path, { recursive: true });
    const { cwd = '/', env = {} } = options;
    const exit = Promise.withResolvers<LastWord>();
    const request = { run, argv, cwd, env: { ...env, HOLDFAST_RUN: run.path } };
    const launched = await launcher.launch(request, exit.resolve);
    const others = () => scanProcesses().othersOf(run.path, launched.shim);
    return {
      run,
      ...launched,
      exited: exit.promise,
      others,
      output: () => readFileSync(run.outputPath, 'utf8'),
    };
  };
  return {
    home: home.path,
    launch,
    stop: () => launcher.stop(),
    async [Symbol.asyncDispose]() {
      launcher.stop();
      await until('nothing of it runs', () => {
        const left = [...scanProcesses().all()].filter(
          ({ marker }) => marker?.startsWith(home.path) === true,
        );
        for (const process of left) signalProcess(process, 'SIGKILL');
        return left.length === 0;
      });
      home[Symbol.dispose]();
    },
  };
}

/** The process that starts the shims: the parent of one. */
function launcherOf(shim: { pid: number; startTicks: string }) {
  return scanProcesses().get(scanProcesses().shimOf(shim)!.parent)!;
}

test('a launch gives the identity that the shim records of itself, and tells its exit', async () => {
  await using launcher = makeLauncher();
  const one = await launcher.launch(['/bin/sh', '-c', 'echo hello; exit 7']);
  expect(await one.exited).toBe('exited');
  expect(one.output()).toBe('hello\n');
  expect(await one.run.readShim()).toEqual(one.shim);
  expect(one.run.readRecord()?.exitCode).toBe(7);
  expect(Math.abs(Date.now() - one.startedAt)).toBeLessThan(60_000);
});

// Fails without: the `exit` of the child that launcher.mjs tells of.
test('failure mode 8: a command that ends at once has an identity, a record and an exit', async () => {
  await using launcher = makeLauncher();
  const all = await Promise.all(Array.from({ length: 50 }, () => launcher.launch(['/bin/true'])));
  for (const one of all) {
    await one.exited;
    expect(await one.run.readShim()).toEqual(one.shim);
    expect(one.run.readRecord()?.exitCode).toBe(0);
  }
});

test('an attempt has a session and a group of its own, and its log is added to', async () => {
  await using launcher = makeLauncher();
  mkdirSync(runDirectory(launcher.home, TASK_ID, 1, 'abc').path, { recursive: true });
  writeFileSync(runDirectory(launcher.home, TASK_ID, 1, 'abc').outputPath, 'before\n');
  const one = await launcher.launch(['/bin/sh', '-c', 'echo after; exec sleep 600']);
  const { pid } = one.shim;
  expect(scanProcesses().shimOf(one.shim)).toMatchObject({
    pid,
    group: pid,
    session: pid,
    marker: one.run.path,
  });
  await until('the command runs', () => one.output() === 'before\nafter\n');
});

test('a task gets the common environment, its own and the marker, in its directory, and no more', async () => {
  await using launcher = makeLauncher({ PATH: '/usr/bin:/bin', COMMON: 'c', BOTH: 'common' });
  const one = await launcher.launch(['/usr/bin/env'], {
    cwd: launcher.home,
    env: { BOTH: 'own', OWN: 'a b\nc' },
  });
  await one.exited;
  const lines = one.output().split('\n');
  for (const line of [
    'COMMON=c',
    'BOTH=own',
    'OWN=a b',
    'c',
    `PWD=${launcher.home}`,
    `HOLDFAST_RUN=${one.run.path}`,
  ]) {
    expect(lines).toContain(line);
  }
  expect(one.output()).not.toMatch(/^NODE_|^npm_/m);
});

async function refused(launch: Promise<unknown>): Promise<StartError> {
  const error = await launch.then(() => undefined).catch((cause: unknown) => cause);
  if (error instanceof StartError) return error;
  throw new Error('it was not refused', { cause: error });
}

// Fails without: the `error` of the child that launcher.mjs answers with.
test('failure mode 1, P8: what cannot be started is a StartError, and nothing runs', async () => {
  await using launcher = makeLauncher();
  const missing = await refused(launcher.launch(['/bin/true'], { cwd: join(launcher.home, 'missing') }));
  expect(missing).toMatchObject({ code: 'spawn_failed', passing: false });
  const long = Array.from({ length: 40 }, () => 'x'.repeat(100_000));
  const tooLong = await refused(launcher.launch(['/bin/echo', ...long]));
  expect(tooLong).toMatchObject({ code: 'spawn_failed', passing: false });
  expect(tooLong.message).toMatch(/too long/);
  mkdirSync(join(runDirectory(launcher.home, TASK_ID, 3, 'abc').path, 'output.log'), { recursive: true });
  expect(await refused(launcher.launch(['/bin/true']))).toMatchObject({ passing: false });
  expect(existsSync(join(runDirectory(launcher.home, TASK_ID, 1, 'abc').path, 'ticket'))).toBe(false);
  const after = await launcher.launch(['/bin/true']);
  await after.exited;
});

test('P7: the death of the launcher ends no attempt, and another one takes its place', async () => {
  await using launcher = makeLauncher();
  const one = await launcher.launch(['/bin/sleep', '600']);
  const first = launcherOf(one.shim);
  signalProcess(first, 'SIGKILL');
  expect(await one.exited).toBe('unseen');
  await until('the launcher is gone', () => scanProcesses().shimOf(first) === undefined);
  // A launch may meet its end.
  const other = await untilLaunched(() => launcher.launch(['/bin/sleep', '600']));
  expect(launcherOf(other.shim).pid).not.toBe(first.pid);
  expect(scanProcesses().shimOf(one.shim)).toBeDefined();
  await until('the command runs', () => one.others().some(({ pid }) => commandOf(pid) === 'sleep'));
  for (const process of one.others()) signalProcess(process, 'SIGTERM');
  await until('its record is there', async () => one.run.readRecord() !== undefined);
  expect(one.run.readRecord()?.exitCode).toBe(143);
});

test('P3: a launcher that hangs is replaced, and the starts that it owes are given back to the evidence', async () => {
  await using launcher = makeLauncher({ PATH: '/usr/bin:/bin' }, 3000);
  // On a slow machine a launcher that has just been started may be silent for so long.
  const one = await untilLaunched(() => launcher.launch(['/bin/sleep', '600']));
  process.kill(launcherOf(one.shim).pid, 'SIGSTOP');
  await expect(launcher.launch(['/bin/true'])).rejects.toThrow(LauncherLostError);
  const two = await untilLaunched(() => launcher.launch(['/bin/true']));
  await two.exited;
  await until('the command runs', () => one.others().some(({ pid }) => commandOf(pid) === 'sleep'));
  expect(one.others()).toHaveLength(1);
});

test('P3: a launcher that hangs is replaced although more starts are asked of it all the time', async () => {
  await using launcher = makeLauncher({ PATH: '/usr/bin:/bin' }, 2000);
  const one = await untilLaunched(() => launcher.launch(['/bin/sleep', '600']));
  const hung = launcherOf(one.shim);
  onTestFinished(() => void signalProcess(hung, 'SIGKILL'));
  signalProcess(hung, 'SIGSTOP');
  const first = launcher.launch(['/bin/true']);
  const more: Promise<unknown>[] = [];
  const timer = setInterval(() => {
    more.push(launcher.launch(['/bin/true']).catch((error: unknown) => error));
  }, 500);
  onTestFinished(() => clearInterval(timer));
  // Fails without: the condition of `#awaitAnswer` in `launch`.
  await expect(first).rejects.toThrow(LauncherLostError);
  clearInterval(timer);
  await Promise.all(more);
});

test('after a stop nothing is launched any more', async () => {
  await using launcher = makeLauncher();
  const one = await launcher.launch(['/bin/true']);
  await one.exited;
  launcher.stop();
  await expect(launcher.launch(['/bin/true'])).rejects.toThrow(LauncherLostError);
});
