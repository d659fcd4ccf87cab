import { expect, test } from 'vitest';
import { runCli } from '../cli.ts';
import {
  type FakeWeb,
  makeTask,
  NOW,
  openTerminal,
  refuse,
  run,
  startFakeWeb,
  taskId,
  type Terminal,
} from '../test-kit.ts';

interface Submitted {
  id: string;
  sessionId: string;
  spec: { [name: string]: unknown };
  [name: string]: unknown;
}

function submitted(web: FakeWeb): Submitted {
  const body: Submitted = JSON.parse(
    JSON.stringify(web.requests.find((request) => request.method === 'POST')?.body),
  );
  return body;
}

test('a link that is lost right after the submit is waited for, and is 75 in the end, not a failure', async () => {
  await using web = await startFakeWeb();
  const timeout = new DOMException('timeout', 'TimeoutError');
  const change = {
    fetch: ((input, init) =>
      init?.method === 'POST' ? fetch(input, init) : Promise.reject(timeout)) as typeof fetch,
  };
  const argv = ['run', '--wait', '--patience', '20ms', '--', 'true'];
  const { code, stdout, stderr } = await run(argv, { home: web.home, change });
  expect([code, stdout]).toEqual([75, `${String([...web.tasks.keys()][0])}\n`]);
  expect(stderr).toContain('The task is not affected; trying again for 20 ms');
});

test('run prints the id and nothing else; what follows -- arrives as it is', async () => {
  await using web = await startFakeWeb();
  const words = ['claude', '-p', '--force', '--json', 'two  words', '', '--', '$HOME'];
  const { code, stdout, stderr } = await run(['run', '--', ...words], { home: web.home });
  const body = submitted(web);
  expect(code).toBe(0);
  expect(stdout).toBe(`${body.id}\n`);
  expect(stderr).toBe('');
  expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(body.sessionId).toBe('cli-20261121-800000');
  expect(body.spec).toEqual({ command: words, cwd: '/work-dir' });
});

test.each([
  ['--worktree', { workspace: { worktree: { repo: '/work-dir', ref: 'HEAD' } } }],
  ['--worktree ../lib --ref v2', { workspace: { worktree: { repo: '/lib', ref: 'v2' } } }],
  ['--worktree --cwd sub', { workspace: { worktree: { repo: '/work-dir', ref: 'HEAD' } }, cwd: 'sub' }],
])('%s asks for a worktree of its own, and nothing runs beside it', async (options, place) => {
  await using web = await startFakeWeb();
  const { code } = await run(['run', ...options.split(' '), '--', 'make'], { home: web.home });
  expect(code).toBe(0);
  expect(submitted(web).spec).toEqual({ command: ['make'], ...place });
});

test.each([
  [['--ref', 'v2'], 'Give --worktree too.'],
  [['--worktree', '--cwd', '/etc'], 'relative to the root of the repository'],
])('run %j is refused with what to do', async (options, advice) => {
  await using web = await startFakeWeb();
  const { code, stderr } = await run(['run', ...options, '--', 'make'], { home: web.home });
  expect(code).toBe(2);
  expect(stderr).toContain(advice);
});

test('every option of run reaches the submit as the API names it', async () => {
  await using web = await startFakeWeb();
  const options = [
    '--session s',
    '--label a=b',
    '--label c=d=e',
    '--agent laptop',
    '--title T',
    '--cwd sub',
    '--env X=1=2',
    '--priority -5',
    '--timeout 30m',
    '--retries 2',
    `--id ${taskId(9)}`,
  ];
  const { code } = await run(['run', ...options.flatMap((text) => text.split(' ')), '--', 'true'], {
    home: web.home,
  });
  expect(code).toBe(0);
  expect(submitted(web)).toEqual({
    id: taskId(9),
    sessionId: 's',
    title: 'T',
    agent: 'laptop',
    priority: -5,
    labels: { a: 'b', c: 'd=e' },
    spec: {
      command: ['true'],
      cwd: '/work-dir/sub',
      env: { X: '1=2' },
      timeoutMs: 1_800_000,
      retry: { maxAttempts: 3, on: ['lost', 'failed'] },
    },
  });
});

test.each([
  [['--shell', 'a | b'], { shell: 'a | b' }],
  [['--runner', 'claude', '--prompt', 'fix it'], { runner: 'claude', prompt: 'fix it' }],
  [['--runner', 'claude', '--', 'fix it'], { runner: 'claude', prompt: 'fix it' }],
  [['--queue', 'ci'], {}],
])('run %j is a way to say what to do', async (argv, work) => {
  await using web = await startFakeWeb();
  expect((await run(['run', ...argv], { home: web.home })).code).toBe(0);
  expect(submitted(web).spec).toEqual({ ...work, cwd: '/work-dir' });
});

