import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { OpenAPIHono } from '@hono/zod-openapi';
import { destroyerOf, type ProblemError, serveApp } from '@holdfast/shared';
import { afterEach, expect, test } from 'vitest';
import { type AgentClient, createAgentClient } from './agent-client.ts';
import { type OutputRequest, type Outputs, startOutputs } from './output.ts';
import type { TaskRow } from './session-store.ts';
import { NOON, problemOf, submitOf, taskOf, until } from './test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

const task = taskOf(submitOf(), { status: 'running', attempt: 1 });
const row: TaskRow = {
  id: task.id,
  agentId: 'a1',
  sessionId: 's1',
  status: 'running',
  task,
  updatedAt: NOON,
  version: 1,
  pending: [],
};

async function serveAgent(answer: RequestListener): Promise<Server> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return server;
}

/** Web in front of an agent: `/read` and `/follow` pass its output through. */
async function setUp(
  answer: RequestListener,
  query: OutputRequest['query'] = {},
): Promise<{ url: string; outputs: Outputs }> {
  const agent = await serveAgent(answer);
  const { port } = agent.address() as AddressInfo;
  const client = createAgentClient({ url: `http://127.0.0.1:${port}`, token: 'token-of-a1' });
  const outputs = startOutputs({ client: (id) => (id === 'a1' ? client : undefined) });
  cleanups.push(() => outputs.stop());
  const app = new OpenAPIHono();
  app.onError((error, context) =>
    context.json((error as ProblemError).toProblem('/'), (error as ProblemError).status as 400),
  );
  app.get('/read', (context) =>
    outputs.read({ row, query, signal: context.req.raw.signal, destroy: destroyerOf(context) }),
  );
  app.get('/follow', (context) =>
    outputs.follow({
      row,
      query,
      lastEventId: context.req.header('last-event-id'),
      signal: context.req.raw.signal,
      destroy: destroyerOf(context),
    }),
  );
  const server = await serveApp(app, '127.0.0.1', 0);
  cleanups.push(() => server.stop());
  return { url: server.url, outputs };
}

test('a range is passed on as it is, with what it says of the whole, and with the token', async () => {
  const seen: (string | undefined)[] = [];
  const { url } = await setUp(
    (request, response) => {
      seen.push(request.url, request.headers.authorization);
      response.writeHead(200, {
        'content-type': 'text/html',
        'set-cookie': 'evil=1',
        'holdfast-output-bytes': '9',
        'holdfast-output-complete': 'true',
      });
      response.end(Buffer.from([0, 255, 10, 13]));
    },
    { attempt: 1, offset: 5, limit: 4 },
  );
  const answer = await fetch(`${url}/read`);
  expect(new Uint8Array(await answer.arrayBuffer())).toEqual(new Uint8Array([0, 255, 10, 13]));
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'holdfast-output-bytes': '9',
    'holdfast-output-complete': 'true',
    'content-type': 'application/octet-stream',
  });
  expect(answer.headers.has('set-cookie')).toBe(false);
  expect(seen).toEqual([`/tasks/${task.id}/output?attempt=1&offset=5&limit=4`, 'Bearer token-of-a1']);
});

test('the agent’s refusals are passed on; what it says of web’s own token is not', async () => {
  let status = 404;
  let code = 'no_such_attempt';
  const { url } = await setUp((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify(problemOf(code, status)));
  });
  const ask = async () => (await fetch(`${url}/read`)).json();
  expect(await ask()).toMatchObject({ status: 404, code: 'no_such_attempt' });
  [status, code] = [416, 'range_not_satisfiable'];
  expect(await ask()).toMatchObject({ status: 416, code: 'range_not_satisfiable' });
  [status, code] = [401, 'unauthorized'];
  expect(await ask()).toMatchObject({ status: 502, code: 'bad_agent' });
});

