/**
 * An agent with 10,000 tasks, as a process that does nothing else: `fork('dashboard-source.ts')`. It says `{ port }`; told a
 * number, it makes that many changes of status a second: the newest live tasks are claimed, started and requeued in
 * turn. A reader gets all of its log.
 */
import { createServer, type ServerResponse } from 'node:http';
import { AGENT, sampleTask } from './fan-out-frames.ts';
import {
  applyEvent,
  encodeFrame,
  firstChain,
  formatCursor,
  frameText,
  type Heartbeat,
  type Hello,
  LiveDigest,
  nextChain,
  type Reset,
  type SnapshotEnd,
  type Task,
  type TaskEvent,
} from './internals.ts';

const EPOCH = '0123456789abcdef';
const TASKS = 10_000;
/** Of them so many live and change. */
const LIVE = 600;
const HEARTBEAT_MS = 1000;
const TURN_MS = 20;

const began = Date.now() - TASKS * 1000;
const digest = new LiveDigest();
const empty = firstChain(EPOCH);
const tasks: Task[] = [];
/** What was said so far, as it is sent. */
const history: string[] = [];
let chain = empty;
let next = 0;
const readers = new Set<ServerResponse>();

function submit(index: number): void {
  const createdAt = began + index * 1000;
  const time = createdAt.toString(16).padStart(12, '0');
  const id = `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${String(index).padStart(12, '0')}`;
  const sessionId = `session-${index % 40}`;
  const { startedAt: _started, process: _process, ...sample } = sampleTask(index);
  const task: Task = {
    ...sample,
    id,
    sessionId,
    title: `Build part ${index} of the whole`,
    labels: { team: index % 3 === 0 ? 'core' : 'web' },
    status: 'queued',
    attempt: 0,
    createdAt,
    seq: history.length + 1,
  };
  append(index, { kind: 'submitted', from: null, to: 'queued', data: { task } }, createdAt, task);
}

/** An event without what every event has. */
type Fact = TaskEvent extends infer Event
  ? Event extends TaskEvent
    ? Omit<Event, 'seq' | 'taskId' | 'sessionId' | 'attempt' | 'at'>
    : never
  : never;

/** Numbers, chains and folds an event; returns it as it is sent. */
function append(index: number, fact: Fact, at: number, { id, sessionId, attempt }: Task): string {
  const seq = history.length + 1;
  const before = tasks[index];
  const isClaim = fact.kind === 'claimed';
  const event: TaskEvent = {
    seq,
    taskId: id,
    sessionId,
    attempt: isClaim ? attempt + 1 : attempt,
    at,
    ...fact,
  };
  const json = JSON.stringify(event);
  const after = applyEvent(before, event);
  digest.move(before, after);
  tasks[index] = after;
  chain = nextChain(chain, json);
  const text = frameText('task', json, formatCursor({ epoch: EPOCH, seq, chain }));
  history.push(text);
  return text;
}

/** The next step in the life of a task. */
function advance(index: number, at: number): string {
  const task = tasks[index]!;
  if (task.status === 'queued') {
    return append(index, { kind: 'claimed', from: 'queued', to: 'starting' }, at, task);
  }
  if (task.status === 'starting') {
    const process = { pid: 12_345, startedAt: at, verifiedAt: at };
    return append(index, { kind: 'started', from: 'starting', to: 'running', data: { process } }, at, task);
  }
  const data = { charged: false, outcome: { reason: 'process_vanished' }, outputBytes: 0 } as const;
  return append(index, { kind: 'requeued', from: 'running', to: 'queued', data }, at, task);
}

for (let index = 0; index < TASKS; index += 1) {
  submit(index);
  if (index >= TASKS - LIVE) continue;
  const { createdAt } = tasks[index]!;
  advance(index, createdAt + 100);
  advance(index, createdAt + 110);
  const isBad = index % 9 === 0;
  const data = {
    outcome: { reason: 'exit', exitCode: isBad ? 1 : 0 },
    endedAt: createdAt + 900,
    outputBytes: 0,
  } as const;
  const end = isBad
    ? ({ kind: 'failed', to: 'failed' } as const)
    : ({ kind: 'completed', to: 'completed' } as const);
  append(index, { ...end, from: 'running', reason: 'exit', data }, createdAt + 900, tasks[index]!);
}

function heartbeat(): Heartbeat {
  const at = Date.now();
  const running = tasks.filter(({ status }) => status === 'starting' || status === 'running').length;
  return {
    at,
    head: history.length,
    chain,
    floor: 0,
    liveDigest: digest.toString(),
    live: LIVE,
    journalOk: true,
    sweptAt: at,
    pool: { slots: LIVE, running, queued: LIVE - running, paused: false, draining: false },
  };
}

const hello: Hello = {
  protocol: 1,
  agentId: AGENT.id,
  name: AGENT.name,
  version: '0.0.0',
  epoch: EPOCH,
  instance: 'bench',
  head: 0,
  floor: 0,
  heartbeatMs: HEARTBEAT_MS,
  resume: 'reset',
};

const server = createServer((request, response) => {
  if (request.url?.startsWith('/events') !== true) {
    const { resume: _resume, ...who } = hello;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ...who, ...heartbeat() }));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const say = (event: string, data: object) => response.write(encodeFrame(event, data));
  say('hello', { ...hello, head: history.length });
  say('reset', { reason: 'no_cursor', floor: 0, floorChain: empty, tasks: 0 } satisfies Reset);
  say('snapshotEnd', { seq: 0, chain: empty, tasks: 0 } satisfies SnapshotEnd);
  response.write(history.join(''));
  say('heartbeat', heartbeat());
  readers.add(response);
  response.once('close', () => readers.delete(response));
});
setInterval(() => {
  for (const reader of readers) reader.write(encodeFrame('heartbeat', heartbeat()));
}, HEARTBEAT_MS).unref();

let perSecond = 0;
let owed = 0;
setInterval(() => {
  owed += (perSecond * TURN_MS) / 1000;
  let text = '';
  for (; owed >= 1; owed -= 1) {
    text += advance(TASKS - LIVE + (next % LIVE), Date.now());
    next += 1;
  }
  if (text !== '') for (const reader of readers) reader.write(text);
}, TURN_MS).unref();

process.on('message', (rate: number) => {
  perSecond = rate;
  owed = 0;
});
server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as { port: number }).port }));
process.once('disconnect', () => process.exit(0));
