/**
 * Rows that this browser holds, by id. Guarantees: a row never moves back, whatever the order in which reads and feed
 * frames arrive: each is held with the version of the feed at which it was known, and only a word that is as new or
 * newer replaces it; one that was removed comes back only by a newer word.
 */

interface Held<T> {
  row: T;
  version: number;
}

/** Most removals that are remembered, the newest: a read is not under way for longer. */
const MOST_GONE = 1000;

export class Rows<T extends { id: string }> {
  #held = new Map<string, Held<T>>();
  /** The version at which each was removed. */
  #gone = new Map<string, number>();

  get size(): number {
    return this.#held.size;
  }

  get(id: string): T | undefined {
    return this.#held.get(id)?.row;
  }

  all(): T[] {
    return Array.from(this.#held.values(), (held) => held.row);
  }

  /** Rows that were heard of after `version`. */
  newerThan(version: number): T[] {
    const newer: T[] = [];
    for (const held of this.#held.values()) if (held.version > version) newer.push(held.row);
    return newer;
  }

  /**
   * Takes a row as of `version`; returns whether it was taken. `version` is the feed's for a frame, the read's
   * own cursor for a list, and for a bare read the feed's version when it was asked for (a safe lower bound).
   */
  take(row: T, version: number): boolean {
    const held = this.#held.get(row.id);
    if (held !== undefined && held.version > version) return false;
    if ((this.#gone.get(row.id) ?? -1) >= version) return false;
    this.#gone.delete(row.id);
    this.#held.set(row.id, { row, version });
    return true;
  }

  /** Takes a read of everything as of `version`: what it lacks is gone, unless it was heard of since. */
  takeAll(rows: readonly T[], version: number): void {
    const named = new Set(rows.map((row) => row.id));
    this.prune((id) => named.has(id) || (this.#held.get(id)?.version ?? 0) > version);
    for (const row of rows) this.take(row, version);
  }

  /** Changes parts of a row that carry no version of their own. */
  patch(id: string, change: Partial<T>): void {
    const held = this.#held.get(id);
    if (held !== undefined) held.row = { ...held.row, ...change };
  }

  /** There is no such row as of `version`; false if there is a newer word. */
  remove(id: string, version: number): boolean {
    if ((this.#held.get(id)?.version ?? 0) > version) return false;
    this.#held.delete(id);
    this.#gone.delete(id);
    this.#gone.set(id, version);
    for (const oldest of this.#gone.keys()) {
      if (this.#gone.size <= MOST_GONE) break;
      this.#gone.delete(oldest);
    }
    return true;
  }

  /** Lets go of rows that nobody looks at. */
  prune(isWanted: (id: string) => boolean): string[] {
    const dropped = [...this.#held.keys()].filter((id) => !isWanted(id));
    for (const id of dropped) this.#held.delete(id);
    return dropped;
  }

  clear(): void {
    this.#held.clear();
    this.#gone.clear();
  }
}
