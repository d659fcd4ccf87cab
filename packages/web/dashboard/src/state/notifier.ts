/**
 * Notifications of the browser. Guarantees: permission is asked for only by a click; of all tabs one tells; nothing is
 * told to a person who looks at the page; what is retracted takes the alert's place and makes no sound.
 */
import { effect, signal, untracked } from '@preact/signals';
import type { ShownTask } from '@holdfast/shared';
import { Alerts, alertTexts } from '../model/alerts.ts';
import { readTask } from '../transport/api.ts';
import { agents, certaintyNow } from './agents.ts';
import { webNow } from './clock.ts';
import { notify } from './notices.ts';
import { readPreference, writePreference } from './preferences.ts';
import { isResyncing, onTasks } from './store.ts';

const KEY = 'holdfast.notify';

export type NotifyState = 'off' | 'on' | 'denied' | 'impossible';

export const notifyState = signal<NotifyState>(currentState());

function currentState(): NotifyState {
  // Absent outside a secure context: https, or this very machine.
  if (typeof Notification === 'undefined') return 'impossible';
  if (Notification.permission === 'denied') return 'denied';
  return Notification.permission === 'granted' && readPreference(KEY) === 'on' ? 'on' : 'off';
}

/** For a click. */
export async function toggleNotifications(): Promise<void> {
  const state = notifyState.peek();
  switch (state) {
    case 'impossible':
      notify('This browser shows notifications only for pages over https or on this machine.', 'problem');
      return;
    case 'denied':
      notify(
        'Notifications are blocked for this page; allow them in the browser’s site settings.',
        'problem',
      );
      return;
    case 'on':
      writePreference(KEY, 'off');
      notifyState.value = 'off';
      return;
    case 'off': {
      const permission = await Notification.requestPermission();
      if (permission === 'granted') {
        writePreference(KEY, 'on');
        notify(
          'You will be told of unknown and failed tasks, and of what needs you, while you look elsewhere.',
        );
      }
      notifyState.value = currentState();
      return;
    }
    default:
      state satisfies never;
  }
}

const COALESCE_MS = 2000;
/** Most open alerts that are read again after a gap in the feed. */
const MOST_READ = 50;

export function startNotifier(): void {
  let alerts: Alerts | undefined;
  let giveUp: AbortController | undefined;

  effect(() => {
    if (notifyState.value === 'on') {
      giveUp ??= new AbortController();
      void lead(giveUp.signal, () => {
        alerts = new Alerts(webNow.peek());
      });
      return;
    }
    giveUp?.abort();
    giveUp = undefined;
    alerts = undefined;
  });
  const take = (task: ShownTask): void =>
    alerts?.takeTask(task, webNow.peek(), untracked(() => certaintyNow(task)).aheadMs);
  onTasks((tasks) => {
    for (const task of tasks) take(task);
  });
  effect(() => {
    for (const agent of agents.value) alerts?.takeAgent(agent, webNow.peek());
  });
  // A gap in the feed may have hidden how an alert ended.
  effect(() => {
    if (isResyncing.value) return;
    for (const id of alerts?.openIds.slice(0, MOST_READ) ?? []) {
      void readTask(id).then((answer) => {
        if (answer.ok) take(answer.value);
      });
    }
  });
  // Another tab switched it.
  window.addEventListener('storage', (event) => {
    if (event.key === KEY) notifyState.value = currentState();
  });
  window.setInterval(() => {
    if (alerts === undefined) return;
    const { raised, retracted } = alerts.tell();
    if (document.visibilityState === 'visible' && document.hasFocus()) return;
    for (const { kind, title, body, isRetraction } of alertTexts(raised, retracted)) {
      const shown = new Notification(title, { body, tag: `holdfast-${kind}`, silent: isRetraction });
      shown.addEventListener('click', () => {
        window.focus();
        shown.close();
      });
    }
  }, COALESCE_MS);
}

/** Calls `begin` once no other tab tells; the place is kept until `signal` aborts or the tab closes. */
async function lead(signal: AbortSignal, begin: () => void): Promise<void> {
  if (navigator.locks === undefined) {
    begin();
    return;
  }
  try {
    await navigator.locks.request('holdfast-notifier', { signal }, async () => {
      begin();
      const ended = Promise.withResolvers<undefined>();
      signal.addEventListener('abort', () => ended.resolve(undefined));
      await ended.promise;
    });
  } catch (error) {
    // It was switched off while another tab was telling.
    if (!signal.aborted) throw error;
  }
}
