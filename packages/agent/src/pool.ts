/**
 * The pool: how many tasks run at a time, and whether new ones may start. What it was told survives a restart.
 *
 * `pause` starts nothing; `drain` starts nothing and says when the pool is empty; `resume` ends both. A disk that is
 * nearly full starts nothing either, for as long as it is (disk.ts). None of them touches what already runs.
 */
import type { Attention, Pool as PoolView } from '@holdfast/shared';
import type { Journal } from './journal.ts';

export class Pool {
  readonly #journal: Journal;
  readonly #configuredSlots: number;
  readonly #disk: { readonly attention: Attention | undefined } | undefined;
  readonly #listeners = new Set<() => void>();
  #toldLow = false;

  /** Without a `disk` there is always room. */
  constructor(
    journal: Journal,
    configuredSlots: number,
    disk?: { readonly attention: Attention | undefined },
  ) {
    this.#journal = journal;
    this.#configuredSlots = configuredSlots;
    this.#disk = disk;
  }

  get view(): PoolView {
    const low = this.#disk?.attention;
    return {
      slots: this.#slots,
      running: this.#journal.counts.running,
      queued: this.#journal.counts.queued,
      paused: this.#mode === 'paused',
      draining: this.#mode === 'draining',
      claimed: this.#journal.counts.claimed,
      ...(low === undefined ? {} : { attention: [low] }),
    };
  }

  /**
   * Whether anything may start at all, a claim of a worker too: not paused, not draining, and the disk has room.
   * Inside a change: with what this group has made so far.
   */
  get mayStart(): boolean {
    return this.#mode === 'active' && this.#disk?.attention === undefined;
  }

  /**
   * How many tasks may start now. Inside a change: with what this group has made so far, so that a `pause` that is
   * committed with a claim comes before it or after it, and never in the middle.
   */
  get free(): number {
    return this.mayStart ? Math.max(0, this.#slots - this.#journal.pendingCounts.running) : 0;
  }

  setSlots(slots: number): Promise<PoolView> {
    return this.#set('slots', String(slots));
  }

  setMode(mode: 'active' | 'paused' | 'draining'): Promise<PoolView> {
    return this.#set('poolMode', mode);
  }

  /** Called after each change of what the pool was told, and when the disk has become low or has room again. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Looks at the disk, and tells the listeners if that changed whether anything may start. On each sweep. */
  checkDisk(): void {
    const isLow = this.#disk?.attention !== undefined;
    if (isLow === this.#toldLow) return;
    this.#toldLow = isLow;
    this.#tell();
  }

  get #slots(): number {
    return Number(this.#journal.getMeta('slots') ?? this.#configuredSlots);
  }

  get #mode(): string {
    return this.#journal.getMeta('poolMode') ?? 'active';
  }

  async #set(key: string, value: string): Promise<PoolView> {
    await this.#journal.change((journal) => journal.setMeta(key, value));
    this.#tell();
    return this.view;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
