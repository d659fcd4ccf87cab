import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { type FakeWeb, makeTask, NOW, run, startFakeWeb, taskId } from '../test-kit.ts';

const item = (n: number, change: Record<string, unknown> = {}): Record<string, unknown> => ({
  taskId: taskId(n),
  attempt: 2,
  evidence: { code: 'lease_expired', message: 'the lease of worker ci-7 ran out', sinceAt: NOW - 120_000 },
  action: 'requeue',
  result: 'wouldReclaim',
  agentId: 'agent-1',
  agentName: 'laptop',
  ...change,
});

/** Answers dry runs with `items`, and the real thing with `done`. */
function script(web: FakeWeb, items: unknown[], done: unknown[] = [], unreachable: unknown[] = []): void {
  web.answers.set('POST /reclaim', (request) => {
    const isDry = Object(request.body).dryRun === true;
    return [200, { items: isDry ? items : done, unreachable }];
  });
}

const asked = (web: FakeWeb): unknown[] =>
  web.requests.filter((request) => request.path === '/api/reclaim').map((request) => request.body);

test('reclaim reads the current attempt and sends that one with the reason', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'running', attempt: 3 }));
  web.answers.set(`POST /tasks/${taskId(1)}/reclaim`, () => [
    202,
    makeTask(1, { status: 'running', attempt: 3, stopRequested: { cause: 'reclaim', at: NOW } }),
  ]);
  const { code, stdout } = await run(['reclaim', '00000001', '--reason', 'it hangs'], { home: web.home });
  expect(code).toBe(0);
  expect(stdout).toBe(`${taskId(1)}  attempt 3 is being stopped; the next one follows when it is gone\n`);
  expect(web.requests.at(-1)?.body).toEqual({ attempt: 3, reason: 'it hangs' });
});

test('a reclaim that no agent has acknowledged is pending, one that was taken back at once waits again', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'unknown', attempt: 1 }));
  web.tasks.set(taskId(2), makeTask(2, { status: 'running', attempt: 1 }));
  const pending = [{ intent: 'i', action: 'reclaim', sinceAt: NOW }];
  web.answers.set(`POST /tasks/${taskId(1)}/reclaim`, () => [202, { ...web.tasks.get(taskId(1)), pending }]);
  web.answers.set(`POST /tasks/${taskId(2)}/reclaim`, () => [202, makeTask(2, { attempt: 1 })]);
  const { stdout } = await run(['reclaim', taskId(1), taskId(2), '--reason', 'x'], { home: web.home });
  expect(stdout).toBe(
    `${taskId(1)}  reclaim pending: it will be delivered when the task’s agent answers\n` +
      `${taskId(2)}  reclaimed: it waits for its next attempt\n`,
  );
});

test('a task that was never started, and one whose attempt changed, are refusals', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1));
  web.tasks.set(taskId(2), makeTask(2, { status: 'running', attempt: 1 }));
  web.answers.set(`POST /tasks/${taskId(2)}/reclaim`, () => [
    409,
    { status: 409, code: 'attempt_changed', detail: 'Attempt 2 is the current one.' },
  ]);
  const { code, stdout, stderr } = await run(['reclaim', taskId(1), taskId(2), '--reason', 'x', '--json'], {
    home: web.home,
  });
  expect(code).toBe(4);
  expect(stderr).toContain('there is no attempt to reclaim');
  expect(JSON.parse(stdout)).toMatchObject([
    { id: taskId(1), problem: {} },
    { id: taskId(2), problem: { code: 'attempt_changed', status: 409 } },
  ]);
});

test('of several a refusal keeps no other from being reclaimed', async () => {
  await using web = await startFakeWeb();
  for (const n of [1, 2, 3]) web.tasks.set(taskId(n), makeTask(n, { status: 'running', attempt: 1 }));
  const problem = { status: 409, code: 'attempt_changed', detail: 'Attempt 2 is the current one.' };
  web.answers.set(`POST /tasks/${taskId(2)}/reclaim`, () => [409, problem]);
  for (const n of [1, 3])
    web.answers.set(`POST /tasks/${taskId(n)}/reclaim`, () => [202, makeTask(n, { attempt: 1 })]);
  const ids = [taskId(1), taskId(2), taskId(3)];
  const { code, stdout, stderr } = await run(['reclaim', ...ids, '--reason', 'x'], { home: web.home });
  expect(code).toBe(4);
  expect(stdout).toBe([1, 3].map((n) => `${taskId(n)}  reclaimed: it waits for its next attempt\n`).join(''));
  expect(stderr).toBe(`holdfast: ${taskId(2)}: Attempt 2 is the current one.\n`);
});

test('a reclaim whose answer was lost is unknown, and may be repeated', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'running', attempt: 1 }));
  web.intercept = (request, response) => {
    if (request.method === 'POST') response.destroy();
    return request.method === 'POST';
  };
  const { code, stderr } = await run(['reclaim', taskId(1), '--reason', 'x'], { home: web.home });
  expect(code).toBe(75);
  expect(stderr).toContain('is not reclaimed twice');
});

test('without ids, without a reason, and with options that do not go together nothing is asked', async () => {
  await using web = await startFakeWeb();
  for (const argv of [
    [],
    [taskId(1)],
    [taskId(1), '--reason', ' '],
    [taskId(1), '--reason', 'x', '--dry-run'],
    [taskId(1), '--reason', 'x', '--older-than', '1m'],
    ['--stale', taskId(1)],
    ['--stale', '--reason', 'x'],
    ['--stale', '--dry-run', '-y'],
    ['--stale', '--older-than', 'long', '-y'],
    ['--stale', '--max-attempts', '0', '-y'],
  ]) {
    const { code, stdout } = await run(['reclaim', ...argv], { home: web.home, typed: 'y\n' });
    expect([argv, code, stdout]).toEqual([argv, 2, '']);
  }
  expect(web.requests).toEqual([]);
});

