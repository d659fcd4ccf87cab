/** The agent's REST as PROTOCOL.md §3 and §6 say it, over the real server: every refusal, and that it changes nothing. */
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import type { Grant, Problem, Task } from '@holdfast/shared';
import { OWN_CONNECTION, startSystem, type System } from './system.ts';

const submitBody = (more: object = {}) => ({
  id: uuidv7(),
  sessionId: 's',
  spec: { command: ['true'] },
  ...more,
});
const ended = (task: Task) => task.endedAt !== undefined;
const HOUR_MS = 3_600_000;

/** An id whose time is `at`. */
function idAt(at: number): string {
  const hex = at.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${uuidv7().slice(-12)}`;
}

interface Given {
  method?: string;
  path?: string;
  body?: string;
  headers?: Record<string, string>;
}

async function send(system: System, given: Given) {
  const { method = 'POST', path = '/tasks', body, headers } = given;
  const response = await fetch(`${system.agent.url}${path}`, {
    method,
    headers: {
      ...OWN_CONNECTION.headers,
      authorization: `Bearer ${system.token('agent')}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

type Refusal = [name: string, given: Given, status: number, code: string];

/** Each is answered as it says, and the agent is afterwards as it was before, with what `more` reads of it. */
async function expectRefusals(
  system: System,
  cases: readonly Refusal[],
  more: () => Promise<unknown> = () => Promise.resolve(undefined),
): Promise<void> {
  const state = async () => {
    const [agent, pool] = [
      await system.call<{ head: number }>('agent', 'GET', '/agent'),
      await send(system, { method: 'GET', path: '/pool' }),
    ];
    return { head: agent.body.head, pool: pool.text, more: await more() };
  };
  const before = await state();
  for (const [name, given, status, code] of cases) {
    const answer = await send(system, given);
    const type = answer.headers.get('content-type');
    expect({ name, status: answer.status, type }).toEqual({ name, status, type: 'application/problem+json' });
    const problem = JSON.parse(answer.text) as Problem;
    expect({ name, code: problem.code, status: problem.status }).toEqual({ name, code, status });
    expect(problem.detail.length).toBeGreaterThan(10);
    expect(answer.text).not.toMatch(/node_modules|\.ts:|at async/);
    expect(answer.text).not.toContain(system.home);
    expect(answer.text).not.toContain(system.token('agent'));
    if (status === 422 && given.body !== undefined) expect(problem.errors?.length).toBeGreaterThan(0);
    if (status === 405) expect(answer.headers.get('allow')).not.toBeNull();
  }
  expect(await state()).toEqual(before);
}

test('every kind of bad input gets its own answer, says what is wrong, and leaves the journal as it was', async () => {
  await using system = await startSystem({ web: false });
  const id = uuidv7();
  const submitted = submitBody({ id });
  expect((await system.call('agent', 'POST', '/tasks', submitted)).status).toBe(201);
  await system.agentTaskWhen(id, 'ended', ended);
  const running = uuidv7();
  await system.call(
    'agent',
    'POST',
    '/tasks',
    submitBody({ id: running, spec: { shell: 'exec sleep 600' } }),
  );
  await system.agentTaskWhen(running, 'running', (task) => task.status === 'running');
  const text = (more: object) => JSON.stringify(submitBody(more));
  const cases: Refusal[] = [
    ['malformed JSON', { body: '{"id":' }, 400, 'malformed_json'],
    ['no body', {}, 422, 'invalid'],
    ['wrong types', { body: text({ priority: 'high' }) }, 422, 'invalid'],
    ['an unknown field', { body: text({ colour: 'red' }) }, 422, 'invalid'],
    ['nothing to run', { body: text({ spec: {} }) }, 422, 'invalid'],
    ['two ways to run', { body: text({ spec: { command: ['true'], shell: 'true' } }) }, 422, 'invalid'],
    ['a NUL', { body: text({ spec: { command: ['a\0b'] } }) }, 422, 'invalid'],
    [
      'an environment name',
      { body: text({ spec: { command: ['true'], env: { 'a-b': 'x' } } }) },
      422,
      'invalid',
    ],
    ['an unknown runner', { body: text({ spec: { runner: 'none', prompt: 'x' } }) }, 422, 'invalid'],
    ['an id of the future', { body: text({ id: idAt(Date.now() + HOUR_MS) }) }, 422, 'invalid'],
    ['an id past retention', { body: text({ id: idAt(Date.now() - 31 * 24 * HOUR_MS) }) }, 422, 'invalid'],
    ['an id of version 4', { body: text({ id: '0b8c1f0e-7c00-4000-8000-000000000001' }) }, 422, 'invalid'],
    ['no session', { body: text({ sessionId: undefined }) }, 422, 'invalid'],
    ['2 MB', { body: text({ title: 'x'.repeat(2_000_000) }) }, 413, 'too_large'],
    [
      'another type',
      { body: text({}), headers: { 'content-type': 'text/plain' } },
      415,
      'unsupported_media_type',
    ],
    ['other content', { body: text({ id, spec: { command: ['false'] } }) }, 409, 'task_conflict'],
    ['a late cancel', { path: `/tasks/${id}/cancel` }, 409, 'already_ended'],
    [
      'an early retry',
      { path: `/tasks/${running}/retry`, body: JSON.stringify({ id: uuidv7() }) },
      409,
      'not_ended',
    ],
    ['a retry as itself', { path: `/tasks/${id}/retry`, body: JSON.stringify({ id }) }, 409, 'task_conflict'],
    ['a retry without an id', { path: `/tasks/${id}/retry`, body: '{}' }, 422, 'invalid'],
    ['an unknown task', { method: 'GET', path: `/tasks/${uuidv7()}` }, 404, 'no_such_task'],
    ['its events', { method: 'GET', path: `/tasks/${uuidv7()}/events` }, 404, 'no_such_task'],
    ['its attempts', { method: 'GET', path: `/tasks/${uuidv7()}/attempts` }, 404, 'no_such_task'],
    ['its output', { method: 'GET', path: `/tasks/${uuidv7()}/output` }, 404, 'no_such_task'],
    ['its stream', { method: 'GET', path: `/tasks/${uuidv7()}/output/stream` }, 404, 'no_such_task'],
    ['a cancel of it', { path: `/tasks/${uuidv7()}/cancel` }, 404, 'no_such_task'],
    ['an attempt', { method: 'GET', path: `/tasks/${id}/output?attempt=2` }, 404, 'no_such_attempt'],
    [
      'an attempt’s stream',
      { method: 'GET', path: `/tasks/${id}/output/stream?attempt=2` },
      404,
      'no_such_attempt',
    ],
    ['an offset', { method: 'GET', path: `/tasks/${id}/output?offset=-1` }, 422, 'invalid'],
    ['no id at all', { method: 'GET', path: '/tasks/nonsense' }, 422, 'invalid'],
    ['a status', { method: 'GET', path: '/tasks?status=lost' }, 422, 'invalid'],
    ['a page', { method: 'GET', path: '/tasks?limit=501' }, 422, 'invalid'],
    ['a place', { method: 'GET', path: `/tasks?after=${uuidv7()}` }, 422, 'invalid'],
    ['slots', { method: 'PATCH', path: '/pool', body: '{"slots":-1}' }, 422, 'invalid'],
    ['slots as text', { method: 'PATCH', path: '/pool', body: '{"slots":"4"}' }, 422, 'invalid'],
    ['an unknown route', { path: '/nothing' }, 404, 'no_such_route'],
    ['a wrong method', { method: 'DELETE', path: `/tasks/${id}` }, 405, 'method_not_allowed'],
    ['a wrong method on the stream', { path: '/events' }, 405, 'method_not_allowed'],
    [
      'a foreign origin',
      { body: text({}), headers: { origin: 'https://evil.example' } },
      403,
      'foreign_origin',
    ],
    ['no token', { body: text({}), headers: { authorization: '' } }, 401, 'unauthorized'],
    ['a wrong token', { body: text({}), headers: { authorization: 'Bearer wrong' } }, 401, 'unauthorized'],
  ];
  await expectRefusals(system, cases);
});

test('every kind of bad input about claims, reclaim and audit gets its own answer and changes nothing, no lease either', async () => {
  // An agent that was not awake between two sweeps gives new terms: there are none.
  await using system = await startSystem({ web: false, env: { HOLDFAST_SWEEP_MS: String(HOUR_MS) } });
  const claim = async (claimId: string) => {
    const id = uuidv7();
    await system.call('agent', 'POST', '/tasks', submitBody({ id, queue: 'ci', spec: {} }));
    const body = { claimId, queue: 'ci', worker: 'w1', leaseMs: HOUR_MS };
    const { token } = (await system.call<Grant>('agent', 'POST', '/claims', body)).body.claim;
    return { id, token };
  };
  const over = await claim('over');
  await system.call('agent', 'POST', `/claims/${over.token}/complete`, { result: 1 });
  const held = await claim('held');
  await system.call('agent', 'POST', `/claims/${held.token}/heartbeat`, { progress: 1 });
  // It is there to be taken by whatever is let through.
  await system.call('agent', 'POST', '/tasks', submitBody({ queue: 'ci', spec: {} }));

  const claims = (more: object) => ({
    path: '/claims',
    body: JSON.stringify({ claimId: 'new', queue: 'ci', worker: 'w1', ...more }),
  });
  const say = (word: string, body?: object | string, token = held.token): Given => {
    const text = typeof body === 'object' ? JSON.stringify(body) : body;
    return { path: `/claims/${token}/${word}`, ...(text === undefined ? {} : { body: text }) };
  };
  const reclaim = (id: string, body: object) => ({
    path: `/tasks/${id}/reclaim`,
    body: JSON.stringify(body),
  });
  const stale = (body: object) => ({ path: '/reclaim', body: JSON.stringify(body) });
  const attempt = { attempt: 1, reason: 'why' };
  await expectRefusals(
    system,
    [
      ['a claim that is malformed', { path: '/claims', body: '{' }, 400, 'malformed_json'],
      ['a claim without a body', { path: '/claims' }, 422, 'invalid'],
      ['a claim that is null', { path: '/claims', body: 'null' }, 422, 'invalid'],
      ['the agent’s own queue', claims({ queue: 'default' }), 422, 'invalid'],
      ['a queue’s name', claims({ queue: 'a b' }), 422, 'invalid'],
      ['no queue', claims({ queue: undefined }), 422, 'invalid'],
      ['a worker’s name', claims({ worker: 'a\nb' }), 422, 'invalid'],
      ['no worker', claims({ worker: undefined }), 422, 'invalid'],
      ['a claim’s id', claims({ claimId: 'a/b' }), 422, 'invalid'],
      ['no id of the claim', claims({ claimId: undefined }), 422, 'invalid'],
      ['a lease too short', claims({ leaseMs: 4999 }), 422, 'invalid'],
      ['a lease too long', claims({ leaseMs: HOUR_MS + 1 }), 422, 'invalid'],
      ['a wait too long', claims({ waitMs: 60_001 }), 422, 'invalid'],
      ['a wait before now', claims({ waitMs: -1 }), 422, 'invalid'],
      ['an unknown field of a claim', claims({ colour: 'red' }), 422, 'invalid'],
      ['a claim of 2 MB', claims({ worker: 'x'.repeat(2_000_000) }), 413, 'too_large'],
      [
        'a claim of another type',
        { ...claims({}), headers: { 'content-type': 'text/plain' } },
        415,
        'unsupported_media_type',
      ],
      [
        'a claim from elsewhere',
        { ...claims({}), headers: { origin: 'https://evil.example' } },
        403,
        'foreign_origin',
      ],
      ['a claim without a token', { ...claims({}), headers: { authorization: '' } }, 401, 'unauthorized'],
      ['the claim of another worker', claims({ claimId: 'held', worker: 'w2' }), 422, 'invalid'],
      ['the claim of another queue', claims({ claimId: 'held', queue: 'gpu' }), 422, 'invalid'],
      ['a claim that is over', claims({ claimId: 'over' }), 409, 'claim_lost'],
      ['a claim that waits and is over', claims({ claimId: 'over', waitMs: 60_000 }), 409, 'claim_lost'],
      ['a list of claims', { method: 'GET', path: '/claims' }, 405, 'method_not_allowed'],

      ['a malformed heartbeat', say('heartbeat', '{'), 400, 'malformed_json'],
      ['a heartbeat that is an array', say('heartbeat', '[]'), 422, 'invalid'],
      ['an unknown field of a heartbeat', say('heartbeat', { percent: 1 }), 422, 'invalid'],
      ['a heartbeat of 2 MB', say('heartbeat', { progress: 'x'.repeat(2_000_000) }), 413, 'too_large'],
      ['a heartbeat of nobody', say('heartbeat', {}, 'nobody'), 409, 'claim_lost'],
      ['a heartbeat under the worker’s route', say('heartbeat', {}, 'release'), 409, 'claim_lost'],
      ['a heartbeat that is late', say('heartbeat', {}, over.token), 409, 'claim_lost'],
      ['a token too long', say('heartbeat', {}, 'x'.repeat(129)), 422, 'invalid'],
      ['a heartbeat by another method', { ...say('heartbeat'), method: 'PUT' }, 405, 'method_not_allowed'],
      ['a word that is none', say('finish', {}), 404, 'no_such_route'],

      ['a malformed result', say('complete', '{"result":'), 400, 'malformed_json'],
      ['an unknown field of a result', say('complete', { output: 1 }), 422, 'invalid'],
      ['a result of 2 MB', say('complete', { result: 'x'.repeat(2_000_000) }), 413, 'too_large'],
      ['a complete of nobody', say('complete', {}, 'nobody'), 409, 'claim_lost'],
      ['another result', say('complete', { result: 2 }, over.token), 409, 'claim_lost'],
      ['a failure without a body', say('fail'), 422, 'invalid'],
      ['a failure without a message', say('fail', {}), 422, 'invalid'],
      ['a failure with an empty message', say('fail', { message: '' }), 422, 'invalid'],
      ['a failure with a long message', say('fail', { message: 'x'.repeat(4001) }), 422, 'invalid'],
      ['a failure of wrong types', say('fail', { message: 'no', retryable: 'yes' }), 422, 'invalid'],
      ['a failure after the end', say('fail', { message: 'no' }, over.token), 409, 'claim_lost'],
      ['a release of nobody', say('release', undefined, 'nobody'), 409, 'claim_lost'],
      ['a release after the end', say('release', undefined, over.token), 409, 'claim_lost'],
      ['a release of no worker', { path: '/claims/release', body: '{}' }, 422, 'invalid'],
      ['a release without a body', { path: '/claims/release' }, 422, 'invalid'],
      ['a release of a list', { path: '/claims/release', body: '{"worker":["w1"]}' }, 422, 'invalid'],

      ['a reclaim without a body', { path: `/tasks/${held.id}/reclaim` }, 422, 'invalid'],
      ['a reclaim without an attempt', reclaim(held.id, { reason: 'why' }), 422, 'invalid'],
      ['a reclaim without a reason', reclaim(held.id, { attempt: 1 }), 422, 'invalid'],
      ['a reclaim with an empty reason', reclaim(held.id, { attempt: 1, reason: '' }), 422, 'invalid'],
      [
        'a reclaim with a long reason',
        reclaim(held.id, { attempt: 1, reason: 'x'.repeat(501) }),
        422,
        'invalid',
      ],
      ['a reclaim of attempt 0', reclaim(held.id, { ...attempt, attempt: 0 }), 422, 'invalid'],
      ['a reclaim of another attempt', reclaim(held.id, { ...attempt, attempt: 2 }), 409, 'attempt_changed'],
      ['a reclaim of what has ended', reclaim(over.id, attempt), 409, 'not_claimable'],
      ['a reclaim of nothing', reclaim(uuidv7(), attempt), 404, 'no_such_task'],
      ['a reclaim of no id', reclaim('nonsense', attempt), 422, 'invalid'],
      ['an age before now', stale({ olderThanMs: -1 }), 422, 'invalid'],
      ['a budget of none', stale({ maxAttempts: 0 }), 422, 'invalid'],
      ['a dry run as text', stale({ dryRun: 'yes' }), 422, 'invalid'],
      ['an unknown field of a reclaim', stale({ stale: true }), 422, 'invalid'],
      ['a malformed reclaim', { path: '/reclaim', body: '{' }, 400, 'malformed_json'],

      ['an audit of no id', { method: 'GET', path: '/audit?taskId=nonsense' }, 422, 'invalid'],
      ['an audit of nothing', { method: 'GET', path: `/audit?taskId=${uuidv7()}` }, 404, 'no_such_task'],
      ['an audit by another method', { path: '/audit' }, 405, 'method_not_allowed'],
      ['runners by another method', { path: '/runners' }, 405, 'method_not_allowed'],
    ],
    async () => system.agentTask(held.id),
  );
});

test('a submit and a retry that are repeated are the same task, and change nothing the second time', async () => {
  await using system = await startSystem({ web: false });
  const body = submitBody({ spec: { command: ['true'], env: { A: '1', B: '2' } } });
  expect((await system.call('agent', 'POST', '/tasks', body)).status).toBe(201);
  await system.agentTaskWhen(body.id, 'ended', ended);
  const reordered = { ...body, spec: { env: { B: '2', A: '1' }, command: ['true'] } };
  expect((await system.call<Task>('agent', 'POST', '/tasks', reordered)).status).toBe(200);
  const otherValue = { ...body, spec: { command: ['true'], env: { A: '1', B: '3' } } };
  expect((await system.call('agent', 'POST', '/tasks', otherValue)).status).toBe(409);
  const id = uuidv7();
  const retry = await system.call<Task>('agent', 'POST', `/tasks/${body.id}/retry`, { id });
  expect([retry.status, retry.body.retryOf]).toEqual([201, body.id]);
  expect((await system.call('agent', 'POST', `/tasks/${body.id}/retry`, { id })).status).toBe(200);
  expect((await system.call<{ items: Task[] }>('agent', 'GET', '/tasks')).body.items).toHaveLength(2);
});

test('submits of the same id at the same moment are one task', async () => {
  await using system = await startSystem({ web: false });
  const body = submitBody();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => system.call('agent', 'POST', '/tasks', body)),
  );
  const statuses = answers.map(({ status }) => status);
  expect([
    statuses.filter((one) => one === 201).length,
    statuses.filter((one) => one === 200).length,
  ]).toEqual([1, 19]);
});

