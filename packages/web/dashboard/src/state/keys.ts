/**
 * The keyboard. Guarantees: no key acts while a person types or a dialog is open (but for the palette's); nothing that
 * stops a task happens on a single key.
 */
import { isEnded } from '@holdfast/shared/status';
import { taskName, views, type Filter } from '../model/filter.ts';
import { meaningOf, type Command } from '../model/keymap.ts';
import { cancel, retryOrSubmit } from './actions.ts';
import type { BulkAction } from '../model/bulk.ts';
import { dialog, openDialog } from './dialogs.ts';
import { closeTask, go, openTask, place } from './navigation.ts';
import { notify } from './notices.ts';
import { nextTheme, singleKeys } from './preferences.ts';
import { clearMarks, markAllMatching, markedCount, markRange, selected, toggleMark } from './selection.ts';
import { list, peekTask } from './tasks.ts';

/** The second key of a sequence, or of a confirmation, must follow within this time. */
const SEQUENCE_MS = 1500;
const ARMED_MS = 3000;
let armed: { id: string; until: number } | undefined;
let typed: { keys: string[]; until: number } = { keys: [], until: 0 };

export function startKeys(copy: (id: string) => void): void {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && /^k$/i.test(event.key)) {
      event.preventDefault();
      if (dialog.peek() === undefined) openDialog('palette');
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (dialog.peek() !== undefined || isTyping(event.target)) return;
    if (!singleKeys.peek() && event.key.length === 1) return;
    const before = performance.now() < typed.until ? typed.keys : [];
    typed = { keys: [], until: 0 };
    const meaning = meaningOf(before, event.key);
    if (meaning.kind === 'prefix') {
      typed = { keys: [...before, event.key], until: performance.now() + SEQUENCE_MS };
      event.preventDefault();
    } else if (meaning.kind === 'command' && event.repeat && !isMove(meaning.command)) {
      event.preventDefault();
    } else if (meaning.kind === 'command' && act(meaning.command, event.target, copy)) {
      event.preventDefault();
    }
  });
}

/** A key that is held down goes on and on through the list; to anything else it is one press. */
function isMove(command: Command): boolean {
  return command === 'next' || command === 'previous';
}

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return target.type !== 'checkbox';
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Returns whether the key meant something here. */
function act(command: Command, target: EventTarget | null, copy: (id: string) => void): boolean {
  const id = place.value.taskId ?? selected.value;
  switch (command) {
    case 'search':
      document.querySelector<HTMLInputElement>('#search')?.focus();
      return true;
    case 'palette':
    case 'help':
      openDialog(command);
      return true;
    case 'new':
      openDialog('submit');
      return true;
    case 'next':
      step((at, last) => Math.min(last, at + 1));
      return true;
    case 'previous':
      step((at) => Math.max(0, at - 1));
      return true;
    case 'first':
      step(() => 0);
      return true;
    case 'last':
      step((_at, last) => last);
      return true;
    case 'open':
      // A link or button in focus has its own meaning; that of a task's name is the same.
      openedByKey = rowOf(target)?.dataset['taskId'];
      if (
        selected.value === undefined ||
        (target instanceof Element && target.closest('a, button, summary, input') !== null)
      ) {
        return false;
      }
      openedByKey = selected.value;
      openTask(selected.value);
      return true;
    case 'close':
      return closeOne();
    case 'mark':
      if (selected.value !== undefined) toggleMark(selected.value);
      return true;
    case 'markRange':
      if (selected.value !== undefined) markRange(selected.value);
      return true;
    case 'markAll':
      markAllMatching();
      return true;
    case 'cancel':
      if (markedCount.value > 0) void forecast('cancel');
      else if (id !== undefined) cancelTwice(id);
      return true;
    case 'retry':
      if (markedCount.value > 0) void forecast('retry');
      else if (id !== undefined) retryEnded(id);
      return true;
    case 'copy':
      if (id !== undefined) copy(id);
      return true;
    case 'theme':
      nextTheme();
      return true;
    case 'goNeedsYou':
      return goView('needs-you');
    case 'goUnknown':
      return goView('unknown');
    case 'goRunning':
      return goView('running');
    case 'goQueued':
      return goView('queued');
    case 'goFailed':
      return goView('failed-today');
    case 'goAll':
      return goView('all');
    case 'goSessions':
      if (document.querySelector('.rail')?.checkVisibility() === true) {
        document.querySelector<HTMLElement>('.rail [data-testid=session-link]')?.focus();
      } else openDialog('menu');
      return true;
    default:
      return command satisfies never;
  }
}

/** Fetched with the bar of marked tasks, which is there whenever some are. */
async function forecast(action: BulkAction): Promise<void> {
  const { forecastBulk } = await import('./bulk.ts');
  await forecastBulk(action);
}

function goView(id: string): true {
  const filter: Filter | undefined = views.find((view) => view.id === id)?.filter;
  if (filter !== undefined) go({ filter, tab: 'log' });
  return true;
}

function closeOne(): boolean {
  if (place.value.taskId !== undefined || place.value.agentId !== undefined) closeTask();
  else if (markedCount.value > 0) clearMarks();
  else return false;
  return true;
}

/** The row whose name is in focus. */
function rowOf(target: EventTarget | null): HTMLElement | undefined {
  const name = target instanceof Element ? target.closest('a.name') : null;
  return name?.closest<HTMLElement>('[data-task-id]') ?? undefined;
}

let openedByKey: string | undefined;

/** Whether a key opened this task, asked once: who did goes on reading there, not at the top of the page. */
export function takeOpenedByKey(id: string): boolean {
  const isIt = openedByKey === id;
  if (isIt) openedByKey = undefined;
  return isIt;
}

function step(to: (at: number, last: number) => number): void {
  const { order } = list.value;
  const from = order.indexOf(selected.value ?? place.value.taskId ?? '');
  const id = order[from < 0 ? 0 : to(from, order.length - 1)];
  if (id === undefined) return;
  selected.value = id;
  focusRow(id);
  // With a task open beside the list, moving is looking: the way back leads to where it began.
  if (place.value.taskId !== undefined)
    go({ filter: place.value.filter, taskId: id, tab: place.value.tab }, 'replace');
}

/**
 * What the keyboard is on is where the focus is: a screen reader says it, and the list holds still around it. The row is
 * drawn once the list has scrolled to it.
 */
function focusRow(id: string): void {
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      if (selected.peek() !== id) return;
      const link = document.querySelector<HTMLElement>(`[data-task-id="${CSS.escape(id)}"] a.name`);
      link?.focus({ preventScroll: true });
    }),
  );
}

function cancelTwice(id: string): void {
  const task = peekTask(id);
  if (task === undefined) return;
  if (isEnded(task.status)) {
    notify('It has ended already: there is nothing to cancel.');
    return;
  }
  const now = Date.now();
  if (armed?.id === id && now < armed.until) {
    armed = undefined;
    cancel(id);
    return;
  }
  armed = { id, until: now + ARMED_MS };
  notify(`Press c again to cancel “${taskName(task)}”.`, 'info', ARMED_MS);
}

function retryEnded(id: string): void {
  const task = peekTask(id);
  if (task === undefined) return;
  if (isEnded(task.status)) retryOrSubmit(task);
  else notify('It has not ended: there is nothing to retry.');
}
