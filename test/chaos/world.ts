/**
 * The world of a run: agent and web as real processes, each with a home of its own, and between them a proxy that
 * cuts. Beside their homes lie the evidence of the tasks and the gates that let some of them end.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CuttingProxy } from '../cutting-proxy.ts';
import { until } from '../system.ts';
import type { Answer, Ledger, Verb } from './ledger.ts';
import { ProcessView, signal } from './processes.ts';
import { ServiceProcess } from './service.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const settings = {
  heartbeatMs: 200,
  lostAfterMs: 1000,
  sweepMs: 300,
  leaseMs: 5000,
  killGraceMs: 500,
  slots: 12,
} as const;

export interface Called {
  /** 0: no answer came. */
  status: number;
  body: unknown;
}

export interface WorldOptions {
  ledger: Ledger;
  /** Where the services are run from. Default: this repository. */
  root?: string;
}

export class World implements AsyncDisposable {
  readonly base: string;
  readonly agentHome: string;
  readonly webHome: string;
  readonly evidencePath: string;
  readonly gates: string;
  readonly agent: ServiceProcess;
  readonly web: ServiceProcess;
  readonly #ledger: Ledger;
  #proxy: CuttingProxy | undefined;
  agentId = '';
  /** The home of a run that failed is kept. */
  keep = false;

  constructor(options: WorldOptions) {
    this.#ledger = options.ledger;
    this.base = mkdtempSync(join(tmpdir(), 'holdfast-chaos-'));
    this.agentHome = join(this.base, 'agent');
    this.webHome = join(this.base, 'web');
    this.gates = join(this.base, 'gates');
    this.evidencePath = join(this.base, 'evidence');
    for (const folder of [this.agentHome, this.webHome, this.gates]) mkdirSync(folder);
    writeFileSync(this.evidencePath, '');
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: this.base,
      NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/compile'),
      HOLDFAST_AGENT_NAME: 'chaos',
      HOLDFAST_LOG_LEVEL: 'info',
      HOLDFAST_HEARTBEAT_MS: String(settings.heartbeatMs),
      HOLDFAST_LOST_AFTER_MS: String(settings.lostAfterMs),
      HOLDFAST_SWEEP_MS: String(settings.sweepMs),
      HOLDFAST_LEASE_MS: String(settings.leaseMs),
      HOLDFAST_KILL_GRACE_MS: String(settings.killGraceMs),
      HOLDFAST_RETRY_DELAY_MS: '50',
      // Less than there are slots: a sweep is several pages.
      HOLDFAST_SWEEP_PAGE: '5',
      HOLDFAST_SLOTS: String(settings.slots),
      HOLDFAST_LOW_DISK_BYTES: '0',
    };
    const root = options.root ?? ROOT;
    const service = (name: 'agent' | 'web', home: string) =>
      new ServiceProcess({ name, root, home, env, logPath: join(this.base, `${name}.log`) });
    this.agent = service('agent', this.agentHome);
    this.web = service('web', this.webHome);
  }

  get proxy(): CuttingProxy {
    return this.#proxy!;
  }

  /** Starts both and lets web follow the agent through the proxy. */
  async start(): Promise<void> {
    await Promise.all([this.agent.start(), this.web.start()]);
    this.#proxy = await CuttingProxy.open(this.agent.port);
    const added = await this.call('web', 'POST', '/api/agents', {
      url: this.#proxy.url,
      token: this.agent.token,
    });
    if (added.status !== 201) throw new Error(`web refused the agent: ${JSON.stringify(added)}`);
    this.agentId = (added.body as { id: string }).id;
  }

  /** A request that may never be answered; it is given up after `patienceMs`. */
  async call(
    to: 'agent' | 'web',
    method: string,
    path: string,
    body?: unknown,
    patienceMs = 10_000,
  ): Promise<Called> {
    const service = this[to];
    let status = 0;
    try {
      const response = await fetch(`${service.url}${path}`, {
        method,
        signal: AbortSignal.timeout(patienceMs),
        headers: {
          authorization: `Bearer ${service.token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      ({ status } = response);
      const text = await response.text();
      return { status, body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text };
    } catch (error) {
      // The service is killed, frozen or away, which is what this is about. A status that came was an answer.
      if (error instanceof TypeError || error instanceof DOMException) return { status, body: undefined };
      throw error;
    }
  }

  /** The same, and what came of it goes into the ledger. */
  async ask(
    to: 'agent' | 'web',
    verb: Verb,
    taskId: string,
    path: string,
    body?: unknown,
    method = 'POST',
  ): Promise<Answer> {
    const at = Date.now();
    const called = await this.call(to, method, path, body);
    const answer: Answer = { at, doneAt: Date.now(), via: to, verb, taskId, sent: body, ...called };
    this.#ledger.answers.push(answer);
    return answer;
  }

  /** Ends whatever is left of the run, and removes it unless it is to be kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of [this.web, this.agent]) {
      if (!service.alive) continue;
      service.thaw();
      await service.kill('SIGTERM');
    }
    if (this.#proxy !== undefined) await this.#proxy[Symbol.asyncDispose]();
    await until('the tasks of this run to be gone', () => {
      const left = new ProcessView(this.agentHome).scan();
      for (const process of left) signal(process, 'SIGKILL');
      return left.length === 0;
    });
    if (!this.keep && existsSync(this.base)) rmSync(this.base, { recursive: true, force: true });
  }
}
