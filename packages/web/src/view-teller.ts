/**
 * Tells listeners when what is shown of an agent changed: at once, but lag and progress alone at most twice a second,
 * as each telling is a row for every browser. The time of the last proof (`asOf`) alone is no change.
 */
import type { ShownAgent } from '@holdfast/shared';
import type { StartTimer, Timer } from './timers.ts';

export interface ViewTellerOptions {
  view: () => ShownAgent;
  /** Monotonic clock, ms. */
  monotonic: () => number;
  startTimer: StartTimer;
}

const PROGRESS_MS = 500;

export class ViewTeller {
  readonly #options: ViewTellerOptions;
  readonly #listeners = new Set<(view: ShownAgent) => void>();
  #told: { facts: string; progress: string };
  #toldAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(options: ViewTellerOptions) {
    this.#options = options;
    this.#told = fingerprintsOf(options.view());
  }

  listen(listener: (view: ShownAgent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Something may have changed. */
  tell(): void {
    const { monotonic, startTimer } = this.#options;
    const view = this.#options.view();
    const now = monotonic();
    const { facts, progress } = fingerprintsOf(view);
    if (facts === this.#told.facts) {
      if (progress === this.#told.progress) return;
      const waitMs = this.#toldAt + PROGRESS_MS - now;
      if (waitMs > 0) {
        this.#timer ??= startTimer(() => {
          this.#timer = undefined;
          this.tell();
        }, waitMs);
        return;
      }
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#told = { facts, progress };
    this.#toldAt = now;
    for (const listener of this.#listeners) listener(view);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#listeners.clear();
  }
}

function fingerprintsOf(view: ShownAgent): { facts: string; progress: string } {
  const { asOf: _asOf, lag, progress, ...facts } = view;
  return { facts: JSON.stringify(facts), progress: JSON.stringify({ lag, progress }) };
}
