/**
 * When a channel is told what. Pure: time is data.
 *
 * - What happens is gathered: a message goes out a moment after the first news, with everything that is due by then,
 *   so that the outage of a machine with 500 tasks is one message.
 * - Three lanes a channel: what ended, what is in trouble, what was resolved. After a message its lane rests for the
 *   cooldown, and what happens meanwhile goes into the next one; a lane with a message under way waits for it. So the
 *   number of messages is bounded by time and never by the number of tasks.
 * - Doubt must last (`unknownAfterMs`) before anybody hears of it; what was resolved by then is never told.
 */
import type { AlertKind, NotificationChannel } from '@holdfast/shared';

/** Something that happened, or that lasts until it is resolved. */
export interface Alert {
  id: number;
  kind: AlertKind;
  /** What it happened to, for people: a task's title or command, a session, an agent. */
  subject: string;
  detail: string;
  taskId?: string;
  sessionId?: string;
  agentId?: string;
  agentName?: string;
  /** Whether it can be resolved. */
  lasting: boolean;
  sinceAt: number;
  notedAt: number;
  resolvedAt?: number;
  resolution?: string;
}

export type ChannelRule = Pick<NotificationChannel, 'on' | 'unknownAfterMs' | 'cooldownMs' | 'labels'> & {
  name: string;
};

export const lanes = ['ended', 'trouble', 'resolved'] as const;
export type Lane = (typeof lanes)[number];

/** What a channel's lane did last. */
export interface LaneState {
  /** A message of it is not delivered yet. */
  busy: boolean;
  /** When its newest message was made. */
  lastAt?: number;
}

export interface PlanInput {
  rule: ChannelRule;
  lanes: Partial<Record<Lane, LaneState>>;
  /** Not told yet, unresolved. */
  waiting: readonly Alert[];
  /** Told and delivered, resolved since. */
  owed: readonly Alert[];
  now: number;
}

export interface Plan {
  messages: { lane: Lane; alerts: Alert[] }[];
  /** When the next message will be due, if nothing else happens. */
  nextAt?: number;
}

/** Time in which what happens together comes together. */
const GATHER_MS = 1000;
/** News that could not be told for so long are news no more. */
export const TOO_OLD_MS = 24 * 3600 * 1000;

const laneOf: Record<AlertKind, Exclude<Lane, 'resolved'>> = {
  completed: 'ended',
  failed: 'ended',
  cancelled: 'ended',
  sessionEnded: 'ended',
  unknown: 'trouble',
  attention: 'trouble',
  agentLost: 'trouble',
};

/** When an alert has lasted long enough for this channel. */
function ripeAt(alert: Pick<Alert, 'kind' | 'sinceAt' | 'notedAt'>, rule: ChannelRule): number {
  const isDoubt = alert.kind === 'unknown' || alert.kind === 'agentLost';
  return isDoubt ? Math.max(alert.notedAt, alert.sinceAt + rule.unknownAfterMs) : alert.notedAt;
}

/** Whether the channel wants to hear of it at all. `labels`: the task's; undefined for what is no task. */
export function isWanted(
  rule: ChannelRule,
  kind: AlertKind,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  if (!rule.on.includes(kind)) return false;
  return (rule.labels ?? []).every((wanted) => {
    const [key = '', ...rest] = wanted.split('=');
    if (labels === undefined || !Object.hasOwn(labels, key)) return false;
    return rest.length === 0 || labels[key] === rest.join('=');
  });
}

export function planMessages(input: PlanInput): Plan {
  const { rule, now } = input;
  const fresh = input.waiting.filter((alert) => alert.lasting || alert.notedAt > now - TOO_OLD_MS);
  const found: Record<Lane, { alert: Alert; ripeAt: number }[]> = {
    ended: [],
    trouble: [],
    resolved: input.owed.map((alert) => ({ alert, ripeAt: alert.resolvedAt ?? now })),
  };
  for (const alert of fresh) found[laneOf[alert.kind]].push({ alert, ripeAt: ripeAt(alert, rule) });

  const messages: Plan['messages'] = [];
  let nextAt: number | undefined;
  for (const lane of lanes) {
    const candidates = found[lane];
    const state = input.lanes[lane];
    if (candidates.length === 0 || state?.busy === true) continue;
    const first = candidates.reduce((least, one) => Math.min(least, one.ripeAt), Number.POSITIVE_INFINITY);
    const lastAt = state?.lastAt ?? 0;
    // A clock that was set back must not silence the lane.
    const restedAt = lastAt > now ? now : lastAt + rule.cooldownMs;
    const dueAt = Math.max(first + GATHER_MS, restedAt);
    if (dueAt <= now) {
      const alerts = candidates.filter((one) => one.ripeAt <= now).map((one) => one.alert);
      messages.push({ lane, alerts });
    } else {
      nextAt = Math.min(nextAt ?? dueAt, dueAt);
    }
  }
  return nextAt === undefined ? { messages } : { messages, nextAt };
}
