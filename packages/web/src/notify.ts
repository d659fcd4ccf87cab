/**
 * Notifications: people hear of what happened without looking.
 *
 * The way of the data: look (news: what of a row is news) → note (rules: who is told when) → compose (wording) → courier
 * (presets, send), with the AlertStore under all of it. This file looks when something changed, makes messages when
 * they are due, and has one courier a channel.
 *
 * Guarantees: what is new is told once to each channel that wants it, over any restart; what was there before the first
 * start, or what a snapshot brings along, is not told. An alert about a doubt is followed by one that says how it was
 * resolved. No address, header or token leaves the process but to its own target.
 */
import {
  type AlertKind,
  type Logger,
  type NotificationChannel,
  type NotificationsConfig,
  ProblemError,
  type ShownAgent,
} from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import type { Fetch } from './agent-client.ts';
import type { Agents } from './agents.ts';
import type { SeenAgent } from './notify/alert-store.ts';
import { Courier } from './notify/courier.ts';
import type { Alert, ChannelRule } from './notify/rules.ts';
import { describeTest } from './notify/wording.ts';
import type { SessionStore } from './session-store.ts';
import { type StartTimer, startTimer, type Timer } from './timers.ts';

/** A channel as people are shown it: of its address the host alone. */
interface ShownChannel {
  name: string;
  type: NotificationChannel['type'];
  host: string;
  on: AlertKind[];
  unknownAfterMs: number;
  cooldownMs: number;
  labels?: string[];
  /** `failing`: the newest try did not reach it, or it refused. */
  state: 'untried' | 'ok' | 'failing';
  lastTry?: { at: number; delivered: boolean; error?: string };
  /** Messages that are not delivered yet. */
  waiting: number;
  /** Messages of the last 7 days that were given up. */
  dropped: number;
}

export interface Notifications {
  /** Looks and delivers from now on. Before it nothing is noted and nothing but a test is sent. */
  begin(): void;
  channels(): Promise<ShownChannel[]>;
  /** Newest first. */
  alerts(page: { limit: number; before?: number }): Promise<Alert[]>;
  /** Sends a test at once, whatever waits. Throws `ProblemError` `no_such_channel`. */
  test(name: string): Promise<ShownChannel>;
  /** Names of the channels whose newest try failed. */
  failing(): string[];
  stop(): Promise<void>;
}

export interface NotificationsOptions {
  store: Pick<SessionStore, 'alerts' | 'onChange'>;
  agents: Pick<Agents, 'views' | 'onChange'>;
  config: NotificationsConfig;
  /** Where web itself answers: for links, unless the configuration says another place. */
  url: () => string;
  logger: Logger;
  fetch?: Fetch;
  now?: () => number;
  /** Monotonic, ms. */
  monotonic?: () => number;
  startTimer?: StartTimer;
  random?: () => number;
}

/** Between two looks: what changes meanwhile is looked at together. */
const LOOK_EVERY_MS = 250;
const RETRY_MS = 5000;
const PRUNE_EVERY_MS = 3_600_000;
const PRUNE_ROWS = 1000;

