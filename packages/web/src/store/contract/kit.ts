/** What the parts of the contract share. */
import { expect } from 'vitest';
import { isTerminal, type Submit, type Task } from '@holdfast/shared';
import { FakeJournal } from '../../fake-journal.ts';
import type { NewIntent, SessionStore } from '../../session-store.ts';

export interface StoreUnderTest extends AsyncDisposable {
  store: SessionStore;
  /** Closes the store and opens the same data again. */
  reopen(): Promise<SessionStore>;
}

/** Gives an empty store. */
export type OpenStore = () => Promise<StoreUnderTest>;

/** Declares a test that gets a store of its own. */
export type Sentence = (sentence: string, run: (under: StoreUnderTest) => Promise<void>) => void;

export const NOW = 1_800_000_100_000;
export const DAY_MS = 24 * 3600 * 1000;

/** Names the agent and takes what its journal holds, so that its next events follow. */
export async function follow(store: SessionStore, journal = new FakeJournal()): Promise<FakeJournal> {
  await store.rememberAgent({ id: journal.agentId, name: journal.agentId, url: 'http://a' }, NOW);
  await store.takeSnapshot({ ...journal.snapshot(), tasks: [] });
  return journal;
}

export async function positionOf(store: SessionStore, journal: FakeJournal): Promise<unknown> {
  return (await store.agents()).find(({ id }) => id === journal.agentId)?.position;
}

/** Rows, events and digest of the current generation equal the journal's (P6). */
export async function expectSame(store: SessionStore, journal: FakeJournal): Promise<void> {
  for (const task of journal.tasks.values()) {
    const row = await store.task(task.id);
    expect(row?.task).toEqual(task);
    expect(row?.status).toBe(task.status);
  }
  const agents = await store.agents();
  const generation = agents.find(({ id }) => id === journal.agentId)!.position!.generation;
  const ids = new Set(journal.log.map(({ event }) => event.taskId));
  for (const id of ids) {
    const kept = (await store.events(id)).filter((entry) => entry.generation === generation);
    const retained = journal.log.filter(({ event }) => event.taskId === id);
    expect(kept.map(({ event }) => event)).toEqual(retained.map(({ event }) => event));
  }
  expect(await store.liveDigest(journal.agentId)).toBe(journal.liveDigest);
  const rows = (await store.tasks({ agentId: journal.agentId }, { limit: 500 })).items;
  const counts: Record<string, number> = {};
  for (const { status } of (await store.tasks({}, { limit: 500 })).items)
    counts[status] = (counts[status] ?? 0) + 1;
  if (rows.length < 500) expect(store.counts()).toEqual(counts);
  for (const row of rows) {
    const isHeld = journal.tasks.has(row.id);
    if (!isHeld && row.task.status !== 'queued')
      expect(isTerminal(row.status) || row.status === 'unknown').toBe(true);
  }
}

export function newSubmit(
  id: string,
  more: Partial<Submit> = {},
  intent = `intent-${Number.parseInt(id.slice(-12), 16)}`,
): NewIntent {
  const submit: Submit = { id, sessionId: 'session-1', spec: { command: ['true'] }, ...more };
  return { id: intent, taskId: id, body: { action: 'submit', submit }, at: NOW };
}

export async function submit(store: SessionStore, id: string, agentId?: string): Promise<void> {
  const intent = newSubmit(id);
  await store.recordIntent(agentId === undefined ? intent : { ...intent, agentId });
}

export async function settle(store: SessionStore, intentId: string, answer: Task): Promise<void> {
  await store.markSent(intentId, NOW);
  await store.settleIntent(intentId, NOW, answer);
}

export function answerOf(journal: FakeJournal, id: string, more: Partial<Task>): Task {
  const known = journal.tasks.get(id);
  return {
    id,
    sessionId: 'session-1',
    agentId: journal.agentId,
    spec: { command: ['true'] },
    status: 'queued',
    attempt: 0,
    queue: 'default',
    priority: 0,
    labels: {},
    seq: 1,
    createdAt: NOW,
    outputBytes: 0,
    ...known,
    ...more,
  };
}
