/**
 * One of the two services as a real process that may be killed or frozen at any moment, its own start included.
 * What it says about itself (`diedAt`, `frozenAt`) is the harness's knowledge, not the service's.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../system.ts';

export interface ServiceOptions {
  name: 'agent' | 'web';
  /** Where `packages/` is. */
  root: string;
  home: string;
  env: Record<string, string>;
  /** What it writes to stderr is appended here. */
  logPath: string;
}

export class ServiceProcess {
  readonly #options: ServiceOptions;
  #child: ChildProcess | undefined;
  url = '';
  port = 0;
  /** Since when it cannot work (ms since the epoch): dead or frozen. Undefined while it can. */
  silentSince: number | undefined = Date.now();
  /** Since when it has served without a break; infinite while it does not. */
  awakeSince = Number.POSITIVE_INFINITY;
  starts = 0;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }
  get alive(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }
  get token(): string {
    return readFileSync(join(this.#options.home, `${this.#options.name}.token`), 'utf8').trim();
  }

  /** Begins a start; `ready` waits for its end. */
  spawn(): void {
    const { name, root, home, env, logPath } = this.#options;
    const child = spawn(process.execPath, [join(root, 'packages', name, 'src', 'main.ts')], {
      env: { ...env, HOLDFAST_HOME: home, [`HOLDFAST_${name.toUpperCase()}_PORT`]: String(this.port) },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    child.stderr.on('data', (bytes: Buffer) => appendFileSync(logPath, bytes));
    child.once('exit', () => this.#isSilent());
    this.#child = child;
    this.starts += 1;
    // From here on it may speak, whenever that is noticed.
    this.silentSince = undefined;
  }

  /** Waits until it serves. Throws if it ends before. */
  async ready(): Promise<void> {
    const { name, logPath } = this.#options;
    this.url = await until(`${name} to say where it listens (${logPath})`, () => {
      if (!this.alive) throw new Error(`${name} ended while it started; see ${logPath}`);
      return this.#announced();
    });
    this.port = Number(new URL(this.url).port);
    await until(`${name} to be ready (${logPath})`, async () => {
      if (!this.alive) throw new Error(`${name} ended while it started; see ${logPath}`);
      const answer = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(5000) }).catch(() => {
        // It does not listen yet, or not any more: the next look tells which.
        return undefined;
      });
      return answer?.ok === true;
    });
    this.silentSince = undefined;
    this.awakeSince = Date.now();
  }

  async start(): Promise<void> {
    this.spawn();
    await this.ready();
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.alive) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    if (signal === 'SIGKILL') this.#isSilent();
    await exited;
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
    this.#isSilent();
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
    if (!this.alive) return;
    this.silentSince = undefined;
    this.awakeSince = Date.now();
  }

  #isSilent(): void {
    this.silentSince ??= Date.now();
    this.awakeSince = Number.POSITIVE_INFINITY;
  }

  #announced(): string | undefined {
    const { name, home } = this.#options;
    const folder = join(home, 'agents');
    const files =
      name === 'web'
        ? [join(home, 'web.json')]
        : existsSync(folder)
          ? readdirSync(folder).map((file) => join(folder, file))
          : [];
    for (const file of files) {
      if (!file.endsWith('.json') || !existsSync(file)) continue;
      const said = JSON.parse(readFileSync(file, 'utf8')) as { url: string; pid: number };
      if (said.pid === this.pid) return said.url;
    }
    return undefined;
  }
}
