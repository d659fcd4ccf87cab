/** `show`, `cancel`, `retry`: what is asked of tasks that exist. */
import { expect, test } from 'vitest';
import { makeTask, NOW, run, startFakeWeb, taskId } from '../test-kit.ts';

test('show says what is known, how, and since when', async () => {
  await using web = await startFakeWeb();
  const task = makeTask(1, {
    status: 'unknown',
    lastStatus: 'running',
    attempt: 2,
    startedAt: NOW - 60_000,
    knowledge: { state: 'unknown', asOf: NOW - 40_000, reason: 'agent_unreachable' },
    pending: [{ intent: 'i', action: 'cancel', sinceAt: NOW - 5000, lastError: 'nothing listens there' }],
    spec: { command: ['sh', '-c', 'echo "a b"'], cwd: '/src' },
  });
  web.tasks.set(task.id, task);
  const { code, stdout } = await run(['show', task.id], { home: web.home });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\? unknown \(was running\) {2}as of \d+ s ago, cancel pending$/m);
  expect(stdout).toMatch(/^command +sh -c 'echo "a b"'$/m);
  expect(stdout).toMatch(
    /^doubt +its agent cannot be reached; last proof 40 s ago; the task may still run$/m,
  );
  expect(stdout).toMatch(/^pending +cancel, asked 5 s ago, not acknowledged yet: nothing listens there$/m);
  expect(stdout).toMatch(/^took +0:20\+$/m);
  expect(JSON.parse((await run(['show', '--json', task.id], { home: web.home })).stdout)).toEqual(task);
});

test('show says who works on a claimed task, when it was heard, and what came of it', async () => {
  await using web = await startFakeWeb();
  const claim = {
    worker: 'ci-7',
    leaseExpiresAt: NOW - 3000,
    lastHeartbeatAt: NOW - 63_000,
    progress: { done: 3, of: 9 },
  };
  const attention = [{ code: 'claim_silent', message: 'worker ci-7 is silent', sinceAt: NOW - 33_000 }];
  const pending = [{ intent: 'i', action: 'reclaim' as const, sinceAt: NOW }];
  web.tasks.set(taskId(1), makeTask(1, { status: 'running', attempt: 1, claim, attention, pending }));
  const { stdout } = await run(['show', taskId(1)], { home: web.home });
  expect(stdout).toMatch(/^● running, reclaim pending, ! claim_silent$/m);
  expect(stdout).toMatch(/^worker +ci-7, heard 1 min ago, lease over for 3 s$/m);
  expect(stdout).toMatch(/^progress +\{"done":3,"of":9\}$/m);
  expect(stdout).toMatch(/^attention +worker ci-7 is silent \(claim_silent\)$/m);
  const outcome = { reason: 'worker_completed' as const, result: { artifact: 'a.tgz' } };
  web.tasks.set(taskId(2), makeTask(2, { status: 'completed', attempt: 1, endedAt: NOW, outcome }));
  expect((await run(['show', taskId(2)], { home: web.home })).stdout).toMatch(
    /^result +\{"artifact":"a\.tgz"\}$/m,
  );
});

test('a beginning of an id stands for the one task that has it, with or without hyphens', async () => {
  await using web = await startFakeWeb();
  for (const n of [0x10, 0x11, 0x2f]) web.tasks.set(taskId(n), makeTask(n));
  const show = (ref: string): ReturnType<typeof run> => run(['show', '--json', ref], { home: web.home });
  expect(JSON.parse((await show('0000002f')).stdout)).toMatchObject({ id: taskId(0x2f) });
  expect(JSON.parse((await show('0000002F7c007')).stdout)).toMatchObject({ id: taskId(0x2f) });
  const ambiguous = await show('0000001');
  expect(ambiguous.code).toBe(2);
  expect(ambiguous.stderr).toContain(taskId(0x10));
  expect(ambiguous.stderr).toContain('Write more of the id.');
  expect((await show('00ff')).code).toBe(4);
  expect((await show('000')).code).toBe(2);
  expect((await show('latest')).code).toBe(2);
  expect((await show(taskId(99))).code).toBe(4);
});

