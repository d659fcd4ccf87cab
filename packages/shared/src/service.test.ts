import { spawnSync } from 'node:child_process';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { createRoute, z } from '@hono/zod-openapi';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { type ProblemCode, ProblemError, ProblemSchema, problemTypes } from './errors.ts';
import { TaskEventSchema } from './events.ts';
import { FeedChangeSchema, HeartbeatSchema, HelloSchema, ShownTaskSchema, StateSchema } from './protocol.ts';
import { createApp, createMetrics, serveApp, VERSION } from './service.ts';
import { SubmitSchema, TaskSchema } from './task.ts';
import { type Answer, call, sampleTask, TASK_ID } from './test-support.ts';

const json = { 'content-type': 'application/json' };
const answered = <T extends z.ZodType>(schema: T) => ({
  200: { description: 'so it is', content: { 'application/json': { schema } } },
});

function isProblemCode(code: string): code is ProblemCode {
  return code in problemTypes;
}

/** The parts of an OpenAPI document that are looked at, each as the standard requires it. */
const DescriptionSchema = z.object({
  openapi: z.literal('3.1.0'),
  info: z.object({ title: z.string(), version: z.string() }),
  paths: z.record(
    z.string().startsWith('/'),
    z.record(
      z.string(),
      z.object({ responses: z.record(z.string(), z.object({ description: z.string() })) }),
    ),
  ),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});

/** A service with one route of each kind; `received` says which bodies reached a route. */
async function startService() {
  const received: unknown[] = [];
  const logged: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      logged.push(String(chunk));
      done();
    },
  });
  const app = createApp({
    title: 'Test',
    description: 'A service of the tests.',
    logger: pino({ level: 'info' }, sink),
    guard: async (_context, next) => next(),
  });
  app.openapi(
    createRoute({
      method: 'post',
      path: '/tasks',
      request: { body: { required: true, content: { 'application/json': { schema: SubmitSchema } } } },
      responses: answered(TaskSchema),
    }),
    (context) => {
      received.push(context.req.valid('json'));
      return context.json(sampleTask(), 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/tasks',
      request: { query: z.object({ limit: z.coerce.number().int().max(10).optional() }) },
      responses: answered(z.array(ShownTaskSchema)),
    }),
    (context) => context.json([], 200),
  );
  app.openapi(
    createRoute({
      method: 'delete',
      path: '/tasks/{id}',
      request: { params: z.object({ id: z.string() }) },
      responses: answered(z.unknown()),
    }),
    (context) => {
      received.push(context.req.valid('param'));
      return context.json({}, 200);
    },
  );
  for (const [at, schema] of [
    TaskEventSchema,
    HelloSchema,
    HeartbeatSchema,
    StateSchema,
    FeedChangeSchema,
  ].entries()) {
    app.openapi(createRoute({ method: 'get', path: `/schema/${at}`, responses: answered(schema) }), () => {
      throw new Error('it is only described');
    });
  }
  app.openapi(
    createRoute({
      method: 'get',
      path: '/problem/{code}',
      request: { params: z.object({ code: z.string() }) },
      responses: {
        default: {
          description: 'a refusal',
          content: { 'application/problem+json': { schema: ProblemSchema } },
        },
      },
    }),
    (context) => {
      const { code } = context.req.valid('param');
      if (!isProblemCode(code)) throw new Error(`there is no problem ${code}`);
      throw new ProblemError(code, 'Do this.', {
        retryAfterSeconds: 7,
        extra: { taskStatus: 'failed' },
        cause: new Error('a secret cause'),
      });
    },
  );
  app.get('/broken', () => {
    throw new Error('a secret at /home/me/.ssh');
  });
  app.get('/thrown', () => {
    // What is thrown by others need not be an Error.
    // oxlint-disable-next-line typescript/only-throw-error
    throw 'a secret string';
  });
  app.get('/fetched', () => fetch(new URL('data:text/plain,from%20afar')));
  app.get('/late', (context) => {
    context.res = new Response('half an answer', { headers: { 'content-length': '14', 'x-half': '1' } });
    throw new Error('after the answer was begun');
  });
  const server = await serveApp(app, '127.0.0.1', 0);
  return { ...server, received, logged, [Symbol.asyncDispose]: server.stop };
}

/** Checks that an answer is a problem of this code in every respect, and gives it. */
function problemOf(answer: Answer, code: ProblemCode) {
  const problem = ProblemSchema.parse(JSON.parse(answer.body));
  expect(problem.code).toBe(code);
  expect(answer.status).toBe(problemTypes[code][0]);
  expect(problem.status).toBe(answer.status);
  expect(problem.type).toBe(`urn:holdfast:problem:${code}`);
  expect(problem.title).toBe(problemTypes[code][1]);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expectHeaders(answer);
  return problem;
}

