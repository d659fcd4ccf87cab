/**
 * The deliveries to one agent: few at a time, backing off together when it cannot be reached, each on its own when
 * it was reached and said "not now". A lane knows nothing of other agents, so none waits for another (P11).
 */
import type { ShownAgent } from '@holdfast/shared';
import type { StartTimer, Timer } from './timers.ts';

/** Sends that are under way to one agent at the same time. */
const MOST_AT_A_TIME = 8;

export interface LaneOptions {
  startTimer: StartTimer;
  /** A wait is over: there may be something to take. */
  onReady: () => void;
}

export class Lane<J extends { intent: { sentAt?: number } }> {
  readonly #options: LaneOptions;
  /** Sent before: the agent may have it, so it is repeated whatever is known of the agent. */
  readonly #begun = new Set<J>();
  readonly #fresh = new Set<J>();
  readonly #later = new Map<J, Timer>();
  #backOff: Timer | undefined;
  #failures = 0;
  #tookBegun = false;
  #sending = 0;
  #chosen = 0;
  #chosenAsOf = 0;
  #stopped = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** How often in a row the agent could not be reached. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether another send may begin now. After a failure one at a time, until one is answered. */
  get hasRoom(): boolean {
    return this.#backOff === undefined && this.#sending < (this.#failures === 0 ? MOST_AT_A_TIME : 1);
  }

  add(job: J): void {
    (job.intent.sentAt === undefined ? this.#fresh : this.#begun).add(job);
  }

  addLater(job: J, delayMs: number): void {
    if (this.#stopped) return;
    const timer = this.#options.startTimer(() => {
      this.#later.delete(job);
      this.add(job);
      this.#options.onReady();
    }, delayMs);
    this.#later.set(job, timer);
  }

  remove(job: J): void {
    this.#begun.delete(job);
    this.#fresh.delete(job);
    this.#later.get(job)?.cancel();
    this.#later.delete(job);
  }

  /**
   * The next job to send, counted as begun; `away`: nothing that was never sent. `othersWait`: for any agent, and
   * perhaps for this one.
   */
  take(away: boolean, othersWait: boolean): J | undefined {
    if (!this.hasRoom) return undefined;
    const mayBeFresh = !away && this.#fresh.size > 0;
    // After a failure they take turns: what fails for itself alone must not keep everything else back for ever.
    const mustYield = this.#failures > 0 && this.#tookBegun && (mayBeFresh || othersWait);
    this.#tookBegun = this.#begun.size > 0 && !mustYield;
    if (!this.#tookBegun && !mayBeFresh) return undefined;
    const from = this.#tookBegun ? this.#begun : this.#fresh;
    for (const job of from) {
      from.delete(job);
      this.begin();
      return job;
    }
    return undefined;
  }

  begin(): void {
    this.#sending += 1;
  }

  end(): void {
    this.#sending -= 1;
  }

  succeed(): void {
    this.#failures = 0;
  }

  /** The agent could not be reached: nothing is sent for so long. Sends that fail together count once. */
  fail(delayMs: number): void {
    if (this.#backOff !== undefined || this.#stopped) return;
    this.#failures += 1;
    this.#backOff = this.#options.startTimer(() => {
      this.#backOff = undefined;
      this.#options.onReady();
    }, delayMs);
  }

  /** The agent is back: everything that waits may go now. */
  wake(): void {
    this.#failures = 0;
    this.#backOff?.cancel();
    this.#backOff = undefined;
    for (const job of this.#later.keys()) {
      this.remove(job);
      this.add(job);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#backOff?.cancel();
    for (const timer of this.#later.values()) timer.cancel();
  }

  /** The agent was chosen for one more task since its word of `asOf`, which cannot have counted it yet. */
  countChosen(asOf: number): void {
    this.#chosen = this.chosenSince(asOf) + 1;
    this.#chosenAsOf = asOf;
  }

  /** That task was none: it was there before, or could not be recorded. */
  takeBackChosen(asOf: number): void {
    if (asOf === this.#chosenAsOf) this.#chosen -= 1;
  }

  chosenSince(asOf: number): number {
    return asOf === this.#chosenAsOf ? this.#chosen : 0;
  }
}

/** Whether web knows that an agent cannot be reached now. */
export function isAway(view: ShownAgent | undefined): boolean {
  return view === undefined || view.state === 'lost' || view.state === 'stopped' || view.state === 'refused';
}

/**
 * The live agent with the most free slots, among those whose lane has room; one that starts nothing now (paused,
 * draining, its disk full) only if there is no other. Undefined if none is live.
 */
export function chooseAgent(
  views: ShownAgent[],
  laneOf: (agentId: string) => { hasRoom: boolean; chosenSince: (asOf: number) => number },
): ShownAgent | undefined {
  let best: { view: ShownAgent; starts: boolean; free: number } | undefined;
  for (const view of views) {
    const lane = laneOf(view.id);
    if (view.state !== 'live' || !lane.hasRoom) continue;
    const { slots = 0, running = 0, queued = 0, paused = false, draining = false } = view.pool ?? {};
    const isFull = view.pool?.attention?.some(({ code }) => code === 'low_disk') === true;
    const starts = !paused && !draining && !isFull;
    const free = slots - running - queued - lane.chosenSince(view.asOf);
    if (best === undefined || (starts && !best.starts) || (starts === best.starts && free > best.free)) {
      best = { view, starts, free };
    }
  }
  return best?.view;
}
