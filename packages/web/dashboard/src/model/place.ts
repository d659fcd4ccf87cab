/**
 * Where a person is, and its URL. Guarantees: the whole view is in the URL, so that a link, a reload and the back
 * button lead to the same place; `placeFromUrl(placeToUrl(p))` is `p`.
 *
 *   /                  the list            ?status=…&agent=…&label=…&q=…
 *   /tasks/<id>        one task            the same query: the list beside it; ?tab=…, ?log=<attempt>, #L<line>
 *   /sessions/<id>     the list of a session
 *   /agents/<id>       one agent           the same query: the list beside it
 *
 * Any other path is a place as well, `nowhere`: the page says so instead of showing what nobody asked for.
 */
import { filterFromParams, filterToParams, type Filter } from './filter.ts';
import { markFromHash, markToHash, type LogMark } from './log-mark.ts';

export const tabs = ['log', 'events', 'attempts', 'command', 'raw'] as const;
export type Tab = (typeof tabs)[number];

export interface Place {
  filter: Filter;
  taskId?: string;
  /** The address is no page: its path. */
  nowhere?: string;
  /** An agent's panel; never with a task. */
  agentId?: string;
  tab: Tab;
  /** Of a task's log: an older attempt than the newest. */
  logAttempt?: number;
  /** Of a task's log: the lines that are marked. */
  mark?: LogMark;
}

export function placeFromUrl(url: URL): Place {
  const params = url.searchParams;
  const filter = filterFromParams(params);
  const tab = tabs.find((candidate) => candidate === params.get('tab')) ?? 'log';
  const [, room, rest] = /^\/(tasks|sessions|agents)\/([^/]+)\/?$/.exec(url.pathname) ?? [];
  if (room === 'tasks') {
    const place: Place = { filter, tab, taskId: decode(rest!) };
    const mark = tab === 'log' ? markFromHash(url.hash) : undefined;
    const attempt = /^[1-9]\d{0,5}$/.exec(params.get('log') ?? '');
    if (mark !== undefined) place.mark = mark;
    if (attempt !== null && tab === 'log') place.logAttempt = Number(attempt[0]);
    return place;
  }
  if (room === 'sessions') return { filter: { ...filter, sessionId: decode(rest!) }, tab };
  if (room === 'agents') return { filter, tab: 'log', agentId: decode(rest!) };
  return url.pathname === '/' ? { filter, tab: 'log' } : { filter, tab: 'log', nowhere: url.pathname };
}

/** Path, query and hash. */
export function placeToUrl(place: Place): string {
  const params = filterToParams(place.filter);
  let path = place.nowhere ?? '/';
  let hash = '';
  if (place.taskId !== undefined) {
    path = `/tasks/${encodeURIComponent(place.taskId)}`;
    if (place.tab !== 'log') params.set('tab', place.tab);
    else {
      if (place.logAttempt !== undefined) params.set('log', String(place.logAttempt));
      if (place.mark !== undefined) hash = markToHash(place.mark);
    }
  } else if (place.agentId !== undefined) {
    path = `/agents/${encodeURIComponent(place.agentId)}`;
  } else if (place.filter.sessionId !== undefined) {
    path = `/sessions/${encodeURIComponent(place.filter.sessionId)}`;
    params.delete('session');
  }
  const query = params.toString();
  return `${path}${query === '' ? '' : `?${query}`}${hash}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    // A hand-written URL with a stray "%": what it names does not exist, which the page will say.
    if (error instanceof URIError) return part;
    throw error;
  }
}
