/**
 * The tasks of a run: what is submitted, drawn from the seed. Every one of them writes its own evidence (task.sh),
 * apart from those that are for workers.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Submit } from '@holdfast/shared';
import { UUID } from 'uuidv7';
import type { Random } from './random.ts';

const SCRIPT = fileURLToPath(new URL('./task.sh', import.meta.url));
export const WORKER_QUEUE = 'chaos';

const weights = {
  quick: 30,
  long: 22,
  gate: 5,
  stubborn: 6,
  late: 8,
  brood: 8,
  loud: 4,
  suspend: 3,
  freeze: 2,
  missing: 2,
} as const;

/** Codes that mean something to somebody: success, plain failure, what shells use, a signal's look-alike. */
const CODES = [0, 0, 0, 1, 3, 7, 42, 125, 126, 143, 255];

export interface TaskSourceOptions {
  random: Random;
  evidencePath: string;
  gates: string;
  now?: () => number;
}

export class TaskSource {
  readonly #options: TaskSourceOptions;
  readonly #keys = new Map<string, string>();
  /** Tasks for workers are made while this is true. */
  workers = false;
  made = 0;

  constructor(options: TaskSourceOptions) {
    this.#options = options;
  }

  keyOf(taskId: string): string | undefined {
    return this.#keys.get(taskId);
  }

  /** A retry of `of` is to be `id`: it has the same spec, and with it the same key. */
  repeat(of: string, id: string): void {
    const key = this.#keys.get(of);
    if (key !== undefined) this.#keys.set(id, key);
  }

  gateOf(taskId: string): string {
    return join(this.#options.gates, taskId);
  }

  /** A UUIDv7 whose random part is the seed's. */
  nextId(): string {
    const { random, now = Date.now } = this.#options;
    return UUID.fromFieldsV7(
      now(),
      random.int(0, 0xfff),
      random.int(0, 0x3fff_ffff),
      random.int(0, 0xffff_ffff),
    ).toString();
  }

  next(): Submit {
    const { random, evidencePath } = this.#options;
    this.made += 1;
    const id = this.nextId();
    const common = { id, sessionId: `chaos-${random.int(1, 9)}` };
    if (this.workers && random.chance(0.25)) {
      return {
        ...common,
        queue: WORKER_QUEUE,
        spec: { payload: { n: this.made }, retry: { maxAttempts: random.int(1, 8) } },
      };
    }
    const kind = random.weighted(weights);
    if (kind === 'missing') return { ...common, spec: { command: ['/no/such/program'] } };
    const code = random.pick(CODES);
    const seconds = random.chance(0.15) ? random.int(3, 8) : random.int(1, 12) / 10;
    const key = random.chance(0.12) ? `key-${random.int(1, 3)}` : undefined;
    if (key !== undefined) this.#keys.set(id, key);
    const retry = random.weighted({ none: 4, lost: 4, failed: 3, once: 2 });
    return {
      ...common,
      priority: random.chance(0.2) ? random.int(-5, 5) : 0,
      spec: {
        command: ['/bin/sh', SCRIPT, evidencePath, kind, String(code), String(seconds), this.gateOf(id)],
        ...(key === undefined ? {} : { concurrencyKey: key }),
        ...(kind === 'freeze' || random.chance(0.1) ? { timeoutMs: random.int(100, 1500) } : {}),
        ...(retry === 'lost' ? { retry: { maxAttempts: random.int(2, 8) } } : {}),
        ...(retry === 'failed'
          ? { retry: { maxAttempts: random.int(2, 4), on: ['failed', 'lost'] as ('failed' | 'lost')[] } }
          : {}),
        ...(retry === 'once' ? { retry: { maxAttempts: 1 } } : {}),
      },
    };
  }
}
