/**
 * The tasks that this tab holds, and the list of those that match the filter. Guarantees: reads and feed frames may
 * arrive in any order (rows.ts); a read that belongs to an earlier filter or picture is not taken; rows that nobody
 * looks at are let go.
 */
import { batch, computed, signal, type Signal } from '@preact/signals';
import type { ShownTask } from '@holdfast/shared';
import { filterToQuery, isByClock, isSameFilter, matches, type Filter } from '../model/filter.ts';
import { parseCursor } from '../model/link.ts';
import { isPassing, type Problem } from '../model/problem.ts';
import { Rows } from '../model/rows.ts';
import { workBy } from '../model/count-certainty.ts';
import { TaskList } from '../model/task-list.ts';
import { type FirstTaskPage, readMoreTasks, readTask, readTasks, type TaskPage } from '../transport/api.ts';
import { agents, counts, sessions } from './agents.ts';
import { linkNow, webNow } from './clock.ts';
import { place } from './navigation.ts';

export interface ListView {
  order: readonly string[];
  /** How many new ones wait to be shown, and how many rows to go to another place. */
  waiting: number;
  moved: number;
  total: number;
  hasMore: boolean;
}

export const list = signal<ListView>({ order: [], waiting: 0, moved: 0, total: 0, hasMore: false });
/** `first`: nothing to show yet; `more`: a further page is on its way. */
export const loading = signal<'first' | 'more' | undefined>('first');
export const listProblem = signal<Problem | undefined>(undefined);
/** Why the open task cannot be shown. */
export const taskProblem = signal<Problem | undefined>(undefined);

const PAGE = 200;
/** Most that one request may ask for. */
const MOST_READ = 500;
const rows = new Rows<ShownTask>();
const shown = new TaskList();
const watched = new Map<string, Signal<ShownTask | undefined>>();
let filter: Filter = place.value.filter;
/** The filter whose rows are on the screen. */
let shownFilter: Filter = filter;
/** The version of the newest frame. */
let position = 0;
/** Each new picture or filter has its own number. */
let generation = 0;
let readsInFlight = 0;

/** The row of one task, followed; undefined while it is not known. */
export function watchTask(id: string): Signal<ShownTask | undefined> {
  let row = watched.get(id);
  if (row === undefined) {
    row = signal(rows.get(id));
    watched.set(id, row);
  }
  return row;
}

export function peekTask(id: string): ShownTask | undefined {
  return rows.get(id);
}

/** What is loaded of each session's work in hand, as of the last redraw of the list or of the sessions. */
export const sessionWork = computed(() => {
  // Rows are no signal: a task that moves moves its session, and a read that brings rows brings a list.
  void [list.value, sessions.value];
  return workBy(rows.all(), ({ sessionId }) => sessionId);
});

/** The same by status. */
export const statusWork = computed(() => {
  // A task that comes to another status changes the counts.
  void [list.value, counts.value];
  return workBy(rows.all(), ({ status }) => status);
});

/** A row that no longer matches the filter and only waits for the pointer to leave. */
export function isLeaving(id: string): boolean {
  return shown.isLeaving(id);
}

// ── From the feed ──────────────────────────────────────────────────────────────────────────────────────────

export function takeTasks(tasks: readonly ShownTask[], removed: readonly string[], version: number): void {
  position = version;
  let moved = false;
  for (const task of tasks) moved = takeTask(task, version) || moved;
  for (const id of removed) {
    moved = forget(id, version) || moved;
    // Whoever looks at it is told by web what became of it.
    if (place.peek().taskId === id) void loadTask(id);
  }
  if (moved) publishListSoon();
  if (!shown.isTotalExact) recount();
  prune();
}

/** Every frame after `version` will come; `isAnew`: the versions so far mean nothing to those. */
export function beginAt(version: number, isAnew: boolean): void {
  position = version;
  if (isAnew) rows.clear();
}

/** Returns whether the list has changed. */
function takeTask(task: ShownTask, version: number): boolean {
  if (!rows.take(task, version)) return false;
  publishTask(task.id);
  return shown.place(task, belongs(task));
}

