/**
 * What a message says, in plain words, before any channel's own form. Pure.
 *
 * Bounded: ten lines and twenty items, whatever the number of alerts; `count` says how many there are.
 */
import { type AlertKind, durationText } from '@holdfast/shared';
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

/** What one message tells: how much of what, and the first of it. */
export interface Told {
  counts: Partial<Record<AlertKind, number>>;
  /** Groups of doubts, the ones that are not in `groups` too. */
  doubts: number;
  /** Something of it ended badly. */
  hasFailure: boolean;
  /**
   * All alerts of one kind; of `unknown` those of one agent with the same words. Of doubts the first ones, or when
   * resolved the largest: at least as many as a message has lines.
   */
  groups: ToldGroup[];
}

interface ToldGroup {
  count: number;
  /** Since when the oldest of them lasts. */
  sinceAt: number;
  /** The first `MOST_ITEMS` of them, oldest first; at least one. */
  alerts: Alert[];
}

const MOST_LINES = 10;
export const MOST_ITEMS = 20;
/** Of several tasks that one sentence tells of, this many are named. */
const MOST_NAMED = 3;

export function describeAlerts(lane: Lane, told: Told): Message {
  const first = told.groups.flatMap(({ alerts }) => alerts).toSorted((a, b) => a.id - b.id);
  const count = sum(Object.values(told.counts));
  const only = count === 1 ? first[0] : undefined;
  const lines =
    lane === 'resolved'
      ? resolvedLines(told, first)
      : lane === 'trouble'
        ? troubleLines(told, first)
        : endedLines(first);
  // Each doubt group is one line, everything else a line of its own.
  const left = count - (told.counts.unknown ?? 0) + told.doubts - (MOST_LINES - 1);
  const shown = left <= 1 ? lines : [...lines.slice(0, MOST_LINES - 1), `… and ${left} more`];
  return {
    kind: lane === 'resolved' ? 'resolved' : 'alert',
    lane,
    tone: lane !== 'trouble' && !told.hasFailure ? 'good' : 'bad',
    title: lane === 'resolved' ? resolvedTitle(told, only) : raisedTitle(told, only),
    text: shown.join('\n'),
    count,
    items: first.slice(0, MOST_ITEMS).map(itemOf),
    path: pathOf(lane, told, only),
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

function raisedTitle({ counts }: Told, only: Alert | undefined): string {
  if (only !== undefined) return `${one[only.kind]}: ${only.subject}`;
  const kinds = Object.entries(many) as [AlertKind, (count: number) => string][];
  return kinds
    .map(([kind, words]) => ({ words, count: counts[kind] ?? 0 }))
    .filter(({ count }) => count > 0)
    .map(({ words, count }) => words(count))
    .join(', ');
}

function resolvedTitle({ counts }: Told, only: Alert | undefined): string {
  if (only !== undefined) {
    return only.kind === 'agentLost' ? `Back: ${only.subject}` : `Resolved: ${only.subject}`;
  }
  const unknown = counts.unknown ?? 0;
  const other = sum(Object.values(counts)) - unknown;
  return [
    ...(unknown === 0 ? [] : [`${tasks(unknown)} known again`]),
    ...(other === 0 ? [] : [`${other} ${unknown === 0 ? 'alerts' : 'other'} resolved`]),
  ].join(', ');
}

function endedLines(first: readonly Alert[]): string[] {
  const worstFirst = ['failed', 'cancelled', 'sessionEnded', 'completed'];
  return first
    .toSorted((a, b) => worstFirst.indexOf(a.kind) - worstFirst.indexOf(b.kind))
    .map((alert) => `${one[alert.kind]}: ${alert.subject}${after(alert.detail)}${on(alert)}`);
}

function troubleLines(told: Told, first: readonly Alert[]): string[] {
  const single = first
    .filter(({ kind }) => kind !== 'unknown')
    .map(
      (alert) =>
        `${one[alert.kind]}: ${alert.subject}${after(alert.detail)}${on(alert)}, since ${timeText(alert.sinceAt)}`,
    );
  return [
    ...single,
    ...doubtsOf(told).map((group) => {
      const [alert] = group.alerts;
      const isOne = group.count === 1;
      const what = isOne ? alert!.subject : `${tasks(group.count)} (${named(group)})`;
      const detail = isOne ? alert!.detail : pluralOf(alert!.detail);
      return `Unknown: ${what}${after(detail)}${on(alert!)}, since ${timeText(group.sinceAt)}. ${isOne ? 'It' : 'They'} may still run.`;
    }),
  ];
}

function resolvedLines(told: Told, first: readonly Alert[]): string[] {
  const single = first
    .filter(({ kind }) => kind !== 'unknown')
    .map((alert) => `${one[alert.kind]}: ${alert.subject},${lasted(alert)}; now: ${alert.resolution ?? ''}`);
  return [
    ...single,
    ...doubtsOf(told)
      .toSorted((a, b) => b.count - a.count)
      .map((group) => {
        const [alert] = group.alerts;
        const what =
          group.count === 1 ? `${alert!.subject} was` : `${tasks(group.count)} (${named(group)}) were`;
        return `${what} unknown${lasted(alert!)}: ${alert!.resolution ?? ''}${on(alert!)}`;
      }),
  ];
}

function doubtsOf({ groups }: Told): ToldGroup[] {
  return groups.filter(({ alerts }) => alerts[0]?.kind === 'unknown');
}

/** What is said of one unknown task, said of several. */
function pluralOf(detail: string): string {
  return detail
    .replace(/^was /, 'were ')
    .replace('its agent', 'their agent')
    .replace(/ it( |$)/, ' them$1');
}

function named({ alerts, count }: ToldGroup): string {
  const names = alerts.slice(0, MOST_NAMED).map(({ subject }) => subject);
  return `${names.join(', ')}${count > names.length ? ', …' : ''}`;
}

function itemOf(alert: Alert): MessageItem {
  const { id: _id, notedAt: _notedAt, lasting: _lasting, ...item } = alert;
  return item;
}

function pathOf(lane: Lane, { counts }: Told, only: Alert | undefined): string {
  if (only?.taskId !== undefined) return `/tasks/${encodeURIComponent(only.taskId)}`;
  if (only?.sessionId !== undefined) return `/sessions/${encodeURIComponent(only.sessionId)}`;
  if (lane === 'trouble') return '/?status=unknown';
  return lane === 'ended' && counts.failed !== undefined ? '/?status=failed' : '/';
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
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
