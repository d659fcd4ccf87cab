/**
 * What reaches a person who does not look: title, favicon, and the two announcers. Guarantees: announcements are
 * coalesced to one in five seconds; a lost link is announced once, after ten seconds, and its return too.
 */
import { effect, signal } from '@preact/signals';
import type { Counts } from '@holdfast/shared';
import { faviconUrl } from '../model/favicon.ts';
import { tallyText, titleText, worstOf } from '../model/tally.ts';
import { taskName, viewName } from '../model/filter.ts';
import { agents, counts, sessionNames } from './agents.ts';
import { link, linkNow } from './clock.ts';
import { place } from './navigation.ts';
import { watchTask } from './tasks.ts';
import { needsYou } from './views.ts';

export const politeWords = signal('');
export const urgentWords = signal('');

const COALESCE_MS = 5000;
const ALARM_MS = 10_000;

/** The task, the agent, the session or the view that is shown. */
function pageName(): string {
  const { taskId, agentId, filter, nowhere } = place.value;
  if (taskId !== undefined) {
    const task = watchTask(taskId).value;
    return task === undefined ? 'Task' : taskName(task);
  }
  if (agentId !== undefined) return agents.value.find(({ id }) => id === agentId)?.name ?? 'Agent';
  if (nowhere !== undefined) return 'No such page';
  const { sessionId } = filter;
  return sessionId === undefined ? viewName(filter) : (sessionNames.value.get(sessionId) ?? sessionId);
}

export function startAttention(): void {
  let told: Counts | undefined;
  window.setInterval(() => {
    const now = counts.value;
    if (now === undefined) return;
    const text = told === undefined ? '' : tallyText(told, now);
    told = now;
    if (text !== '') politeWords.value = text;
  }, COALESCE_MS);

  let isAlarmed = false;
  effect(() => {
    const state = linkNow.value;
    if (state.state === 'live' && isAlarmed) {
      isAlarmed = false;
      urgentWords.value = 'The dashboard is live again.';
    }
    const brokenFor = link.value.brokenAt === undefined ? 0 : Date.now() - link.value.brokenAt;
    const isGone = state.state === 'blind' || (state.state === 'stale' && brokenFor > ALARM_MS);
    if (isGone && !isAlarmed) {
      isAlarmed = true;
      urgentWords.value = 'The web service is not heard. What is shown is out of date.';
    }
  });

  effect(() => {
    // Nothing is calm before it is known to be.
    const isLive = linkNow.value.state === 'live' && needsYou.value !== undefined;
    const isSignedOut = linkNow.value.state === 'signedOut';
    const worst = isSignedOut ? undefined : worstOf(counts.value ?? {}, needsYou.value ?? 0);
    document.title = titleText({ worst, isLive, page: isSignedOut ? 'Signed out' : pageName() });
    const href = faviconUrl(
      !isLive
        ? { kind: 'stale' }
        : worst === undefined
          ? { kind: 'calm' }
          : { kind: 'alert', count: worst.count },
    );
    const icon = document.querySelector<HTMLLinkElement>('#favicon');
    if (icon !== null && icon.getAttribute('href') !== href) icon.setAttribute('href', href);
  });
}