/** There is no such task as of `version`. Returns whether the list has changed. */
function forget(id: string, version: number): boolean {
  if (!rows.remove(id, version)) return false;
  publishTask(id);
  return shown.dismiss(id);
}

function belongs(task: ShownTask): boolean {
  return matches(task, filter, agents.value, webNow.peek());
}

function publishTask(id: string): void {
  const row = watched.get(id);
  if (row !== undefined) row.value = rows.get(id);
}

/** Frames may come faster than a screen shows: at most one redraw of the list in this time. */
const REDRAW_MS = 100;
let redrawTimer: number | undefined;
let redrawnAt = 0;

function publishListSoon(): void {
  if (redrawTimer !== undefined) return;
  const waitMs = redrawnAt + REDRAW_MS - performance.now();
  if (waitMs <= 0) publishList();
  else redrawTimer = window.setTimeout(publishList, waitMs);
}

function publishList(): void {
  window.clearTimeout(redrawTimer);
  redrawTimer = undefined;
  redrawnAt = performance.now();
  if (!shown.isTotalExact) recount();
  list.value = {
    order: [...shown.order],
    waiting: shown.waiting,
    moved: shown.moved,
    total: shown.total,
    hasMore: shown.next !== undefined,
  };
}

function prune(): void {
  // A read that is under way may bring an older word on any row: until it is here, all of them are kept.
  if (readsInFlight > 0 || rows.size < shown.order.length + 500) return;
  const dropped = rows.prune((id) => shown.has(id) || id === place.value.taskId);
  for (const id of dropped) watched.delete(id);
}

// ── Reads ──────────────────────────────────────────────────────────────────────────────────────────────────

async function reading<T>(read: Promise<T>): Promise<T> {
  readsInFlight += 1;
  const answer = await read;
  readsInFlight -= 1;
  return answer;
}

function queryOf(limit: number, after?: string): URLSearchParams {
  const query = filterToQuery(filter, webNow.peek());
  query.set('limit', String(limit));
  if (after !== undefined) query.set('after', after);
  return query;
}

/**
 * Reads the list from its beginning; true if nothing is gained by asking again: it was read, another read took its place,
 * or it was refused.
 */
export async function readList(): Promise<boolean> {
  generation += 1;
  const mine = generation;
  // All that is shown, so that a list that was scrolled keeps its length.
  const length = isSameFilter(shownFilter, filter) ? shown.order.length : 0;
  const page = await reading(readTasks(queryOf(Math.min(MOST_READ, Math.max(PAGE, length)))));
  if (mine !== generation) return true;
  batch(() => {
    loading.value = undefined;
    listProblem.value = page.ok ? undefined : page.problem;
    if (page.ok) takeFirstPage(page.value);
    else if (!isSameFilter(shownFilter, filter)) showNothing();
  });
  return page.ok || !isPassing(page.problem);
}

/** Shows the list of another filter; tried again until it was read. */
export function setFilter(next: Filter): void {
  if (isSameFilter(next, filter)) return;
  filter = next;
  loading.value = 'first';
  void readUntilRead();
}

const AGAIN_MS = 2000;

const BY_CLOCK_MS = 30_000;

/**
 * No frame tells that a day or a lease is over: a list that depends on it is read again from time to time, unless it is
 * longer than one read, which would cut it under the hand of whoever has scrolled so far.
 */
export function startListClock(): void {
  window.setInterval(() => {
    const isDue = isByClock(filter) && shown.order.length <= MOST_READ;
    if (isDue && linkNow.peek().state === 'live') void readUntilRead();
  }, BY_CLOCK_MS);
}

/** A stream that goes on where it was cut brings no new picture: a list that could not be read is asked for again. */
async function readUntilRead(): Promise<void> {
  if (await readList()) return;
  const mine = generation;
  window.setTimeout(() => {
    if (mine === generation) void readUntilRead();
  }, AGAIN_MS);
}

