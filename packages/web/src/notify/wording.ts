/**
 * What a message says, in plain words, before any channel's own form. Pure.
 *
 * Bounded: ten lines and twenty items, whatever the number of alerts; `count` says how many there are.
 */
import type { AlertKind } from '@holdfast/shared';
import type { Alert, Lane } from './rules.ts';

export interface Message {
  kind: 'alert' | 'resolved' | 'test';
  lane: Lane | 'test';
  /** What a person should make of it. */
  tone: 'good' | 'bad';
  title: string;
  /** Lines of plain text. */
  text: string;
  /** How many alerts it is about. */
  count: number;
  /** The first of them. */
  items: MessageItem[];
  /** Where the dashboard shows it: a path with its query. */
  path: string;
}

type MessageItem = Pick<
  Alert,
  | 'kind'
  | 'subject'
  | 'detail'
  | 'taskId'
  | 'sessionId'
  | 'agentId'
  | 'agentName'
  | 'sinceAt'
  | 'resolvedAt'
  | 'resolution'
>;

const MOST_LINES = 10;
const MOST_ITEMS = 20;
/** Of several tasks that one sentence tells of, this many are named. */
const MOST_NAMED = 3;

export function describeAlerts(lane: Lane, alerts: readonly Alert[]): Message {
  const lines =
    lane === 'resolved'
      ? resolvedLines(alerts)
      : lane === 'trouble'
        ? troubleLines(alerts)
        : endedLines(alerts);
  const left = lines.slice(MOST_LINES - 1);
  const shown = left.length <= 1 ? lines : [...lines.slice(0, MOST_LINES - 1), `… and ${left.length} more`];
  return {
    kind: lane === 'resolved' ? 'resolved' : 'alert',
    lane,
    tone: isGood(lane, alerts) ? 'good' : 'bad',
    title: lane === 'resolved' ? resolvedTitle(alerts) : raisedTitle(alerts),
    text: shown.join('\n'),
    count: alerts.length,
    items: alerts.slice(0, MOST_ITEMS).map(itemOf),
    path: pathOf(lane, alerts),
  };
}

export function describeTest(channel: string): Message {
  return {
    kind: 'test',
    lane: 'test',
    tone: 'good',
    title: 'Test from Holdfast',
    text: `If you can read this, the channel "${channel}" works.`,
    count: 0,
    items: [],
    path: '/',
  };
}

const one: Record<AlertKind, string> = {
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
  sessionEnded: 'Session finished',
  unknown: 'Unknown',
  attention: 'Attention',
  agentLost: 'Agent lost',
};

const many: Record<AlertKind, (count: number) => string> = {
  failed: (count) => `${tasks(count)} failed`,
  unknown: (count) => `${tasks(count)} unknown`,
  agentLost: (count) => (count === 1 ? '1 agent lost' : `${count} agents lost`),
  attention: (count) => (count === 1 ? '1 thing needs attention' : `${count} things need attention`),
  cancelled: (count) => `${tasks(count)} cancelled`,
  completed: (count) => `${tasks(count)} completed`,
  sessionEnded: (count) => (count === 1 ? '1 session finished' : `${count} sessions finished`),
};

function raisedTitle(alerts: readonly Alert[]): string {
  const [only] = alerts;
  if (only !== undefined && alerts.length === 1) return `${one[only.kind]}: ${only.subject}`;
  const kinds = Object.entries(many) as [AlertKind, (count: number) => string][];
  return kinds
    .map(([kind, words]) => ({ words, count: alerts.filter((alert) => alert.kind === kind).length }))
    .filter(({ count }) => count > 0)
    .map(({ words, count }) => words(count))
    .join(', ');
}

function resolvedTitle(alerts: readonly Alert[]): string {
  const [only] = alerts;
  if (only !== undefined && alerts.length === 1) {
    return only.kind === 'agentLost' ? `Back: ${only.subject}` : `Resolved: ${only.subject}`;
  }
  const unknown = alerts.filter(({ kind }) => kind === 'unknown').length;
  const other = alerts.length - unknown;
  return [
    ...(unknown === 0 ? [] : [`${tasks(unknown)} known again`]),
    ...(other === 0 ? [] : [`${other} ${unknown === 0 ? 'alerts' : 'other'} resolved`]),
  ].join(', ');
}

