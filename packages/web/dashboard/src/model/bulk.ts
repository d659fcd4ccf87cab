/**
 * An action on many tasks, in words and portions. Guarantees: pure; every row of an answer is in exactly one group; what
 * would happen is said with exact numbers.
 */
import { countText, plural } from './words.ts';

export type BulkAction = 'cancel' | 'retry' | 'reclaim' | 'resolve';

/** One task's result, as web answers it; `notAsked`: the request with it got no answer. */
export interface BulkItem {
  id: string;
  /** What the task is called; absent of one that web does not have. */
  title?: string;
  result: 'done' | 'promised' | 'refused' | 'wouldDo' | 'notAsked';
  code?: string;
  message?: string;
  newId?: string;
}

export interface BulkGroup {
  result: BulkItem['result'];
  message: string | undefined;
  ids: string[];
}

const order: readonly BulkItem['result'][] = ['notAsked', 'refused', 'promised', 'wouldDo', 'done'];

/** What needs a look first; within a result by message, the most frequent first. */
export function groupItems(items: readonly BulkItem[]): BulkGroup[] {
  const groups = new Map<string, BulkGroup>();
  for (const { id, result, message } of items) {
    const key = `${result} ${message ?? ''}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { result, message, ids: [id] });
    else group.ids.push(id);
  }
  return [...groups.values()].toSorted(
    (a, b) => order.indexOf(a.result) - order.indexOf(b.result) || b.ids.length - a.ids.length,
  );
}

export const actionWords: Record<BulkAction, { verb: string; done: string; help: string }> = {
  cancel: {
    verb: 'Cancel',
    done: 'cancel asked',
    help: 'Each is stopped by its agent: TERM first, KILL after the grace. One that waits does not start.',
  },
  retry: { verb: 'Retry', done: 'retried', help: 'Each ended task is submitted again as a new task.' },
  reclaim: {
    verb: 'Reclaim',
    done: 'reclaimed',
    help: 'The present attempt of each is given up and stopped; a new attempt follows, uncharged.',
  },
  resolve: {
    verb: 'Resolve as lost',
    done: 'given up',
    help: 'Your verdict on unknown tasks. An agent’s word would still replace it.',
  },
};

/** `Would cancel 12 tasks; 3 refused.` */
export function forecastText(action: BulkAction, items: readonly BulkItem[], matched: number): string {
  const would = items.filter(({ result }) => result === 'wouldDo').length;
  const left = matched - items.length;
  const parts = [
    would === 0 ? `Nothing to ${verbOf(action)}.` : `Would ${verbOf(action)} ${plural(would, 'task')}.`,
  ];
  if (items.length > would) parts.push(`${plural(items.length - would, 'task')} would be refused.`);
  if (left > 0)
    parts.push(
      `The newest ${plural(items.length, 'match is', 'matches are')} taken; ${countText(left)} more stay as they are.`,
    );
  return parts.join(' ');
}

/** `12 cancel asked, 2 wait for their agent, 1 refused.` */
export function resultText(action: BulkAction, items: readonly BulkItem[]): string {
  const count = (result: BulkItem['result']): number => items.filter((item) => item.result === result).length;
  const parts: [number, string][] = [
    [count('done'), actionWords[action].done],
    [count('promised'), 'on record, to be delivered when the agent answers'],
    [count('refused'), 'refused'],
    [count('notAsked'), 'without an answer'],
  ];
  const said = parts.filter(([n]) => n > 0).map(([n, words]) => `${countText(n)} ${words}`);
  return said.length === 0 ? 'Nothing was asked.' : `${said.join(', ')}.`;
}

function verbOf(action: BulkAction): string {
  return actionWords[action].verb.toLowerCase();
}

/** Portions of at most `size`. */
export function portionsOf<T>(items: readonly T[], size: number): T[][] {
  const portions: T[][] = [];
  for (let at = 0; at < items.length; at += size) portions.push(items.slice(at, at + size));
  return portions;
}
