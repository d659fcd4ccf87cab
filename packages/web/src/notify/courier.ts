/**
 * The deliveries to one channel: one at a time, in order, each repeated with back-off until it was taken, refused for
 * good, or has become old. A courier knows nothing of other channels, so none waits for another (P11).
 *
 * At least once: the result is stored after the answer, so a process that dies in between sends the same message
 * again, under the same id.
 */
import type { Logger, NotificationChannel } from '@holdfast/shared';
import type { Fetch } from '../agent-client.ts';
import { jitteredDelayMs, type StartTimer, type Timer } from '../timers.ts';
import type { AlertStore, OutgoingMessage, TryResult } from './alert-store.ts';
import { renderRequest } from './presets.ts';
import { TOO_OLD_MS } from './rules.ts';
import { send, type SendResult } from './send.ts';

export interface CourierOptions {
  name: string;
  channel: NotificationChannel;
  alerts: AlertStore;
  dashboardUrl: () => string;
  fetch: Fetch;
  now: () => number;
  startTimer: StartTimer;
  random: () => number;
  logger: Logger;
  /** A message left the outbox: its lane is free. */
  onSettled: () => void;
  /** After each try. */
  onTried: (delivered: boolean) => void;
}

const FIRST_DELAY_MS = 1000;
const MOST_DELAY_MS = 300_000;
const LEAST_DELAY_MS = 200;
/** When the store could not be written. */
const STORE_DELAY_MS = 5000;
const STOP_GRACE_MS = 2000;

export class Courier {
  readonly #options: CourierOptions;
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;
  /** Something came while it ran, perhaps after it had looked. */
  #again = false;
  #timer: Timer | undefined;
  /** How a try went that could not be stored yet: nothing else is sent before it is. */
  #unstored: { id: string; result: TryResult; at: number } | undefined;
  #stopped = false;

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  /** There may be something to deliver. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#running = this.#run()
      .catch((error: unknown) => {
        const { logger, name } = this.#options;
        logger.error({ err: error, channel: name }, 'notifications cannot be read or stored; trying again');
        return STORE_DELAY_MS;
      })
      .then((delayMs) => {
        this.#running = undefined;
        if (this.#stopped) return;
        if (delayMs !== undefined) this.#timer = this.#options.startTimer(() => this.wake(), delayMs);
        if (!this.#again) return;
        this.#again = false;
        this.wake();
      });
  }

  /** Sends without the outbox and says how it went. */
  async send(outgoing: Pick<OutgoingMessage, 'id' | 'message' | 'createdAt'>): Promise<SendResult> {
    const { channel, dashboardUrl, fetch } = this.#options;
    return send(renderRequest(channel, outgoing, dashboardUrl()), { fetch, signal: this.#abort.signal });
  }

  /** Ends after the send that is under way, which gets a moment: cut off, it would be sent twice. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    const grace = this.#options.startTimer(() => this.#abort.abort(), STOP_GRACE_MS);
    await this.#running;
    grace.cancel();
  }

  /** Resolves with the time until there may be more, or undefined if nothing waits. */
  async #run(): Promise<number | undefined> {
    const { alerts, name, now } = this.#options;
    await this.#store();
    for (;;) {
      const next = await alerts.nextMessage(name);
      if (next === undefined || this.#stopped) return undefined;
      const waitMs = next.nextTryAt - now();
      // A clock that was set back must not silence the channel.
      if (waitMs > 0) return Math.min(waitMs, MOST_DELAY_MS);
      await this.#try(next);
    }
  }

  async #try(outgoing: OutgoingMessage): Promise<void> {
    const { name, channel, now, logger } = this.#options;
    const sent = await this.send(outgoing);
    const at = now();
    const result = this.#judge(outgoing, sent, at);
    if (sent.outcome === 'failed' && (outgoing.tries === 0 || result.outcome === 'dropped')) {
      const fate =
        result.outcome === 'dropped' ? 'a notification was given up' : 'a notification was not delivered yet';
      logger.warn({ channel: name, host: channel.url.shown, why: sent.error }, fate);
    }
    this.#options.onTried(sent.outcome === 'delivered');
    this.#unstored = { id: outgoing.id, result, at };
    await this.#store();
  }

  #judge(outgoing: OutgoingMessage, sent: SendResult, at: number): TryResult {
    if (sent.outcome === 'delivered') return sent;
    const { error } = sent;
    if (sent.final || at - outgoing.createdAt > TOO_OLD_MS) return { outcome: 'dropped', error };
    const delayMs = jitteredDelayMs(outgoing.tries, FIRST_DELAY_MS, MOST_DELAY_MS, this.#options.random);
    return {
      outcome: 'failed',
      error,
      nextTryAt: at + Math.max(delayMs, sent.retryAfterMs ?? LEAST_DELAY_MS, LEAST_DELAY_MS),
    };
  }

  async #store(): Promise<void> {
    const unstored = this.#unstored;
    if (unstored === undefined) return;
    await this.#options.alerts.recordTry(unstored.id, unstored.result, unstored.at);
    this.#unstored = undefined;
    if (unstored.result.outcome !== 'failed') this.#options.onSettled();
  }
}