test('a full queue says so and when to come again, whatever the queue, also to those who come together', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_QUEUE_LIMIT: '5' } });
  await system.call('agent', 'POST', '/pool/pause');
  const bodies = Array.from({ length: 8 }, (_, n) => submitBody({ queue: n % 2 === 0 ? 'default' : 'gpu' }));
  const answers = await Promise.all(
    bodies.map((body) => system.call<Problem>('agent', 'POST', '/tasks', body)),
  );
  const refused = answers.filter(({ status }) => status === 503);
  expect(refused).toHaveLength(3);
  expect(refused[0]!.body.code).toBe('queue_full');
  expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await system.call<{ head: number }>('agent', 'GET', '/agent')).body.head).toBe(5);
});

test('a list has an ETag that holds until a task changes, also for who comes through a proxy that weakens it', async () => {
  await using system = await startSystem({ web: false });
  await system.call('agent', 'POST', '/pool/pause');
  await system.call('agent', 'POST', '/tasks', submitBody());
  const etag = (await send(system, { method: 'GET' })).headers.get('etag')!;
  const again = (given: string) => send(system, { method: 'GET', headers: { 'if-none-match': given } });
  for (const given of [etag, `W/${etag}`, `"other", ${etag}`]) {
    const answer = await again(given);
    expect([answer.status, answer.text]).toEqual([304, '']);
  }
  expect((await again('"other"')).status).toBe(200);
  await system.call('agent', 'POST', '/tasks', submitBody());
  expect((await again(etag)).status).toBe(200);
});

