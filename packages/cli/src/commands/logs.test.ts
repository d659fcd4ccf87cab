import { expect, test } from 'vitest';
import { runCli } from '../cli.ts';
import { makeTask, openTerminal, refuse, run, startFakeWeb, taskId } from '../test-kit.ts';

const id = taskId(7);

test('logs prints the last attempt’s output as it is, or that of the one that was named', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'completed', attempt: 2 }));
  web.output.set(`${id}/1`, { text: 'first\n', isComplete: true });
  web.output.set(`${id}/2`, { text: 'second, without a newline', isComplete: true });
  expect(await run(['logs', id], { home: web.home })).toEqual({
    code: 0,
    stdout: 'second, without a newline',
    stderr: '',
  });
  expect((await run(['logs', id, '--attempt', '1'], { home: web.home })).stdout).toBe('first\n');
});

test('a long output is read in pieces, and none is missing', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'completed', attempt: 1 }));
  const text = 'é'.repeat(1_300_000);
  web.output.set(`${id}/1`, { text, isComplete: true });
  expect((await run(['logs', id], { home: web.home })).stdout === text).toBe(true);
  expect((await run(['logs', '-f', id], { home: web.home })).stdout === text).toBe(true);
});

test('a task that has not started has no output yet, and that is no error', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7));
  const { code, stdout, stderr } = await run(['logs', id], { home: web.home });
  expect([code, stdout]).toEqual([0, '']);
  expect(stderr).toContain('has not started');
});

test('logs -f goes on until the end of the output and is 0 however the task ended', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'running', attempt: 1, outputBytes: 2 }));
  web.output.set(`${id}/1`, { text: 'a\n', isComplete: false });
  const terminal = openTerminal({ argv: ['logs', '-f', id.slice(0, 8)], home: web.home });
  const code = runCli(terminal.io);
  await terminal.until('a\n');
  await web.until(() => web.streams() === 1);
  // The end is known before the last bytes are collected.
  web.put(
    makeTask(7, { status: 'failed', attempt: 1, outputBytes: 2, outcome: { reason: 'exit', exitCode: 1 } }),
  );
  web.output.set(`${id}/1`, { text: 'a\nb\n', isComplete: true });
  expect(await code).toBe(0);
  expect(terminal.stdout()).toBe('a\nb\n');
});

test('logs -f of a log that was cut underneath does not claim that its end was reached', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'running', attempt: 1, outputBytes: 6 }));
  web.output.set(`${id}/1`, { text: 'hello\n', isComplete: false });
  const terminal = openTerminal({ argv: ['logs', '-f', id], home: web.home });
  const code = runCli(terminal.io);
  await terminal.until('hello\n');
  await web.until(() => web.streams() === 1);
  // An agent answers a read behind the end with nothing, and with the size that the log has now.
  web.intercept = ({ path }, response) => {
    if (!path.endsWith('/output')) return false;
    response.writeHead(200, { 'holdfast-output-bytes': '2', 'holdfast-output-complete': 'true' });
    response.end();
    return true;
  };
  web.put(makeTask(7, { status: 'completed', attempt: 1, outputBytes: 2 }));
  expect(await code).toBe(75);
  expect(terminal.stderr()).toContain('the log was cut underneath: it is 2 bytes long now, and 6 were read');
});

test('logs -f of an older attempt ends with that attempt although the task goes on', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'running', attempt: 2 }));
  web.output.set(`${id}/1`, { text: 'old\n', isComplete: true });
  expect(await run(['logs', '-f', '--attempt', '1', id], { home: web.home })).toEqual({
    code: 0,
    stdout: 'old\n',
    stderr: '',
  });
});

test('logs -f that loses sight of the task is 75', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'running', attempt: 1 }));
  const terminal = openTerminal({ argv: ['logs', '-f', '--patience', '20ms', id], home: web.home });
  const code = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  web.intercept = (_request, response) => {
    response.destroy();
    return true;
  };
  web.cutStreams();
  expect(await code).toBe(75);
});

