/** Preferences of this browser. Guarantees: a browser that refuses storage only forgets; nothing fails. */
import { effect, signal } from '@preact/signals';

export const themes = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const THEME_KEY = 'holdfast.theme';

export const theme = signal<Theme>(
  themes.find((candidate) => candidate === readPreference(THEME_KEY)) ?? 'auto',
);

export function readPreference(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch (error) {
    // Storage may be switched off: then there is no preference.
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}

export function writePreference(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch (error) {
    // Storage may be switched off: the choice then holds for this page.
    if (!(error instanceof DOMException)) throw error;
  }
}

export function setTheme(next: Theme): void {
  theme.value = next;
  writePreference(THEME_KEY, next);
}

const KEYS_KEY = 'holdfast.keys';

/** Single letters act. Whoever speaks to the machine, or whose hand slips, may do without: Esc, Enter and Ctrl-K stay. */
export const singleKeys = signal(readPreference(KEYS_KEY) !== 'off');

export function setSingleKeys(isOn: boolean): void {
  singleKeys.value = isOn;
  writePreference(KEYS_KEY, isOn ? 'on' : 'off');
}

export function nextTheme(): void {
  setTheme(themes[(themes.indexOf(theme.value) + 1) % themes.length]!);
}

export function startPreferences(): void {
  effect(() => {
    document.documentElement.dataset['theme'] = theme.value;
  });
}