export async function startNotifications(options: NotificationsOptions): Promise<Notifications> {
  const { store, agents, config, logger } = options;
  const { now = Date.now, monotonic = () => performance.now(), startTimer: later = startTimer } = options;
  const { alerts } = store;
  const rules = Object.entries(config.channels).map(([name, channel]) => ruleOf(name, channel));
  const failing = new Set<string>();
  const couriers = new Map<string, Courier>();
  let stopped = false;
  let looking: Promise<void> | undefined;
  let again = false;
  let timer: { at: number; timer: Timer } | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let prunedAt = Number.NEGATIVE_INFINITY;

  for (const [name, channel] of Object.entries(config.channels)) {
    couriers.set(
      name,
      new Courier({
        name,
        channel,
        alerts,
        dashboardUrl: () => config.dashboardUrl ?? options.url(),
        fetch: options.fetch ?? globalThis.fetch,
        now,
        startTimer: later,
        random: options.random ?? Math.random,
        logger,
        onSettled: () => wake(),
        onTried: (delivered) => note(name, delivered),
      }),
    );
  }

  function note(name: string, delivered: boolean): void {
    if (delivered) failing.delete(name);
    else failing.add(name);
  }

  /** Looks in `delayMs`, or earlier if that was asked for. */
  function wake(delayMs = 0): void {
    if (stopped) return;
    if (looking !== undefined && delayMs === 0) {
      again = true;
      return;
    }
    const at = Math.max(monotonic() + delayMs, lookedAt + LOOK_EVERY_MS);
    if (timer !== undefined && timer.at <= at) return;
    timer?.timer.cancel();
    timer = { at, timer: later(begin, Math.max(0, at - monotonic())) };
  }

  function begin(): void {
    timer = undefined;
    lookedAt = monotonic();
    looking = look()
      .catch((error: unknown) => {
        logger.error({ err: error }, 'what happened could not be noted; trying again');
        return now() + RETRY_MS;
      })
      .then((nextAt) => {
        looking = undefined;
        if (nextAt !== undefined) wake(Math.max(1, nextAt - now()));
        if (!again) return;
        again = false;
        wake();
      });
  }

  /** Resolves with the time of the next message, if one waits for its time alone. */
  async function look(): Promise<number | undefined> {
    for (;;) {
      const { more } = await alerts.look({ at: now(), channels: rules, agents: agents.views().map(seenOf) });
      if (!more || stopped) break;
    }
    const { nextAt } = await alerts.compose(rules, now());
    for (const courier of couriers.values()) courier.wake();
    if (monotonic() - prunedAt >= PRUNE_EVERY_MS) {
      const { more } = await alerts.prune(PRUNE_ROWS, now());
      if (!more) prunedAt = monotonic();
    }
    return nextAt;
  }

  async function show(name: string, channel: NotificationChannel): Promise<ShownChannel> {
    const { last, waiting, dropped } = await alerts.channel(name);
    const { type, url, on, unknownAfterMs, cooldownMs, labels } = channel;
    return {
      name,
      type,
      host: url.shown,
      on,
      unknownAfterMs,
      cooldownMs,
      ...(labels === undefined ? {} : { labels }),
      state: last === undefined ? 'untried' : last.delivered ? 'ok' : 'failing',
      ...(last === undefined ? {} : { lastTry: last }),
      waiting,
      dropped,
    };
  }

  await alerts.keepChannels([...couriers.keys()]);
  for (const name of couriers.keys()) {
    const { last } = await alerts.channel(name);
    if (last !== undefined) note(name, last.delivered);
  }
  let unsubscribe: (() => void) | undefined;

  return {
    begin() {
      unsubscribe ??= store.onChange(() => wake());
      agents.onChange(() => wake());
      wake();
    },
    channels: () =>
      Promise.all(Object.entries(config.channels).map(([name, channel]) => show(name, channel))),
    alerts: (page) => alerts.alerts(page),
    failing: () => [...failing].toSorted(),
    async test(name) {
      const courier = couriers.get(name);
      const channel = Object.hasOwn(config.channels, name) ? config.channels[name] : undefined;
      if (courier === undefined || channel === undefined) {
        const known = [...couriers.keys()].join(', ') || 'none is configured';
        throw new ProblemError('no_such_channel', `There is no notification channel ${name} (${known}).`);
      }
      const outgoing = { id: uuidv7(), message: describeTest(name), createdAt: now() };
      const sent = await courier.send(outgoing);
      const error = sent.outcome === 'failed' ? sent.error : undefined;
      note(name, error === undefined);
      await alerts.recordTest(name, outgoing.id, outgoing.message, error, now());
      return show(name, channel);
    },
    async stop() {
      stopped = true;
      timer?.timer.cancel();
      unsubscribe?.();
      await Promise.all([looking, ...[...couriers.values()].map((courier) => courier.stop())]);
    },
  };
}

function ruleOf(name: string, channel: NotificationChannel): ChannelRule {
  const { on, unknownAfterMs, cooldownMs, labels } = channel;
  return { name, on, unknownAfterMs, cooldownMs, ...(labels === undefined ? {} : { labels }) };
}

function seenOf(view: ShownAgent): SeenAgent {
  const { id, name, state, asOf, pool } = view;
  return { id, name, state, asOf, ...(pool === undefined ? {} : { attention: pool.attention ?? [] }) };
}
