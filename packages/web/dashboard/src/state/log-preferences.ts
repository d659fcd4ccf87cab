/** How this browser likes to look at logs. */
import { signal } from '@preact/signals';
import { readPreference, writePreference } from './preferences.ts';

const WRAP_KEY = 'holdfast.log.wrap';
const WIDE_KEY = 'holdfast.detail.wide';

export const isWrapping = signal(readPreference(WRAP_KEY) !== 'no');
/** The task takes the whole page; the list waits behind it. */
export const isWide = signal(readPreference(WIDE_KEY) === 'yes');

export function toggleWrapping(): void {
  isWrapping.value = !isWrapping.value;
  writePreference(WRAP_KEY, isWrapping.value ? 'yes' : 'no');
}

export function toggleWide(): void {
  isWide.value = !isWide.value;
  writePreference(WIDE_KEY, isWide.value ? 'yes' : 'no');
}
