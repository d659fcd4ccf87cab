/**
 * What each key means. Guarantees: the sheet of keys and the keyboard read the same table; a sequence that leads nowhere
 * does nothing.
 */

export type Command =
  | 'search'
  | 'palette'
  | 'help'
  | 'new'
  | 'next'
  | 'previous'
  | 'first'
  | 'last'
  | 'open'
  | 'close'
  | 'mark'
  | 'markRange'
  | 'markAll'
  | 'cancel'
  | 'retry'
  | 'copy'
  | 'theme'
  | 'goNeedsYou'
  | 'goUnknown'
  | 'goRunning'
  | 'goQueued'
  | 'goFailed'
  | 'goAll'
  | 'goSessions';

interface Binding {
  keys: readonly string[];
  command: Command;
  what: string;
  /** How the keys are written, where not as they are. */
  shown?: readonly string[];
}

/** In the order of the sheet. Shift is part of the key: `X` is shift and x. */
export const bindings: readonly { group: string; of: readonly Binding[] }[] = [
  {
    group: 'Look',
    of: [
      { keys: ['/'], command: 'search', what: 'Search' },
      { keys: ['j'], command: 'next', what: 'Next task' },
      { keys: ['k'], command: 'previous', what: 'Previous task' },
      { keys: ['g', 'g'], command: 'first', what: 'First task' },
      { keys: ['G'], command: 'last', what: 'Last task that was read' },
      { keys: ['Enter'], command: 'open', what: 'Open the task' },
      {
        keys: ['Escape'],
        shown: ['Esc'],
        command: 'close',
        what: 'Close the task, a dialog or the search; then unmark all',
      },
    ],
  },
  {
    group: 'Act',
    of: [
      { keys: ['n'], command: 'new', what: 'New task' },
      { keys: ['x'], command: 'mark', what: 'Mark the task for an action' },
      {
        keys: ['X'],
        shown: ['Shift', 'x'],
        command: 'markRange',
        what: 'Mark everything from the last mark',
      },
      { keys: ['*'], command: 'markAll', what: 'Mark all that the filter finds' },
      {
        keys: ['c'],
        command: 'cancel',
        what: 'Cancel the task: twice, so that one slip stops nothing. Marked ones: with a dry run first',
      },
      { keys: ['r'], command: 'retry', what: 'Retry the ended task, or the marked ones' },
      { keys: ['y'], command: 'copy', what: 'Copy the task as a command line' },
    ],
  },
  {
    group: 'Go',
    of: [
      { keys: ['g', 'n'], command: 'goNeedsYou', what: 'Needs you' },
      { keys: ['g', 'u'], command: 'goUnknown', what: 'Unknown' },
      { keys: ['g', 'r'], command: 'goRunning', what: 'Running' },
      { keys: ['g', 'q'], command: 'goQueued', what: 'Queued' },
      { keys: ['g', 'f'], command: 'goFailed', what: 'Failed today' },
      { keys: ['g', 'a'], command: 'goAll', what: 'All tasks' },
      { keys: ['g', 's'], command: 'goSessions', what: 'The list of sessions' },
    ],
  },
  {
    group: 'Everywhere',
    of: [
      // Bound apart, because it also works while typing.
      {
        keys: [],
        shown: ['Ctrl', 'K'],
        command: 'palette',
        what: 'Go anywhere, do anything (on a Mac: Cmd K)',
      },
      { keys: ['t'], command: 'theme', what: 'Theme: system, light, dark' },
      { keys: ['?'], command: 'help', what: 'This page' },
    ],
  },
];

const all = bindings.flatMap(({ of }) => of).filter(({ keys }) => keys.length > 0);

export type KeyMeaning =
  | { kind: 'command'; command: Command }
  /** The first of a sequence: the next key decides. */
  | { kind: 'prefix' }
  | { kind: 'nothing' };

/** What `key` means after `before`, the keys of a sequence so far. */
export function meaningOf(before: readonly string[], key: string): KeyMeaning {
  const typed = [...before, key];
  const fits = all.filter(({ keys }) => typed.every((one, index) => keys[index] === one));
  const whole = fits.find(({ keys }) => keys.length === typed.length);
  if (whole !== undefined) return { kind: 'command', command: whole.command };
  return { kind: fits.length > 0 ? 'prefix' : 'nothing' };
}