function expectHeaders(answer: Answer) {
  expect(answer.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cache-control': 'no-store',
  });
  const policy = answer.headers['content-security-policy'];
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self';");
  expect(policy).toContain("frame-ancestors 'none'");
}

const submit = JSON.stringify({ id: TASK_ID, sessionId: 's', spec: { shell: 'true', payload: 'é' } });
/** A request with its length, and the same in chunks. */
const ways = [
  ['with its length', (body: string) => ({ 'content-length': String(Buffer.byteLength(body)) })],
  ['in chunks', () => ({ 'transfer-encoding': 'chunked' })],
] as [string, (body: string) => Record<string, string>][];

test.each(ways)('a good body %s reaches its route whole', async (_way, headers) => {
  await using service = await startService();
  for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON']) {
    const options = { method: 'POST', headers: { 'content-type': type, ...headers(submit) }, body: submit };
    expect((await call(`${service.url}/tasks`, options)).status).toBe(200);
  }
  expect(service.received).toEqual(Array.from({ length: 3 }, () => JSON.parse(submit)));
});

test.each(ways)('malformed JSON %s is 400', async (_way, headers) => {
  await using service = await startService();
  for (const body of ['{', ' ', '{"a":1}}', 'undefined', '\u0000']) {
    const answer = await call(`${service.url}/tasks`, {
      method: 'POST',
      headers: { ...json, ...headers(body) },
      body,
    });
    expect(problemOf(answer, 'malformed_json').instance).toBe('/tasks');
  }
  expect(service.received).toEqual([]);
});

test.each(ways)(
  'a body over 1 MiB %s is 413, one of 1 MiB is not, and the connection can go on',
  async (_way, headers) => {
    await using service = await startService();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const post = (bytes: number) => {
      const body = `"${'x'.repeat(bytes - 2)}"`;
      return call(`${service.url}/tasks`, {
        method: 'POST',
        headers: { ...json, ...headers(body) },
        body,
        agent,
      });
    };
    problemOf(await post(1024 * 1024), 'invalid');
    problemOf(await post(1024 * 1024 + 1), 'too_large');
    problemOf(await post(3 * 1024 * 1024), 'too_large');
    problemOf(await post(10), 'invalid');
    expect(service.received).toEqual([]);
    agent.destroy();
  },
);

test('a body of no end is given up', async () => {
  await using service = await startService();
  const socket = connect(service.port, '127.0.0.1');
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const state = { open: true, answer: '' };
  socket.on('data', (part: Buffer) => (state.answer += String(part)));
  socket.on('error', () => (state.open = false));
  socket.on('close', () => (state.open = false));
  socket.write('POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n');
  socket.write('Transfer-Encoding: chunked\r\n\r\n');
  // It ends because the other side closes; a service that swallowed it all would never let it.
  while (state.open) {
    const drained = socket.write(chunk);
    await new Promise<void>((resolve) => {
      if (drained || !state.open) setImmediate(resolve);
      else {
        socket.once('drain', resolve);
        socket.once('close', () => resolve());
      }
    });
  }
  expect(state.answer).toMatch(/^(HTTP\/1\.1 413 |$)/);
});

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'application/jsonp',
  '',
  'json',
])('a body of the type %j is 415 and is not read', async (type) => {
  await using service = await startService();
  for (const method of ['POST', 'DELETE', 'PATCH']) {
    const headers = { 'content-length': '2', ...(type === '' ? {} : { 'content-type': type }) };
    const answer = await call(`${service.url}/tasks`, { method, headers, body: '{}' });
    problemOf(answer, 'unsupported_media_type');
  }
  expect(service.received).toEqual([]);
});

test('a request without a body needs no type and no length', async () => {
  await using service = await startService();
  expect((await call(`${service.url}/tasks/7`, { method: 'DELETE' })).status).toBe(200);
  expect(service.received).toEqual([{ id: '7' }]);
  // A body that is required and absent is a fault of the request, not of the service.
  problemOf(
    await call(`${service.url}/tasks`, { method: 'POST', headers: { 'content-length': '0' } }),
    'invalid',
  );
});

test('an unknown route is 404, and the path is told as it was asked', async () => {
  await using service = await startService();
  for (const path of ['/nothing', '/tasks/', '/tasks/1/2', '/%3Cscript%3E']) {
    const problem = problemOf(await call(service.url + path), 'no_such_route');
    expect(problem.detail).toContain('/openapi.json');
  }
});

