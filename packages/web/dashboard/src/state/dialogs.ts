/** Which dialog is open. At most one. */
import { signal } from '@preact/signals';
import type { ShownTask } from '@holdfast/shared';

export type Dialog = 'submit' | 'help' | 'palette' | 'bulk' | 'menu' | 'notifications';

export const dialog = signal<Dialog | undefined>(undefined);

/** The task whose submit the form is filled with; absent where it is a new one. */
export const anewOf = signal<ShownTask | undefined>(undefined);

export function openDialog(which: Dialog): void {
  anewOf.value = undefined;
  dialog.value = which;
}

/** Opens the form of a new task, filled as `task` was submitted: no agent has that one, so none can repeat it. */
export function submitAnew(task: ShownTask): void {
  anewOf.value = task;
  dialog.value = 'submit';
}

export function closeDialog(): void {
  dialog.value = undefined;
}
