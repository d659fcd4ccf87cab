/** Preferences of this browser. Guarantees: a browser that refuses storage only forgets; nothing fails. */
import { effect, signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';

const THEME_KEY = 'holdfast.theme';

export const theme = signal<Theme>(readTheme());

function readTheme(): Theme {
  try {
    const stored = localStorage.getItem(THEME_KEY);
    return stored === 'light' || stored === 'dark' ? stored : 'auto';
  } catch (error) {
    // Storage may be switched off: the theme is then the system's.
    if (error instanceof DOMException) return 'auto';
    throw error;
  }
}

export function nextTheme(): void {
  theme.value = theme.value === 'auto' ? 'light' : theme.value === 'light' ? 'dark' : 'auto';
  try {
    localStorage.setItem(THEME_KEY, theme.value);
  } catch (error) {
    // Storage may be switched off: the choice then holds for this page.
    if (!(error instanceof DOMException)) throw error;
  }
}

export function startPreferences(): void {
  effect(() => {
    document.documentElement.dataset['theme'] = theme.value;
  });
}
