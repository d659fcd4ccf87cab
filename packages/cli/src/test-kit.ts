/**
 * For tests: a web that does what it is told, and a terminal to run commands in. The web keeps tasks in memory, checks
 * the token, records every request, and can refuse, cut its streams or go away.
 */
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type { Pool, ShownAgent, ShownTask } from '@holdfast/shared';
import { runCli } from './cli.ts';
import { VERSION } from './version.ts';
import type { Input, Io, Output, StopSignal } from './io.ts';

const TOKEN = 'test-token-0123456789';
export const NOW = Date.UTC(2026, 10, 21, 14, 0, 0);

/** A home of its own, removed at the end of the scope. */
export function makeHome(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
  mkdirSync(join(path, 'agents'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A task as web shows it; `n` makes its id. */
export function makeTask(n: number, change: Partial<ShownTask> = {}): ShownTask {
  return {
    id: taskId(n),
    sessionId: 'nightly',
    agentId: 'agent-1',
    spec: { command: ['make', 'test'], cwd: '/src' },
    status: 'queued',
    attempt: 0,
    queue: 'default',
    priority: 0,
    labels: {},
    seq: n,
    createdAt: NOW - 60_000,
    outputBytes: 0,
    updatedAt: NOW - 60_000,
    knowledge: { state: 'live', asOf: NOW },
    ...change,
  };
}

/** An agent as web shows it. */
export function makeAgent(id: string, name: string, change: Partial<ShownAgent> = {}): ShownAgent {
  return {
    id,
    name,
    url: 'http://127.0.0.1:7401',
    version: VERSION,
    state: 'live',
    asOf: NOW,
    pool: makePool(),
    lag: 0,
    digestOk: true,
    heartbeatMs: 5000,
    reconnects: 0,
    ...change,
  };
}

export function makePool(change: Partial<Pool> = {}): Pool {
  return { slots: 4, running: 1, queued: 2, paused: false, draining: false, claimed: 0, ...change };
}

/** Ids that differ in their first digits. */
export function taskId(n: number): string {
  return `${n.toString(16).padStart(8, '0')}-7c00-7000-8000-000000000001`;
}

interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
}

type Scripted = (request: SeenRequest) => readonly [status: number, body: unknown];

export interface FakeWeb extends AsyncDisposable {
  home: string;
  url: string;
  tasks: Map<string, ShownTask>;
  /** Output by `<id>/<attempt>`. */
  output: Map<string, { text: string; isComplete: boolean }>;
  requests: SeenRequest[];
  agents: ShownAgent[];
  /** Answers by `<method> <path>` without `/api`, e.g. `POST /reclaim`: a body, or what makes status and body. */
  answers: Map<string, Scripted>;
  /** Answers instead of the usual; undefined leaves a request to the usual. */
  intercept: (request: SeenRequest, response: ServerResponse) => boolean;
  /** Puts a task, and tells the feed. */
  put(task: ShownTask): void;
  /** How many streams are open. */
  streams(): number;
  cutStreams(): void;
  sendToStreams(event: string, data: unknown): void;
  /** Resolves when `condition` holds; looked at after each request and each change. */
  until(condition: () => boolean): Promise<void>;
}

export async function startFakeWeb(): Promise<FakeWeb> {
  const home = makeHome();
  const streams = new Set<ServerResponse>();
  const changed = new EventEmitter().setMaxListeners(0);
  const server = createServer((request, response) => {
    void handle(request, response).then(() => changed.emit('change'));
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${portOf(server.address())}`;
  writeFileSync(join(home.path, 'web.json'), JSON.stringify({ url, pid: process.pid }));
  writeFileSync(join(home.path, 'web.token'), `${TOKEN}\n`, { mode: 0o600 });

  const web: FakeWeb = {
    home: home.path,
    url,
    tasks: new Map(),
    output: new Map(),
    requests: [],
    agents: [makeAgent('agent-1', 'laptop')],
    answers: new Map(),
    intercept: () => false,
    put(task) {
      web.tasks.set(task.id, task);
      web.sendToStreams('change', { tasks: [task] });
    },
    streams: () => streams.size,
    cutStreams() {
      for (const stream of streams) stream.destroy();
    },
    sendToStreams(event, data) {
      for (const stream of streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      changed.emit('change');
    },
    async until(condition) {
      while (!condition()) await new Promise((resolve) => changed.once('change', resolve));
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      home[Symbol.dispose]();
    },
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '', url);
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
    const seen = {
      method: request.method ?? '',
      path,
      query,
      body: text === '' ? undefined : JSON.parse(text),
    };
    web.requests.push(seen);
    response.once('close', () => {
      streams.delete(response);
      changed.emit('change');
    });
    if (web.intercept(seen, response)) return;
    if (path === '/readyz') return answer(response, 200, { ready: true });
    if (request.headers.authorization !== `Bearer ${TOKEN}`)
      return refuse(response, 401, 'unauthorized', 'That credential is not valid.');
    route(web, seen, response, streams);
  }
  return web;
}

function route(
  web: FakeWeb,
  request: SeenRequest,
  response: ServerResponse,
  streams: Set<ServerResponse>,
): void {
  const { path, query } = request;
  // An agent has the same routes without the prefix.
  const bare = path.replace(/^\/api/, '');
  const [, root, id = '', action] = bare.split('/');
  const scripted = web.answers.get(`${request.method} ${bare}`);
  if (scripted !== undefined) {
    const [status, body] = scripted(request);
    return answer(response, status, body);
  }
  const task = web.tasks.get(id);
  if (root === 'state') {
    return answer(response, 200, {
      agents: web.agents,
      counts: countsOf([...web.tasks.values()]),
      cursor: 'e.1',
      version: VERSION,
    });
  }
  if (root === 'agents' && id === '' && request.method === 'GET') {
    return answer(response, 200, { items: web.agents, cursor: 'e.1' });
  }
  if (root === 'agent') {
    return answer(response, 200, { agentId: 'agent-1', name: 'laptop', epoch: 'e', head: 4, chain: 'c' });
  }
  if (root === 'notifications') return answer(response, 200, { channels: [], alerts: [] });
  if (root === 'reclaim') return answer(response, 200, { items: [], unreachable: [] });
  if (root === 'login-codes') return answer(response, 200, { code: 'one-time' });
  if (root === 'events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`event: hello\ndata: ${JSON.stringify({ heartbeatMs: 5000 })}\n\n`);
    streams.add(response);
    return undefined;
  }
  if (root === 'tasks' && id === '') {
    if (request.method === 'POST') {
      const given: Partial<ShownTask> = JSON.parse(JSON.stringify(request.body));
      const made = makeTask(1, { ...given, status: 'queued' });
      web.tasks.set(made.id, made);
      return answer(response, 201, made);
    }
    return answer(response, 200, pageOf([...web.tasks.values()], query));
  }
  if (task === undefined) return refuse(response, 404, 'no_such_task', 'There is no such task.');
  if (action === undefined) return answer(response, 200, task);
  if (action === 'output') return answerOutput(web, task, query, response);
  if (task.status === 'completed' && action === 'cancel') {
    return refuse(response, 409, 'already_ended', 'The task has already ended: completed.');
  }
  if (action === 'cancel')
    return answer(response, 202, { ...task, stopRequested: { cause: 'cancel', at: NOW } });
  if (action === 'retry')
    return answer(response, 201, { ...task, ...Object(request.body), retryOf: id, status: 'queued' });
  return refuse(response, 404, 'no_such_route', 'There is no such route.');
}

function countsOf(tasks: ShownTask[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of tasks) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

function pageOf(all: ShownTask[], query: URLSearchParams): unknown {
  const isNamed = query.get('notQueue') === 'default';
  const fitting = all.filter(
    (task) => task.id.includes(query.get('q') ?? '') && (!isNamed || task.queue !== 'default'),
  );
  const start = fitting.findIndex((task) => task.id === query.get('after')) + 1;
  const items = fitting.slice(start, start + Number(query.get('limit')));
  const next = start + items.length < fitting.length ? { next: items.at(-1)?.id } : {};
  return { items, total: fitting.length, cursor: 'e.1', ...next };
}

function answerOutput(web: FakeWeb, task: ShownTask, query: URLSearchParams, response: ServerResponse): void {
  const { text, isComplete } = web.output.get(`${task.id}/${query.get('attempt')}`) ?? {
    text: '',
    isComplete: false,
  };
  const bytes = Buffer.from(text);
  const offset = Number(query.get('offset'));
  if (offset > bytes.length)
    return refuse(response, 416, 'range_not_satisfiable', 'The output has no such offset.');
  response.writeHead(200, {
    'holdfast-output-bytes': String(bytes.length),
    'holdfast-output-complete': String(isComplete),
  });
  response.end(bytes.subarray(offset, offset + Number(query.get('limit'))));
  return undefined;
}

export function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  errors: unknown[] = [],
): void {
  answer(response, status, { type: 'about:blank', title: code, status, detail, instance: '/', code, errors });
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on a port');
  return address.port;
}

export interface Terminal {
  stdout: () => string;
  stderr: () => string;
  io: Io;
  /** What a person at the terminal, or a supervisor, does. */
  signal: (signal: StopSignal) => void;
  /** Resolves when standard output or error holds the text. */
  until(text: string): Promise<void>;
}

export interface TerminalOptions {
  argv?: readonly string[];
  home?: string;
  env?: NodeJS.ProcessEnv;
  /** Columns of standard output if it is a terminal. */
  columns?: number;
  /** What a person types, if standard input is a terminal; else it is empty and none. */
  typed?: string;
  change?: Partial<Io>;
}

export function openTerminal(options: TerminalOptions = {}): Terminal {
  const written = new EventEmitter().setMaxListeners(0);
  const signals = new EventEmitter().setMaxListeners(0);
  const out = collect(written);
  const err = collect(written);
  const stdout: Output = Object.assign(
    out.stream,
    options.columns === undefined ? {} : { isTTY: true, columns: options.columns },
  );
  const stdin: Input = Object.assign(
    Readable.from(options.typed === undefined ? [] : [Buffer.from(options.typed)]),
    { isTTY: options.typed !== undefined },
  );
  const io: Io = {
    argv: options.argv ?? [],
    env: { ...(options.home === undefined ? {} : { HOLDFAST_HOME: options.home }), ...options.env },
    cwd: '/work-dir',
    platform: 'linux',
    stdin,
    stdout,
    stderr: err.stream,
    fetch: globalThis.fetch,
    spawn,
    now: () => NOW,
    random: () => 0.5,
    startTimer: (run, delayMs) => {
      const timer = setTimeout(run, delayMs);
      return { cancel: () => clearTimeout(timer) };
    },
    onStopSignal: (listener) => {
      signals.on('signal', listener);
      return () => signals.off('signal', listener);
    },
    ...options.change,
  };
  return {
    stdout: out.text,
    stderr: err.text,
    io,
    signal: (signal) => void signals.emit('signal', signal),
    async until(text) {
      while (!out.text().includes(text) && !err.text().includes(text)) {
        await new Promise((resolve) => written.once('text', resolve));
      }
    },
  };
}

function collect(written: EventEmitter): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
      written.emit('text');
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end. */
export async function run(argv: readonly string[], options: TerminalOptions = {}): Promise<Ran> {
  const terminal = openTerminal({ ...options, argv });
  const code = await runCli(terminal.io);
  return { code, stdout: terminal.stdout(), stderr: terminal.stderr() };
}
