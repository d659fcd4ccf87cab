/**
 * Reads what both services say, all the time, and holds it against what must be true at any moment:
 *
 * - P2: web shows no task as running while the agent has been silent for longer than the deadline. The harness
 *   knows when it killed or froze the agent; nothing that web says is needed for it.
 * - P5: a task that was shown as ended by its agent never changes again, on neither side.
 * - P9: a task that was shown as unknown has a doubt on record (judged at the end by the checker).
 */
import type { ShownTask, Task } from '@holdfast/shared';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import { settings, type World } from './world.ts';

const PERIOD_MS = 120;
/** What web may be late by on a machine that is busy. */
const MARGIN_MS = 1200;
const PAGE = 100;
const LIVE = 'queued,starting,running';

export class Observer implements AsyncDisposable {
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #loops: Promise<void>[];
  readonly #ended = { agent: new Map<string, string>(), web: new Map<string, string>() };
  #stopped = false;
  /** Tasks that web showed as running beyond the deadline when last read. */
  #overdue: ReadonlySet<string> = new Set();
  /** Not ended when last read. */
  live: Task[] = [];
  /** Ended tasks that were seen, newest last. */
  endedIds: string[] = [];
  /** When web showed a task as unknown, first. */
  readonly unknown = new Map<string, number>();
  reads = 0;
  /** Looks at web at moments at which it must doubt. */
  readsBeyondDeadline = 0;

  constructor(world: World, ledger: Ledger) {
    this.#world = world;
    this.#ledger = ledger;
    this.#loops = [this.#run(() => this.#readAgent()), this.#run(() => this.#readWeb())];
  }

  /** A task that may still be alive, chosen by `random`. */
  someLive(random: Random, holds: (task: Task) => boolean = () => true): Task | undefined {
    const found = this.live.filter(holds);
    return found.length === 0 ? undefined : random.pick(found);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  async #run(read: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      await read();
      this.reads += 1;
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    }
  }

  async #readAgent(): Promise<void> {
    const live = await this.#world.call('agent', 'GET', `/tasks?status=${LIVE}&limit=500`, undefined, 3000);
    if (live.status === 200) this.live = (live.body as { items: Task[] }).items;
    const newest = await this.#world.call('agent', 'GET', `/tasks?limit=${PAGE}`, undefined, 3000);
    if (newest.status !== 200) return;
    for (const task of (newest.body as { items: Task[] }).items) this.#judgeEnded('agent', task);
  }

  async #readWeb(): Promise<void> {
    const at = Date.now();
    const { silentSince } = this.#world.agent;
    const { awakeSince } = this.#world.web;
    const answer = await this.#world.call('web', 'GET', `/api/tasks?limit=${PAGE}`, undefined, 3000);
    if (answer.status !== 200) return;
    // Asked for when the agent had been silent for so long already: whenever web answered, it was longer.
    const deadline = settings.lostAfterMs + MARGIN_MS;
    const mustDoubt = silentSince !== undefined && at - silentSince > deadline && at - awakeSince > deadline;
    if (mustDoubt) this.readsBeyondDeadline += 1;
    const overdue = new Set<string>();
    for (const task of (answer.body as { items: ShownTask[] }).items) {
      this.#judgeEnded('web', task);
      if (task.status === 'unknown' && !this.unknown.has(task.id)) this.unknown.set(task.id, at);
      const isShown = task.status === 'running' || task.status === 'starting';
      if (!mustDoubt || !isShown) continue;
      overdue.add(task.id);
      // Seen so twice in a row: a web that has just come to itself answers once before it has said what it knows.
      if (this.#overdue.has(task.id)) {
        this.#ledger.violate({
          promise: 'P2',
          what: `web shows "${task.status}" (${task.knowledge.state}) although the agent has been silent beyond the deadline`,
          taskId: task.id,
        });
      }
    }
    this.#overdue = overdue;
  }

  #judgeEnded(side: 'agent' | 'web', task: Task | ShownTask): void {
    const { id, status, attempt, outcome, endedAt } = task;
    const text = JSON.stringify({ status, attempt, outcome, endedAt });
    const before = this.#ended[side].get(id);
    if (before !== undefined && before !== text) {
      this.#ledger.violate({ promise: 'P5', what: `${side} showed ${before} and later ${text}`, taskId: id });
    }
    // What web ends by itself (a cancel before delivery) yields to its agent: only the agent's word is final.
    const isFinal = (status === 'completed' || status === 'failed' || status === 'cancelled') && task.seq > 0;
    if (!isFinal || before !== undefined) return;
    this.#ended[side].set(id, text);
    if (side === 'agent') this.endedIds.push(id);
  }
}
