import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { runCli } from '../cli.ts';
import { makeHome, makeTask, NOW, openTerminal, run, startFakeWeb, taskId } from '../test-kit.ts';

const ended = { attempt: 1, endedAt: NOW };

test('where web gives no answer the outcome is not known: 75, never the code of a failed task', async () => {
  await using web = await startFakeWeb();
  web.intercept = (_request, response) => {
    response.destroy();
    return true;
  };
  for (const ref of [taskId(1), '00000001']) {
    const { code, stdout, stderr } = await run(['wait', ref], { home: web.home });
    expect([code, stdout]).toEqual([75, '']);
    expect(stderr).toContain(`${ref}: Web at ${web.url} cannot be reached: the connection was cut`);
  }
});

test('where web does not run the outcome is not known either', async () => {
  using home = makeHome();
  for (const makeToken of [false, true]) {
    if (makeToken) writeFileSync(join(home.path, 'web.token'), 'a-token-of-this-home');
    const { code, stderr } = await run(['wait', taskId(1)], { home: home.path });
    expect(code).toBe(75);
    expect(stderr).toContain('Start it with: holdfast up');
  }
});

test('wait tells each end as it comes, and exits with the first code in the order given that is not 0', async () => {
  await using web = await startFakeWeb();
  for (const n of [1, 2, 3]) web.tasks.set(taskId(n), makeTask(n, { status: 'running', attempt: 1 }));
  const terminal = openTerminal({ argv: ['wait', taskId(1), taskId(2), taskId(3)], home: web.home });
  const done = runCli(terminal.io);
  await web.until(() => web.streams() === 3);
  web.put(makeTask(3, { ...ended, status: 'failed', outcome: { reason: 'exit', exitCode: 9 } }));
  await terminal.until(taskId(3));
  web.put(makeTask(2, { ...ended, status: 'failed', outcome: { reason: 'exit', exitCode: 5 } }));
  await terminal.until(taskId(2));
  web.put(makeTask(1, { ...ended, status: 'completed', outcome: { reason: 'exit', exitCode: 0 } }));
  expect(await done).toBe(5);
  expect(terminal.stdout()).toBe(
    `${taskId(3)}  failed: exit 9\n${taskId(2)}  failed: exit 5\n${taskId(1)}  completed\n`,
  );
  expect(terminal.stderr()).toBe('');
});

test('of one task the exit code is its own', async () => {
  await using web = await startFakeWeb();
  const cases = [
    [{ status: 'completed', outcome: { reason: 'exit', exitCode: 0 } }, 0],
    [{ status: 'failed', outcome: { reason: 'signal', signal: 'SIGKILL' } }, 137],
    [{ status: 'cancelled', outcome: { reason: 'cancelled_by_user' } }, 1],
    [{ status: 'lost' }, 75],
  ] as const;
  for (const [change, code] of cases) {
    web.tasks.set(taskId(1), makeTask(1, { ...ended, ...change }));
    expect((await run(['wait', '00000001'], { home: web.home })).code).toBe(code);
  }
});

test('a task that there is not keeps nobody from waiting for the others; --json has a result for each', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(2), makeTask(2, { ...ended, status: 'completed' }));
  const { code, stdout, stderr } = await run(['wait', 'ffff', taskId(2), '--json'], { home: web.home });
  expect(code).toBe(4);
  expect(stderr).toContain('ffff: there is no task "ffff"');
  expect(JSON.parse(stdout)).toMatchObject([
    { ref: 'ffff', exitCode: 4, problem: { detail: 'there is no task "ffff"' } },
    { ref: taskId(2), id: taskId(2), exitCode: 0, task: { status: 'completed' } },
  ]);
});

test('an outcome that stays unknown is 75, and the task is left alone', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(
    taskId(1),
    makeTask(1, {
      status: 'unknown',
      lastStatus: 'running',
      attempt: 1,
      knowledge: { state: 'unknown', asOf: NOW, reason: 'agent_unreachable' },
    }),
  );
  const { code, stderr } = await run(['wait', taskId(1), '--patience', '10ms'], { home: web.home });
  expect(code).toBe(75);
  expect(stderr).toContain('The task was left alone');
  expect(web.requests.every((request) => request.method === 'GET')).toBe(true);
});

test('an interrupt ends the wait with its own code and says that the tasks go on', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(
    taskId(1),
    makeTask(1, { ...ended, status: 'failed', outcome: { reason: 'exit', exitCode: 3 } }),
  );
  web.tasks.set(taskId(2), makeTask(2, { status: 'running', attempt: 1 }));
  const terminal = openTerminal({ argv: ['wait', taskId(1), taskId(2)], home: web.home });
  const done = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  await terminal.until('exit 3');
  terminal.signal('SIGINT');
  expect(await done).toBe(130);
  expect(terminal.stderr()).toBe('holdfast: the wait has ended; the tasks go on\n');
});

test('a reader that has seen enough ends the waits that are left', async () => {
  await using web = await startFakeWeb();
  for (const n of [1, 2, 3]) web.tasks.set(taskId(n), makeTask(n, { status: 'running', attempt: 1 }));
  const read = Promise.withResolvers<void>();
  let writes = 0;
  const stdout = new Writable({
    write(_chunk, _encoding, done) {
      writes += 1;
      read.resolve();
      done(writes === 1 ? null : Object.assign(new Error('the pipe is closed'), { code: 'EPIPE' }));
    },
  });
  stdout.on('error', () => undefined);
  const argv = ['wait', taskId(1), taskId(2), taskId(3)];
  const terminal = openTerminal({ argv, home: web.home, change: { stdout } });
  const done = runCli(terminal.io);
  await web.until(() => web.streams() === 3);
  web.put(makeTask(3, { ...ended, status: 'completed' }));
  await read.promise;
  web.put(makeTask(2, { ...ended, status: 'completed' }));
  expect(await done).toBe(141);
  // Fails without: `over` in `waitForAll`.
  await web.until(() => web.streams() === 0);
});

test('many are waited for with a few streams at a time', async () => {
  await using web = await startFakeWeb();
  const ids = Array.from({ length: 40 }, (_, n) => taskId(n + 1));
  for (let n = 1; n <= 40; n += 1) web.tasks.set(taskId(n), makeTask(n, { status: 'running', attempt: 1 }));
  const terminal = openTerminal({ argv: ['wait', ...ids], home: web.home });
  const done = runCli(terminal.io);
  await web.until(() => web.streams() === 16);
  for (let n = 1; n <= 40; n += 1) web.put(makeTask(n, { ...ended, status: 'completed' }));
  expect(await done).toBe(0);
  expect(terminal.stdout().trimEnd().split('\n')).toHaveLength(40);
});

test('a web that was started again at another address is found by its announcement', async () => {
  await using web = await startFakeWeb();
  await using moved = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'running', attempt: 1 }));
  const terminal = openTerminal({ argv: ['wait', taskId(1)], home: web.home });
  const done = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  moved.tasks.set(taskId(1), makeTask(1, { ...ended, status: 'completed' }));
  web.intercept = (_request, response) => {
    response.destroy();
    return true;
  };
  writeFileSync(join(web.home, 'web.json'), JSON.stringify({ url: moved.url, pid: process.pid }));
  web.cutStreams();
  expect(await done).toBe(0);
  expect(terminal.stdout()).toBe(`${taskId(1)}  completed\n`);
});