function endedLines(alerts: readonly Alert[]): string[] {
  const worstFirst = ['failed', 'cancelled', 'sessionEnded', 'completed'];
  return alerts
    .toSorted((a, b) => worstFirst.indexOf(a.kind) - worstFirst.indexOf(b.kind))
    .map((alert) => `${one[alert.kind]}: ${alert.subject}${after(alert.detail)}${on(alert)}`);
}

function troubleLines(alerts: readonly Alert[]): string[] {
  const single = alerts
    .filter(({ kind }) => kind !== 'unknown')
    .map(
      (alert) =>
        `${one[alert.kind]}: ${alert.subject}${after(alert.detail)}${on(alert)}, since ${timeText(alert.sinceAt)}`,
    );
  const doubted = [...groupBy(alerts, 'unknown', (alert) => `${alert.agentName ?? ''}\n${alert.detail}`)];
  return [
    ...single,
    ...doubted.map((group) => {
      const [first] = group;
      const since = Math.min(...group.map(({ sinceAt }) => sinceAt));
      const isOne = group.length === 1;
      const what = isOne ? first!.subject : `${tasks(group.length)} (${named(group)})`;
      const detail = isOne ? first!.detail : pluralOf(first!.detail);
      return `Unknown: ${what}${after(detail)}${on(first!)}, since ${timeText(since)}. ${isOne ? 'It' : 'They'} may still run.`;
    }),
  ];
}

function resolvedLines(alerts: readonly Alert[]): string[] {
  const single = alerts
    .filter(({ kind }) => kind !== 'unknown')
    .map((alert) => `${one[alert.kind]}: ${alert.subject},${lasted(alert)}; now: ${alert.resolution ?? ''}`);
  const known = [
    ...groupBy(alerts, 'unknown', (alert) => `${alert.agentName ?? ''}\n${alert.resolution ?? ''}`),
  ];
  return [
    ...single,
    ...known
      .toSorted((a, b) => b.length - a.length)
      .map((group) => {
        const [first] = group;
        const what =
          group.length === 1 ? `${first!.subject} was` : `${tasks(group.length)} (${named(group)}) were`;
        return `${what} unknown${lasted(first!)}: ${first!.resolution ?? ''}${on(first!)}`;
      }),
  ];
}

function groupBy(
  alerts: readonly Alert[],
  kind: AlertKind,
  keyOf: (alert: Alert) => string,
): Iterable<Alert[]> {
  return Map.groupBy(
    alerts.filter((alert) => alert.kind === kind),
    keyOf,
  ).values();
}

/** What is said of one unknown task, said of several. */
function pluralOf(detail: string): string {
  return detail
    .replace(/^was /, 'were ')
    .replace('its agent', 'their agent')
    .replace(/ it( |$)/, ' them$1');
}

function named(group: readonly Alert[]): string {
  const names = group.slice(0, MOST_NAMED).map(({ subject }) => subject);
  return `${names.join(', ')}${group.length > names.length ? ', …' : ''}`;
}

function isGood(lane: Lane, alerts: readonly Alert[]): boolean {
  if (lane === 'resolved') return !alerts.some(({ resolution = '' }) => resolution.startsWith('failed'));
  return (
    lane === 'ended' &&
    !alerts.some(
      ({ kind, detail }) => kind === 'failed' || (kind === 'sessionEnded' && / failed/.test(detail)),
    )
  );
}

function itemOf(alert: Alert): MessageItem {
  const { id: _id, notedAt: _notedAt, lasting: _lasting, ...item } = alert;
  return item;
}

function pathOf(lane: Lane, alerts: readonly Alert[]): string {
  const [only] = alerts;
  if (alerts.length === 1 && only?.taskId !== undefined) return `/tasks/${encodeURIComponent(only.taskId)}`;
  if (alerts.length === 1 && only?.sessionId !== undefined)
    return `/sessions/${encodeURIComponent(only.sessionId)}`;
  if (lane === 'trouble') return '/?status=unknown';
  return lane === 'ended' && alerts.some(({ kind }) => kind === 'failed') ? '/?status=failed' : '/';
}

function tasks(count: number): string {
  return count === 1 ? '1 task' : `${count} tasks`;
}

function after(detail: string): string {
  return detail === '' ? '' : `, ${detail}`;
}

function on({ agentName, subject }: Alert): string {
  return agentName === undefined || agentName === subject ? '' : ` (${agentName})`;
}

function lasted({ sinceAt, resolvedAt }: Alert): string {
  return resolvedAt === undefined ? '' : ` for ${durationText(resolvedAt - sinceAt)}`;
}

/** A message may come late, and to readers anywhere: the time zone is said. */
function timeText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
