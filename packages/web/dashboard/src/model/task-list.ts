/**
 * The list as a person sees it: ids, newest first (by `createdAt`, then id, as the server pages them). Guarantees:
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
  /** Newest first. */
  #waiting: string[] = [];
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
    return this.#waiting.length;
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
    return this.#members.has(id) || this.#waiting.includes(id);
  }
  /** True for a row that is kept in its place although it no longer belongs. */
  isLeaving(id: string): boolean {
    return this.#leaving.has(id);
  }

  /** Begins anew with the first page of a read. */
  replace(page: ListPage): void {
    this.#order = [];
    this.#keys.clear();
    this.#members.clear();
    this.#waiting = [];
    this.#leaving.clear();
    this.append(page);
  }

  append(page: ListPage): void {
    for (const item of page.items) {
      const { id } = item;
      if (this.#members.has(id)) continue;
      this.#keys.set(id, keyOf(item));
      this.#waiting = this.#waiting.filter((waiting) => waiting !== id);
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
    if (this.#waiting.includes(id)) return false;
    const last = this.#order.at(-1);
    const key = keyOf(task);
    if (this.#next !== undefined && last !== undefined && key < this.#keys.get(last)!) {
      this.#isTotalExact = false;
      return false;
    }
    this.#keys.set(id, key);
    this.#total += 1;
    if (this.#isHeld) this.#insert(this.#waiting, id);
    else {
      this.#members.add(id);
      this.#insert(this.#order, id);
    }
    return true;
  }

  /** The row no longer belongs, or no longer exists. */
  dismiss(id: string): boolean {
    if (this.#waiting.includes(id)) {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== id);
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
    if (this.#waiting.length === 0 && this.#leaving.size === 0) return false;
    this.#order = this.#order.filter((id) => !this.#leaving.has(id));
    for (const id of this.#leaving) {
      this.#members.delete(id);
      this.#keys.delete(id);
    }
    this.#leaving.clear();
    for (const id of this.#waiting) {
      this.#members.add(id);
      this.#insert(this.#order, id);
    }
    this.#waiting = [];
    return true;
  }

  /** From the front: what joins is nearly always the newest. */
  #insert(order: string[], id: string): void {
    const key = this.#keys.get(id)!;
    const at = order.findIndex((other) => this.#keys.get(other)! < key);
    if (at < 0) order.push(id);
    else order.splice(at, 0, id);
  }
}

function keyOf({ id, createdAt }: Place): string {
  return `${String(createdAt).padStart(16, '0')} ${id}`;
}
