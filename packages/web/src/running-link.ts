/**
 * A link (connection-state.ts) in time: the machine is pure, and this is what makes time pass for it.
 *
 * - It is stepped by what happens, and by a tick whenever the machine has something to do, at least each period.
 * - Whatever comes more than two periods late, on either clock, means that web itself did not run meanwhile: the link
 *   is told so first, as silence in that time proves nothing.
 * - The effects of a step are carried out in order, when the link is in its new state already.
 */
import type { AgentState } from '@holdfast/shared';
import {
  nextTickAt,
  startLink,
  stateAt,
  stepLink,
  type Link,
  type LinkEffect,
  type LinkEvent,
  type LinkSettings,
} from './connection-state.ts';
import type { StartTimer, Timer } from './timers.ts';

export interface RunningLinkOptions {
  settings: LinkSettings;
  /** As it was known before; the agent says it anew. */
  heartbeatMs: number | undefined;
  /** Wall clock, ms. */
  now: () => number;
  /** Monotonic clock, ms. */
  monotonic: () => number;
  startTimer: StartTimer;
  carryOut: (effect: LinkEffect) => void;
  /** The state became another one; its effects come next. */
  onState: (from: AgentState, to: Link) => void;
  /** Something happened, and is carried out; or time did, and something is about to happen. */
  onStepped: () => void;
}

const MIN_PERIOD_MS = 250;
const MAX_PERIOD_MS = 2500;

export class RunningLink {
  readonly #options: RunningLinkOptions;
  #link: Link;
  #timer: Timer | undefined;
  /** When the tick is due, on both clocks. */
  #due = { at: 0, monotonicMs: 0 };
  #isStopped = false;

  constructor(options: RunningLinkOptions) {
    const { settings, heartbeatMs, monotonic, carryOut } = options;
    this.#options = options;
    const { link, effects } = startLink(settings, monotonic(), heartbeatMs);
    this.#link = link;
    effects.forEach(carryOut);
    this.#schedule();
  }

  /** As of the last step. */
  get current(): Link {
    return this.#link;
  }

  /** As of this moment. */
  get state(): AgentState {
    return stateAt(this.#link, this.#options.monotonic());
  }

  feed(event: LinkEvent): void {
    if (this.#isStopped) return;
    if (this.#hasSlept()) this.#step({ kind: 'slept' });
    // Time alone made it late, and somebody may have acted on that: told before the event that makes it live again, or
    // who waits for this would not be told of it.
    if (this.state !== this.#link.state) this.#options.onStepped();
    this.#step(event);
    this.#schedule();
    this.#options.onStepped();
  }

  /** From here on nothing happens any more. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #step(event: LinkEvent): void {
    const { monotonic, carryOut, onState } = this.#options;
    const before = this.#link.state;
    const { link, effects } = stepLink(this.#link, event, monotonic());
    this.#link = link;
    if (link.state !== before) onState(before, link);
    effects.forEach(carryOut);
  }

  #hasSlept(): boolean {
    const { now, monotonic } = this.#options;
    const lateMs = Math.max(now() - this.#due.at, monotonic() - this.#due.monotonicMs);
    return lateMs > 2 * this.#periodMs();
  }

  #periodMs(): number {
    return Math.min(MAX_PERIOD_MS, Math.max(MIN_PERIOD_MS, this.#link.heartbeatMs / 2));
  }

  #schedule(): void {
    const { now, monotonic, startTimer } = this.#options;
    this.#timer?.cancel();
    const monotonicMs = monotonic();
    const delayMs = Math.min(this.#periodMs(), Math.max(0, nextTickAt(this.#link) - monotonicMs));
    this.#due = { at: now() + delayMs, monotonicMs: monotonicMs + delayMs };
    this.#timer = startTimer(() => this.feed({ kind: 'tick' }), Math.ceil(delayMs));
  }
}
