import { EventEmitter } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { type Config, ConfigError, loadConfig } from './config.ts';
import { DatabaseError } from './database.ts';
import { AlreadyRunningError } from './instance-lock.ts';
import { refuseOpenDoor, type RunOptions, runService } from './run-service.ts';
import { makeFolder } from './test-support.ts';

/** Runs a service whose start is `start`; what it wrote, and the signals that it hears. */
function run(start: (config: Config) => Promise<AsyncDisposable>, options: RunOptions = {}) {
  const lines: string[] = [];
  const signals = new EventEmitter();
  const stderr = { write: (text: string) => lines.push(text) };
  const code = runService({ name: 'agent', start }, { env: {}, stderr, signals, ...options });
  return { code, lines, signals };
}

const fails = (error: unknown) => () => Promise.reject(error);

test.each(['SIGTERM', 'SIGINT'])('it runs until %s, is stopped once, and ends with 0', async (signal) => {
  const started = Promise.withResolvers<void>();
  let stops = 0;
  const { code, lines, signals } = run(() => {
    started.resolve();
    return Promise.resolve({
      [Symbol.asyncDispose]: () => {
        stops += 1;
        signals.emit(signal);
        return Promise.resolve();
      },
    });
  });
  await started.promise;
  expect(stops).toBe(0);
  signals.emit(signal);
  signals.emit(signal);
  expect(await code).toBe(0);
  expect([stops, lines, signals.listenerCount(signal)]).toEqual([1, [], 0]);
});

test('a signal that comes during the start stops what was started', async () => {
  const { promise, resolve } = Promise.withResolvers<AsyncDisposable>();
  const { code, signals } = run(() => promise);
  signals.emit('SIGTERM');
  let stopped = false;
  resolve({
    [Symbol.asyncDispose]: () => {
      stopped = true;
      return Promise.resolve();
    },
  });
  expect([await code, stopped]).toEqual([0, true]);
});

test('flags come from the command line under their own names', async () => {
  let seen: Config | undefined;
  const start = (config: Config) => {
    seen = config;
    return Promise.reject(new ConfigError('enough'));
  };
  const argv = ['--agent-port', '0', '--slots', '7', '--home', '/tmp/somewhere'];
  expect(await run(start, { argv }).code).toBe(2);
  expect(seen).toMatchObject({ agentPort: 0, slots: 7, home: '/tmp/somewhere' });
});

test('a wrong setting and an unknown flag are one line and 2', async () => {
  for (const options of [
    { env: { HOLDFAST_SLOTS: 'many' } },
    { argv: ['--no-such', '1'] },
    { argv: ['word'] },
  ]) {
    const { code, lines } = run(fails(new Error('not reached')), options);
    expect(await code).toBe(2);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^holdfast agent: .+\n$/);
  }
});

test('what a person can mend is one line that says so, and 1', async () => {
  const disk = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES', syscall: 'mkdir' });
  const cases: [unknown, string][] = [
    [new AlreadyRunningError('An agent already runs', undefined), 'already runs'],
    [new DatabaseError('database_corrupt', 'it is damaged'), 'damaged'],
    [disk, 'HOLDFAST_HOME'],
  ];
  for (const [error, part] of cases) {
    const { code, lines } = run(fails(error));
    expect(await code).toBe(1);
    expect(lines).toEqual([expect.stringContaining(part)]);
  }
});

test('an address that is taken is told with the flag that chooses another', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const address = holder.address();
  const listen = () =>
    new Promise<AsyncDisposable>((_, reject) => {
      createServer().once('error', reject).listen(address);
    });
  const { code, lines } = run(listen);
  expect(await code).toBe(1);
  expect(lines).toEqual([expect.stringContaining('choose another port with --agent-port')]);
  await new Promise((resolve) => holder.close(resolve));
});

test('a fault of Holdfast itself is thrown, not told', async () => {
  const { code, lines, signals } = run(fails(new TypeError('no such thing')));
  await expect(code).rejects.toThrow('no such thing');
  expect([lines, signals.listenerCount('SIGTERM')]).toEqual([[], 0]);
});

test('a service that others can reach needs the names under which it may be called', () => {
  using folder = makeFolder();
  const check = (flags: Record<string, unknown>) => () =>
    refuseOpenDoor('agent', loadConfig({ flags: { home: folder.path, ...flags }, env: {} }).config);
  expect(check({})).not.toThrow();
  expect(check({ webHost: '0.0.0.0' })).not.toThrow();
  expect(check({ agentHost: '0.0.0.0' })).toThrow(/HOLDFAST_AGENT_HOST is "0\.0\.0\.0".*--allowed-host/);
  expect(check({ agentHost: '0.0.0.0', allowedHost: 'box.lan' })).not.toThrow();
});
