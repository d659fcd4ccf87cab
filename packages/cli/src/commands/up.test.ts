import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { runCli } from '../cli.ts';
import { isAlive, readServiceFiles, type ServiceName } from '../find-services.ts';
import type { Io, Spawn } from '../io.ts';
import { makeHome, openTerminal, startFakeWeb, type Terminal } from '../test-kit.ts';

const STAND_IN = fileURLToPath(new URL('../stand-in-service.ts', import.meta.url));

interface Up {
  terminal: Terminal;
  code: Promise<number>;
  /** Options of each child that was started. */
  spawned: { args: readonly string[]; detached: boolean | undefined }[];
}

interface UpOptions {
  argv?: string[];
  change?: Partial<Io>;
}

/** `up` with stand-ins for the services. Back-off is short; what is still alive at the end of the test is killed. */
function startUp(home: string, { argv = [], change = {} }: UpOptions = {}): Up {
  const spawned: Up['spawned'] = [];
  const spawnStandIn: Spawn = (_program, args, options) => {
    spawned.push({ args: args.slice(1), detached: options.detached });
    const child = spawn(process.execPath, [STAND_IN, ...args.slice(1)], options);
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  };
  const terminal = openTerminal({
    argv: ['up', '--home', home, ...argv],
    change: {
      spawn: spawnStandIn,
      startTimer: (run, delayMs) => {
        const timer = setTimeout(run, Math.min(delayMs, 50));
        return { cancel: () => clearTimeout(timer) };
      },
      ...change,
    },
  });
  return { terminal, code: runCli(terminal.io), spawned };
}

function notes(home: string, name: ServiceName): string[] {
  const path = join(home, `${name}.notes`);
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
}

function pidOf(home: string, name: ServiceName): number {
  return readServiceFiles(home, name)[0]!.pid;
}

async function untilNoted(home: string, name: ServiceName, text: string): Promise<void> {
  const watcher = watch(home);
  try {
    while (!notes(home, name).some((line) => line.includes(text))) await once(watcher, 'change');
  } finally {
    watcher.close();
  }
}

test('up starts both, each in a group of its own, with the flags it was given, and prints a link that signs in', async () => {
  using home = makeHome();
  const { terminal, code, spawned } = startUp(home.path, { argv: ['--agent-port', '0', '--slots', '2'] });
  await terminal.until('Ctrl-C');
  expect(new Set(spawned.map((one) => one.args[0]))).toEqual(new Set(['agent', 'web']));
  expect(spawned).toHaveLength(2);
  for (const { args, detached } of spawned) {
    expect(args.slice(1)).toEqual(['--home', home.path, '--agent-port', '0', '--slots', '2']);
    expect(detached).toBe(true);
  }
  expect(terminal.stdout()).toContain(`${readServiceFiles(home.path, 'web')[0]!.url}/#code=one-time`);
  expect(terminal.stdout()).toContain('laptop');
  expect(terminal.stderr()).toContain('{"level":40,"msg":"a warning"}');
  expect(notes(home.path, 'agent')[0]).toContain('log=warn');
  terminal.signal('SIGINT');
  expect(await code).toBe(0);
});

test('Ctrl-C asks each service to end, once, and waits for it', async () => {
  using home = makeHome();
  const { terminal, code } = startUp(home.path);
  await terminal.until('Ctrl-C');
  const pids = (['agent', 'web'] as const).map((name) => pidOf(home.path, name));
  terminal.signal('SIGINT');
  // The package manager passes on what the terminal has said already.
  terminal.signal('SIGINT');
  expect(await code).toBe(0);
  expect(pids.map(isAlive)).toEqual([false, false]);
  for (const name of ['agent', 'web'] as const) expect(notes(home.path, name).slice(1)).toEqual(['SIGTERM']);
  expect(terminal.stderr()).toContain('Stopping; tasks that are running go on.');
  expect(terminal.stderr()).not.toContain('Killing');
});

