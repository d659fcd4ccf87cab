/** Short words at the edge of the page. Guarantees: at most three at a time; each goes by itself. */
import { signal } from '@preact/signals';

export interface Notice {
  id: number;
  tone: 'info' | 'problem';
  text: string;
}

export const notices = signal<readonly Notice[]>([]);

const NOTICE_MS = 9000;
let nextNotice = 1;

/** `lifeMs`: what it says is true no longer than that. */
export function notify(text: string, tone: Notice['tone'] = 'info', lifeMs = NOTICE_MS): void {
  const notice: Notice = { id: nextNotice, tone, text };
  nextNotice += 1;
  notices.value = [...notices.value.slice(-2), notice];
  window.setTimeout(() => dismissNotice(notice.id), lifeMs);
}

export function dismissNotice(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}
