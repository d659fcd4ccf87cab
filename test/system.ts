/**
 * Both services as real processes with a home of their own, for tests of what crosses them.
 *
 * `await using system = await startSystem()` starts agent and web on free ports; a restarted service keeps its
 * port. Disposing of it ends the services and every process that carries a marker of this home.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ShownTask, Task, TaskEvent } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const ENTRY = {
  agent: join(ROOT, 'packages/agent/src/main.ts'),
  web: join(ROOT, 'packages/web/src/main.ts'),
};
/** Generous: the machine may be slow; a condition that holds ends the wait at once. */
const PATIENCE_MS = 90_000;
const POLL_MS = 20;

/** Ready is only who has swept, a backlog of thousands too. */
const READY_PATIENCE_MS = 400_000;

/** A service closes a connection that was idle for a while: who takes it up again at that moment has no answer. */
export const OWN_CONNECTION = { headers: { connection: 'close' } };

/** For tests that no agent may be lost in: however slow the machine is, web gives none up. */
export const NEVER_LOST = { HOLDFAST_LOST_AFTER_MS: '3600000' };

export interface SystemOptions {
  /** Further settings, e.g. `{ HOLDFAST_SLOTS: '50' }`. */
  env?: Record<string, string>;
  /** Start web too; default true. `remote`: web has a home of its own and is told of the agent by `follow`. */
  web?: boolean | 'remote';
  home?: string;
}

export interface Answer<T> {
  status: number;
  body: T;
  headers: Headers;
}

type ServiceName = keyof typeof ENTRY;

export class Service {
  readonly name: ServiceName;
  readonly #system: System;
  #child: ChildProcess | undefined;
  #log = '';
  url = '';
  port = 0;

