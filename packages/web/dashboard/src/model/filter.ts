/**
 * Which tasks are shown. Guarantees: `matches` is the predicate that `GET /api/tasks` applies, so that a row that
 * arrives by the feed is in the list exactly if a fresh read would have brought it.
 */
import type { ShownStatus } from '@holdfast/shared/status';
import type { ShownAgent, ShownTask } from '@holdfast/shared';
import { isEnded, shownStatuses } from '@holdfast/shared/status';
import { withoutBidi } from './bidi.ts';

/** What a person may look for besides a status: the same marks as the list of web has, in the words of the URL. */
export const marks = ['needs-you', 'stale', 'attention', 'refused', 'pending'] as const;
export type Mark = (typeof marks)[number];

/** The orders of a list but for the usual one, newest first. */
export const orders = ['oldest', 'changed', 'longest'] as const;
export type Order = (typeof orders)[number];

/** What may be asked of a task by one value: its name in the URL, and here. */
const parts = [
  ['session', 'sessionId'],
  ['agent', 'agent'],
  ['queue', 'queue'],
  ['label', 'label'],
  ['attempt', 'attempt'],
  ['exit', 'exit'],
  ['since', 'since'],
] as const;
export type Part = (typeof parts)[number][1];

/** What must not hold: none of these. */
interface Exclusions extends Partial<Record<Part, string[]>> {
  is?: Mark[];
}

/** Empty lists and absent fields restrict nothing; all others must hold. */
export interface Filter {
  statuses: ShownStatus[];
  is?: Mark[];
  queue?: string;
  /** `2`, `>1`, `<3`, `!1`. */
  attempt?: string;
  /** The exit code, in the same way. */
  exit?: string;
  /** Not ended, or ended since: `today`, `90m`, `2h`, `7d`, `2026-11-20`, `2026-11-20T14:00`. */
  since?: string;
  /** The order of the list; absent for newest first. It restricts nothing. */
  order?: Order;
  not?: Exclusions;
  sessionId?: string;
  /** An agent's id or name. */
  agent?: string;
  /** `key=value`. */
  label?: string;
  /** Part of title, command, id or session; letters of either case. */
  text?: string;
}

export const noFilter: Filter = { statuses: [] };

export function isStatus(value: string): value is ShownStatus {
  return (shownStatuses as readonly string[]).includes(value);
}

export function isMark(value: string): value is Mark {
  return (marks as readonly string[]).includes(value);
}

/** The command line of a task as one string: what a person would type. */
export function commandText(task: Pick<ShownTask, 'spec'>): string {
  const { spec } = task;
  if (spec.shell !== undefined) return spec.shell;
  if (spec.command !== undefined) return spec.command.join(' ');
  if (spec.runner !== undefined) return `${spec.runner}: ${spec.prompt ?? ''}`;
  return '';
}

/** A letter, number, mark or sign: a title of spaces alone cannot be seen or clicked. */
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** What a row is called: its title if it can be seen, else its command, else its id. */
export function taskName(task: Pick<ShownTask, 'id' | 'title' | 'spec'>): string {
  const title = task.title !== undefined && VISIBLE.test(task.title) ? task.title : undefined;
  return withoutBidi(title ?? (commandText(task).split('\n', 1)[0] || task.id));
}

const MINUTE_MS = 60_000;
const spans: Record<string, number> = {
  m: MINUTE_MS,
  h: 60 * MINUTE_MS,
  d: 24 * 60 * MINUTE_MS,
  w: 7 * 24 * 60 * MINUTE_MS,
};

/** The time (ms) that a `since:` means at `now`, in the viewer's own time zone; undefined when it means none. */
export function sinceTime(since: string, now: number): number | undefined {
  if (since === 'today') return new Date(now).setHours(0, 0, 0, 0);
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(since) ?? [];
  if (count !== undefined) return Math.max(0, now - Number(count) * spans[unit!]!);
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d)?$/.test(since)) return undefined;
  const at = new Date(since.includes('T') ? since : `${since}T00:00`).getTime();
  return Number.isNaN(at) || at < 0 ? undefined : at;
}

