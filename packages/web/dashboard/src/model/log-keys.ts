/** What a key means while the output has the focus, as in less(1). Space, arrows and page keys scroll by themselves. */
export type LogAction = 'start' | 'end' | 'follow' | 'search' | 'next' | 'previous' | 'wrap' | 'unmark';

/** For the sheet of keys. */
export const logBindings = {
  group: 'In the output of a task',
  of: [
    { keys: ['/'], what: 'Search the output; Enter: to the next match' },
    { keys: ['n', 'N'], what: 'Next and previous match' },
    { keys: ['g', 'g'], what: 'To its beginning' },
    { keys: ['G'], what: 'To its end, and follow it' },
    { keys: ['.'], what: 'Follow it, or stop following' },
    { keys: ['Space'], what: 'A page on; with Shift, back' },
    { keys: ['w'], what: 'Break long lines, or let them run on' },
    { keys: ['Esc'], what: 'Unmark the lines, then close the task' },
  ],
};

const actions: Partial<Record<string, LogAction>> = {
  End: 'end',
  G: 'end',
  '.': 'follow',
  '/': 'search',
  n: 'next',
  N: 'previous',
  w: 'wrap',
  Escape: 'unmark',
};

/** `before`: the key just before it. A single `g` begins the page's own sequences, so the start takes two. */
export function logAction(before: string, key: string): LogAction | undefined {
  if (key === 'g') return before === 'g' ? 'start' : undefined;
  // The second key of a sequence of the page.
  return before === 'g' ? undefined : actions[key];
}