test('cancel says how far each request has come; one refusal does not keep the others from theirs', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'completed' }));
  web.tasks.set(taskId(2), makeTask(2, { status: 'running' }));
  const { code, stdout, stderr } = await run(['cancel', taskId(1), taskId(2)], { home: web.home });
  expect(code).toBe(4);
  expect(stdout).toBe(`${taskId(2)}  stopping: its agent has the request\n`);
  expect(stderr).toContain(`${taskId(1)}: The task has already ended: completed.`);
  const json = await run(['cancel', '--json', taskId(1), taskId(2)], { home: web.home });
  expect(JSON.parse(json.stdout)).toMatchObject([
    { id: taskId(1), problem: { code: 'already_ended', status: 409 } },
    { id: taskId(2), task: { stopRequested: { cause: 'cancel' } } },
  ]);
});

test('of several requests one whose answer was lost makes 75, whatever was refused before', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'completed' }));
  web.intercept = (request, response) => {
    if (request.path !== `/api/tasks/${taskId(2)}/cancel`) return false;
    response.destroy();
    return true;
  };
  const { code, stderr } = await run(['cancel', taskId(1), 'zzzz', taskId(2)], { home: web.home });
  expect(stderr).toContain('"zzzz" is not the id of a task');
  expect(code).toBe(75);
});

test('a cancel that no agent has acknowledged is pending, not done', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(2), makeTask(2, { status: 'unknown' }));
  web.intercept = (request, response) => {
    if (request.method !== 'POST') return false;
    response.writeHead(202, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({
        ...web.tasks.get(taskId(2)),
        pending: [{ intent: 'i', action: 'cancel', sinceAt: NOW }],
      }),
    );
    return true;
  };
  expect((await run(['cancel', taskId(2)], { home: web.home })).stdout).toContain(
    'cancel pending: it will be delivered when',
  );
});

test('retry prints the id of the new task, which it chose itself', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'failed' }));
  const { code, stdout } = await run(['retry', taskId(1)], { home: web.home });
  expect(code).toBe(0);
  const sent = web.requests.find((request) => request.path.endsWith('/retry'));
  expect(sent?.body).toEqual({ id: stdout.trim() });
});

test('a retry whose answer was lost is unknown, and says how to repeat it so that nothing runs twice', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'failed' }));
  web.intercept = (request, response) => {
    if (request.method === 'POST') response.destroy();
    return request.method === 'POST';
  };
  const { code, stderr } = await run(['retry', taskId(1)], { home: web.home });
  expect(code).toBe(75);
  const [, ...again] = /Repeat it with: holdfast (retry) (\S+) (--id) (\S+?)\./.exec(stderr) ?? [];
  const sent = web.requests.findLast((request) => request.method === 'POST')?.body;
  expect(again).toEqual(['retry', taskId(1), '--id', Object(sent).id]);
  web.intercept = () => false;
  const repeated = await run(again, { home: web.home });
  expect([repeated.code, repeated.stdout]).toEqual([0, `${Object(sent).id}\n`]);
  expect(web.requests.at(-1)?.body).toEqual(sent);
});

test('--id is for one retry: with several tasks, or with a choice, nothing is asked', async () => {
  await using web = await startFakeWeb();
  for (const more of [
    [taskId(1), taskId(2)],
    ['--session', 's', '-y'],
  ]) {
    const { code, stderr } = await run(['retry', '--id', taskId(9), ...more], { home: web.home });
    expect([code, stderr]).toEqual([2, expect.stringContaining('--id is the id of one new task')]);
  }
  expect(web.requests).toEqual([]);
});

