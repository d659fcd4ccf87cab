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

/** What a lane may do now. `none`: it waits for its message, which is under way. */
export type LanePlan = { kind: 'none' } | { kind: 'resting'; until: number } | { kind: 'open' };

/** Time in which what happens together comes together. */
const GATHER_MS = 1000;
/** News that could not be told for so long are news no more. */
export const TOO_OLD_MS = 24 * 3600 * 1000;

const kindsOfLane = {
  ended: ['completed', 'failed', 'cancelled', 'sessionEnded'],
  trouble: ['unknown', 'attention', 'agentLost'],
} as const satisfies Record<Exclude<Lane, 'resolved'>, readonly AlertKind[]>;

/** Doubts: nobody hears of one that has not lasted. */
const doubtKinds: readonly AlertKind[] = ['unknown', 'agentLost'];

/** Kinds of the alerts that a lane tells first. What was resolved may be of any kind that lasts. */
export function kindsOf(lane: Lane): readonly AlertKind[] {
  return lane === 'resolved' ? kindsOfLane.trouble : kindsOfLane[lane];
}

/** The lane that tells of an alert first. */
export function laneOf(kind: AlertKind): Exclude<Lane, 'resolved'> {
  return kindsOf('ended').includes(kind) ? 'ended' : 'trouble';
}

/** When an alert has lasted long enough for this channel. */
export function ripeAt(
  alert: Pick<Alert, 'kind' | 'sinceAt' | 'notedAt'>,
  rule: Pick<ChannelRule, 'unknownAfterMs'>,
): number {
  return doubtKinds.includes(alert.kind)
    ? Math.max(alert.notedAt, alert.sinceAt + rule.unknownAfterMs)
    : alert.notedAt;
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

/** Whether a lane may tell something now, whatever there is to tell. */
export function planLane(rule: Pick<ChannelRule, 'cooldownMs'>, state: LaneState, now: number): LanePlan {
  if (state.busy) return { kind: 'none' };
  const { lastAt } = state;
  // A clock that was set back must not silence the lane.
  if (lastAt === undefined || lastAt > now) return { kind: 'open' };
  const until = lastAt + rule.cooldownMs;
  return until > now ? { kind: 'resting', until } : { kind: 'open' };
}

/** When an open lane tells, if the first of its alerts has lasted long enough at this time. */
export function dueAt(firstRipeAt: number): number {
  return firstRipeAt + GATHER_MS;
}
