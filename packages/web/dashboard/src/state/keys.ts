/**
 * The keyboard. Guarantees: no key acts while a person types or a dialog is open; nothing that stops a task happens
 * on a single key.
 */
import { isEnded } from '@holdfast/shared/status';
import { taskName } from '../model/filter.ts';
import { cancel, notify, retry } from './actions.ts';
import { dialog, openDialog } from './dialogs.ts';
import { closeTask, openTask, place } from './navigation.ts';
import { list, peekTask } from './tasks.ts';
import { selected } from './selection.ts';

/** The second key must follow within this time. */
const ARMED_MS = 3000;
let armed: { id: string; until: number } | undefined;

export function startKeys(copy: (id: string) => void): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (dialog.value !== undefined || isTyping(event.target)) return;
    if (act(event.key, event.target, copy)) event.preventDefault();
  });
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Returns whether the key meant something. */
function act(key: string, target: EventTarget | null, copy: (id: string) => void): boolean {
  const id = place.value.taskId ?? selected.value;
  switch (key) {
    case '/':
      document.querySelector<HTMLInputElement>('#search')?.focus();
      return true;
    case '?':
      openDialog('help');
      return true;
    case 'n':
      openDialog('submit');
      return true;
    case 'j':
      step(1);
      return true;
    case 'k':
      step(-1);
      return true;
    case 'Enter':
      // A link or button in focus has its own meaning.
      if (
        selected.value === undefined ||
        (target instanceof Element && target.closest('a, button, summary') !== null)
      ) {
        return false;
      }
      openTask(selected.value);
      return true;
    case 'Escape':
      if (place.value.taskId === undefined) return false;
      closeTask();
      return true;
    case 'c':
      if (id !== undefined) cancelTwice(id);
      return true;
    case 'r':
      if (id !== undefined) retryEnded(id);
      return true;
    case 'y':
      if (id !== undefined) copy(id);
      return true;
    default:
      return false;
  }
}

function step(by: 1 | -1): void {
  const { order } = list.value;
  const from = order.indexOf(selected.value ?? place.value.taskId ?? '');
  const to = from < 0 ? 0 : Math.min(order.length - 1, Math.max(0, from + by));
  const id = order[to];
  if (id === undefined) return;
  selected.value = id;
  // With a task open beside the list, moving is looking.
  if (place.value.taskId !== undefined) openTask(id);
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
  notify(`Press c again to cancel “${taskName(task)}”.`);
}

function retryEnded(id: string): void {
  const task = peekTask(id);
  if (task === undefined) return;
  if (isEnded(task.status)) void retry(id);
  else notify('It has not ended: there is nothing to retry.');
}