test('--json tells a lost answer from a request that was not sent, and both from a refusal', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'running', attempt: 1 }));
  web.intercept = (request, response) => {
    if (request.method === 'POST') response.destroy();
    return request.method === 'POST';
  };
  const lost = await run(['cancel', '--json', taskId(1)], { home: web.home });
  expect(lost.code).toBe(75);
  expect(JSON.parse(lost.stdout)).toMatchObject([{ ref: taskId(1), problem: { code: 'answer_lost' } }]);
  web.intercept = (_request, response) => {
    response.destroy();
    return true;
  };
  const wait = await run(['wait', '--json', taskId(1)], { home: web.home });
  expect(JSON.parse(wait.stdout)).toMatchObject([{ exitCode: 75, problem: { code: 'answer_lost' } }]);
  const none = await run(['cancel', '--json', taskId(1)], { home: web.home, change: { fetch: refused } });
  expect(none.code).toBe(1);
  expect(JSON.parse(none.stdout)).toMatchObject([{ problem: { code: 'unreachable' } }]);
});

test('what was seen waiting may run by now; what ran may still run', async () => {
  await using web = await startFakeWeb();
  const knowledge = { state: 'unknown', asOf: NOW - 40_000, reason: 'agent_unreachable' } as const;
  for (const [lastStatus, attempt, words] of [
    ['queued', 0, 'the task may run by now'],
    ['queued', 1, 'the task may run by now'],
    ['running', 1, 'the task may still run'],
  ] as const) {
    web.tasks.set(taskId(1), makeTask(1, { status: 'unknown', lastStatus, attempt, knowledge }));
    const { stdout } = await run(['show', taskId(1)], { home: web.home });
    expect(stdout).toMatch(new RegExp(`^doubt .*; ${words}$`, 'm'));
    const wait = await run(['wait', taskId(1), '--patience', '10ms'], { home: web.home });
    expect(wait.stderr).toContain(`holdfast: T${words.slice(1)}; its status is unknown`);
  }
});

test.each([['show'], ['retry'], ['logs'], ['events'], ['cancel']])(
  '%s says that web cannot be reached, and what to do',
  async (verb) => {
    await using web = await startFakeWeb();
    const { code, stdout, stderr } = await run([verb, taskId(1)], {
      home: web.home,
      change: { fetch: refused },
    });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`Web at ${web.url} cannot be reached: nothing listens there\n  `);
    expect(stderr).toContain('holdfast up');
  },
);

/** What a request to where nothing listens comes to. */
function refused(): Promise<Response> {
  const cause = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
  return Promise.reject(new TypeError('fetch failed', { cause }));
}

test('resolve of several gives each its verdict or its refusal', async () => {
  await using web = await startFakeWeb();
  for (const n of [1, 2, 3]) web.tasks.set(taskId(n), makeTask(n, { status: 'unknown', attempt: 1 }));
  for (const n of [1, 3])
    web.answers.set(`POST /tasks/${taskId(n)}/resolve`, () => [200, makeTask(n, { status: 'lost' })]);
  const problem = { status: 409, code: 'not_unknown', detail: 'Only an unknown task takes a verdict.' };
  web.answers.set(`POST /tasks/${taskId(2)}/resolve`, () => [409, problem]);
  const ids = [taskId(1), taskId(2), taskId(3)];
  const { code, stdout, stderr } = await run(['resolve', ...ids, '--lost'], { home: web.home });
  expect([code, stdout]).toEqual([4, `${taskId(1)}  lost\n${taskId(3)}  lost\n`]);
  expect(stderr).toBe(`holdfast: ${taskId(2)}: Only an unknown task takes a verdict.\n`);
});

test.each([
  ['cancel', ['cancel'], 'whether the request was taken is not known'],
  ['resolve', ['resolve', '--lost'], 'whether the verdict was taken is not known'],
  ['retry', ['retry'], 'whether the retry was accepted is not known'],
])('a %s whose answer is lost is unknown, and says what to do', async (_name, argv, words) => {
  await using web = await startFakeWeb();
  web.intercept = (request, response) => {
    if (request.method !== 'POST') return false;
    response.destroy();
    return true;
  };
  const { code, stdout, stderr } = await run([...argv, taskId(1)], { home: web.home });
  expect({ code, stdout }).toEqual({ code: 75, stdout: '' });
  expect(stderr).toContain(words);
});
