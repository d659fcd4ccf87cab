/**
 * What people and programs ask for during a run: submits through web and to the agent itself, repeated ones, cancels,
 * retries, reclaims, changes of the pool. Requests overlap; one that is not answered may be asked again.
 */
import { existsSync, writeFileSync } from 'node:fs';
import type { Pool, Submit } from '@holdfast/shared';
import type { Answer, Ledger } from './ledger.ts';
import type { Observer } from './observer.ts';
import type { Random } from './random.ts';
import type { TaskSource } from './tasks.ts';
import { settings, type World } from './world.ts';

const MOST_LIVE = 40;
const MOST_IN_FLIGHT = 24;

const weights = {
  submit: 60,
  repeat: 8,
  cancel: 8,
  bulkCancel: 1,
  openGate: 12,
  pool: 3,
  retry: 4,
  reclaim: 7,
  reclaimStale: 2,
} as const;

export interface TrafficOptions {
  world: World;
  ledger: Ledger;
  observer: Observer;
  source: TaskSource;
  random: Random;
}

type PoolExpectation = { mode: 'paused' | 'draining' | 'active'; slots: number };

export class Traffic implements AsyncDisposable {
  readonly #options: TrafficOptions;
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly #loop: Promise<void>;
  #stopped = false;
  readonly submits: Submit[] = [];
  /** Whether the agent has a route for it. */
  reclaims = false;
  /** What the pool was told last, if that was answered. */
  #pool: PoolExpectation | undefined = { mode: 'active', slots: settings.slots };
  #poolBusy = false;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#loop = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#loop;
    await Promise.all(this.#inFlight);
  }

  async #run(): Promise<void> {
    const { random } = this.#options;
    while (!this.#stopped) {
      if (this.#inFlight.size < MOST_IN_FLIGHT) this.#start(this.#act());
      await new Promise((resolve) => setTimeout(resolve, random.int(20, 140)));
    }
  }

  #start(action: Promise<unknown>): void {
    const tracked: Promise<unknown> = action.finally(() => this.#inFlight.delete(tracked));
    this.#inFlight.add(tracked);
  }

