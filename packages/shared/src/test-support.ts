/**
 * What the tests of this package share: a task, a folder that goes away, a patient condition, and a client that
 * shows what is on the wire. It splits frames by the exact form that `frameText` promises and knows no other.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { Task } from './task.ts';

export const TASK_ID = '019a9f0e-7c00-7000-8000-000000000001';

export function sampleTask(changes: Partial<Task> = {}): Task {
  return {
    id: TASK_ID,
    sessionId: 'night',
    agentId: 'agent-1',
    spec: { command: ['true'] },
    status: 'queued',
    attempt: 0,
    queue: 'default',
    priority: 0,
    labels: {},
    seq: 1,
    createdAt: 1000,
    outputBytes: 0,
    ...changes,
  };
}

export function makeFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-shared-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

const PATIENCE_MS = 30_000;

/** Waits for a condition that has no event of its own. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let looks = 0; !condition(); looks += 1) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    // Most conditions hold within some turns of the loop; one that does not is not worth a busy core.
    await new Promise((resolve) => (looks < 300 ? setImmediate(resolve) : setTimeout(resolve, 2)));
  }
}

/** Freezes a value with all that it holds. */
export function freezeDeep<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freezeDeep(inner);
    Object.freeze(value);
  }
  return value;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

interface CallOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  agent?: Agent;
}

/** One request, as raw as Node sends it. A body without a `content-length` header goes in chunks. */
export async function call(url: string, options: CallOptions = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, agent } = options;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request(url, { method, headers, agent: agent ?? false }, resolve);
  outgoing.on('error', reject);
  if (body !== undefined) outgoing.write(body);
  outgoing.end();
  const message = await promise;
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part);
  return { status: message.statusCode ?? 0, headers: message.headers, body: Buffer.concat(parts).toString() };
}

interface Frame {
  event: string;
  id?: string;
  data: string;
}

const FRAME = /^event: (\w+)\n(?:id: (\S+)\n)?data: (.*)$/;

function parseFrames(text: string): Frame[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => {
      const match = FRAME.exec(block);
      if (match === null) throw new Error(`not a frame: ${JSON.stringify(block)}`);
      const [, event = '', id, data = ''] = match;
      return id === undefined ? { event, data } : { event, id, data };
    });
}

export interface StreamClient extends Disposable {
  status: number;
  headers: IncomingHttpHeaders;
  /** The whole frames so far. */
  frames: () => Frame[];
  /** Settles when the connection is over: true if the server ended it in order. */
  ended: Promise<boolean>;
  /** Goes on taking what comes, for one that was opened frozen. */
  thaw: () => void;
}

export async function openClient(url: string, frozen = false): Promise<StreamClient> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request(url, { agent: false }, resolve);
  outgoing.on('error', reject);
  outgoing.end();
  const message = await promise;
  const frames: Frame[] = [];
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const ended = new Promise<boolean>((tell) => {
    message.on('close', () => tell(message.complete));
  });
  message.on('error', (error) => {
    // A connection that is destroyed is what some tests wait for; `ended` tells it.
    if (!('code' in error) || error.code !== 'ECONNRESET') throw error;
  });
  if (frozen) message.pause();
  message.on('data', (part: Buffer) => {
    rest += decoder.write(part);
    const end = rest.lastIndexOf('\n\n');
    if (end === -1) return;
    frames.push(...parseFrames(rest.slice(0, end + 2)));
    rest = rest.slice(end + 2);
  });
  if (frozen) message.pause();
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    frames: () => frames,
    ended,
    thaw: () => message.resume(),
    [Symbol.dispose]: () => outgoing.destroy(),
  };
}
