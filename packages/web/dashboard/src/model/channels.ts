/**
 * Notification channels and alerts in words. Guarantees: pure; only what web said is stated: a test counts as delivered
 * once the channel's target took it, and not before.
 */
import type { AlertKind } from '@holdfast/shared';
import { ageText, clockText, plural } from './words.ts';

/** A channel as `GET /api/notifications` shows it; times are web's clock (ms). */
export interface Channel {
  name: string;
  type: 'webhook' | 'slack' | 'discord' | 'ntfy';
  /** All of its address that is ever shown. */
  host: string;
  on: AlertKind[];
  unknownAfterMs: number;
  labels?: string[];
  state: 'untried' | 'ok' | 'failing';
  lastTry?: { at: number; delivered: boolean; error?: string };
  /** Messages that are not delivered yet. */
  waiting: number;
  /** Messages of the last 7 days that were given up. */
  dropped: number;
}

/** An alert as `GET /api/notifications` shows it; times are web's clock (ms). */
export interface NotedAlert {
  id: number;
  kind: AlertKind;
  subject: string;
  detail: string;
  taskId?: string;
  sessionId?: string;
  agentId?: string;
  /** It lasts until it is resolved. */
  lasting: boolean;
  sinceAt: number;
  resolvedAt?: number;
  resolution?: string;
}

export interface Notifications {
  channels: Channel[];
  /** The newest first. */
  alerts: NotedAlert[];
}

export const channelTypes: Record<Channel['type'], string> = {
  webhook: 'Webhook',
  slack: 'Slack',
  discord: 'Discord',
  ntfy: 'ntfy',
};

export const channelStates: Record<Channel['state'], string> = {
  untried: 'Not tried yet',
  ok: 'Works',
  failing: 'Does not work',
};

/** What the state rests on: the newest try. */
export function lastTryText({ lastTry }: Pick<Channel, 'lastTry'>, now: number): string {
  if (lastTry === undefined) return 'Nothing has been sent to it so far.';
  const ageMs = now - lastTry.at;
  const age = ageMs < 1000 ? 'just now' : `${ageText(ageMs)} ago`;
  if (lastTry.delivered) return `The last message was delivered ${age}.`;
  return `The last try, ${age}, failed: ${lastTry.error ?? 'no reason is known'}.`;
}

/** Undefined when nothing waits and nothing was given up. */
export function backlogText({ waiting, dropped }: Pick<Channel, 'waiting' | 'dropped'>): string | undefined {
  const parts: string[] = [];
  if (waiting > 0)
    parts.push(`${plural(waiting, 'message')} ${waiting === 1 ? 'waits' : 'wait'} for delivery.`);
  if (dropped > 0) {
    const were = dropped === 1 ? 'was' : 'were';
    parts.push(`${plural(dropped, 'message')} of the last 7 days ${were} given up.`);
  }
  return parts.length === 0 ? undefined : parts.join(' ');
}

const told: Record<AlertKind, string> = {
  completed: 'completed tasks',
  failed: 'failed tasks',
  cancelled: 'cancelled tasks',
  sessionEnded: 'sessions that ended',
  unknown: 'unknown tasks',
  attention: 'what agents want seen',
  agentLost: 'silent agents',
};

/** Kinds that a channel hears of only once they have lasted. */
const late: readonly AlertKind[] = ['unknown', 'agentLost'];

/** `Told of failed tasks and unknown tasks (after 2:00); only of tasks labelled branch=main.` */
export function toldText({ on, unknownAfterMs, labels = [] }: Channel): string {
  const after = unknownAfterMs > 0 ? ` (after ${clockText(unknownAfterMs)})` : '';
  const kinds = on.map((kind) => `${told[kind]}${late.includes(kind) ? after : ''}`);
  const only = labels.length === 0 ? '' : `; only of tasks labelled ${inWords(labels)}`;
  return `Told of ${inWords(kinds)}${only}.`;
}

function inWords(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

export type ChannelTest =
  | { stage: 'asked' }
  | { stage: 'delivered' }
  | { stage: 'failed'; error: string }
  /** Web did not answer, or refused: nothing is known of the channel. */
  | { stage: 'unanswered'; detail: string };

/** The channel's newest try is the test. */
export function testOf({ lastTry }: Pick<Channel, 'lastTry'>): ChannelTest {
  if (lastTry?.delivered === true) return { stage: 'delivered' };
  return { stage: 'failed', error: lastTry?.error ?? 'no reason is known' };
}

export function testText(test: ChannelTest, host: string): string {
  switch (test.stage) {
    case 'asked':
      return `Asked: web sends a test to ${host} …`;
    case 'delivered':
      return `Delivered: ${host} took the test.`;
    case 'failed':
      return `Failed: ${test.error}.`;
    case 'unanswered':
      return test.detail;
    default:
      return test satisfies never;
  }
}

export const alertWords: Record<AlertKind, string> = {
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
  sessionEnded: 'Session ended',
  unknown: 'Unknown',
  attention: 'Attention',
  agentLost: 'Agent silent',
};

/** How it was resolved; undefined for what happened once and needs no resolution. */
export function resolutionText(alert: NotedAlert): string | undefined {
  if (!alert.lasting) return undefined;
  if (alert.resolvedAt === undefined) return 'Not resolved yet';
  const after = `Resolved after ${clockText(alert.resolvedAt - alert.sinceAt)}`;
  return alert.resolution === undefined ? after : `${after}: ${alert.resolution}`;
}

/** A `config.json` with one channel, as web takes it. */
export const configExample = JSON.stringify(
  {
    notifications: {
      channels: {
        team: {
          type: 'slack',
          url: 'https://hooks.slack.com/services/T000/B000/XXXX',
          on: ['failed', 'unknown', 'attention'],
        },
      },
    },
  },
  null,
  2,
);
