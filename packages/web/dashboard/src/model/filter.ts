/**
 * Which tasks are shown. Guarantees: `matches` is the predicate that `GET /api/tasks` applies, so that a row that
 * arrives by the feed is in the list exactly if a fresh read would have brought it.
 */
import type { ShownStatus } from '@holdfast/shared/status';
import type { ShownAgent, ShownTask } from '@holdfast/shared';
import { shownStatuses } from '@holdfast/shared/status';

/** Empty lists and absent fields restrict nothing. */
export interface Filter {
  statuses: ShownStatus[];
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

/** The command line of a task as one string: what a person would type. */
export function commandText(task: Pick<ShownTask, 'spec'>): string {
  const { spec } = task;
  if (spec.shell !== undefined) return spec.shell;
  if (spec.command !== undefined) return spec.command.join(' ');
  if (spec.runner !== undefined) return `${spec.runner}: ${spec.prompt ?? ''}`;
  return '';
}

/** What a row is called: its title, else its command, else its id. */
export function taskName(task: Pick<ShownTask, 'id' | 'title' | 'spec'>): string {
  return task.title ?? (commandText(task).split('\n', 1)[0] || task.id);
}

export function matches(task: ShownTask, filter: Filter, agents: readonly ShownAgent[]): boolean {
  if (filter.statuses.length > 0 && !filter.statuses.includes(task.status)) return false;
  if (filter.sessionId !== undefined && task.sessionId !== filter.sessionId) return false;
  if (filter.agent !== undefined && task.agentId !== filter.agent) {
    const agent = agents.find((candidate) => candidate.id === task.agentId);
    if (agent === undefined || agent.name !== filter.agent) return false;
  }
  if (filter.label !== undefined) {
    const { key, value } = splitLabel(filter.label);
    if (!Object.hasOwn(task.labels, key)) return false;
    if (value !== undefined && task.labels[key] !== value) return false;
  }
  if (filter.text !== undefined) {
    const needle = filter.text.toLowerCase();
    const places = [task.title ?? '', commandText(task), task.id, task.sessionId];
    if (!places.some((place) => place.toLowerCase().includes(needle))) return false;
  }
  return true;
}

function splitLabel(label: string): { key: string; value?: string } {
  const equals = label.indexOf('=');
  return equals < 0 ? { key: label } : { key: label.slice(0, equals), value: label.slice(equals + 1) };
}

/** The filter as the query of the page's own URL; stable order, nothing that does not restrict. */
export function filterToParams(filter: Filter): URLSearchParams {
  const params = new URLSearchParams();
  if (filter.statuses.length > 0) params.set('status', filter.statuses.join(','));
  if (filter.sessionId !== undefined) params.set('session', filter.sessionId);
  if (filter.agent !== undefined) params.set('agent', filter.agent);
  if (filter.label !== undefined) params.set('label', filter.label);
  if (filter.text !== undefined) params.set('q', filter.text);
  return params;
}

/** The reverse; what cannot be understood is left out. */
export function filterFromParams(params: URLSearchParams): Filter {
  const filter: Filter = { statuses: [...new Set((params.get('status') ?? '').split(','))].filter(isStatus) };
  const session = params.get('session');
  if (session) filter.sessionId = session;
  const agent = params.get('agent');
  if (agent) filter.agent = agent;
  const label = params.get('label');
  if (label) filter.label = label;
  const text = params.get('q');
  if (text) filter.text = text;
  return filter;
}

/** The filter as the query of `GET /api/tasks`. */
export function filterToQuery(filter: Filter): URLSearchParams {
  const params = filterToParams(filter);
  const session = params.get('session');
  if (session !== null) {
    params.delete('session');
    params.set('sessionId', session);
  }
  return params;
}

export function isSameFilter(a: Filter, b: Filter): boolean {
  return filterToParams(a).toString() === filterToParams(b).toString();
}

export function isEmptyFilter(filter: Filter): boolean {
  return isSameFilter(filter, noFilter);
}

export interface View {
  name: string;
  statuses: ShownStatus[];
  /** A view that is left out while it is empty. */
  quiet?: boolean;
}

/** The views over the list, by what a person wants to know; each is a filter by status. */
export const views: readonly View[] = [
  { name: 'All', statuses: [] },
  { name: 'Unknown', statuses: ['unknown'] },
  { name: 'Running', statuses: ['starting', 'running'] },
  { name: 'Queued', statuses: ['submitted', 'queued'] },
  { name: 'Failed', statuses: ['failed'] },
  { name: 'Completed', statuses: ['completed'] },
  { name: 'Cancelled', statuses: ['cancelled'] },
  { name: 'Lost', statuses: ['lost'], quiet: true },
];