  async #act(): Promise<unknown> {
    const { observer, random, source, world } = this.#options;
    const act = random.weighted(weights);
    switch (act) {
      case 'submit':
        if (observer.live.length >= MOST_LIVE) return undefined;
        return this.submit(source.next(), random.chance(0.5) ? 'web' : 'agent');
      case 'repeat': {
        const recent = this.submits.slice(-60);
        return recent.length === 0
          ? undefined
          : this.submit(random.pick(recent), random.chance(0.5) ? 'web' : 'agent');
      }
      case 'cancel': {
        const task = observer.someLive(random);
        return task === undefined ? undefined : this.cancel(task.id, random.chance(0.5) ? 'web' : 'agent');
      }
      case 'bulkCancel': {
        const ids = Array.from({ length: 3 }, () => observer.someLive(random)?.id).filter(
          (id) => id !== undefined,
        );
        return ids.length === 0 ? undefined : this.#cancelAll([...new Set(ids)]);
      }
      case 'openGate': {
        const task = observer.someLive(
          random,
          ({ id, spec }) => spec.command?.[3] === 'gate' && !existsSync(source.gateOf(id)),
        );
        if (task !== undefined) writeFileSync(source.gateOf(task.id), '');
        return undefined;
      }
      case 'retry': {
        const of = observer.endedIds.at(-random.int(1, Math.max(1, Math.min(40, observer.endedIds.length))));
        if (of === undefined || observer.live.length >= MOST_LIVE) return undefined;
        const id = source.nextId();
        source.repeat(of, id);
        const to = random.chance(0.5) ? 'web' : 'agent';
        return world.ask(to, 'retry', id, `${to === 'web' ? '/api' : ''}/tasks/${of}/retry`, { id });
      }
      case 'pool':
        return this.#changePool();
      case 'reclaim': {
        const claims = random.chance(0.5);
        const task = observer.someLive(
          random,
          ({ status, claim }) => status === 'running' && (claim !== undefined) === claims,
        );
        if (task === undefined || !this.reclaims) return undefined;
        const to = random.chance(0.5) ? 'web' : 'agent';
        const body = { attempt: task.attempt, reason: 'chaos' };
        return world.ask(
          to,
          'reclaim',
          task.id,
          `${to === 'web' ? '/api' : ''}/tasks/${task.id}/reclaim`,
          body,
        );
      }
      case 'reclaimStale': {
        if (!this.reclaims) return undefined;
        const to = random.chance(0.5) ? 'web' : 'agent';
        const body = random.chance(0.3) ? { dryRun: true } : {};
        return world.ask(to, 'reclaimStale', '', `${to === 'web' ? '/api' : ''}/reclaim`, body);
      }
      default:
        return act satisfies never;
    }
  }

  submit(submit: Submit, to: 'agent' | 'web'): Promise<Answer> {
    if (!this.submits.includes(submit)) this.submits.push(submit);
    return this.#options.world.ask(to, 'submit', submit.id, to === 'web' ? '/api/tasks' : '/tasks', submit);
  }

  cancel(taskId: string, to: 'agent' | 'web'): Promise<Answer> {
    const path = `${to === 'web' ? '/api' : ''}/tasks/${taskId}/cancel`;
    return this.#options.world.ask(to, 'cancel', taskId, path);
  }

  /** Each row that web says is done or promised is a cancel that was accepted. */
  async #cancelAll(ids: string[]): Promise<void> {
    const { world, ledger } = this.#options;
    const answer = await world.ask('web', 'bulk', '', '/api/tasks/bulk', { action: 'cancel', ids });
    if (answer.status !== 200 || answer.body === undefined) return;
    type Item = { id: string; result: string; message?: string };
    for (const { id, result, message } of (answer.body as { items: Item[] }).items) {
      if (result !== 'done' && result !== 'promised') continue;
      const pending = result === 'promised' ? [{ action: 'cancel' }] : [];
      // A cancel that is done and has something to say was web's alone, before the delivery.
      const body = { pending, ...(message === undefined ? {} : { seq: 0 }) };
      ledger.answers.push({ ...answer, verb: 'cancel', taskId: id, status: 202, body });
    }
  }

  /** One change at a time, so that it is known what the pool was told; before it, what the last one left is checked. */
  async #changePool(): Promise<void> {
    const { world, random } = this.#options;
    const verb = random.pick(['pause', 'drain', 'slots'] as const);
    const slots = random.int(2, settings.slots);
    const restMs = random.int(100, 900);
    const to = random.chance(0.5) ? 'web' : 'agent';
    if (this.#poolBusy) return;
    this.#poolBusy = true;
    try {
      await this.expectPool();
      const base = to === 'web' ? `/api/agents/${world.agentId}` : '/pool';
      const answer =
        verb === 'slots'
          ? await world.ask(to, 'pool', '', base, { slots }, 'PATCH')
          : await world.ask(to, 'pool', '', `${base}/${verb}`);
      if (this.#pool !== undefined && answer.status === 200) {
        if (verb === 'slots') this.#pool.slots = slots;
        else this.#pool.mode = verb === 'pause' ? 'paused' : 'draining';
      } else this.#pool = undefined;
      await new Promise((resolve) => setTimeout(resolve, restMs));
      await this.expectPool();
      await this.#resetPool();
    } finally {
      this.#poolBusy = false;
    }
  }

  async #resetPool(): Promise<void> {
    const { world } = this.#options;
    const slots = await world.ask('agent', 'pool', '', '/pool', { slots: settings.slots }, 'PATCH');
    const resumed = await world.ask('agent', 'pool', '', '/pool/resume');
    this.#pool =
      slots.status === 200 && resumed.status === 200 ? { mode: 'active', slots: settings.slots } : undefined;
  }

  /** Repeats the reset until it is answered. */
  async openPool(): Promise<void> {
    while (this.#pool?.mode !== 'active' || this.#pool.slots !== settings.slots) await this.#resetPool();
  }

  /** P1 for the pool: what it was told and answered is still so. */
  async expectPool(): Promise<void> {
    const { world, ledger } = this.#options;
    if (this.#pool === undefined) return;
    const expected = { ...this.#pool };
    const answer = await world.call('agent', 'GET', '/pool');
    if (answer.status !== 200) return;
    const { slots, paused, draining } = answer.body as Pool;
    const mode = draining ? 'draining' : paused ? 'paused' : 'active';
    if (mode === expected.mode && slots === expected.slots) return;
    ledger.violate({
      promise: 'P1',
      what: `the pool was told ${JSON.stringify(expected)} and says ${JSON.stringify(answer.body)}`,
    });
  }
}