test('a wrong method is 405 with those that are right, in words and in Allow', async () => {
  await using service = await startService();
  const refused = await call(`${service.url}/tasks`, { method: 'PATCH' });
  expect(problemOf(refused, 'method_not_allowed').detail).toBe('/tasks takes GET, POST.');
  expect(refused.headers.allow).toBe('GET, POST');
  expect((await call(`${service.url}/tasks/7`, { method: 'OPTIONS' })).headers.allow).toBe('DELETE');
  expect((await call(`${service.url}/tasks/7`, { method: 'HEAD' })).status).toBe(405);
  expect(await call(`${service.url}/tasks`, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
});

test('each fault of a body is told by a pointer to where it can be mended', async () => {
  await using service = await startService();
  const post = async (body: unknown) => {
    const text = JSON.stringify(body);
    return problemOf(
      await call(`${service.url}/tasks`, { method: 'POST', headers: json, body: text }),
      'invalid',
    );
  };
  const problem = await post({
    id: 'x',
    sessionId: 's',
    colour: 'red',
    labels: { 'a/b~c': 5 },
    spec: {
      command: ['a', 7],
      env: { 'no-name': 'x' },
      workspace: { worktree: { repo: '/r' } },
    },
  });
  expect(problem.errors).toEqual(
    expect.arrayContaining([
      { pointer: '/id', detail: 'must be a UUIDv7 in lower case' },
      { pointer: '/colour', detail: 'is not known here' },
      { pointer: '/labels/a~1b~0c', detail: expect.stringMatching(/^its name must be 1 to 63/) },
      { pointer: '/spec/command/1', detail: expect.stringContaining('expected string') },
      { pointer: '/spec/env/no-name', detail: 'its name must be an identifier: letters, digits and _' },
      { pointer: '/spec/workspace/worktree/ref', detail: expect.stringContaining('expected string') },
    ]),
  );
  expect(problem.errors).toHaveLength(6);
  const [first] = problem.errors!;
  expect(problem.detail).toBe(`The body is not valid: ${first?.pointer} ${first?.detail}`);
  expect((await post([])).errors).toEqual([
    { pointer: '', detail: expect.stringContaining('expected object') },
  ]);
  expect((await post(null)).errors?.[0]?.pointer).toBe('');
});

test('a fault of the query is told as one of the query', async () => {
  await using service = await startService();
  const problem = problemOf(await call(`${service.url}/tasks?limit=11`), 'invalid');
  expect(problem.detail).toContain('The query is not valid: /limit ');
});

test.each(Object.keys(problemTypes).filter((code) => isProblemCode(code)))(
  'the problem %s is answered with its status',
  async (code) => {
    await using service = await startService();
    const answer = await call(`${service.url}/problem/${code}`);
    const problem = problemOf(answer, code);
    expect(problem).toMatchObject({ detail: 'Do this.', instance: `/problem/${code}`, taskStatus: 'failed' });
    expect(answer.headers['retry-after']).toBe('7');
    expect(answer.headers['www-authenticate']).toBe(code === 'unauthorized' ? 'Bearer' : undefined);
    expect(answer.body).not.toContain('secret');
  },
);

test('what is no problem is 500 without a word of the inside; the log has it', async () => {
  await using service = await startService();
  const answer = await call(`${service.url}/broken`);
  problemOf(answer, 'internal');
  expect(answer.body).not.toMatch(/secret|home|Error|stack|\.ts/);
  expect(service.logged.join('')).toContain('a secret at /home/me/.ssh');
  const thrown = await call(`${service.url}/thrown`);
  expect(thrown.status).toBe(500);
  expect(thrown.body).not.toContain('secret');
  expect(JSON.parse(thrown.body)).toMatchObject({ code: 'internal' });
});

test('an answer that was begun leaves nothing in the problem that replaces it', async () => {
  await using service = await startService();
  const answer = await call(`${service.url}/late`);
  problemOf(answer, 'internal');
  expect(answer.headers['content-length']).toBe(String(answer.body.length));
  expect(answer.headers).not.toHaveProperty('x-half');
});

test('every answer has the security headers, one that comes from elsewhere too', async () => {
  await using service = await startService();
  for (const path of ['/tasks', '/fetched', '/openapi.json', '/docs/start.js', '/nothing', '/broken']) {
    expectHeaders(await call(service.url + path));
  }
  expect((await call(`${service.url}/fetched`)).body).toBe('from afar');
});

test('what it says of itself is valid OpenAPI 3.1, with every schema of the protocol', async () => {
  await using service = await startService();
  const answer = await call(`${service.url}/openapi.json`);
  expect(answer.headers['content-type']).toContain('application/json');
  const described = DescriptionSchema.parse(JSON.parse(answer.body));
  expect(described.info).toEqual({ title: 'Test', version: VERSION });
  expect(Object.keys(described.paths['/tasks'] ?? {}).toSorted()).toEqual(['get', 'post']);
  const references = answer.body
    .matchAll(/"\$ref":"([^"]+)"/g)
    .map(([, reference]) => reference)
    .toArray();
  expect(references.length).toBeGreaterThan(5);
  for (const reference of references) {
    const [, name] = /^#\/components\/schemas\/(\w+)$/.exec(reference ?? '') ?? [];
    expect(described.components.schemas).toHaveProperty(name ?? 'a reference to elsewhere');
  }
  expect(Object.keys(described.components.schemas)).toEqual(
    expect.arrayContaining([
      'Submit',
      'Task',
      'TaskEvent',
      'ShownTask',
      'AgentHello',
      'AgentHeartbeat',
      'State',
      'Problem',
    ]),
  );
});

test('the page of the documentation loads nothing from elsewhere', async () => {
  await using service = await startService();
  const page = await call(`${service.url}/docs`);
  expect(page.headers['content-type']).toContain('text/html');
  const loaded = page.body
    .matchAll(/(?:src|href)="([^"]+)"/g)
    .map(([, url = '']) => url)
    .toArray();
  expect(loaded.length).toBeGreaterThanOrEqual(3);
  expect(page.body).not.toMatch(/<script>|https?:|style=| on\w+=/);
  for (const url of loaded) {
    const target = new URL(url, `${service.url}/docs`);
    expect(target.origin).toBe(service.url);
    const asset = await call(target.href);
    expect(asset.status).toBe(200);
    expect(asset.headers['content-type']).toMatch(url.endsWith('.css') ? /^text\/css/ : /^text\/javascript/);
  }
  // In a style sheet everything that is named is loaded; of the scripts, only ours says what to load.
  const style = await call(`${service.url}/docs/swagger-ui.css`);
  expect(style.body).not.toMatch(/@import|url\(\s*["']?(?:https?:)?\/\//);
  const start = await call(`${service.url}/docs/start.js`);
  expect(start.body).not.toMatch(/https?:/);
  expect(start.body).toContain('validatorUrl: null');
  // And what a script might name all the same, the browser does not load.
  const policy = page.headers['content-security-policy'];
  expect(policy).toMatch(/default-src 'none'/);
  expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/);
});

test('the log leaves out what is named like a secret and keeps the code of an error', () => {
  const script = `
    import { createLogger } from ${JSON.stringify(new URL('service.ts', import.meta.url).href)};
    const secrets = { token: 'hush', authorization: 'hush', cookie: 'hush', env: { A: 'hush' }, spec: 'hush', code: 'hush' };
    const err = Object.assign(new Error('the disk is full'), { code: 'SQLITE_FULL' });
    createLogger('agent', 'info').info({ ...secrets, a: { ...secrets, b: { ...secrets, c: secrets } }, err, seen: 1 }, 'said');
    createLogger('agent', 'info').info({ err: 'thrown text' }, 'said too');
    createLogger('agent', 'warn').info('not said');
  `;
  const { stderr, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
  expect(stderr).not.toContain('hush');
  const lines = stderr.trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ err: 'thrown text', msg: 'said too' });
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    name: 'agent',
    msg: 'said',
    seen: 1,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    err: { message: 'the disk is full', errorCode: 'SQLITE_FULL', stack: expect.any(String) },
  });
});

