/**
 * The row that the keyboard is on, and the rows that are marked for an action. Guarantees: what is marked was in the
 * list that the person saw; another filter marks nothing.
 */
import { computed, signal } from '@preact/signals';
import { list } from './tasks.ts';

export const selected = signal<string | undefined>(undefined);
export const marked = signal<ReadonlySet<string>>(new Set());
/** Everything that the filter finds is meant, read here or not. */
export const isAllMarked = signal(false);

/** A person is choosing: on a phone the boxes are in sight only then. */
export const isChoosing = signal(false);

export const markedCount = computed(() => (isAllMarked.value ? list.value.total : marked.value.size));

/** Where a range begins: the row that was marked or unmarked last. */
let anchor: string | undefined;

export function toggleMark(id: string): void {
  const next = new Set(marked.peek());
  if (!next.delete(id)) next.add(id);
  setMarks(next);
  anchor = id;
}

/** Marks every row from the last one marked to this one. */
export function markRange(id: string): void {
  const { order } = list.peek();
  const from = anchor === undefined ? -1 : order.indexOf(anchor);
  const to = order.indexOf(id);
  if (from < 0 || to < 0) {
    toggleMark(id);
    return;
  }
  setMarks(new Set([...marked.peek(), ...order.slice(Math.min(from, to), Math.max(from, to) + 1)]));
}

/** Marks all rows that were read. */
function markShown(): void {
  setMarks(new Set(list.peek().order));
}

export function markAllMatching(): void {
  markShown();
  isAllMarked.value = true;
}

export function setMarks(ids: ReadonlySet<string>): void {
  isAllMarked.value = false;
  marked.value = ids;
}

export function clearMarks(): void {
  isChoosing.value = false;
  setMarks(new Set());
  anchor = undefined;
}
