/** `resolve`, `agents`, `sessions`, `stats`: what is web's own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { makeAgent, makeTask, NOW, run, startFakeWeb, taskId } from '../test-kit.ts';

test('resolve gives the verdict with its note; without --lost nothing is asked', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'unknown', attempt: 1 }));
  const verdict = { at: NOW, note: 'scrapped' };
  web.answers.set(`POST /tasks/${taskId(1)}/resolve`, () => [200, makeTask(1, { status: 'lost', verdict })]);
  const missing = await run(['resolve', taskId(1)], { home: web.home });
  expect(missing.code).toBe(2);
  expect(web.requests).toEqual([]);
  const argv = ['resolve', '00000001', '--lost', '--note', 'scrapped'];
  const { code, stdout } = await run(argv, { home: web.home });
  expect([code, stdout]).toEqual([0, `${taskId(1)}  lost\n`]);
  expect(web.requests.at(-1)?.body).toEqual({ verdict: 'lost', note: 'scrapped' });
  const json = await run([...argv, '--json'], { home: web.home });
  expect(JSON.parse(json.stdout)).toMatchObject([{ id: taskId(1), task: { status: 'lost', verdict } }]);
});

test('a task that is not unknown takes no verdict, and an agent gives none', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'running' }));
  web.answers.set(`POST /tasks/${taskId(1)}/resolve`, () => [
    409,
    {
      status: 409,
      code: 'not_unknown',
      detail: 'Only a task whose status is unknown can be given a verdict.',
    },
  ]);
  expect((await run(['resolve', taskId(1), '--lost'], { home: web.home })).code).toBe(4);
  expect((await run(['resolve', taskId(1), '--lost', '--agent-url', web.url])).code).toBe(2);
});

test('agents lists each link with its proof; figures of one that is not live are marked', async () => {
  await using web = await startFakeWeb();
  web.agents = [
    makeAgent('a1', 'laptop'),
    makeAgent('a2', 'build-2', { state: 'lost', asOf: NOW - 90_000, detail: 'connection refused' }),
  ];
  for (const argv of [['agents'], ['agents', 'list']]) {
    const { code, stdout, stderr } = await run(argv, { home: web.home });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^laptop +live +0 s ago +1\/4 +2 +0 +\S+ +a1 +http/m);
    expect(stdout).toMatch(/^build-2 +lost +1 min ago +1\/4\? +2\? +0\? /m);
    expect(stderr).toBe('! build-2: connection refused\n');
  }
  expect(JSON.parse((await run(['agents', '--json'], { home: web.home })).stdout)).toEqual(web.agents);
  const narrow = await run(['agents'], { home: web.home, columns: 72 });
  for (const line of stripVTControlCharacters(narrow.stdout).trimEnd().split('\n'))
    expect(line.length).toBeLessThanOrEqual(72);
});

test('agents add takes the token from a file and sends it to web alone', async () => {
  await using web = await startFakeWeb();
  const tokenFile = join(web.home, 'build-2.token');
  writeFileSync(tokenFile, 'secret-of-build-2\n');
  const agent = makeAgent('a2', 'build-2', { url: 'http://build-2.lan:7401' });
  web.answers.set('POST /agents', () => [201, agent]);
  const argv = ['agents', 'add', 'http://build-2.lan:7401', '--token-file', tokenFile, '--name', 'b2'];
  const { code, stdout } = await run(argv, { home: web.home });
  expect(code).toBe(0);
  expect(stdout).toBe('build-2 at http://build-2.lan:7401 is followed from now on (a2)\n');
  expect(web.requests.at(-1)?.body).toEqual({
    url: 'http://build-2.lan:7401',
    token: 'secret-of-build-2',
    name: 'b2',
  });
  expect((await run(['agents', 'add', 'http://x'], { home: web.home })).code).toBe(2);
  const missing = await run(['agents', 'add', 'http://x', '--token-file', 'none'], { home: web.home });
  expect(missing.code).toBe(1);
  expect(missing.stderr).toContain('/work-dir/none cannot be read');
});

test('agents add of an agent that is known renews its address', async () => {
  await using web = await startFakeWeb();
  const tokenFile = join(web.home, 'b2.token');
  writeFileSync(tokenFile, 'secret');
  web.answers.set('POST /agents', () => [200, makeAgent('a2', 'build-2', { url: 'http://new:7401' })]);
  const argv = ['agents', 'add', 'http://new:7401', '--token-file', tokenFile];
  const { code, stdout } = await run(argv, { home: web.home });
  expect([code, stdout]).toEqual([0, 'build-2 at http://new:7401 was known; its address is renewed (a2)\n']);
});

test.each([
  [422, 'invalid', 'The agent does not take this token; its own is in its agent.token.', 4],
  [503, 'agent_unreachable', 'No agent can be reached at http://b2:7401: nothing listens there.', 1],
  [409, 'agent_conflict', 'An agent called build-2 is already known.', 4],
  [422, 'invalid', 'The body is not valid: /url must be an address of http or https', 4],
])('agents add that ends in %i %s says why, and adds nothing', async (status, code, detail, exitCode) => {
  await using web = await startFakeWeb();
  const tokenFile = join(web.home, 'b2.token');
  writeFileSync(tokenFile, 'secret');
  web.answers.set('POST /agents', () => [status, { status, code, detail }]);
  const argv = ['agents', 'add', 'http://b2:7401', '--token-file', tokenFile];
  const ran = await run(argv, { home: web.home });
  expect([ran.code, ran.stdout]).toEqual([exitCode, '']);
  expect(ran.stderr).toContain(`holdfast: ${detail}`);
});

test('agents remove of an agent of this machine that runs is refused', async () => {
  await using web = await startFakeWeb();
  const detail = 'laptop runs on this machine: stop it first.';
  web.answers.set('DELETE /agents/agent-1', () => [409, { status: 409, code: 'agent_conflict', detail }]);
  const { code, stdout, stderr } = await run(['agents', 'remove', 'laptop'], { home: web.home });
  expect([code, stdout, stderr]).toEqual([4, '', `holdfast: ${detail}\n`]);
});

test('agents remove names the agent and says what becomes of its tasks', async () => {
  await using web = await startFakeWeb();
  web.agents.push(makeAgent('a2', 'build-2'));
  web.answers.set('DELETE /agents/a2', () => [200, makeAgent('a2', 'build-2')]);
  const { code, stdout } = await run(['agents', 'remove', 'build-2'], { home: web.home });
  expect(code).toBe(0);
  expect(stdout).toContain('its live tasks go on, and are unknown from now on');
  expect((await run(['agents', 'remove', 'x'], { home: web.home })).code).toBe(4);
});

const session = { id: 'nightly', title: 'Nightly', archived: false, createdAt: NOW, updatedAt: NOW - 60_000 };
const shown = { ...session, status: 'running', counts: { completed: 3, running: 1 } };

test('sessions lists them with their counts, page by page, archived ones apart', async () => {
  await using web = await startFakeWeb();
  web.answers.set('GET /sessions', ({ query }) => [
    200,
    query.get('after') === null ? { items: [shown], next: 'n' } : { items: [{ ...shown, id: 'other' }] },
  ]);
  const { code, stdout } = await run(['sessions'], { home: web.home });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^nightly +running +1 running, 3 completed +1 min +Nightly$/m);
  expect(stdout).toMatch(/^other /m);
  const archived = await run(['sessions', 'list', '--archived', '--limit', '1', '--json'], {
    home: web.home,
  });
  expect(JSON.parse(archived.stdout)).toEqual([shown]);
  const query = web.requests.at(-1)?.query;
  expect([query?.get('archived'), query?.get('limit')]).toEqual(['true', '1']);
});

test('a session is not said to run where nobody vouches for its tasks', async () => {
  await using web = await startFakeWeb();
  web.agents = [makeAgent('a1', 'laptop'), makeAgent('a2', 'build-2', { state: 'late', asOf: NOW - 9000 })];
  const stale = { status: 'running', knowledge: { state: 'stale', asOf: NOW - 9000 } } as const;
  web.tasks.set(taskId(1), makeTask(1, { ...stale, agentId: 'a2', sessionId: 'nightly' }));
  web.answers.set('GET /sessions', () => [200, { items: [shown, { ...shown, id: 'other' }] }]);
  const { stdout } = await run(['sessions'], { home: web.home });
  expect(stdout).toMatch(/^nightly +running\? /m);
  expect(stdout).toMatch(/^other +running /m);
  const asked = web.requests.find((request) => request.path === '/api/tasks');
  expect([asked?.query.get('agent'), asked?.query.get('status')]).toEqual(['a2', 'queued,starting,running']);
});

test('sessions are renamed, archived and listed again', async () => {
  await using web = await startFakeWeb();
  web.answers.set('PATCH /sessions/nightly', (request) => [200, { ...shown, ...Object(request.body) }]);
  const renamed = await run(['sessions', 'rename', 'nightly', 'Every night'], { home: web.home });
  expect([renamed.code, renamed.stdout]).toEqual([0, 'nightly  is called Every night\n']);
  const gone = await run(['sessions', 'archive', 'nightly', '--json'], { home: web.home });
  expect(JSON.parse(gone.stdout)).toMatchObject([{ archived: true }]);
  expect((await run(['sessions', 'unarchive', 'nightly'], { home: web.home })).stdout).toContain(
    'listed again',
  );
  expect((await run(['sessions', 'rename', 'nightly', ' '], { home: web.home })).code).toBe(2);
  const problem = { status: 404, code: 'no_such_session', detail: 'There is no session none.' };
  web.answers.set('PATCH /sessions/none', () => [404, problem]);
  for (const argv of [
    ['archive', 'none'],
    ['rename', 'none', 'x'],
  ]) {
    const none = await run(['sessions', ...argv], { home: web.home });
    expect([none.code, none.stdout]).toEqual([4, '']);
    expect(none.stderr).toContain('There is no session none.');
  }
  // What was changed before a refusal stands, and is told.
  const two = await run(['sessions', 'archive', 'nightly', 'none'], { home: web.home });
  expect([two.code, two.stdout]).toEqual([4, 'nightly  is archived\n']);
});

test('a mistyped subcommand of a command with a default names the right one', async () => {
  const { code, stderr } = await run(['sessions', 'renmae', 'a', 'b']);
  expect(code).toBe(2);
  expect(stderr).toContain('Did you mean rename?');
  expect((await run(['agents', 'lsit'])).stderr).toContain('Did you mean list?');
});

test('stats counts by status, names what has run longest and what is stale', async () => {
  await using web = await startFakeWeb();
  const running = { status: 'running', attempt: 1 } as const;
  for (const task of [
    makeTask(1, { ...running, startedAt: NOW - 60_000 }),
    makeTask(2, {
      ...running,
      startedAt: NOW - 3_600_000,
      title: 'the long one',
      knowledge: { state: 'stale', asOf: NOW - 9000 },
    }),
    makeTask(3, { status: 'failed' }),
  ])
    web.tasks.set(task.id, task);
  web.answers.set('GET /tasks', () => [
    200,
    { items: [1, 2].map((n) => web.tasks.get(taskId(n))), total: 2 },
  ]);
  const stale = {
    taskId: taskId(1),
    attempt: 1,
    evidence: { code: 'claim_silent', message: 'silent', sinceAt: NOW - 40_000 },
    action: 'requeue',
    result: 'wouldReclaim',
  };
  const unreachable = [{ agentId: 'a2', name: 'build-2', state: 'lost', message: 'gone' }];
  web.answers.set('POST /reclaim', () => [200, { items: [stale], unreachable }]);
  const { code, stdout, stderr } = await run(['stats'], { home: web.home });
  expect(code).toBe(75);
  expect(stdout).toMatch(/^queued +0$/m);
  expect(stdout).toMatch(/^running +2\?$/m);
  expect(stdout).toMatch(/^failed +1$/m);
  expect(stdout).toMatch(new RegExp(`^oldest running +59:51\\+ +${taskId(2)} +the long one$`, 'm'));
  expect(stdout).toMatch(/^not vouched for +1$/m);
  expect(stdout).toMatch(
    /^stale +1\?; see holdfast reclaim --stale --dry-run\n {2}00000001\S+ {2}claim_silent: silent, since 40 s$/m,
  );
  expect(stderr).toBe('holdfast: build-2 was not asked what is stale: gone\n');
  expect(web.requests.find((request) => request.method === 'POST')?.body).toEqual({ dryRun: true });
  const json = await run(['stats', '--json'], { home: web.home });
  expect(JSON.parse(json.stdout)).toMatchObject({
    counts: { running: 2, failed: 1 },
    oldestRunning: { id: taskId(2) },
    notVouchedFor: 1,
    stale: [stale],
    unreachable,
  });
});

test('stats never says that nothing runs, nor that all is vouched for, of an agent that is out of sight', async () => {
  await using web = await startFakeWeb();
  web.agents = [makeAgent('a1', 'build-2', { state: 'lost', asOf: NOW - 40_000 })];
  const knowledge = { state: 'unknown', asOf: NOW - 40_000, reason: 'agent_unreachable' } as const;
  const unknown = { status: 'unknown', knowledge, attempt: 1 } as const;
  const queued = makeTask(2, { ...unknown, attempt: 0, lastStatus: 'queued' });
  web.tasks.set(taskId(2), queued);
  web.answers.set('GET /tasks', () => [200, { items: [...web.tasks.values()] }]);
  web.answers.set('POST /reclaim', () => [200, { items: [] }]);
  const none = await run(['stats'], { home: web.home });
  expect(none.stdout).toMatch(/^oldest running +nothing that anybody vouches for$/m);
  expect(none.stdout).toMatch(/^not vouched for +1$/m);
  web.tasks.set(
    taskId(1),
    makeTask(1, { ...unknown, lastStatus: 'running', startedAt: NOW - 100_000, title: 'deploy' }),
  );
  const { stdout } = await run(['stats'], { home: web.home });
  expect(stdout).toMatch(new RegExp(`^oldest running +1:00\\+ +${taskId(1)} +deploy +\\(unknown\\)$`, 'm'));
  expect(stdout).toMatch(/^not vouched for +2$/m);
  const asked = web.requests.findLast((request) => request.path === '/api/tasks');
  expect(asked?.query.get('status')).toBe('queued,starting,running,unknown');
});

test('stats of a web that does not answer is a failure, and prints no figure', async () => {
  await using web = await startFakeWeb();
  const fetch = (): Promise<Response> =>
    Promise.reject(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
  const { code, stdout, stderr } = await run(['stats'], { home: web.home, change: { fetch } });
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain('does not answer: no answer within 20 s');
});

test('stats of an agent counts its own tasks', async () => {
  await using agent = await startFakeWeb();
  agent.tasks.set(taskId(1), makeTask(1, { status: 'completed' }));
  agent.answers.set('POST /reclaim', () => [200, { items: [] }]);
  const direct = ['--agent-url', agent.url, '--token-file', `${agent.home}/web.token`];
  const { code, stdout } = await run(['stats', ...direct]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^completed +1$/m);
  expect(stdout).toMatch(/^stale +0$/m);
});