test('metrics of two services do not mix, and are those of the process', async () => {
  const [agent, web] = [createMetrics('agent'), createMetrics('web')];
  expect(await agent.metrics()).toMatch(/process_resident_memory_bytes\{service="agent"\} \d+/);
  expect(await web.metrics()).toContain('service="web"');
});

test('a problem that was foreseen is a line of the log with its cause and without a stack; one that is the caller’s is none', async () => {
  await using service = await startService();
  await call(`${service.url}/problem/agent_unreachable`);
  await call(`${service.url}/problem/no_such_task`);
  expect(service.logged).toHaveLength(1);
  const line = JSON.parse(service.logged[0]!);
  expect(line).toMatchObject({ problem: 'agent_unreachable', detail: 'Do this.', why: 'a secret cause' });
  expect(service.logged[0]).not.toContain('service.test.ts');
});

test('an address that is taken is refused, and a stop frees it', async () => {
  const service = await startService();
  const app = createApp({
    title: 'x',
    description: 'x',
    logger: pino({ level: 'silent' }),
    guard: async (_context, next) => next(),
  });
  await expect(serveApp(app, '127.0.0.1', service.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  const agent = new Agent({ keepAlive: true });
  await call(`${service.url}/tasks`, { agent });
  // The connection that is kept alive does not keep the server.
  await service.stop();
  const next = await serveApp(app, '127.0.0.1', service.port);
  expect(next.url).toBe(service.url);
  await next.stop();
  agent.destroy();
});
