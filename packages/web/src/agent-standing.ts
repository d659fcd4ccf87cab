/**
 * How an agent's word stands in the store: until when it vouched, that its live tasks are in doubt or no longer, and
 * what of it was pruned.
 *
 * - The time of the last proof only grows.
 * - Rows that may be `unknown` are owed the vouch of an agent that vouches: one that failed is tried at the next proof.
 * - What the agent pruned goes here too, page by page and one prune at a time, once it is caught up.
 * - Where web itself was away for longer than the agent's deadline, the first vouch after it puts that on record for the
 *   tasks that were live when web went: before the proof, so that a web which dies in between does it again.
 * - Nobody waits for a write: each goes through `write`, which looks after it.
 */
import type { DoubtReason } from '@holdfast/shared';
import type { LiveTask, SessionStore } from './session-store.ts';

export interface AgentStandingOptions {
  agentId: string;
  store: SessionStore;
  /** When this run of web began (wall clock, ms): a proof from before it is another run's. */
  startedAt: number;
  /** Wall clock, ms. */
  now: () => number;
  /** Takes over a write that nobody waits for; `complaint` is what to tell if it fails. */
  write: (write: Promise<unknown>, complaint: string) => void;
}

/** What the agent said when it vouched, and when that came (wall clock, ms). */
interface Proof {
  receivedAt: number;
  heartbeatMs: number;
  /** Silence after which it would have been lost. */
  deadlineMs: number;
  /** Of its journal. */
  floor: number;
}

const PRUNE_PAGE = 200;

export class AgentStanding {
  readonly #options: AgentStandingOptions;
  #asOf = 0;
  /** Its last proof to another run of web, and what was live then; until it vouches to this one. */
  #before: { asOf: number; tasks: LiveTask[] } | undefined;
  #isRemembered = false;
  #isRecordingAbsence = false;
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

  /** There was a proof at this time, as the store remembers. To be called before anything new of the agent is taken. */
  async remember(asOf: number): Promise<void> {
    const { agentId, store, startedAt } = this.#options;
    this.#asOf = Math.max(this.#asOf, asOf);
    if (this.#isRemembered) return;
    if (asOf > 0 && asOf < startedAt) this.#before = { asOf, tasks: await store.liveTasks(agentId) };
    this.#isRemembered = true;
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
  prove(proof: Proof): void {
    const { write } = this.#options;
    const { receivedAt, floor } = proof;
    this.#asOf = Math.max(this.#asOf, receivedAt);
    write(this.#recordProof(proof), 'its proof was not recorded');
    if (this.#owesVouch) write(this.#vouch(), 'its tasks were not taken back');
    // Another journal begins with a lower floor.
    if (floor !== this.#prunedTo && !this.#isPruning) {
      write(this.#prune(floor), 'what it pruned was not pruned');
    }
  }

  /** A prune that is under way ends with its page. */
  stop(): void {
    this.#isStopped = true;
  }

  async #recordProof({ receivedAt, heartbeatMs, deadlineMs }: Proof): Promise<void> {
    const { agentId, store, startedAt } = this.#options;
    // Its absence is on its way to the disk page by page: no proof may overtake that.
    if (this.#isRecordingAbsence) return;
    const before = this.#before;
    if (before !== undefined && receivedAt - before.asOf > deadlineMs) {
      this.#isRecordingAbsence = true;
      try {
        await store.recordAbsence(agentId, { ...before, since: startedAt, until: receivedAt });
      } finally {
        this.#isRecordingAbsence = false;
      }
    }
    this.#before = undefined;
    await store.recordProof(agentId, this.#asOf, heartbeatMs);
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
