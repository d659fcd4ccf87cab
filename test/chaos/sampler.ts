/**
 * Watches the process table all the time and proves P4 by what it sees: two attempts of one task, or two tasks of
 * one concurrency key, with living processes at the same moment.
 *
 * A table is not read in one moment, so a pair is only a suspicion. The proof is a second look in order: first that
 * the newer process is there, then that the older one still is.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ledger } from './ledger.ts';
import { isAlive, type Marked, ProcessView } from './processes.ts';

const PERIOD_MS = 50;

export interface SamplerOptions {
  home: string;
  ledger: Ledger;
  /** The concurrency key of a task, if it has one. */
  keyOf: (taskId: string) => string | undefined;
}

export class Sampler implements AsyncDisposable {
  readonly #options: SamplerOptions;
  readonly #view: ProcessView;
  readonly #loop: Promise<void>;
  #stopped = false;
  /** As of the last look. */
  processes: readonly Marked[] = [];
  samples = 0;
  mostAttempts = 0;

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#view = new ProcessView(options.home);
    this.#loop = this.#run();
  }

  look(): readonly Marked[] {
    this.processes = this.#view.scan();
    this.samples += 1;
    this.#judge(this.processes);
    return this.processes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.look();
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    }
  }

  #judge(processes: readonly Marked[]): void {
    const { ledger, keyOf } = this.#options;
    const byTask = Map.groupBy(processes, (process) => process.taskId);
    this.mostAttempts = Math.max(this.mostAttempts, byTask.size);
    for (const [taskId, own] of byTask) {
      const pair = provenPair(own, (process) => process.attempt);
      if (pair === undefined) continue;
      const [older, newer] = pair;
      ledger.violate({
        promise: 'P4',
        what: `attempt ${newer.attempt} (pid ${newer.pid}) runs while pid ${older.pid} of attempt ${older.attempt} is alive`,
        taskId,
      });
    }
    const byKey = Map.groupBy(
      processes.filter((process) => keyOf(process.taskId) !== undefined),
      (process) => keyOf(process.taskId)!,
    );
    for (const [key, own] of byKey) {
      const order = [...new Set(own.map((process) => process.taskId))].toSorted();
      const pair = provenPair(own, (process) => order.indexOf(process.taskId));
      if (pair === undefined) continue;
      const [one, other] = pair;
      ledger.violate({
        promise: 'concurrencyKey',
        what: `${one.taskId} (pid ${one.pid}) and ${other.taskId} (pid ${other.pid}) of the key ${key} are alive at once`,
        taskId: other.taskId,
      });
    }
  }
}

/** Two processes of different rank that are proven to be alive at the same moment. */
function provenPair(
  processes: readonly Marked[],
  rank: (process: Marked) => number,
): [Marked, Marked] | undefined {
  // A shim whose attempt the agent has taken the ticket of runs nothing and is about to end.
  const acting = processes.filter((process) => !process.isShim || !isBarred(process));
  if (new Set(acting.map(rank)).size < 2) return undefined;
  const highest = Math.max(...acting.map(rank));
  for (const newer of acting.filter((process) => rank(process) === highest)) {
    if (!isAlive(newer)) continue;
    // Asked again now: it may have found meanwhile that it is barred.
    const older = acting.find(
      (process) => rank(process) < highest && isAlive(process) && !(process.isShim && isBarred(process)),
    );
    if (older !== undefined) return [older, newer];
  }
  return undefined;
}

function isBarred(shim: Marked): boolean {
  const ticket = join(shim.run, 'ticket');
  // A run that was removed can neither be begun nor recorded.
  if (!existsSync(shim.run)) return true;
  if (!existsSync(ticket)) return false;
  try {
    return readFileSync(ticket, 'utf8') === 'agent';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}