test.each([
  [[]],
  [['--shell', 'x', '--', 'y']],
  [['--shell', 'x', '--runner', 'y']],
  [['--runner', 'x']],
  [['--prompt', 'x', '--', 'y']],
  [['--label', 'x', '--', 'y']],
  [['--env', '=x', '--', 'y']],
  [['--timeout', '30', '--', 'y']],
  [['--retries', 'x', '--', 'y']],
  [['--priority', '2000', '--', 'y']],
  [['--patience', 'soon', '--', 'y']],
  [['--follow', '--json', '--', 'y']],
])('run %j is a usage error, and nothing is submitted', async (argv) => {
  await using web = await startFakeWeb();
  const { code, stdout, stderr } = await run(['run', ...argv], { home: web.home });
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^holdfast: /);
  expect(web.requests).toEqual([]);
});

test('words that do not stand after -- are refused: their options would be taken for ours', async () => {
  await using web = await startFakeWeb();
  const { code, stderr } = await run(['run', 'echo', 'hi', '--json'], { home: web.home });
  expect(code).toBe(2);
  expect(stderr).toContain('holdfast run [options] -- echo hi');
  expect(web.requests).toEqual([]);
});

test('--json prints the task', async () => {
  await using web = await startFakeWeb();
  const { stdout } = await run(['run', '--json', '--', 'true'], { home: web.home });
  expect(JSON.parse(stdout)).toMatchObject({ id: submitted(web).id, status: 'queued' });
});

test('a submit whose answer is lost is unknown, and says how to repeat it harmlessly', async () => {
  await using web = await startFakeWeb();
  web.intercept = (_request, response) => {
    response.destroy();
    return true;
  };
  const { code, stdout, stderr } = await run(['run', '--', 'true'], { home: web.home });
  expect(code).toBe(75);
  expect(stdout).toBe('');
  expect(stderr).toContain('whether the task was accepted is not known');
  expect(stderr).toContain(`--id ${submitted(web).id} --session ${submitted(web).sessionId}`);
});

test('a task that its agent refused outright is exit code 4', async () => {
  await using web = await startFakeWeb();
  web.intercept = (request, response) => {
    if (request.method !== 'POST') return false;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify(
        makeTask(1, { status: 'failed', refused: { action: 'submit', message: 'no such runner', at: NOW } }),
      ),
    );
    return true;
  };
  const { code, stderr } = await run(['run', '--runner', 'x', '--prompt', 'y'], { home: web.home });
  expect(code).toBe(4);
  expect(stderr).toContain('no such runner');
});

interface Waiting {
  terminal: Terminal;
  code: Promise<number>;
  id: string;
}

/** Starts a `run --wait` and returns when it watches the feed. */
async function startWait(web: FakeWeb, argv: readonly string[] = [], change = {}): Promise<Waiting> {
  const id = taskId(7);
  const terminal = openTerminal({
    argv: ['run', '--wait', '--id', id, ...argv, '--', 'true'],
    home: web.home,
    change,
  });
  const code = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  return { terminal, code, id };
}

test.each([
  ['completed', { reason: 'exit', exitCode: 0 }, 0],
  ['failed', { reason: 'exit', exitCode: 3 }, 3],
  ['failed', { reason: 'signal', signal: 'SIGKILL', exitCode: 137 }, 137],
  ['failed', { reason: 'signal', signal: 'SIGTERM' }, 143],
  ['failed', { reason: 'timeout', exitCode: 0 }, 1],
  ['failed', { reason: 'process_vanished' }, 1],
  ['cancelled', { reason: 'cancelled_by_user', exitCode: 0 }, 1],
  ['lost', undefined, 75],
] as const)('a task that ends %s %j gives --wait the exit code', async (status, outcome, expected) => {
  await using web = await startFakeWeb();
  const { terminal, code, id } = await startWait(web);
  web.put(makeTask(7, { status: 'running', attempt: 1 }));
  web.put(makeTask(7, { status, attempt: 1, ...(outcome === undefined ? {} : { outcome }) }));
  expect(await code).toBe(expected);
  expect(terminal.stdout()).toBe(`${id}\n`);
});

test('a task that has ended before the wait began is not waited for', async () => {
  await using web = await startFakeWeb();
  web.intercept = (request) => {
    if (request.path === '/api/state')
      web.tasks.set(taskId(7), makeTask(7, { status: 'completed', attempt: 1 }));
    return false;
  };
  expect((await run(['run', '--wait', '--id', taskId(7), '--', 'true'], { home: web.home })).code).toBe(0);
});

