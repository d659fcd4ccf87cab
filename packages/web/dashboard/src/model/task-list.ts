/**
 * The list as a person sees it: ids in the order that was asked for, as the server pages them. Guarantees:
 * - while it is *held* (a pointer is over it, or it is scrolled) nothing moves, whatever the feed or a fresh read brings:
 *   tasks that join are counted, and so are those that came to another place; tasks that no longer match stay where they
 *   are, marked;
 * - `release` makes it what a fresh read would show;
 * - a task that belongs below the part that was read is not shown until that part is read.
 */
import type { ShownTask } from '@holdfast/shared';
import { changedAt, lengthRank } from '@holdfast/shared/status';
import type { Order } from './filter.ts';

type Place = Pick<
  ShownTask,
  'id' | 'status' | 'createdAt' | 'startedAt' | 'endedAt' | 'unknownSince' | 'verdict'
>;

export interface ListPage {
  items: readonly Place[];
  next?: string | undefined;
}

export interface FirstListPage extends ListPage {
  /** How many there are in all. */
  total: number;
}

export class TaskList {
  #order: string[] = [];
  /** Where each task that is shown or waits has its place: the least comes first, newest ones by their opposite. */
  #keys = new Map<string, string>();
  #members = new Set<string>();
  #waiting = new Set<string>();
  /** Keys of shown tasks whose place is another one now. */
  #moved = new Map<string, string>();
  #by: Order | 'newest' = 'newest';
  #leaving = new Set<string>();
  #isHeld = false;
  #next: string | undefined;
  /** Where the part that was read ends; undefined when everything was read. */
  #edge: string | undefined;
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
  /** How many shown tasks wait to go to another place. */
  get moved(): number {
    return this.#moved.size;
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
  replace(page: FirstListPage, order: Order | 'newest' = 'newest'): void {
    this.#by = order;
    this.#order = [];
    this.#keys.clear();
    this.#members.clear();
    this.#waiting.clear();
    this.#moved.clear();
    this.#leaving.clear();
    this.append(page);
    this.setTotal(page.total);
  }

  /** The same list was read anew from its beginning: what that changes waits like all else while it is held. */
  refresh(page: FirstListPage): void {
    if (!this.#isHeld || this.#order.length === 0) {
      this.replace(page, this.#by);
      return;
    }
    this.#endAt(page);
    for (const item of page.items) this.#admit(item);
    const read = new Set(page.items.map(({ id }) => id));
    const lacking = [...this.#order, ...this.#waiting].filter((id) => !read.has(id));
    for (const id of lacking) this.dismiss(id);
    // Below what was read nothing stands that could move: what is there now is shown once it is read.
    const below = lacking.filter((id) => this.#isBeyond(this.#keys.get(id) ?? ''));
    for (const id of below) this.#leaving.delete(id);
    this.#drop(below);
    this.setTotal(page.total);
  }

  append(page: ListPage): void {
    for (const item of page.items) {
      const { id } = item;
      if (this.#members.has(id)) continue;
      this.#keys.set(id, this.#keyOf(item));
      this.#waiting.delete(id);
      this.#members.add(id);
      this.#order.push(id);
    }
    this.#endAt(page);
  }

  #endAt(page: ListPage): void {
    this.#next = page.next;
    const last = page.items.at(-1);
    if (page.next === undefined) this.#edge = undefined;
    else if (last !== undefined) this.#edge = this.#keyOf(last);
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
    const key = this.#keyOf(task);
    if (this.#members.has(id)) {
      const returned = this.#leaving.delete(id);
      // One that belongs below may have been counted by the read that lacked it.
      if (returned && this.#isBeyond(key)) this.#isTotalExact = false;
      else if (returned) this.#total += 1;
      return this.#move(id, key) || returned;
    }
    if (this.#isBeyond(key)) {
      if (!this.#waiting.delete(id)) {
        this.#isTotalExact = false;
        return false;
      }
      this.#keys.delete(id);
      return true;
    }
    this.#keys.set(id, key);
    if (this.#waiting.has(id)) return false;
    this.#total += 1;
    if (this.#isHeld) this.#waiting.add(id);
    else {
      this.#members.add(id);
      this.#insert(id);
    }
    return true;
  }

  /** A row that is shown has this key now. Returns whether it has, or is to get, another place. */
  #move(id: string, key: string): boolean {
    if (key === this.#keys.get(id)) return this.#moved.delete(id);
    const at = this.#order.indexOf(id);
    const before = this.#order[at - 1];
    const after = this.#order[at + 1];
    const isInPlace =
      !this.#isBeyond(key) &&
      (before === undefined || this.#keys.get(before)! < key) &&
      (after === undefined || this.#keys.get(after)! > key);
    if (isInPlace) {
      this.#keys.set(id, key);
      return this.#moved.delete(id);
    }
    if (this.#isHeld) {
      const isNews = !this.#moved.has(id);
      this.#moved.set(id, key);
      return isNews;
    }
    this.#order.splice(at, 1);
    if (this.#isBeyond(key)) {
      this.#members.delete(id);
      this.#keys.delete(id);
    } else {
      this.#keys.set(id, key);
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
    this.#moved.delete(id);
    if (this.#isHeld) this.#leaving.add(id);
    else this.#drop([id]);
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
    if (this.#waiting.size + this.#leaving.size + this.#moved.size === 0) return false;
    const gone = [...this.#leaving];
    for (const [id, key] of this.#moved) {
      if (this.#isBeyond(key)) gone.push(id);
      else this.#keys.set(id, key);
    }
    this.#drop(gone);
    for (const id of this.#waiting) this.#members.add(id);
    this.#order.push(...this.#waiting);
    this.#order.sort((a, b) => (this.#keys.get(a)! < this.#keys.get(b)! ? -1 : 1));
    this.#leaving.clear();
    this.#moved.clear();
    this.#waiting.clear();
    return true;
  }

  #drop(ids: readonly string[]): void {
    for (const id of ids) {
      this.#members.delete(id);
      this.#keys.delete(id);
    }
    if (ids.length > 0) this.#order = this.#order.filter((id) => this.#members.has(id));
  }

  #isBeyond(key: string): boolean {
    return this.#edge !== undefined && key > this.#edge;
  }

  #insert(id: string): void {
    const key = this.#keys.get(id)!;
    let from = 0;
    let to = this.#order.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#keys.get(this.#order[middle]!)! < key) from = middle + 1;
      else to = middle;
    }
    this.#order.splice(from, 0, id);
  }

  /** By the same times as the server; equal ones by id. Both are turned round where the greatest comes first. */
  #keyOf(task: Place): string {
    const { id } = task;
    const times = { ...task, verdictAt: task.verdict?.at };
    switch (this.#by) {
      case 'oldest':
        return `${padded(task.createdAt)} ${id}`;
      case 'longest':
        return `${padded(lengthRank(times))} ${id}`;
      case 'changed':
        return `${padded(LAST - changedAt(times))} ${opposite(id)}`;
      case 'newest':
        return `${padded(LAST - task.createdAt)} ${opposite(id)}`;
      default:
        return this.#by satisfies never;
    }
  }
}

const LAST = Number.MAX_SAFE_INTEGER;

function padded(number: number): string {
  return String(number).padStart(16, '0');
}

/** Ids in their opposite order; the end of one counts as a greater letter than any. */
function opposite(id: string): string {
  let text = '';
  for (let at = 0; at < id.length; at++) text += String.fromCharCode(0xffff - id.charCodeAt(at));
  return `${text}\uffff`;
}
