/**
 * How an agent's word stands in the store: until when it vouched, that its live tasks are in doubt or no longer, and
 * what of it was pruned.
 *
 * - The time of the last proof only grows.
 * - Rows that may be `unknown` are owed the vouch of an agent that vouches: one that failed is tried at the next proof.
 * - What the agent pruned goes here too, page by page and one prune at a time, once it is caught up.
 * - Nobody waits for a write: each goes through `write`, which looks after it.
 */
import type { DoubtReason } from '@holdfast/shared';
import type { SessionStore } from './session-store.ts';

export interface AgentStandingOptions {
  agentId: string;
  store: SessionStore;
  /** Wall clock, ms. */
  now: () => number;
  /** Takes over a write that nobody waits for; `complaint` is what to tell if it fails. */
  write: (write: Promise<unknown>, complaint: string) => void;
}

/** What the agent said when it vouched, and when that came (wall clock, ms). */
interface Proof {
  receivedAt: number;
  heartbeatMs: number;
  /** Of its journal. */
  floor: number;
}

const PRUNE_PAGE = 200;

export class AgentStanding {
  readonly #options: AgentStandingOptions;
  #asOf = 0;
  #owesVouch = false;
  #prunedTo = 0;
  #isPruning = false;
  #isStopped = false;

  constructor(options: AgentStandingOptions) {
    this.#options = options;
  }

  /** The last proof (wall clock, ms), 0 if none is known. */
  get asOf(): number {
    return this.#asOf;
  }

  /** There was a proof at this time, as the store remembers. */
  remember(asOf: number): void {
    this.#asOf = Math.max(this.#asOf, asOf);
  }

  /** Its live tasks become `unknown`. */
  doubt(reason: DoubtReason): void {
    const { agentId, store, now, write } = this.#options;
    this.#owesVouch = true;
    write(store.markUnknown(agentId, reason, this.#asOf, now()), 'its tasks were not marked unknown');
  }

  /** The next proof takes its tasks back, whatever they were taken for since. */
  oweVouch(): void {
    this.#owesVouch = true;
  }

  /** It vouched. */
  prove({ receivedAt, heartbeatMs, floor }: Proof): void {
    const { agentId, store, write } = this.#options;
    this.#asOf = Math.max(this.#asOf, receivedAt);
    write(store.recordProof(agentId, this.#asOf, heartbeatMs), 'its proof was not recorded');
    if (this.#owesVouch) write(this.#vouch(), 'its tasks were not taken back');
    if (floor > this.#prunedTo && !this.#isPruning) {
      write(this.#prune(floor), 'what it pruned was not pruned');
    }
  }

  /** A prune that is under way ends with its page. */
  stop(): void {
    this.#isStopped = true;
  }

  async #vouch(): Promise<void> {
    const { agentId, store, now } = this.#options;
    this.#owesVouch = false;
    try {
      await store.vouch(agentId, now());
    } catch (error) {
      this.#owesVouch = true;
      throw error;
    }
  }

  async #prune(floor: number): Promise<void> {
    const { agentId, store, now } = this.#options;
    this.#isPruning = true;
    try {
      for (let more = true; more && !this.#isStopped;) {
        ({ more } = await store.prune(agentId, floor, PRUNE_PAGE, now()));
      }
      this.#prunedTo = floor;
    } finally {
      this.#isPruning = false;
    }
  }
}
