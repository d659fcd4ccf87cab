/**
 * Until when a lane of a channel has nothing to tell: so long it is not looked into. What is noted lowers it; a message
 * that was delivered clears it, since what it told can be taken back from then on; nothing else may make a lane due
 * earlier. A rollback leaves it as it is or too early, which costs a look. Empty after a start.
 */
import type { ChannelRule, Lane } from './rules.ts';

export class LaneTimes {
  readonly #notBefore = new Map<string, number>();

  /** 0 while that is not known. */
  notBefore(rule: ChannelRule, lane: Lane): number {
    return this.#notBefore.get(keyOf(rule, lane)) ?? 0;
  }

  /** It was looked into: nothing is due before `at`. */
  rest(rule: ChannelRule, lane: Lane, at: number): void {
    this.#notBefore.set(keyOf(rule, lane), at);
  }

  /** Something was noted that may be told at `at`. */
  lower(rule: ChannelRule, lane: Lane, at: number): void {
    const key = keyOf(rule, lane);
    const known = this.#notBefore.get(key);
    if (known !== undefined && at < known) this.#notBefore.set(key, at);
  }

  /** Its message is being made: what comes after it has to be looked for anew. */
  forget(rule: ChannelRule, lane: Lane): void {
    this.#notBefore.delete(keyOf(rule, lane));
  }

  clear(): void {
    this.#notBefore.clear();
  }
}

function keyOf(rule: ChannelRule, lane: Lane): string {
  return `${lane} ${rule.unknownAfterMs} ${rule.name}`;
}