test('--wait --json prints one document, the ended task', async () => {
  await using web = await startFakeWeb();
  const { terminal, code } = await startWait(web, ['--json']);
  web.put(makeTask(7, { status: 'failed', attempt: 1, outcome: { reason: 'exit', exitCode: 5 } }));
  expect(await code).toBe(5);
  expect(JSON.parse(terminal.stdout())).toMatchObject({
    id: taskId(7),
    status: 'failed',
    outcome: { exitCode: 5 },
  });
});

test('a link that is cut is taken up again, and what happened in between is seen', async () => {
  await using web = await startFakeWeb();
  const { terminal, code } = await startWait(web);
  web.tasks.set(
    taskId(7),
    makeTask(7, { status: 'failed', attempt: 1, outcome: { reason: 'exit', exitCode: 9 } }),
  );
  web.cutStreams();
  expect(await code).toBe(9);
  // Web was back before anybody could have worried.
  expect(terminal.stderr()).toBe(`holdfast: task ${taskId(7)} failed: exit 9\n`);
});

test('web’s wish for a new read is followed', async () => {
  await using web = await startFakeWeb();
  const { code } = await startWait(web);
  web.tasks.set(taskId(7), makeTask(7, { status: 'completed', attempt: 1 }));
  web.sendToStreams('reset', { reason: 'epoch' });
  expect(await code).toBe(0);
});

test('a web that is gone is waited for, said once, and its return too', async () => {
  await using web = await startFakeWeb();
  const { terminal, code } = await startWait(web);
  let failures = 0;
  web.intercept = (_request, response) => {
    failures += 1;
    if (failures > 3) return false;
    response.destroy();
    return true;
  };
  web.cutStreams();
  await terminal.until('The task is queued.');
  await web.until(() => web.streams() === 1);
  web.put(makeTask(7, { status: 'completed', attempt: 1 }));
  expect(await code).toBe(0);
  expect(terminal.stderr().match(/The task is not affected/g)).toHaveLength(1);
});

test('a refusal in the middle of a wait is a doubt, not the end: the store may be rebuilt', async () => {
  await using web = await startFakeWeb();
  const { terminal, code } = await startWait(web);
  let isGone = true;
  web.intercept = (request, response) => {
    if (!isGone || !request.path.startsWith('/api/tasks/')) return false;
    refuse(response, 404, 'no_such_task', 'There is no such task.');
    return true;
  };
  web.cutStreams();
  await terminal.until('There is no such task.');
  isGone = false;
  await web.until(() => web.streams() === 1);
  web.put(makeTask(7, { status: 'completed', attempt: 1 }));
  expect(await code).toBe(0);
});

test('patience ends: unreachable for longer is 75, and the task is left alone', async () => {
  await using web = await startFakeWeb();
  const { terminal, code, id } = await startWait(web, ['--patience', '50ms']);
  web.intercept = (_request, response) => {
    response.destroy();
    return true;
  };
  web.cutStreams();
  expect(await code).toBe(75);
  expect(terminal.stderr()).toContain(`the outcome of task ${id} is not known after 50 ms`);
});

test('a task that is unknown for longer than the patience is 75; one whose truth arrives is not', async () => {
  await using web = await startFakeWeb();
  const unknown = makeTask(7, {
    status: 'unknown',
    lastStatus: 'running',
    attempt: 1,
    knowledge: { state: 'unknown', asOf: NOW, reason: 'agent_unreachable' },
  });
  const patient = await startWait(web);
  web.put(unknown);
  await patient.terminal.until('its agent cannot be reached');
  web.put(makeTask(7, { status: 'completed', attempt: 1 }));
  expect(await patient.code).toBe(0);
  await web.until(() => web.streams() === 0);

  web.tasks.clear();
  const impatient = await startWait(web, ['--patience', '30ms']);
  web.put(unknown);
  expect(await impatient.code).toBe(75);
});

test('Ctrl-C during a wait detaches: the task is not cancelled, and the way back is said', async () => {
  await using web = await startFakeWeb();
  const { terminal, code, id } = await startWait(web);
  terminal.signal('SIGINT');
  expect(await code).toBe(130);
  expect(terminal.stderr()).toContain(`holdfast logs -f ${id}`);
  expect(web.requests.filter((request) => request.method === 'POST')).toHaveLength(1);
});

