/**
 * Where a person is, and its URL. Guarantees: the whole view is in the URL, so that a link, a reload and the back
 * button lead to the same place; `placeFromUrl(placeToUrl(p))` is `p`.
 *
 *   /                  the list            ?status=…&agent=…&label=…&q=…
 *   /tasks/<id>        one task            the same query: the list beside it
 *   /sessions/<id>     the list of a session
 */
import { filterFromParams, filterToParams, type Filter } from './filter.ts';

export const tabs = ['log', 'events', 'attempts', 'spec'] as const;
export type Tab = (typeof tabs)[number];

export interface Place {
  filter: Filter;
  taskId?: string;
  tab: Tab;
}

export function placeFromUrl(url: URL): Place {
  const params = url.searchParams;
  const filter = filterFromParams(params);
  const tab = tabs.find((candidate) => candidate === params.get('tab')) ?? 'log';
  const [, room, rest] = /^\/(tasks|sessions)\/([^/]+)\/?$/.exec(url.pathname) ?? [];
  if (room === 'tasks') return { filter, tab, taskId: decode(rest!) };
  if (room === 'sessions') return { filter: { ...filter, sessionId: decode(rest!) }, tab };
  return { filter, tab: 'log' };
}

/** Path and query. */
export function placeToUrl(place: Place): string {
  const params = filterToParams(place.filter);
  let path = '/';
  if (place.taskId !== undefined) {
    path = `/tasks/${encodeURIComponent(place.taskId)}`;
    if (place.tab !== 'log') params.set('tab', place.tab);
  } else if (place.filter.sessionId !== undefined) {
    path = `/sessions/${encodeURIComponent(place.filter.sessionId)}`;
    params.delete('session');
  }
  const query = params.toString();
  return query === '' ? path : `${path}?${query}`;
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
