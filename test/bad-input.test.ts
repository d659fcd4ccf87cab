/** Bad input to web: each is answered as PROTOCOL.md §6 and §7 say, and changes nothing. */
import { request } from 'node:http';
import { expect, test } from 'vitest';
import { uuidv7 } from 'uuidv7';
import { startSystem, type System } from './system.ts';

interface Given {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
  token?: string | undefined;
}

/** A request as given, over node:http: fetch would not send a foreign Host. */
function send(
  system: System,
  given: Given,
): Promise<{ status: number; type: string; body: string; headers: Record<string, unknown> }> {
  const { method = 'POST', path = '/api/tasks', body } = given;
  const token = 'token' in given ? given.token : system.token('web');
  const headers: Record<string, string> = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    ...given.headers,
  };
  return new Promise((resolve, reject) => {
    // A connection of its own: one that is kept may be closed by web when it is taken up again.
    const sent = request(`${system.web.url}${path}`, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => {
        resolve({
          status: response.statusCode!,
          type: response.headers['content-type'] ?? '',
          body: text,
          headers: response.headers,
        });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const submitBody = (more: object = {}) =>
  JSON.stringify({ id: uuidv7(), sessionId: 's', spec: { command: ['true'] }, ...more });

test('every kind of bad input gets its own answer, says what is wrong, and changes nothing', async () => {
  await using system = await startSystem();
  const id = await system.submit({ command: ['true'] });
  await system.webTaskWhen(id, 'ended', (task) => task.endedAt !== undefined);
  const state = async () => {
    const [web, agent] = await Promise.all([
      system.call<{ total: number }>('web', 'GET', '/api/tasks'),
      system.call<{ head: number }>('agent', 'GET', '/agent'),
    ]);
    return { tasks: web.body.total, head: agent.body.head };
  };
  const before = await state();
  const unknownId = uuidv7();
  const cases: { name: string; given: Given; status: number; code: string }[] = [
    { name: 'malformed JSON', given: { body: '{"id":' }, status: 400, code: 'malformed_json' },
    { name: 'wrong types', given: { body: submitBody({ priority: 'high' }) }, status: 422, code: 'invalid' },
    {
      name: 'an unknown field',
      given: { body: submitBody({ colour: 'red' }) },
      status: 422,
      code: 'invalid',
    },
    {
      name: 'two ways to run',
      given: { body: submitBody({ spec: { command: ['true'], shell: 'true' } }) },
      status: 422,
      code: 'invalid',
    },
    {
      name: 'a NUL in an argument',
      given: { body: submitBody({ spec: { command: ['a\0b'] } }) },
      status: 422,
      code: 'invalid',
    },
    {
      name: 'an id of another version',
      given: { body: submitBody({ id: '0b8c1f0e-7c00-4000-8000-000000000001' }) },
      status: 422,
      code: 'invalid',
    },
    {
      name: 'a body of 2 MB',
      given: { body: submitBody({ title: 'x'.repeat(2_000_000) }) },
      status: 413,
      code: 'too_large',
    },
    {
      name: 'another media type',
      given: { body: submitBody(), headers: { 'content-type': 'text/plain' } },
      status: 415,
      code: 'unsupported_media_type',
    },
    {
      name: 'an unknown task',
      given: { path: `/api/tasks/${unknownId}/cancel` },
      status: 404,
      code: 'no_such_task',
    },
    { name: 'an unknown route', given: { path: '/api/nothing' }, status: 404, code: 'no_such_route' },
    {
      name: 'a wrong method',
      given: { method: 'DELETE', path: '/api/state' },
      status: 405,
      code: 'method_not_allowed',
    },
    {
      name: 'a foreign Host',
      given: { body: submitBody(), headers: { host: 'evil.example' } },
      status: 403,
      code: 'foreign_host',
    },
    {
      name: 'a foreign Origin',
      given: { body: submitBody(), headers: { origin: 'https://evil.example' } },
      status: 403,
      code: 'foreign_origin',
    },
    { name: 'no token', given: { body: submitBody(), token: undefined }, status: 401, code: 'unauthorized' },
    {
      name: 'a wrong token',
      given: { body: submitBody(), token: 'wrong' },
      status: 401,
      code: 'unauthorized',
    },
    {
      name: 'the same id with another spec',
      given: { body: submitBody({ id, spec: { command: ['false'] } }) },
      status: 409,
      code: 'task_conflict',
    },
    {
      name: 'a cancel of what has ended',
      given: { path: `/api/tasks/${id}/cancel` },
      status: 409,
      code: 'already_ended',
    },
    {
      name: 'a page that cannot be',
      given: { method: 'GET', path: '/api/tasks?limit=0' },
      status: 422,
      code: 'invalid',
    },
  ];
  for (const { name, given, status, code } of cases) {
    const answer = await send(system, given);
    expect({ name, status: answer.status, type: answer.type }).toEqual({
      name,
      status,
      type: 'application/problem+json',
    });
    const problem = JSON.parse(answer.body) as { code: string; detail: string; status: number };
    expect({ name, code: problem.code, status: problem.status }).toEqual({ name, code, status });
    expect(problem.detail.length).toBeGreaterThan(10);
    expect(answer.body).not.toMatch(/node_modules|\.ts:|at async|\/work|\/home/);
    expect(answer.body).not.toContain(system.token('web'));
  }
  expect(await state()).toEqual(before);
});

test('P11: after ten wrong tokens further ones are answered 429, and the right one still passes', async () => {
  await using system = await startSystem();
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      send(system, { method: 'GET', path: '/api/state', token: `wrong-${n}` }),
    ),
  );
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
    ...Array.from({ length: 10 }, () => 401),
    429,
    429,
  ]);
  const refused = await send(system, { method: 'GET', path: '/api/state', token: 'wrong' });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect((await send(system, { method: 'GET', path: '/api/state' })).status).toBe(200);
});

test('a bad cursor is told in the stream, with status 200, on both hops', async () => {
  await using system = await startSystem();
  const firstFrames = async (name: 'agent' | 'web', path: string) => {
    const abort = new AbortController();
    const response = await fetch(`${system[name].url}${path}`, {
      headers: { authorization: `Bearer ${system.token(name)}` },
      signal: abort.signal,
    });
    expect(response.status).toBe(200);
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    let text = '';
    // The frame as a whole, however it comes in pieces.
    while (!/event: reset\ndata: .*\n/.test(text)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the stream ended without a reset:\n${text}`);
      text += decoder.decode(value, { stream: true });
    }
    abort.abort();
    return text;
  };
  expect(await firstFrames('agent', '/events?cursor=nonsense')).toContain('"reason":"bad_cursor"');
  expect(await firstFrames('web', '/api/events?cursor=nonsense')).toContain('"reason":"bad_cursor"');
});