/** The next page, when the end of what was read comes near. */
export async function readMore(): Promise<void> {
  if (loading.value !== undefined || shown.next === undefined) return;
  const mine = generation;
  loading.value = 'more';
  const page = await reading(readMoreTasks(queryOf(PAGE, shown.next)));
  if (mine !== generation) return;
  batch(() => {
    loading.value = undefined;
    listProblem.value = page.ok ? undefined : page.problem;
    if (!page.ok) return;
    const items = takeItems(page.value);
    shown.append({ ...page.value, items });
    // What the feed has told since has the last word on the place.
    for (const { id } of items) {
      const newest = rows.get(id);
      if (newest !== undefined) shown.place(newest, belongs(newest));
    }
    publishList();
  });
}

/** The rows on the screen are those of another filter, and what this one would bring is not known. */
function showNothing(): void {
  shownFilter = filter;
  shown.replace({ items: [], total: 0 }, filter.order);
  publishList();
}

function takeFirstPage(page: FirstTaskPage): void {
  // A further page that was asked for before it belongs behind what this one replaces.
  generation += 1;
  const fresh = { ...page, items: takeItems(page) };
  if (isSameFilter(shownFilter, filter)) shown.refresh(fresh);
  else shown.replace(fresh, filter.order);
  shownFilter = filter;
  const newer = rows.newerThan(versionOf(page));
  for (const task of newer) shown.place(task, belongs(task));
  publishList();
  for (const id of watched.keys()) publishTask(id);
  // Rows that only keep their places: what became of them no frame will tell.
  const told = new Set([...page.items, ...newer].map(({ id }) => id));
  for (const id of shown.order) if (!told.has(id)) void loadTask(id);
}

/** The items as newest known, without those that no longer match. */
function takeItems(page: TaskPage): ShownTask[] {
  const version = versionOf(page);
  for (const item of page.items) {
    rows.take(item, version);
    publishTask(item.id);
  }
  return page.items.filter(({ id }) => {
    const newest = rows.get(id);
    return newest !== undefined && belongs(newest);
  });
}

function versionOf(page: TaskPage): number {
  return parseCursor(page.cursor)?.version ?? 0;
}

/**
 * Reads one task that the list does not hold; one that is open, or is kept in its place, again until that was answered. A
 * bare read carries no cursor: see `Rows.take`.
 */
export async function loadTask(id: string): Promise<void> {
  const asked = position;
  const mine = generation;
  const answer = await reading(readTask(id));
  const isOpen = (): boolean => place.peek().taskId === id;
  batch(() => {
    if (isOpen()) taskProblem.value = answer.ok ? undefined : answer.problem;
    const isGone = !answer.ok && answer.problem.status === 404;
    if (answer.ok ? takeTask(answer.value, asked) : isGone && forget(id, asked)) publishList();
  });
  if (answer.ok || !isPassing(answer.problem)) return;
  window.setTimeout(() => {
    const isKept = mine === generation && shown.isLeaving(id);
    if (isOpen() ? taskProblem.peek() === answer.problem : isKept) void loadTask(id);
  }, AGAIN_MS);
}

const RECOUNT_MS = 5000;
let recountTimer: number | undefined;

/** Tasks beyond the part that was read have changed: ask for the total, at most every five seconds. */
function recount(): void {
  recountTimer ??= window.setTimeout(() => {
    recountTimer = undefined;
    void readTotal();
  }, RECOUNT_MS);
}

async function readTotal(): Promise<void> {
  const mine = generation;
  const page = await readTasks(queryOf(1));
  if (mine !== generation) return;
  // What the feed has told since may be in it or not.
  if (page.ok ? versionOf(page.value) < position : isPassing(page.problem)) recount();
  if (!page.ok) return;
  shown.setTotal(page.value.total);
  publishList();
}

// ── Under the pointer ──────────────────────────────────────────────────────────────────────────────────────

export function holdList(): void {
  shown.hold();
}

export function releaseList(): void {
  if (shown.release()) publishList();
}

/** Shows what has waited: a person asked for it. */
export function settleList(): void {
  if (shown.settle()) publishList();
}