function isNumberTest(text: string): boolean {
  return /^[<>!]?\d{1,9}$/.test(text);
}

function holds(test: string, value: number | undefined): boolean {
  if (value === undefined) return false;
  const named = Number(test.replace(/^[<>!]/, ''));
  if (test.startsWith('>')) return value > named;
  if (test.startsWith('<')) return value < named;
  return test.startsWith('!') ? value !== named : value === named;
}

/** How long a refused submit needs somebody: it is over, and only its author can do something about it. */
const REFUSAL_SHOWN_MS = spans['d']!;

/** `now` is web's clock (ms); `aheadMs`: by how much that of the task's agent is ahead of it, as its lease is. */
export function hasMark(task: ShownTask, mark: Mark, now: number, aheadMs = 0): boolean {
  const { status } = task;
  const isOver = isEnded(status);
  const hasAttention = !isOver && (task.attention?.length ?? 0) > 0;
  const isLeaseOver =
    (status === 'starting' || status === 'running') &&
    task.claim !== undefined &&
    task.claim.leaseExpiresAt <= now + aheadMs;
  switch (mark) {
    case 'needs-you':
      if (status === 'failed') return task.refused !== undefined && task.refused.at > now - REFUSAL_SHOWN_MS;
      return status === 'unknown' || (!isOver && (task.refused !== undefined || hasAttention || isLeaseOver));
    case 'stale':
      return (
        isLeaseOver ||
        ((status === 'starting' || status === 'running') &&
          task.attention?.some(({ code }) => code === 'claim_silent' || code === 'probe_failed') === true)
      );
    case 'attention':
      return hasAttention;
    case 'refused':
      return task.refused !== undefined && (!isOver || status === 'failed');
    case 'pending':
      return status !== 'submitted' && (task.pending?.length ?? 0) > 0;
    default:
      return mark satisfies never;
  }
}

/** When a task ended as far as lists are concerned; undefined while it has not. */
export function endOf(task: ShownTask): number | undefined {
  if (!isEnded(task.status)) return undefined;
  return (task.status === 'lost' ? task.verdict?.at : undefined) ?? task.endedAt ?? task.updatedAt;
}

function holdsOf(
  task: ShownTask,
  part: Part,
  value: string,
  agents: readonly ShownAgent[],
  now: number,
): boolean {
  switch (part) {
    case 'sessionId':
      return task.sessionId === value;
    case 'agent':
      return task.agentId === value || agents.some(({ id, name }) => id === task.agentId && name === value);
    case 'queue':
      return task.queue === value;
    case 'label': {
      const { key, value: wanted } = splitLabel(value);
      return Object.hasOwn(task.labels, key) && (wanted === undefined || task.labels[key] === wanted);
    }
    case 'attempt':
      return holds(value, task.attempt);
    case 'exit':
      return isEnded(task.status) && holds(value, task.outcome?.exitCode);
    case 'since':
      return (endOf(task) ?? Number.POSITIVE_INFINITY) >= (sinceTime(value, now) ?? 0);
    default:
      return part satisfies never;
  }
}

/** `now` is web's clock (ms). */
export function matches(
  task: ShownTask,
  filter: Filter,
  agents: readonly ShownAgent[],
  now: number,
): boolean {
  const { not } = filter;
  if (filter.statuses.length > 0 && !filter.statuses.includes(task.status)) return false;
  const has = (mark: Mark): boolean => hasMark(task, mark, now, aheadOf(task, agents));
  if (filter.is?.every(has) === false || not?.is?.some(has) === true) return false;
  for (const [, part] of parts) {
    const wanted = filter[part];
    if (wanted !== undefined && !holdsOf(task, part, wanted, agents, now)) return false;
    if (not?.[part]?.some((value) => holdsOf(task, part, value, agents, now)) === true) return false;
  }
  if (filter.text !== undefined) {
    const needle = filter.text.toLowerCase();
    const places = [task.title ?? '', commandText(task), task.id, task.sessionId];
    if (!places.some((place) => place.toLowerCase().includes(needle))) return false;
  }
  return true;
}