test('--stale --dry-run shows evidence, action and result of each row and does nothing', async () => {
  await using web = await startFakeWeb();
  script(web, [
    item(1),
    item(2, {
      action: 'stop',
      evidence: { code: 'probe_failed', message: 'evil\u001b[2J words', sinceAt: NOW - 5000 },
    }),
  ]);
  const argv = [
    'reclaim',
    '--stale',
    '--dry-run',
    '--older-than',
    '30m',
    '--max-attempts',
    '5',
    '--agent',
    'laptop',
  ];
  const { code, stdout } = await run(argv, { home: web.home });
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^ID +AGENT +ATTEMPT +EVIDENCE +SINCE +ACTION +RESULT$/);
  expect(lines[1]).toMatch(
    /^00000001-\S+ +laptop +2 +lease_expired: the lease of worker ci-7 ran out +2 min +requeue +would reclaim$/,
  );
  expect(lines[2]).toMatch(/probe_failed: evil words +5 s +stop +would reclaim$/);
  expect(asked(web)).toEqual([{ olderThanMs: 1_800_000, maxAttempts: 5, agent: 'laptop', dryRun: true }]);
});

test('on a narrow terminal the table fits, without colours where they are not wanted', async () => {
  await using web = await startFakeWeb();
  script(web, [item(1), item(2)]);
  const options = { home: web.home, columns: 80, env: { NO_COLOR: '1' } };
  const { stdout } = await run(['reclaim', '--stale', '--dry-run'], options);
  expect(stdout).toBe(stripVTControlCharacters(stdout));
  for (const line of stdout.trimEnd().split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  expect(stdout).toMatch(/^00000001-7c00 /m);
});

test('without -y and without a terminal it refuses before anything is asked', async () => {
  await using web = await startFakeWeb();
  const { code, stderr } = await run(['reclaim', '--stale'], { home: web.home });
  expect(code).toBe(2);
  expect(stderr).toContain('-y');
  expect(web.requests).toEqual([]);
});

test('on a terminal it shows what it would do, and does it only after a yes', async () => {
  await using web = await startFakeWeb();
  script(web, [item(1)], [item(1, { result: 'reclaimed' })]);
  for (const typed of ['n\n', '\n', '', 'yolo\n']) {
    const no = await run(['reclaim', '--stale'], { home: web.home, typed });
    expect(no.code).toBe(0);
    expect(no.stdout).toBe('');
    expect(no.stderr).toContain('Reclaim this task? [y/N]');
    expect(no.stderr).toContain('Nothing was done.');
  }
  expect(asked(web)).toEqual(Array.from({ length: 4 }, () => ({ dryRun: true })));
  const yes = await run(['reclaim', '--stale'], { home: web.home, typed: 'y\n' });
  expect(yes.code).toBe(0);
  expect(yes.stderr).toContain('would reclaim');
  expect(yes.stdout).toMatch(/requeue +reclaimed$/m);
  expect(asked(web).at(-1)).toEqual({ dryRun: false });
});

test('nothing stale is nothing to ask about', async () => {
  await using web = await startFakeWeb();
  script(web, []);
  const { code, stdout, stderr } = await run(['reclaim', '--stale'], { home: web.home, typed: 'y\n' });
  expect([code, stdout, stderr]).toEqual([0, '', 'Nothing is stale.\n']);
});

test('a row that failed is exit code 1; one that was no longer stale is no failure', async () => {
  await using web = await startFakeWeb();
  script(web, [], [item(1, { result: 'changed' }), item(2, { result: 'stopping', action: 'stop' })]);
  const well = await run(['reclaim', '--stale', '-y'], { home: web.home });
  expect(well.code).toBe(0);
  expect(well.stdout).toContain('no longer stale');
  script(
    web,
    [],
    [item(1, { result: 'reclaimed' }), item(2, { result: 'journal_full', message: 'no space' })],
  );
  const failed = await run(['reclaim', '--stale', '-y'], { home: web.home });
  expect(failed.code).toBe(1);
  expect(failed.stdout).toContain('journal_full: no space');
});

test('an agent that was not asked is named, and makes what is stale there unknown', async () => {
  await using web = await startFakeWeb();
  const unreachable = [{ agentId: 'a2', name: 'build-2', state: 'lost', message: 'nothing listens there' }];
  const done = [item(1, { result: 'reclaimed' })];
  script(web, [], done, unreachable);
  const { code, stdout, stderr } = await run(['reclaim', '--stale', '-y', '--json'], { home: web.home });
  expect(code).toBe(75);
  expect(stderr).toContain('agent build-2 was not asked, it is lost: nothing listens there');
  expect(JSON.parse(stdout)).toEqual({ items: done, unreachable });
});

test('with --agent-url that agent is asked itself, and the shape of --json is the same', async () => {
  await using agent = await startFakeWeb();
  const { agentId: _id, agentName: _name, ...bare } = item(1);
  agent.answers.set('POST /reclaim', () => [200, { items: [bare] }]);
  const argv = [
    'reclaim',
    '--stale',
    '--dry-run',
    '--agent-url',
    agent.url,
    '--token-file',
    `${agent.home}/web.token`,
  ];
  const { stdout } = await run([...argv, '--json']);
  expect(JSON.parse(stdout)).toEqual({ items: [bare], unreachable: [] });
  expect((await run(argv)).stdout).toMatch(/ laptop +2 +lease_expired/);
  expect(agent.requests.map((request) => request.path)).toContain('/reclaim');
});