  constructor(name: ServiceName, system: System) {
    this.name = name;
    this.#system = system;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }
  /** What it wrote to stderr so far. */
  get log(): string {
    return this.#log;
  }

  /** Starts it and waits until it is ready. */
  async start(): Promise<void> {
    const port = this.name === 'agent' ? 'HOLDFAST_AGENT_PORT' : 'HOLDFAST_WEB_PORT';
    const child = spawn(process.execPath, [ENTRY[this.name]], {
      env: { ...this.#system.env, HOLDFAST_HOME: this.#system.homeOf(this.name), [port]: String(this.port) },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    const closed = once(child, 'close');
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    child.stdout.resume();
    this.url = await until(`${this.name} to say where it listens`, async () => {
      const end = child.exitCode ?? child.signalCode;
      if (end !== null) {
        // Its last words may still be on their way.
        await closed;
        throw new Error(`${this.name} ended with ${end}:\n${this.#log}`);
      }
      return this.#system.discover(this.name, child.pid!);
    });
    this.port = Number(new URL(this.url).port);
    const { headers } = OWN_CONNECTION;
    const isReady = async () => (await fetch(`${this.url}/readyz`, { headers })).ok;
    await until(`${this.name} to be ready`, isReady, READY_PATIENCE_MS);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it by `signal` and waits until it is gone. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }

  async restart(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.end(signal);
    await this.start();
  }
}

export class System implements AsyncDisposable {
  readonly home: string;
  readonly webHome: string;
  readonly env: Record<string, string>;
  readonly agent: Service;
  readonly web: Service;
  readonly #ownHome: boolean;

  constructor(options: SystemOptions) {
    this.#ownHome = options.home === undefined;
    this.home = options.home ?? mkdtempSync(join(tmpdir(), 'holdfast-test-'));
    this.webHome = options.web === 'remote' ? join(this.home, 'web') : this.home;
    this.env = {
      PATH: process.env.PATH ?? '',
      HOME: this.home,
      // Hundreds of processes of the same code are started: each but the first finds it compiled.
      NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/compile'),
      HOLDFAST_HOME: this.home,
      HOLDFAST_AGENT_NAME: 'test-agent',
      HOLDFAST_LOG_LEVEL: 'info',
      HOLDFAST_HEARTBEAT_MS: '200',
      HOLDFAST_LOST_AFTER_MS: '1000',
      HOLDFAST_SWEEP_MS: '500',
      HOLDFAST_KILL_GRACE_MS: '1000',
      HOLDFAST_RETRY_DELAY_MS: '50',
      ...options.env,
    };
    this.agent = new Service('agent', this);
    this.web = new Service('web', this);
  }

  /** Where a service of this home says that it listens, once it is the process `pid` that says so. */
  discover(name: ServiceName, pid: number): string | undefined {
    const files =
      name === 'web'
        ? [join(this.webHome, 'web.json')]
        : existsSync(join(this.home, 'agents'))
          ? readdirSync(join(this.home, 'agents')).map((file) => join(this.home, 'agents', file))
          : [];
    for (const file of files) {
      if (!file.endsWith('.json') || !existsSync(file)) continue;
      const said = JSON.parse(readFileSync(file, 'utf8')) as { url: string; pid: number };
      if (said.pid === pid) return said.url;
    }
    return undefined;
  }

  homeOf(name: ServiceName): string {
    return name === 'web' ? this.webHome : this.home;
  }

  token(name: ServiceName): string {
    return readFileSync(join(this.homeOf(name), `${name}.token`), 'utf8').trim();
  }

  /** Tells web of an agent at `url` (the agent itself, or a proxy before it) and waits until it is followed. */
  async follow(url: string): Promise<void> {
    const answer = await this.call('web', 'POST', '/api/agents', { url, token: this.token('agent') });
    if (answer.status >= 300) throw new Error(`web refused the agent: ${JSON.stringify(answer.body)}`);
    await this.untilAgentIs('live');
  }

  /** Waits until web shows its agent in a state. */
  async untilAgentIs(state: string): Promise<void> {
    await until(`web to show the agent ${state}`, async () => {
      const { body } = await this.call<{ agents: { state: string }[] }>('web', 'GET', '/api/state');
      return body.agents.some((agent) => agent.state === state);
    });
  }

  /** A request to a service with its token; `body` is sent as JSON. */
  async call<T = unknown>(
    name: ServiceName,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answer<T>> {
    const response = await fetch(`${this[name].url}${path}`, {
      method,
      headers: {
        ...OWN_CONNECTION.headers,
        authorization: `Bearer ${this.token(name)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      body: (isJson ? JSON.parse(text) : text) as T,
    };
  }

  /** Submits through web and returns the id. */
  async submit(spec: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<string> {
    const id = uuidv7();
    const answer = await this.call('web', 'POST', '/api/tasks', { id, sessionId: 'test', spec, ...more });
    if (answer.status !== 201 && answer.status !== 202) {
      throw new Error(`submit was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    return id;
  }

  async webTask(id: string): Promise<ShownTask> {
    return (await this.call<ShownTask>('web', 'GET', `/api/tasks/${id}`)).body;
  }

  async agentTask(id: string): Promise<Task> {
    return (await this.call<Task>('agent', 'GET', `/tasks/${id}`)).body;
  }

  /** Waits until web shows a task as `holds` says. */
  webTaskWhen(id: string, what: string, holds: (task: ShownTask) => boolean): Promise<ShownTask> {
    return until(`web to show ${id} ${what}`, async () => {
      const task = await this.webTask(id);
      return holds(task) ? task : undefined;
    });
  }

  agentTaskWhen(id: string, what: string, holds: (task: Task) => boolean): Promise<Task> {
    return until(`the agent to have ${id} ${what}`, async () => {
      const task = await this.agentTask(id);
      return holds(task) ? task : undefined;
    });
  }

  async agentEvents(id: string): Promise<TaskEvent[]> {
    return (await this.call<{ items: TaskEvent[] }>('agent', 'GET', `/tasks/${id}/events`)).body.items;
  }

  async webEvents(id: string): Promise<TaskEvent[]> {
    const answer = await this.call<{ items: TaskEvent[] }>('web', 'GET', `/api/tasks/${id}/events`);
    return answer.body.items;
  }

  /** Processes that carry a marker of this home. */
  strays(): number[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids
      .filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`HOLDFAST_RUN=${this.home}/`);
        } catch (error) {
          // A process that ended meanwhile, or one of another user, is none of ours.
          const { code } = error as NodeJS.ErrnoException;
          if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return false;
          throw error;
        }
      })
      .map(Number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of [this.web, this.agent]) {
      // One that a test froze would never see that it is asked to end.
      service.signal('SIGCONT');
      await service.end('SIGTERM');
    }
    await until('the tasks of this test to be gone', () => {
      const left = this.strays();
      for (const pid of left) killIfThere(pid);
      return left.length === 0;
    });
    if (this.#ownHome) rmSync(this.home, { recursive: true, force: true });
  }
}

export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const system = new System(options);
  try {
    await system.agent.start();
    if (options.web !== false) {
      await system.web.start();
      if (options.web !== 'remote') await system.untilAgentIs('live');
    }
    return system;
  } catch (error) {
    await system[Symbol.asyncDispose]();
    throw error;
  }
}

/** Waits for a condition; returns what it returned. Fails with `what` it waited for. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A signal to a process that may have ended by itself. */
export function killIfThere(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