test('a second Ctrl-C kills what does not end', async () => {
  using home = makeHome();
  writeFileSync(join(home.path, 'web.mode'), 'stubborn');
  let now = 0;
  const { terminal, code } = startUp(home.path, { change: { now: () => now } });
  await terminal.until('Ctrl-C');
  terminal.signal('SIGTERM');
  await untilNoted(home.path, 'web', 'SIGTERM');
  now += 1000;
  terminal.signal('SIGTERM');
  expect(await code).toBe(0);
  expect(terminal.stderr()).toContain('Killing');
  expect(terminal.stderr()).toMatch(/Killing .*web/);
});

test('a service that ends in its start ends up, with its last words, after the other was stopped', async () => {
  using home = makeHome();
  writeFileSync(join(home.path, 'web.mode'), 'die');
  const { terminal, code } = startUp(home.path);
  expect(await code).toBe(1);
  expect(terminal.stdout()).toBe('');
  expect(terminal.stderr()).toContain(
    'holdfast: web ended during its start (exit code 3)\n    error  the port is taken\n    plain words\n',
  );
  for (const file of readServiceFiles(home.path, 'agent')) expect(isAlive(file.pid)).toBe(false);
});

test('beside a service that holds the home and does not answer, up says what to do about that one', async () => {
  await using frozen = await startFakeWeb();
  frozen.intercept = (request) => request.path === '/readyz';
  writeFileSync(join(frozen.home, 'web.mode'), 'die');
  const { terminal, code } = startUp(frozen.home);
  expect(await code).toBe(1);
  expect(terminal.stderr()).toContain('web ended during its start');
  expect(terminal.stderr()).toContain(`Its process (pid ${process.pid}) is there, but stopped, stuck`);
});

test('a program that cannot be started is an error with its reason', async () => {
  using home = makeHome();
  const { terminal, code } = startUp(home.path, {
    change: { spawn: (_program, _args, options) => spawn('/no/such/program', [], options) },
  });
  expect(await code).toBe(1);
  expect(terminal.stderr()).toContain('ENOENT');
});

test('a service that ends later is started again, and its new place is told', async () => {
  using home = makeHome();
  const { terminal, code, spawned } = startUp(home.path);
  await terminal.until('Ctrl-C');
  writeFileSync(join(home.path, 'web.mode'), 'die-once');
  process.kill(pidOf(home.path, 'web'), 'SIGKILL');
  await terminal.until('The dashboard has moved');
  expect(terminal.stderr()).toContain('web ended (SIGKILL). Starting it again in 1 s');
  expect(terminal.stderr()).toContain('web ended during its start (exit code 3)');
  expect(terminal.stderr()).toContain('web ended (exit code 3). Starting it again in 2 s');
  expect(terminal.stderr()).toContain('web is ready again.');
  expect(spawned.map((one) => one.args[0]).filter((name) => name === 'agent')).toHaveLength(1);
  terminal.signal('SIGHUP');
  expect(await code).toBe(0);
  expect(isAlive(pidOf(home.path, 'web'))).toBe(false);
});

test('a service that hangs in a later start, and hears no SIGTERM, is killed and started once more', async () => {
  using home = makeHome();
  const clock = { at: 0, stepMs: 0 };
  const { terminal, code } = startUp(home.path, { change: { now: () => (clock.at += clock.stepMs) } });
  await terminal.until('Ctrl-C');
  writeFileSync(join(home.path, 'web.mode'), 'hang-once');
  process.kill(pidOf(home.path, 'web'), 'SIGKILL');
  await untilNoted(home.path, 'web', 'hangs');
  clock.stepMs = 20_000;
  await terminal.until('web is not ready after 60 s');
  clock.stepMs = 0;
  // Fails without: the kill in `keepRunning`.
  await terminal.until('web is ready again.');
  terminal.signal('SIGTERM');
  expect(await code).toBe(0);
});