test('pages of a list are in order, complete and without repetition', async () => {
  await using system = await startSystem({ web: false });
  await system.call('agent', 'POST', '/pool/pause');
  const bodies = Array.from({ length: 7 }, () => submitBody());
  for (const body of bodies) await system.call('agent', 'POST', '/tasks', body);
  const ids: string[] = [];
  for (let after = ''; ;) {
    const path = `/tasks?limit=3${after}`;
    const { body } = await system.call<{ items: Task[]; next?: string }>('agent', 'GET', path);
    ids.push(...body.items.map((task) => task.id));
    if (body.next === undefined) break;
    after = `&after=${body.next}`;
  }
  expect(ids).toEqual(bodies.map(({ id }) => id).toReversed());
});

test('the output of a task that waits is followed into its attempt, and the end says how that one ended', async () => {
  await using system = await startSystem({ web: false });
  await system.call('agent', 'POST', '/pool/pause');
  const body = submitBody({
    spec: { shell: 'echo hello; exit 3', retry: { maxAttempts: 2, on: ['failed'] } },
  });
  await system.call('agent', 'POST', '/tasks', body);
  const following = send(system, { method: 'GET', path: `/tasks/${body.id}/output/stream` });
  await system.call('agent', 'POST', '/pool/resume');
  const { text } = await following;
  expect(text).toContain('{"offset":0,"text":"hello\\n"}');
  expect(text).toMatch(/event: end\ndata: \{"bytes":6,.*"exitCode":3/);
  await system.agentTaskWhen(body.id, 'ended', ended);
  const first = await send(system, {
    method: 'GET',
    path: `/tasks/${body.id}/output/stream?attempt=1&offset=2`,
  });
  expect(first.text).toContain('{"offset":2,"text":"llo\\n"}');
  expect(first.text).toContain('"outcome":{"reason":"exit","exitCode":3}');
});
