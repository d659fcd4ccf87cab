/**
 * The durable half of notifications: what happened (alerts), who is to be told of it (tellings), and what goes out
 * (messages). It lives in the SessionStore's database, so that news and the place up to which they were read are
 * stored together.
 *
 * Guarantees of every implementation, held by alert-store.contract.ts:
 * - Each method is durable when it resolves. It is one transaction, but for `compose`, which may take several; whatever
 *   cuts it off, the next one goes on from there.
 * - What happened is noted once, however often it is looked at, over any restart. What was so before the first look,
 *   or before the first snapshot of an agent's journal, is no news.
 * - A channel is told of an alert in one message at most, and of its resolution if and only if that message was
 *   delivered.
 */
import type { AlertKind, AgentState, Attention } from '@holdfast/shared';
import type { Alert, ChannelRule } from './rules.ts';
import type { Message } from './wording.ts';

/** An agent as web's link shows it now. */
export interface SeenAgent {
  id: string;
  name: string;
  state: AgentState;
  /** When it last vouched for its tasks; 0 if never. */
  asOf: number;
  /** What it said of itself; absent while nothing was heard. */
  attention?: readonly Attention[];
}

export interface Look {
  at: number;
  channels: readonly ChannelRule[];
  /** Every agent that web follows. */
  agents: readonly SeenAgent[];
}

/** A message on its way to one channel. */
export interface OutgoingMessage {
  /** The same with every try: the idempotency key. */
  id: string;
  channel: string;
  message: Message;
  createdAt: number;
  tries: number;
  nextTryAt: number;
}

export type TryResult =
  | { outcome: 'delivered' }
  | { outcome: 'failed'; error: string; nextTryAt: number }
  /** It will not be tried again. */
  | { outcome: 'dropped'; error: string };

/** How it went with a channel. */
export interface ChannelRecord {
  /** The newest try, if there was one. */
  last?: { at: number; delivered: boolean; error?: string };
  /** Messages that are not delivered yet. */
  waiting: number;
  /** Messages of the last 7 days that were given up. */
  dropped: number;
}

export interface AlertStore {
  /** Notes what is new since the last look, a page of it; `more` if another look would find more. */
  look(look: Look): Promise<{ more: boolean }>;
  /**
   * Makes the messages that are due, as rules.ts says. `nextAt`: when to compose again though nothing happens: the next
   * message is due, or a lane has rested.
   */
  compose(channels: readonly ChannelRule[], at: number): Promise<{ nextAt?: number }>;
  /** The oldest message that waits for this channel. */
  nextMessage(channel: string): Promise<OutgoingMessage | undefined>;
  recordTry(messageId: string, result: TryResult, at: number): Promise<void>;
  /** A test was sent: it counts as the channel's newest try. */
  recordTest(
    channel: string,
    id: string,
    message: Message,
    error: string | undefined,
    at: number,
  ): Promise<void>;
  channel(name: string): Promise<ChannelRecord>;
  /** Newest first; `before`: the id of an alert. */
  alerts(page: { limit: number; before?: number }): Promise<Alert[]>;
  /** Forgets what waits for channels that are not configured any more. */
  keepChannels(names: readonly string[]): Promise<void>;
  /** Forgets what is older than 7 days and of no more use, at most `limit` of each. */
  prune(limit: number, at: number): Promise<{ more: boolean }>;
}

/** Kinds that are noted whatever the channels ask for: people look them up in the dashboard. */
export function notedKinds(channels: readonly ChannelRule[], always: readonly AlertKind[]): Set<AlertKind> {
  return new Set([...always, ...channels.flatMap(({ on }) => on)]);
}
