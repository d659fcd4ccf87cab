/** Where the person is. Guarantees: `place` and the address bar always agree; the back button works. */
import { signal } from '@preact/signals';
import type { Filter } from '../model/filter.ts';
import { placeFromUrl, placeToUrl, type Place } from '../model/place.ts';

export const place = signal<Place>(placeFromUrl(new URL(location.href)));

/** The entry of the history that a search made: as long as it is the present one, what is typed on changes it. */
let isSearchEntry = false;

/** Shows what was searched for: the first letters after a view are a step of the history, those that follow are not. */
export function goSearching(filter: Filter): void {
  const { nowhere: _, ...here } = place.peek();
  const to = { ...here, filter };
  if (placeToUrl(to) === placeToUrl(place.peek())) return;
  go(to, isSearchEntry ? 'replace' : 'push');
  isSearchEntry = true;
}

export function go(to: Place, how: 'push' | 'replace' = 'push'): void {
  const url = placeToUrl(to);
  if (url !== location.pathname + location.search + location.hash) {
    if (how === 'push') history.pushState(null, '', url);
    else history.replaceState(null, '', url);
  }
  if (how === 'push') isSearchEntry = false;
  place.value = to;
}

/** The address of a task, the list beside it staying as it is. */
export function taskUrl(taskId: string): string {
  return placeToUrl({ filter: place.value.filter, taskId, tab: 'log' });
}

export function openTask(taskId: string): void {
  go({ filter: place.value.filter, taskId, tab: 'log' });
}

/** The panel of an agent, the list beside it staying as it is. */
export function agentUrl(agentId: string): string {
  return placeToUrl({ filter: place.value.filter, agentId, tab: 'log' });
}

/** Closes what stands beside the list: a task or an agent. */
export function closeTask(): void {
  go({ filter: place.value.filter, tab: 'log' });
}

/** Lets a link be a link (new tab, copy address) and takes over only the plain click. */
function followLink(event: MouseEvent): void {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  ) {
    return;
  }
  const anchor = event.target instanceof Element ? event.target.closest('a') : null;
  if (anchor === null || anchor.target !== '' || anchor.origin !== location.origin) return;
  if (anchor.pathname.startsWith('/api/')) return;
  event.preventDefault();
  go(placeFromUrl(new URL(anchor.href)));
}

export function startNavigation(): void {
  window.addEventListener('popstate', () => {
    isSearchEntry = false;
    place.value = placeFromUrl(new URL(location.href));
  });
  document.addEventListener('click', followLink);
}