test('an attempt that does not exist is refused', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'completed', attempt: 1 }));
  web.intercept = (request, response) => {
    if (!request.path.endsWith('/output')) return false;
    refuse(response, 404, 'no_such_attempt', 'The task has no attempt 9.');
    return true;
  };
  expect((await run(['logs', id, '--attempt', '9'], { home: web.home })).code).toBe(4);
  expect((await run(['logs', '-f', id, '--attempt', '9'], { home: web.home })).code).toBe(4);
  expect((await run(['logs', 'nonsense'], { home: web.home })).code).toBe(2);
});

test('Ctrl-C ends logs -f as an interrupt, whatever was being read', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'running', attempt: 1, outputBytes: 9 }));
  const terminal = openTerminal({ argv: ['logs', '-f', id], home: web.home });
  web.intercept = (request) => request.path.endsWith('/output');
  const code = runCli(terminal.io);
  await web.until(() => web.requests.some((request) => request.path.endsWith('/output')));
  terminal.signal('SIGINT');
  expect(await code).toBe(130);
});

test('--tail prints the last lines as they are, whatever their length, with or without a newline at the end', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'completed', attempt: 1 }));
  const long = 'x'.repeat(100_000);
  for (const [text, n, expected] of [
    ['a\nb\nc\n', '2', 'b\nc\n'],
    ['a\nb\nc', '2', 'b\nc'],
    ['a\nb\n\n', '1', '\n'],
    ['a\nb\n', '9', 'a\nb\n'],
    ['a\nb\n', '0', ''],
    ['', '3', ''],
    [`first\n${long}\n${long}\n`, '2', `${long}\n${long}\n`],
  ] as const) {
    web.output.set(`${id}/1`, { text, isComplete: true });
    for (const follow of [[], ['-f']]) {
      const { code, stdout } = await run(['logs', id, '--tail', n, ...follow], { home: web.home });
      expect([n, follow, code, stdout === expected]).toEqual([n, follow, 0, true]);
    }
  }
  web.tasks.set(id, makeTask(7));
  expect((await run(['logs', id, '--tail', '5'], { home: web.home })).stderr).toContain('has not started');
  expect((await run(['logs', id, '--tail', 'some'], { home: web.home })).code).toBe(2);
});

test('--tail with -f goes on from there, into the attempts that follow', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'running', attempt: 1, outputBytes: 6 }));
  web.output.set(`${id}/1`, { text: 'a\nb\nc\n', isComplete: false });
  const terminal = openTerminal({ argv: ['logs', '-f', '--tail', '1', id], home: web.home });
  const code = runCli(terminal.io);
  await terminal.until('c\n');
  await web.until(() => web.streams() === 1);
  web.output.set(`${id}/1`, { text: 'a\nb\nc\nd\n', isComplete: true });
  web.output.set(`${id}/2`, { text: 'again\n', isComplete: true });
  web.put(makeTask(7, { status: 'completed', attempt: 2, outputBytes: 6 }));
  expect(await code).toBe(0);
  expect(terminal.stdout()).toBe('c\nd\nagain\n');
});

test('a read that ends in the middle is 75 and says where; one that never began is a failure', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(id, makeTask(7, { status: 'completed', attempt: 1 }));
  web.output.set(`${id}/1`, { text: 'x'.repeat(1_500_000), isComplete: true });
  let reads = 0;
  let kept = 1;
  web.intercept = (request, response) => {
    if (!request.path.endsWith('/output') || (reads += 1) <= kept) return false;
    response.destroy();
    return true;
  };
  const part = await run(['logs', id], { home: web.home });
  expect([part.code, part.stdout.length]).toEqual([75, 1024 * 1024]);
  expect(part.stderr).toContain(`The output above is not complete: it ends at byte ${1024 * 1024}.`);
  [reads, kept] = [0, 0];
  const none = await run(['logs', id], { home: web.home });
  expect([none.code, none.stdout]).toEqual([1, '']);
});