test('output that cannot be had is 503; that of a task that no agent ever had is empty and complete', async () => {
  const unreachable = createAgentClient({ url: 'http://127.0.0.1:1', token: 't' });
  const outputs = startOutputs({ client: (id) => (id === 'a1' ? unreachable : undefined) });
  const { signal } = new AbortController();
  const unavailable = { code: 'agent_unreachable', status: 503 };
  await expect(outputs.read({ row, query: {}, signal })).rejects.toMatchObject(unavailable);
  await expect(outputs.follow({ row, query: {}, signal })).rejects.toMatchObject(unavailable);
  await expect(outputs.read({ row: { ...row, agentId: 'a2' }, query: {}, signal })).rejects.toMatchObject(
    unavailable,
  );
  const unsent: TaskRow = { ...row, task: { ...task, seq: 0 } };
  await expect(
    outputs.read({ row: { ...unsent, status: 'submitted' }, query: {}, signal }),
  ).rejects.toMatchObject(unavailable);
  const answer = await outputs.read({ row: { ...unsent, status: 'cancelled' }, query: {}, signal });
  expect([answer.status, await answer.text(), answer.headers.get('holdfast-output-complete')]).toEqual([
    200,
    '',
    'true',
  ]);
});

test('a browser that does not read holds the agent back: nothing is read ahead of it', async () => {
  let produced = 0;
  const incoming = new Readable({
    highWaterMark: 1,
    read() {
      produced += 1;
      this.push(Buffer.alloc(1024));
    },
  });
  const client = {
    open: async () => Object.assign(incoming, { statusCode: 200, headers: {} }),
  } as unknown as AgentClient;
  const outputs = startOutputs({ client: () => client });
  const answer = await outputs.read({ row, query: {}, signal: new AbortController().signal });
  const reader = answer.body!.getReader();
  for (let taken = 1; taken <= 5; taken += 1) {
    await reader.read();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(produced).toBeLessThanOrEqual(2 * taken + 2);
  }
  await reader.cancel();
  expect(incoming.destroyed).toBe(true);
});

test('a browser that leaves ends the request to the agent, before the head and after it', async () => {
  let closed = 0;
  let asked = 0;
  let early = true;
  const { url } = await setUp((_request, response) => {
    asked += 1;
    response.on('close', () => {
      closed += 1;
    });
    if (!early) response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hi\n\n');
  });
  const first = new AbortController();
  const refused = fetch(`${url}/follow`, { signal: first.signal }).catch(() => 'left');
  await until(() => asked === 1);
  first.abort();
  expect(await refused).toBe('left');
  await until(() => closed === 1);
  early = false;
  const second = new AbortController();
  await fetch(`${url}/follow`, { signal: second.signal });
  second.abort();
  await until(() => closed === 2);
});

test('an agent that breaks off cuts the answer: a shortened log never looks whole', async () => {
  const { url } = await setUp((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    response.write('half of it');
    setImmediate(() => response.destroy());
  });
  const whole = fetch(`${url}/read`).then((answer) => answer.text());
  await expect(whole).rejects.toThrow(/terminated|fetch failed/);
});

test('a followed output resumes where the browser was, and ends when web stops', async () => {
  let resumed: string | string[] | undefined;
  const { url, outputs } = await setUp((request, response) => {
    resumed = request.headers['last-event-id'];
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: output\nid: 12\ndata: {"offset":7,"text":"hello"}\n\n');
  });
  const answer = await fetch(`${url}/follow`, { headers: { 'last-event-id': '7' } });
  expect(answer.headers.get('content-type')).toContain('text/event-stream');
  const reader = answer.body!.getReader();
  const { value } = await reader.read();
  expect(new TextDecoder().decode(value)).toContain('"hello"');
  expect(resumed).toBe('7');
  outputs.stop();
  await expect(reader.read()).rejects.toThrow('terminated');
  expect(((await (await fetch(`${url}/follow`)).json()) as { code: string }).code).toBe('stopping');
});