/** Whether time alone moves tasks into what it finds, or out of it. */
export function isByClock({ is = [], since, not }: Filter): boolean {
  const marked = [...is, ...(not?.is ?? [])];
  return [since, not?.since].some(Boolean) || marked.includes('needs-you') || marked.includes('stale');
}

function aheadOf({ agentId }: ShownTask, agents: readonly ShownAgent[]): number | undefined {
  return agents.find(({ id }) => id === agentId)?.clockAheadMs;
}

function splitLabel(label: string): { key: string; value?: string } {
  const equals = label.indexOf('=');
  return equals < 0 ? { key: label } : { key: label.slice(0, equals), value: label.slice(equals + 1) };
}

/** Whether a value is one that its part can have. */
export function isValueOf(part: Part, value: string): boolean {
  if (part === 'attempt' || part === 'exit') return isNumberTest(value);
  return part === 'since' ? sinceTime(value, 0) !== undefined : value !== '';
}

export function isOrder(value: string | null): value is Order {
  return orders.some((order) => order === value);
}

/** The filter as the query of the page's own URL; stable order, nothing that does not restrict or order. */
export function filterToParams(filter: Filter): URLSearchParams {
  const params = new URLSearchParams();
  const { not = {} } = filter;
  if (filter.statuses.length > 0) params.set('status', filter.statuses.join(','));
  if (filter.is !== undefined && filter.is.length > 0) params.set('is', filter.is.join(','));
  if (not.is !== undefined && not.is.length > 0) params.set('-is', not.is.join(','));
  for (const [name, part] of parts) {
    const wanted = filter[part];
    if (wanted !== undefined) params.set(name, wanted);
    for (const value of not[part] ?? []) params.append(`-${name}`, value);
  }
  if (filter.text !== undefined) params.set('q', filter.text);
  if (filter.order !== undefined) params.set('order', filter.order);
  return params;
}

/** The reverse; what cannot be understood is left out. */
export function filterFromParams(params: URLSearchParams): Filter {
  const listed = (name: string): string[] => [...new Set((params.get(name) ?? '').split(','))];
  const filter: Filter = { statuses: listed('status').filter(isStatus) };
  const not: Exclusions = {};
  const is = listed('is').filter(isMark);
  if (is.length > 0) filter.is = is;
  const notIs = listed('-is').filter(isMark);
  if (notIs.length > 0) not.is = notIs;
  for (const [name, part] of parts) {
    const wanted = params.get(name);
    if (wanted !== null && isValueOf(part, wanted)) filter[part] = wanted;
    const unwanted = params.getAll(`-${name}`).filter((value) => isValueOf(part, value));
    if (unwanted.length > 0) not[part] = [...new Set(unwanted)];
  }
  if (Object.keys(not).length > 0) filter.not = not;
  const text = params.get('q');
  if (text) filter.text = text;
  const order = params.get('order');
  if (isOrder(order)) filter.order = order;
  return filter;
}

const webMark = (mark: Mark): string => (mark === 'needs-you' ? 'needsYou' : mark);

/** The filter as web's own fields, as a bulk action takes them; `now` is web's clock (ms). */
export function filterToFields(filter: Filter, now: number): Record<string, string | number | string[]> {
  const { statuses, is, since, text, order: _order, not = {}, label, ...same } = filter;
  const fields: Record<string, string | number | string[]> = {
    ...same,
    ...(statuses.length === 0 ? {} : { status: statuses }),
    ...(is === undefined ? {} : { is: is.map(webMark) }),
    ...(label === undefined ? {} : { label: [label] }),
    ...(since === undefined ? {} : { since: sinceTime(since, now) ?? 0 }),
    ...(text === undefined ? {} : { q: text }),
    ...(not.is === undefined ? {} : { notIs: not.is.map(webMark) }),
  };
  for (const [, part] of parts) {
    const values = not[part];
    if (values === undefined) continue;
    const name = `not${part[0]!.toUpperCase()}${part.slice(1)}`;
    // What ended before each of several times ended before the earliest.
    fields[name] = part === 'since' ? Math.min(...values.map((value) => sinceTime(value, now) ?? 0)) : values;
  }
  return fields;
}