test('services that run already are used, left alone, and up gives a new link', async () => {
  using home = makeHome();
  const first = startUp(home.path);
  await first.terminal.until('Ctrl-C');
  const second = startUp(home.path, { argv: ['--json'] });
  expect(await second.code).toBe(0);
  expect(second.spawned).toEqual([]);
  const [web] = readServiceFiles(home.path, 'web');
  expect(JSON.parse(second.terminal.stdout())).toMatchObject({
    dashboardUrl: `${web!.url}/#code=one-time`,
    web: { url: web!.url, pid: web!.pid, isOurs: false },
    agent: { isOurs: false },
  });
  expect(isAlive(web!.pid)).toBe(true);
  first.terminal.signal('SIGINT');
  await first.code;
});

test('up beside a running agent starts web only, and stops web only', async () => {
  using home = makeHome();
  const agent = spawn(process.execPath, [STAND_IN, 'agent', '--home', home.path], { stdio: 'ignore' });
  onTestFinished(() => void agent.kill('SIGKILL'));
  await untilNoted(home.path, 'agent', 'start');
  const watcher = watch(join(home.path, 'agents'));
  while (readServiceFiles(home.path, 'agent').length === 0) await once(watcher, 'change');
  watcher.close();
  const { terminal, code, spawned } = startUp(home.path);
  await terminal.until('Ctrl-C stops web;');
  expect(spawned.map((one) => one.args[0])).toEqual(['web']);
  terminal.signal('SIGINT');
  expect(await code).toBe(0);
  expect(isAlive(agent.pid!)).toBe(true);
});

test('what a service that was killed has left behind is not taken for a service', async () => {
  using home = makeHome();
  writeFileSync(join(home.path, 'web.json'), JSON.stringify({ url: 'http://127.0.0.1:1', pid: process.pid }));
  writeFileSync(join(home.path, 'agents', 'a1.json'), '{"url":"http://127.0.');
  const { terminal, code, spawned } = startUp(home.path);
  await terminal.until('Ctrl-C');
  expect(spawned).toHaveLength(2);
  terminal.signal('SIGINT');
  expect(await code).toBe(0);
});

test('whoever answers at the address of a dead service is not taken for the one that was started', async () => {
  await using stranger = await startFakeWeb();
  using home = makeHome();
  // Beyond what any kernel gives out.
  const file = { url: stranger.url, pid: 2 ** 30, name: 'stranger' };
  writeFileSync(join(home.path, 'agents', 'a0.json'), JSON.stringify(file));
  const { terminal, code } = startUp(home.path);
  await terminal.until('Ctrl-C');
  expect(terminal.stdout()).toContain('laptop at ');
  expect(terminal.stdout()).not.toContain(stranger.url);
  terminal.signal('SIGINT');
  expect(await code).toBe(0);
});

test('a stop during the start stops what was begun, and is no failure', async () => {
  using home = makeHome();
  const up = startUp(home.path, { change: { fetch: () => Promise.reject(new TypeError('not yet')) } });
  await untilNoted(home.path, 'web', 'start');
  await untilNoted(home.path, 'agent', 'start');
  up.terminal.signal('SIGINT');
  expect(await up.code).toBe(0);
  expect(up.terminal.stdout()).toBe('');
});

test('--open hands the link to the browser; without one the link is still printed', async () => {
  using home = makeHome();
  const first = startUp(home.path);
  await first.terminal.until('Ctrl-C');
  const opened: string[][] = [];
  const spawnBrowser: Spawn = (program, args, options) => {
    opened.push([program, ...args]);
    return spawn('/no/such/program', [], options);
  };
  const second = startUp(home.path, { argv: ['--open'], change: { spawn: spawnBrowser } });
  expect(await second.code).toBe(0);
  await second.terminal.until('The browser could not be opened');
  expect(opened).toEqual([['xdg-open', expect.stringMatching(/#code=one-time$/)]]);
  first.terminal.signal('SIGINT');
  await first.code;
});

test('a wrong setting is said once, before anything starts', async () => {
  using home = makeHome();
  const { terminal, code, spawned } = startUp(home.path, { argv: ['--slots', 'many'] });
  expect(await code).toBe(2);
  expect(spawned).toEqual([]);
  expect(terminal.stderr().match(/--slots/g)).toHaveLength(1);
});