test('--follow copies the output of every attempt byte for byte, and ends with the task’s code', async () => {
  await using web = await startFakeWeb();
  const id = taskId(7);
  const terminal = openTerminal({ argv: ['run', '--follow', '--id', id, '--', 'x'], home: web.home });
  const code = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  web.output.set(`${id}/1`, { text: 'one\u001b[1m é\n', isComplete: false });
  web.put(makeTask(7, { status: 'running', attempt: 1, outputBytes: 12 }));
  await terminal.until('one');
  web.output.set(`${id}/1`, { text: 'one\u001b[1m é\nlast words\n', isComplete: true });
  web.output.set(`${id}/2`, { text: 'two\n', isComplete: true });
  web.put(makeTask(7, { status: 'running', attempt: 2, outputBytes: 4 }));
  await terminal.until('two');
  web.put(
    makeTask(7, { status: 'failed', attempt: 2, outputBytes: 4, outcome: { reason: 'exit', exitCode: 6 } }),
  );
  expect(await code).toBe(6);
  expect(terminal.stdout()).toBe('one\u001b[1m é\nlast words\ntwo\n');
  expect(terminal.stderr()).toContain(`${id}\n`);
  expect(terminal.stderr()).toContain('Attempt 2 begins.');
});

test('output that cannot be had to its end is said; the exit code is still the task’s', async () => {
  await using web = await startFakeWeb();
  const id = taskId(7);
  let now = NOW;
  const terminal = openTerminal({
    argv: ['run', '--follow', '--id', id, '--', 'x'],
    home: web.home,
    change: { now: () => (now += 61_000) },
  });
  web.intercept = (request, response) => {
    if (!request.path.endsWith('/output')) return false;
    refuse(response, 503, 'agent_unreachable', 'The agent cannot be reached.');
    return true;
  };
  const code = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  web.put(
    makeTask(7, { status: 'failed', attempt: 1, outputBytes: 4, outcome: { reason: 'exit', exitCode: 6 } }),
  );
  expect(await code).toBe(6);
  expect(terminal.stderr()).toContain('the output above is not complete: The agent cannot be reached.');
});

test('with --agent-url the wait follows the agent’s own events, from where they stood', async () => {
  await using agent = await startFakeWeb();
  const id = taskId(7);
  const argv = [
    'run',
    '--follow',
    '--id',
    id,
    '--agent-url',
    agent.url,
    '--token-file',
    `${agent.home}/web.token`,
    '--',
    'x',
  ];
  const terminal = openTerminal({ argv });
  const code = runCli(terminal.io);
  await agent.until(() => agent.streams() === 1);
  expect(agent.requests.find((request) => request.path === '/events')?.query.get('cursor')).toBe('e.4.c');
  agent.tasks.set(id, makeTask(7, { status: 'running', attempt: 1, seq: 8 }));
  agent.sendToStreams('task', { taskId: taskId(1), seq: 7 });
  agent.sendToStreams('task', { taskId: id, seq: 8 });
  await agent.until(() => agent.requests.some((request) => request.path.endsWith('/output')));
  agent.output.set(`${id}/1`, { text: 'said\n', isComplete: false });
  agent.sendToStreams('activity', { tasks: [{ id, attempt: 1, outputBytes: 5 }] });
  await terminal.until('said');
  agent.output.set(`${id}/1`, { text: 'said\n', isComplete: true });
  agent.tasks.set(
    id,
    makeTask(7, {
      status: 'failed',
      attempt: 1,
      seq: 9,
      outputBytes: 5,
      outcome: { reason: 'exit', exitCode: 2 },
    }),
  );
  agent.sendToStreams('task', { taskId: id, seq: 9 });
  expect(await code).toBe(2);
  expect(terminal.stdout()).toBe('said\n');
});

test('a frame that cannot be understood is a lost link, not the end of the wait', async () => {
  await using web = await startFakeWeb();
  const { terminal, code } = await startWait(web);
  web.sendToStreams('change', null);
  await terminal.until('cannot be understood');
  web.put(makeTask(7, { status: 'completed', attempt: 1 }));
  expect(await code).toBe(0);
});

test(
  'Ctrl-C does not wait for an answer that hangs, and leaves no request open',
  { timeout: 10_000 },
  async () => {
    await using web = await startFakeWeb();
    const { terminal, code } = await startWait(web, ['--follow']);
    let hanging = 0;
    let closed = 0;
    web.intercept = (_request, response) => {
      hanging += 1;
      response.once('close', () => (closed += 1));
      return true;
    };
    web.put(makeTask(7, { status: 'running', attempt: 1, outputBytes: 3 }));
    await web.until(() => hanging === 1);
    web.cutStreams();
    await web.until(() => hanging === 2);
    terminal.signal('SIGINT');
    expect(await code).toBe(130);
    await web.until(() => closed === 2);
    expect(terminal.stderr()).not.toContain('cannot be');
  },
);
