/** Which dialog is open. At most one. */
import { signal } from '@preact/signals';

export type Dialog = 'submit' | 'help' | 'palette' | 'bulk' | 'menu' | 'notifications';

export const dialog = signal<Dialog | undefined>(undefined);

export function openDialog(which: Dialog): void {
  dialog.value = which;
}

export function closeDialog(): void {
  dialog.value = undefined;
}
