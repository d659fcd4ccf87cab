/**
 * Sessions by page, and what a person changes of them. Guarantees: a rename or an archive is shown once web has it on
 * record, not before.
 */
import { batch, signal } from '@preact/signals';
import { parseCursor } from '../model/link.ts';
import { isPassing } from '../model/problem.ts';
import {
  changeSession,
  readSession,
  readSessions,
  readSessionsById,
  type SessionPage,
} from '../transport/api.ts';
import { sessionNames, sessions, takeAllSessions, takeMoreSessions } from './agents.ts';
import { notify } from './notices.ts';

/** Archived ones are shown instead of those in use. */
export const isArchiveShown = signal(false);
/** Where the next page begins, of each kind; undefined when there is none. */
const next = { open: signal<string | undefined>(undefined), archived: signal<string | undefined>(undefined) };
export const isReadingSessions = signal(false);
/** The first page of the archive was read since the list began anew: only then may it be said that it is empty. */
export const isArchiveRead = signal(false);
let reads = 0;

const kind = (): 'open' | 'archived' => (isArchiveShown.value ? 'archived' : 'open');

export function hasMoreSessions(): boolean {
  return next[kind()].value !== undefined;
}

/** The first page was read: only then may a session be said to be in no part of the list. */
export const areSessionsRead = signal(false);

/** Takes the first page of those in use: what is shown begins anew. */
export function takeSessionPage(page: SessionPage): void {
  // A page that was asked for before belongs behind what this one replaces.
  reads += 1;
  isReadingSessions.value = false;
  areSessionsRead.value = true;
  takeAllSessions(page.items, versionOf(page));
  next.open.value = page.next;
  next.archived.value = undefined;
  isArchiveRead.value = false;
  readArchive();
}

export function showArchive(isShown: boolean): void {
  isArchiveShown.value = isShown;
  readArchive();
}

function readArchive(): void {
  if (isArchiveShown.peek()) void read({ archived: true });
}

/** Ids of sessions that web does not have. */
export const missingSessions = signal<ReadonlySet<string>>(new Set());
let sought: string | undefined;

/** Reads the session of this page if it is in no part of the list that was read. */
export function findSession(id: string | undefined): void {
  if (id === undefined || sought === id || sessions.peek().some((session) => session.id === id)) return;
  sought = id;
  void readSession(id).then((answer) => {
    sought = undefined;
    if (answer.ok) takeMoreSessions([answer.value], 0);
    else if (answer.problem.status === 404) missingSessions.value = new Set([...missingSessions.peek(), id]);
  });
}

/** Most sessions that one request names. */
const MOST_NAMED = 50;
const AGAIN_MS = 5000;
/** Asked for and not answered yet, or not there. */
const askedNames = new Set<string>();

/**
 * Reads those of these sessions that are in no part of the list that was read, so that rows can name them. From then on the
 * feed tells what becomes of them.
 */
export async function nameSessions(ids: readonly string[]): Promise<void> {
  const known = sessionNames.peek();
  const unknown = [...new Set(ids)].filter((id) => !known.has(id) && !askedNames.has(id));
  const some = unknown.slice(0, MOST_NAMED);
  if (some.length === 0) return;
  for (const id of some) askedNames.add(id);
  const page = await readSessionsById(some);
  if (page.ok) {
    takeMoreSessions(page.value.items, versionOf(page.value));
    // A read of the list may let them go, and then they are asked for again.
    for (const { id } of page.value.items) askedNames.delete(id);
    void nameSessions(unknown.slice(MOST_NAMED));
    return;
  }
  const again = (): void => {
    for (const id of some) askedNames.delete(id);
    void nameSessions(some);
  };
  if (isPassing(page.problem)) window.setTimeout(again, AGAIN_MS);
  // Whoever signs in again asks again.
  else if (page.problem.status === 401) for (const id of some) askedNames.delete(id);
}

export async function readMoreSessions(): Promise<void> {
  const after = next[kind()].peek();
  if (after !== undefined) await read({ archived: isArchiveShown.peek(), after });
}

async function read(options: { archived: boolean; after?: string }): Promise<void> {
  const { archived, after } = options;
  // A further page can be asked for again; the first one of another kind waits for nobody.
  if (after !== undefined && isReadingSessions.peek()) return;
  reads += 1;
  const mine = reads;
  isReadingSessions.value = true;
  const page = await readSessions(options);
  if (mine !== reads) return;
  batch(() => {
    isReadingSessions.value = false;
    if (!page.ok) {
      if (after !== undefined) notify(page.problem.detail, 'problem');
      else if (isPassing(page.problem)) window.setTimeout(readArchive, AGAIN_MS);
      return;
    }
    takeMoreSessions(page.value.items, versionOf(page.value));
    next[archived ? 'archived' : 'open'].value = page.value.next;
    if (archived) isArchiveRead.value = true;
  });
}

function versionOf(page: SessionPage): number {
  return parseCursor(page.cursor)?.version ?? 0;
}

/** Returns whether web has it on record; the feed brings the row. */
export async function editSession(
  id: string,
  change: { title?: string; archived?: boolean },
): Promise<boolean> {
  const answer = await changeSession(id, change);
  if (!answer.ok) {
    notify(answer.problem.detail, 'problem');
    return false;
  }
  if (change.archived === true) {
    const name = sessions.peek().find((session) => session.id === id)?.title ?? id;
    notify(`Archived “${name}”: it is found under “Archived”, and its tasks stay.`);
  }
  return true;
}
