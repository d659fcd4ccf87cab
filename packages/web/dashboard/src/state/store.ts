/**
 * What this tab knows, kept up to date. Guarantees: it holds only what web said, never what was merely asked for; after
 * a `reset` everything is read again while the old picture stays, marked as resyncing.
 */
import { batch, effect, signal } from '@preact/signals';
import type { FeedChange, ShownTask } from '@holdfast/shared';
import { parseCursor } from '../model/link.ts';
import { onSignedOut, readSessions, readState } from '../transport/api.ts';
import { connectFeed, type FeedClient } from '../transport/feed-client.ts';
import { catchUpFrom, type Progress } from '../model/truth.ts';
import type { FeedMessage } from '../transport/messages.ts';
import {
  forgetAgentVersions,
  takeAgents,
  takeAllAgents,
  takeCounts,
  takeHeartbeat,
  takeSessions,
} from './agents.ts';
import { linkNow, noteFrame, startClock, takeLink } from './clock.ts';
import { takeFailingChannels } from './failing-channels.ts';
import { place } from './navigation.ts';
import { findSession, takeSessionPage } from './sessions.ts';
import { beginAt, loadTask, peekTask, readList, setFilter, startListClock, takeTasks } from './tasks.ts';
import { recountViews, startViews, takeNewTasks } from './views.ts';

export const isResyncing = signal(true);
/** True once the agents were read: only then may it be said that there are none. */
export const hasState = signal(false);
/** Web runs another version than the one this page came with. */
export const hasNewVersion = signal(false);

/** What the feed brings of what was missed, as far as it has come; undefined when that is no more than a frame. */
export const catchUp = signal<Progress | undefined>(undefined);

let epoch: string | undefined;
/** The newest version of the feed that this tab has taken. */
let taken = 0;
let behind: { from: number; head: number } | undefined;
let version: string | undefined;
let feed: FeedClient | undefined;

function takeMessage(message: FeedMessage): void {
  batch(() => {
    switch (message.kind) {
      case 'link':
        takeLink(message.link);
        return;
      case 'hello':
        noteFrame(message.hello.at);
        checkVersion(message.hello.version);
        behind = catchUpFrom(taken, message.hello.head);
        noteTaken(taken);
        return;
      case 'reset':
        resync(message.cursor);
        return;
      case 'heartbeat':
        noteFrame(message.heartbeat.at);
        takeHeartbeat(message.heartbeat.agents);
        takeFailingChannels(message.heartbeat.failingChannels);
        return;
      case 'change':
        noteFrame();
        takeChange(message.change, versionOf(message.cursor));
        noteTaken(versionOf(message.cursor));
        return;
      default:
        message satisfies never;
    }
  });
}

function takeChange(change: FeedChange, at: number): void {
  const removed = (kind: 'task' | 'session' | 'agent'): string[] =>
    (change.removed ?? []).filter((row) => row.kind === kind).map((row) => row.id);
  if (change.counts !== undefined) takeCounts(change.counts, at);
  takeAgents(change.agents ?? [], removed('agent'), at);
  takeSessions(change.sessions ?? [], removed('session'), at);
  const unmet = (change.tasks ?? []).filter(({ id }) => peekTask(id) === undefined);
  takeTasks(change.tasks ?? [], removed('task'), at);
  takeNewTasks(unmet);
  if (change.tasks !== undefined) {
    recountViews();
    for (const listener of taskListeners) listener(change.tasks);
  }
}

const taskListeners = new Set<(tasks: readonly ShownTask[]) => void>();

/** Called with the tasks of each frame, in the list or not. */
export function onTasks(listener: (tasks: readonly ShownTask[]) => void): void {
  taskListeners.add(listener);
}

function noteTaken(at: number): void {
  taken = at;
  if (behind !== undefined && at >= behind.head) behind = undefined;
  catchUp.value =
    behind === undefined ? undefined : { done: at - behind.from, of: behind.head - behind.from };
}

function versionOf(cursor: string): number {
  return parseCursor(cursor)?.version ?? 0;
}

function checkVersion(running: string): void {
  version ??= running;
  hasNewVersion.value = running !== version;
}

const AGAIN_MS = 2000;
let resyncs = 0;
let again: number | undefined;

function resync(cursor: string): void {
  const next = parseCursor(cursor)?.epoch;
  const at = versionOf(cursor);
  // A store that was put back counts some versions a second time.
  const isAnew = next !== epoch || at < taken;
  beginAt(at, isAnew);
  if (isAnew) forgetAgentVersions();
  epoch = next;
  behind = undefined;
  noteTaken(at);
  isResyncing.value = true;
  void readAll();
}

async function readAll(): Promise<void> {
  window.clearTimeout(again);
  // Whoever signs in again begins with a reset.
  if (linkNow.peek().state === 'signedOut') return;
  resyncs += 1;
  const mine = resyncs;
  const { taskId } = place.value;
  const [state, sessions, hasList] = await Promise.all([
    readState(),
    readSessions(),
    readList(),
    taskId === undefined ? undefined : loadTask(taskId),
  ]);
  if (mine !== resyncs) return;
  batch(() => {
    if (state.ok) {
      const at = versionOf(state.value.cursor);
      takeAllAgents(state.value.agents, at);
      takeCounts(state.value.counts, at);
      takeFailingChannels(state.value.failingChannels);
      hasState.value = true;
      checkVersion(state.value.version);
    }
    if (sessions.ok) takeSessionPage(sessions.value);
    findSession(place.value.filter.sessionId);
    const isWhole = state.ok && sessions.ok && hasList;
    isResyncing.value = !isWhole;
    if (!isWhole) again = window.setTimeout(() => void readAll(), AGAIN_MS);
  });
}

/** Reads everything again: a person asked after a failure. */
export function reread(): void {
  void readAll();
}

export function retryNow(): void {
  feed?.retry();
}

export function endSession(): void {
  feed?.signedOut();
}

export function startStore(): void {
  startClock();
  feed = connectFeed(takeMessage);
  onSignedOut(endSession);
  effect(() => setFilter(place.value.filter));
  effect(() => findSession(place.value.filter.sessionId));
  startViews();
  startListClock();
}
