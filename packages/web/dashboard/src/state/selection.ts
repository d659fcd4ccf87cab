/** The row that the keyboard is on. */
import { signal } from '@preact/signals';

export const selected = signal<string | undefined>(undefined);