/** The filter as the query of `GET /api/tasks`. */
export function filterToQuery(filter: Filter, now: number): URLSearchParams {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(filterToFields(filter, now))) {
    for (const one of Array.isArray(value) ? value : [value]) params.append(name, String(one));
  }
  if (filter.order !== undefined) params.set('order', filter.order);
  return params;
}

export function isSameFilter(a: Filter, b: Filter): boolean {
  return filterToParams(a).toString() === filterToParams(b).toString();
}

/** Whether it takes every task, in whatever order. */
export function isEmptyFilter({ order: _order, ...filter }: Filter): boolean {
  return isSameFilter(filter, noFilter);
}

export interface View {
  /** Part of its address in tests and of its key. */
  id: string;
  name: string;
  filter: Filter;
  /** What it holds, in a sentence. */
  help: string;
  /** Said where it holds nothing. */
  empty?: string;
}

const viewOf = (id: string, name: string, help: string, filter: Partial<Filter>, empty?: string): View => ({
  id,
  name,
  help,
  filter: { ...noFilter, ...filter },
  ...(empty === undefined ? {} : { empty }),
});

export const needsYouView = viewOf(
  'needs-you',
  'Needs you',
  'Nothing goes on here by itself: unknown tasks, stale ones, tasks whose agent asks for attention, refused ' +
    'actions (a refused submit for a day), agents that need a hand, and notification channels that do not deliver.',
  { is: ['needs-you'] },
);
export const failedTodayView = viewOf(
  'failed-today',
  'Failed today',
  'Failed since midnight, your time.',
  { statuses: ['failed'], since: 'today' },
  'Nothing failed today',
);

/** The views of the rail, by what a person wants to know. */
export const views: readonly View[] = [
  needsYouView,
  viewOf(
    'unknown',
    'Unknown',
    'What happens to them cannot be seen now.',
    { statuses: ['unknown'] },
    'Nothing is unknown',
  ),
  viewOf(
    'running',
    'Running',
    'Starting or running.',
    { statuses: ['starting', 'running'] },
    'Nothing is running',
  ),
  viewOf(
    'queued',
    'Queued',
    'Waiting for an agent or a slot.',
    { statuses: ['submitted', 'queued'] },
    'Nothing waits',
  ),
  failedTodayView,
  viewOf('all', 'All', 'Every task.', {}),
];

/** The view that shows exactly this, in whatever order. */
export function viewShowing({ order: _order, ...restricting }: Filter): View | undefined {
  return views.find(({ filter }) => isSameFilter(filter, restricting));
}

/** What a list of it is called. */
export function viewName(filter: Filter): string {
  const view = viewShowing(filter);
  return view === undefined || view.id === 'all' ? 'Tasks' : view.name;
}

/** Whether what it holds can change by itself: such a count is doubtful while web is not heard. */
export function isOpenEnded({ statuses, is }: Filter): boolean {
  return is !== undefined || statuses.some((status) => !isEnded(status));
}

/** The counts by status, in the order of a task’s life, doubt first. */
export const tallies: readonly { id: string; name: string; statuses: ShownStatus[]; isQuiet: boolean }[] = [
  { id: 'unknown', name: 'Unknown', statuses: ['unknown'], isQuiet: false },
  { id: 'running', name: 'Running', statuses: ['starting', 'running'], isQuiet: false },
  { id: 'queued', name: 'Queued', statuses: ['submitted', 'queued'], isQuiet: false },
  { id: 'failed', name: 'Failed', statuses: ['failed'], isQuiet: false },
  { id: 'completed', name: 'Completed', statuses: ['completed'], isQuiet: false },
  { id: 'cancelled', name: 'Cancelled', statuses: ['cancelled'], isQuiet: false },
  { id: 'lost', name: 'Lost', statuses: ['lost'], isQuiet: true },
];
