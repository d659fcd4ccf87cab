/**
 * The list as a person sees it: ids by `createdAt`, then id, newest or oldest first, as the server pages them.
 * Guarantees:
 * - while it is *held* (a pointer is over it, or it is scrolled) nothing moves: tasks that join are counted, tasks
 *   that no longer match stay where they are, marked;
 * - `release` makes it what a fresh read would show;
 * - a task that belongs below the part that was read is not shown until that part is read.
 */
import type { ShownTask } from '@holdfast/shared';

type Place = Pick<ShownTask, 'id' | 'createdAt'>;

export interface ListPage {
  items: readonly Place[];
  next?: string | undefined;
  total: number;
}

export class TaskList {
  #order: string[] = [];
  /** Where each task that is shown or waits has its place; the greatest key is the newest. */
  #keys = new Map<string, string>();
  #members = new Set<string>();
  #waiting = new Set<string>();
  #isOldestFirst = false;
  #leaving = new Set<string>();
  #isHeld = false;
  #next: string | undefined;
  #total = 0;
  #isTotalExact = true;

  /** What is on the screen. */
  get order(): readonly string[] {
    return this.#order;
  }
  /** How many new tasks wait for the list to be released. */
  get waiting(): number {
    return this.#waiting.size;
  }
  /** Where the next page begins; undefined when everything was read. */
  get next(): string | undefined {
    return this.#next;
  }
  get total(): number {
    return this.#total;
  }
  /** False when tasks outside the part that was read have changed: only a read can tell the total. */
  get isTotalExact(): boolean {
    return this.#isTotalExact;
  }
  has(id: string): boolean {
    return this.#members.has(id) || this.#waiting.has(id);
  }
  /** True for a row that is kept in its place although it no longer belongs. */
  isLeaving(id: string): boolean {
    return this.#leaving.has(id);
  }

  /** Begins anew with the first page of a read in the given order. */
  replace(page: ListPage, order: 'newest' | 'oldest' = 'newest'): void {
    this.#isOldestFirst = order === 'oldest';
    this.#order = [];
    this.#keys.clear();
    this.#members.clear();
    this.#waiting.clear();
    this.#leaving.clear();
    this.append(page);
  }

  append(page: ListPage): void {
    for (const item of page.items) {
      const { id } = item;
      if (this.#members.has(id)) continue;
      this.#keys.set(id, keyOf(item));
      this.#waiting.delete(id);
      this.#members.add(id);
      this.#order.push(id);
    }
    this.#next = page.next;
    this.setTotal(page.total);
  }

  setTotal(total: number): void {
    this.#total = total;
    this.#isTotalExact = true;
  }

  /** Takes the newest state of a row: does it belong? Returns whether anything that is shown has changed. */
  place(task: Place, belongs: boolean): boolean {
    return belongs ? this.#admit(task) : this.dismiss(task.id);
  }

  #admit(task: Place): boolean {
    const { id } = task;
    if (this.#members.has(id)) {
      const returned = this.#leaving.delete(id);
      if (returned) this.#total += 1;
      return returned;
    }
    if (this.#waiting.has(id)) return false;
    const last = this.#order.at(-1);
    const key = keyOf(task);
    if (this.#next !== undefined && last !== undefined && this.#isBefore(this.#keys.get(last)!, key)) {
      this.#isTotalExact = false;
      return false;
    }
    this.#keys.set(id, key);
    this.#total += 1;
    if (this.#isHeld) this.#waiting.add(id);
    else {
      this.#members.add(id);
      this.#insert(id);
    }
    return true;
  }

  /** The row no longer belongs, or no longer exists. */
  dismiss(id: string): boolean {
    if (this.#waiting.delete(id)) {
      this.#keys.delete(id);
      this.#total -= 1;
      return true;
    }
    if (!this.#members.has(id)) {
      if (this.#next !== undefined) this.#isTotalExact = false;
      return false;
    }
    if (this.#leaving.has(id)) return false;
    this.#total -= 1;
    if (this.#isHeld) this.#leaving.add(id);
    else {
      this.#members.delete(id);
      this.#keys.delete(id);
      this.#order = this.#order.filter((shown) => shown !== id);
    }
    return true;
  }

  hold(): void {
    this.#isHeld = true;
  }

  /** Lets everything move that has waited. Returns whether anything did. */
  release(): boolean {
    this.#isHeld = false;
    return this.settle();
  }

  /** Shows what has waited, once, without ending the hold. */
  settle(): boolean {
    if (this.#waiting.size === 0 && this.#leaving.size === 0) return false;
    this.#order = this.#order.filter((id) => !this.#leaving.has(id));
    for (const id of this.#leaving) {
      this.#members.delete(id);
      this.#keys.delete(id);
    }
    this.#leaving.clear();
    if (this.#waiting.size > 0) {
      for (const id of this.#waiting) this.#members.add(id);
      this.#order.push(...this.#waiting);
      this.#order.sort((a, b) => (this.#isBefore(this.#keys.get(a)!, this.#keys.get(b)!) ? -1 : 1));
      this.#waiting.clear();
    }
    return true;
  }

  #isBefore(a: string, b: string): boolean {
    return this.#isOldestFirst ? a < b : a > b;
  }

  /** From the newest end: what joins is nearly always the newest. */
  #insert(id: string): void {
    const key = this.#keys.get(id)!;
    const isOlder = (other: string): boolean => this.#keys.get(other)! < key;
    if (this.#isOldestFirst) {
      this.#order.splice(this.#order.findLastIndex(isOlder) + 1, 0, id);
      return;
    }
    const at = this.#order.findIndex(isOlder);
    if (at < 0) this.#order.push(id);
    else this.#order.splice(at, 0, id);
  }
}

function keyOf({ id, createdAt }: Place): string {
  return `${String(createdAt).padStart(16, '0')} ${id}`;
}
