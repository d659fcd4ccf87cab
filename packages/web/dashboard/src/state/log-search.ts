/**
 * Searching a log. Guarantees: what is counted says where it was counted: in what is loaded, or in all of the log when a
 * person asked for that; a match that is not loaded is loaded when it is gone to.
 */
import { computed, signal, type ReadonlySignal } from '@preact/signals';
import { plainOf } from '../model/ansi.ts';
import type { LogLine } from '../model/log-lines.ts';
import type { LogFollower, Matches } from './log-follower.ts';

export interface Found {
  /** Where each matching line begins, in order. */
  places: readonly number[];
  count: number;
  /** All of the log was searched, not only what is loaded. */
  isWhole: boolean;
}

const NONE: Found = { places: [], count: 0, isWhole: false };

export class LogSearch {
  readonly text = signal('');
  /** The match that was gone to. */
  readonly currentAt = signal<number | undefined>(undefined);
  readonly found: ReadonlySignal<Found>;
  readonly #follower: LogFollower;
  readonly #all = signal<Matches | undefined>(undefined);
  /** What a line says in lower case; read once, however often it is searched. */
  readonly #said = new WeakMap<LogLine, string>();

  constructor(follower: LogFollower) {
    this.#follower = follower;
    this.found = computed(() => this.#find());
  }

  setText(text: string): void {
    if (text === this.text.peek()) return;
    this.text.value = text;
    this.currentAt.value = undefined;
    this.#all.value = undefined;
    this.#follower.stopScan();
  }

  async searchAll(): Promise<void> {
    const matches = await this.#follower.searchAll(this.text.peek());
    if (matches?.text === this.text.peek()) this.#all.value = matches;
  }

  /**
   * The next match in a direction: after the present one, else the nearest to `from`. At either end it begins again at
   * the other. Resolves to where it begins, once it is loaded.
   */
  async step(direction: 1 | -1, from: number): Promise<number | undefined> {
    const { places } = this.found.peek();
    if (places.length === 0) return undefined;
    const current = this.currentAt.peek();
    const at =
      direction === 1
        ? (places.find((place) => (current === undefined ? place >= from : place > current)) ?? places[0])
        : (places.findLast((place) => place < (current ?? from)) ?? places.at(-1));
    if (at === undefined) return undefined;
    this.currentAt.value = at;
    const number = this.#all.peek()?.lines.find((place) => place.at === at)?.number;
    await this.#follower.seekPlace(number === undefined ? { at } : { at, number });
    return at;
  }

  #find(): Found {
    const needle = this.text.value.toLowerCase();
    if (needle === '') return NONE;
    const { lines, start, end, totalBytes } = this.#follower.view.value;
    const all = this.#all.value;
    const from = all?.toOffset ?? 0;
    const loaded = lines
      .filter((line) => line.at >= from && this.#say(line).includes(needle))
      .map((line) => line.at);
    if (all === undefined) {
      return { places: loaded, count: loaded.length, isWhole: start === 0 && end >= totalBytes };
    }
    return {
      places: [...all.lines.map((place) => place.at), ...loaded],
      count: all.count + loaded.length,
      isWhole: true,
    };
  }

  #say(line: LogLine): string {
    let said = this.#said.get(line);
    if (said === undefined) {
      said = plainOf(line.text).toLowerCase();
      this.#said.set(line, said);
    }
    return said;
  }
}
