/**
 * The pool: how many tasks run at a time, and whether new ones may start. What it was told survives a restart.
 *
 * `pause` starts nothing; `drain` starts nothing and says when the pool is empty; `resume` ends both. None of
 * them touches what already runs.
 */
import type { Pool as PoolView } from '@holdfast/shared';
import type { Journal } from './journal.ts';

export class Pool {
  readonly #journal: Journal;
  readonly #configuredSlots: number;
  readonly #listeners = new Set<() => void>();

  constructor(journal: Journal, configuredSlots: number) {
    this.#journal = journal;
    this.#configuredSlots = configuredSlots;
  }

  get view(): PoolView {
    const mode = this.#journal.getMeta('poolMode');
    return {
      slots: Number(this.#journal.getMeta('slots') ?? this.#configuredSlots),
      running: this.#journal.counts.running,
      queued: this.#journal.counts.queued,
      paused: mode === 'paused',
      draining: mode === 'draining',
    };
  }

  /**
   * How many tasks may start now. Inside a change: with what this group has made so far, so that a `pause` that is
   * committed with a claim comes before it or after it, and never in the middle.
   */
  get free(): number {
    const { slots, paused, draining } = this.view;
    return paused || draining ? 0 : Math.max(0, slots - this.#journal.pendingCounts.running);
  }

  setSlots(slots: number): Promise<PoolView> {
    return this.#set('slots', String(slots));
  }

  setMode(mode: 'active' | 'paused' | 'draining'): Promise<PoolView> {
    return this.#set('poolMode', mode);
  }

  /** Called after each change of what the pool was told. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  async #set(key: string, value: string): Promise<PoolView> {
    await this.#journal.change((journal) => journal.setMeta(key, value));
    for (const listener of this.#listeners) listener();
    return this.view;
  }
}
