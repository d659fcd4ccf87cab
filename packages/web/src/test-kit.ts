/** What the unit tests of this package share: a clock that stands still, an agent without a socket, a view. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ShownAgent, Submit, Task } from '@holdfast/shared';
import { pino } from 'pino';
import { type AgentClient, createAgentClient } from './agent-client.ts';
import type { Agents, Link, LinkCounters, ViewListener } from './agents.ts';
import type { StartTimer } from './timers.ts';

export const silentLogger = pino({ level: 'silent' });

/** 2026-11-21T12:00:00Z, the time of every test. */
export const NOON = 1_795_262_400_000;

/** Resolves when `condition` holds; the deadline only ends a test that hangs. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = 'the condition',
): Promise<void> {
  const deadline = performance.now() + 45_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come true`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Time that moves only by `advance`. */
export class HeldClock {
  #now = NOON;
  #timers: { at: number; run: () => void }[] = [];

  readonly now = (): number => this.#now;

  readonly startTimer: StartTimer = (run, delayMs) => {
    const timer = { at: this.#now + delayMs, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  };

  /** How long until each timer that is set. */
  get waits(): number[] {
    return this.#timers.map((timer) => timer.at - this.#now).toSorted((a, b) => a - b);
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = this.#timers.filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = end;
  }
}

let counter = 0;

/** A new UUIDv7 of noon. */
export function newTaskId(at = NOON): string {
  counter += 1;
  const time = at.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${counter.toString(16).padStart(12, '0')}`;
}

export function submitOf(change: Partial<Submit> = {}): Submit {
  return { id: newTaskId(), sessionId: 's1', spec: { shell: 'true' }, ...change };
}

/** What an agent answers to a submit. */
export function taskOf(submit: Submit, change: Partial<Task> = {}): Task {
  return {
    id: submit.id,
    sessionId: submit.sessionId,
    agentId: 'a1',
    spec: { shell: 'true' },
    status: 'queued',
    attempt: 0,
    queue: 'default',
    priority: 0,
    labels: {},
    seq: 1,
    createdAt: NOON,
    outputBytes: 0,
    ...change,
  };
}

export function viewOf(change: Partial<ShownAgent> = {}): ShownAgent {
  return {
    id: 'a1',
    name: 'one',
    url: 'http://a1.test',
    state: 'live',
    asOf: NOON,
    pool: { slots: 4, running: 0, queued: 0, paused: false, draining: false },
    lag: 0,
    reconnects: 0,
    ...change,
  };
}

/** A call that came in, to be answered by `answer`. */
export interface HeldCall {
  agent: string;
  method: string;
  path: string;
  /** The query, with its `?`. */
  search: string;
  body: unknown;
  answer: (status: number, body?: unknown, headers?: Record<string, string>) => void;
  /** The connection is cut. */
  cut: () => void;
}

/** Agents that answer as a test says; `http://<id>.test` is where each lives. */
export class FakeAgents implements Pick<Agents, 'views' | 'viewOf' | 'client' | 'onChange'> {
  readonly calls: HeldCall[] = [];
  readonly #views = new Map<string, ShownAgent>();
  readonly #listeners: ViewListener[] = [];
  /** Answers a call at once instead of holding it. */
  reply: ((call: HeldCall) => void) | undefined;

  readonly fetch = ((input: string, init: RequestInit = {}) => {
    const url = new URL(input);
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const call: HeldCall = {
      agent: url.hostname.replace('.test', ''),
      method: init.method ?? 'GET',
      path: url.pathname,
      search: url.search,
      body: typeof init.body === 'string' ? JSON.parse(init.body) : undefined,
      answer: (status, body, headers = {}) =>
        resolve(new Response(body === undefined ? null : JSON.stringify(body), { status, headers })),
      cut: () =>
        reject(
          new TypeError('fetch failed', { cause: Object.assign(new Error('cut'), { code: 'ECONNRESET' }) }),
        ),
    };
    init.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
    this.calls.push(call);
    this.reply?.(call);
    return promise;
  }) as unknown as typeof fetch;

  constructor(...views: ShownAgent[]) {
    for (const view of views) this.#views.set(view.id, view);
  }

  views(): ShownAgent[] {
    return [...this.#views.values()];
  }

  viewOf(id: string): ShownAgent | undefined {
    return this.#views.get(id);
  }

  client(id: string): AgentClient | undefined {
    return this.#views.has(id)
      ? createAgentClient({ url: `http://${id}.test`, token: 't', fetch: this.fetch })
      : undefined;
  }

  onChange(listener: ViewListener): void {
    this.#listeners.push(listener);
  }

  show(view: ShownAgent): void {
    const before = this.#views.get(view.id);
    this.#views.set(view.id, view);
    for (const listener of this.#listeners) listener(view, before);
  }

  forget(id: string): void {
    this.#views.delete(id);
  }

  /** The next call that was not taken yet. */
  async take(): Promise<HeldCall> {
    await until(() => this.calls.length > 0, 'a call to an agent');
    return this.calls.shift()!;
  }
}

export function problemOf(code: string, status: number, detail = code) {
  return { type: `urn:holdfast:problem:${code}`, title: code, status, detail, instance: '/', code };
}

/** A link whose view a test sets. */
export class FakeLink implements Link {
  readonly #listeners: ((view: ShownAgent) => void)[] = [];
  #view: ShownAgent;
  stopped = false;
  /** How often it was told to connect at once. */
  retries = 0;

  constructor(view: ShownAgent) {
    this.#view = view;
  }

  view(): ShownAgent {
    return this.#view;
  }

  onView(listener: (view: ShownAgent) => void): void {
    this.#listeners.push(listener);
  }

  counters(): LinkCounters {
    return { reconnects: 1, gaps: 2, chainBreaks: 3, resyncs: 4, digestMismatches: 5 };
  }

  retryNow(): void {
    this.retries += 1;
  }

  show(change: Partial<ShownAgent>): void {
    this.#view = { ...this.#view, ...change };
    for (const listener of this.#listeners) listener(this.#view);
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }
}

/** A new home that is removed after the test. */
export function makeHome(cleanups: (() => unknown)[]): string {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-web-'));
  cleanups.push(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

/** What a local agent writes about itself. */
export function announceFakeAgent(
  home: string,
  change: Partial<{ id: string; name: string; url: string; token: string }> = {},
) {
  const { id = 'a1', name = 'one', url = `http://${id}.test`, token = `token-of-${id}` } = change;
  mkdirSync(join(home, 'agents'), { recursive: true });
  const tokenFile = join(home, `${id}.token`);
  writeFileSync(tokenFile, `${token}\n`);
  writeFileSync(join(home, 'agents', `${id}.json`), JSON.stringify({ id, name, url, pid: 1, tokenFile }));
  return { id, name, url, token };
}
