/** The external workers of a run: started, killed, frozen beyond their leases, and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Step } from './plan.ts';
import { type FaultContext, pause } from './service-faults.ts';
import { WORKER_QUEUE } from './tasks.ts';
import { readWorkerWords, type WorkerWord } from './worker-words.ts';
import type { WorkerOptions } from './worker.ts';
import { settings, type World } from './world.ts';

const SCRIPT = fileURLToPath(new URL('./worker.ts', import.meta.url));
const COUNT = 4;

export class Workers implements AsyncDisposable {
  readonly #world: World;
  readonly #seed: string;
  readonly #wordsPath: string;
  readonly #children: (ChildProcess | undefined)[] = [];
  #starts = 0;

  constructor(world: World, seed: string) {
    this.#world = world;
    this.#seed = seed;
    this.#wordsPath = join(world.base, 'words');
  }

  /** Starts them, if this agent hands out claims. */
  async start(): Promise<boolean> {
    const body = { claimId: 'probe', queue: 'nobody-uses-this', worker: 'probe' };
    const { status } = await this.#world.call('agent', 'POST', '/claims', body);
    if (status === 404) return false;
    for (let n = 0; n < COUNT; n += 1) this.#spawn(n);
    return true;
  }

  words(): WorkerWord[] {
    return readWorkerWords(this.#wordsPath);
  }

  async makeFault(step: Step<'worker'>, { ledger, halt }: FaultContext): Promise<void> {
    const { kind, pick } = step;
    const n = Math.floor(pick * this.#children.length);
    const child = this.#children[n];
    if (child === undefined) return;
    ledger.fault(kind, `worker-${n}`);
    switch (kind) {
      case 'killWorker':
        await this.#end(n);
        // Its claim runs out; what it held is not released by a successor of its name.
        this.#spawn(n, `worker-${n}-after-${this.#starts}`);
        return;
      case 'restartWorker':
        await this.#end(n);
        this.#spawn(n);
        return;
      case 'freezeWorker':
        child.kill('SIGSTOP');
        await pause(settings.leaseMs + 2000, halt);
        child.kill('SIGCONT');
        return;
      default:
        kind satisfies never;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((_child, n) => this.#end(n)));
  }

  #spawn(n: number, name = `worker-${n}`): void {
    const { agent } = this.#world;
    this.#starts += 1;
    const options: WorkerOptions = {
      url: agent.url,
      token: agent.token,
      name,
      seed: `${this.#seed}/worker-${n}/${this.#starts}`,
      wordsPath: this.#wordsPath,
      queue: WORKER_QUEUE,
      leaseMs: settings.leaseMs,
    };
    this.#children[n] = spawn(process.execPath, [SCRIPT, JSON.stringify(options)], { stdio: 'inherit' });
  }

  async #end(n: number): Promise<void> {
    const child = this.#children[n];
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}
