/**
 * The live digest: one number that says which tasks are alive, in which attempt and status.
 *
 * Two sides that hold the same log up to the same event hold the same digest; if not, one of them is wrong.
 * It is an XOR of hashes (an incremental set hash, Bellare & Micciancio 1997), so a change costs two hashes
 * whatever the number of tasks.
 */
import { hash } from 'node:crypto';
import { isTerminal, type TaskStatus } from './status.ts';

export interface DigestEntry {
  id: string;
  attempt: number;
  status: TaskStatus;
}

export class LiveDigest {
  #high: number;
  #low: number;

  constructor(from?: LiveDigest) {
    this.#high = from === undefined ? 0 : from.#high;
    this.#low = from === undefined ? 0 : from.#low;
  }

  /** Replaces what a task contributed by what it contributes now. A terminal or absent task contributes nothing. */
  move(before: DigestEntry | undefined, after: DigestEntry | undefined): void {
    if (before !== undefined && after !== undefined && before.id === after.id) {
      if (before.attempt === after.attempt && before.status === after.status) return;
    }
    this.#toggle(before);
    this.#toggle(after);
  }

  #toggle(entry: DigestEntry | undefined): void {
    if (entry === undefined || isTerminal(entry.status)) return;
    const digits = hash('sha256', `${entry.id}|${entry.attempt}|${entry.status}`, 'hex');
    this.#high = (this.#high ^ Number.parseInt(digits.slice(0, 8), 16)) >>> 0;
    this.#low = (this.#low ^ Number.parseInt(digits.slice(8, 16), 16)) >>> 0;
  }

  /** 16 hex digits; all zeros for no live task. */
  toString(): string {
    return this.#high.toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0');
  }
}
