import { expect, test } from 'vitest';
import { FakeJournal, taskId } from './fake-journal.ts';
import { readKnown } from './known-journal.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';

async function openFollowing(journal: FakeJournal) {
  const store = openSqliteSessionStore({ path: ':memory:' });
  await store.rememberAgent({ id: journal.agentId, name: 'a', url: 'http://a' }, journal.now);
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

test('the cursor covers what was read, though web has not read the log so far yet', async () => {
  const journal = new FakeJournal();
  await using store = await openFollowing(journal);
  journal.run(taskId(1));
  // The rows are those of the head; the position is still before the history.
  await store.takeSnapshot(journal.snapshot());
  const { value, cursorOf } = await readKnown(store, () => store.task(taskId(1)));
  expect(value?.task.attempt).toBe(1);
  expect(cursorOf(journal.agentId)).toBe(journal.cursor);
  expect([cursorOf('another'), cursorOf(undefined)]).toEqual([undefined, undefined]);
});

test('P4: what was read while the journal was replaced is known of the one before, so that the new one refuses', async () => {
  const journal = new FakeJournal();
  await using store = await openFollowing(journal);
  journal.run(taskId(1));
  await store.takeSnapshot(journal.snapshot());
  const { cursor } = journal;
  const other = new FakeJournal(journal.agentId, '00000000000000ee');
  other.run(taskId(1));
  const { cursorOf } = await readKnown(store, () => store.takeSnapshot(other.snapshot('epoch')));
  expect(cursorOf(journal.agentId)).toBe(cursor);
});

test('the first journal of an agent that comes while it is read is the one that is meant', async () => {
  const journal = new FakeJournal();
  await using store = await openFollowing(journal);
  journal.run(taskId(1));
  const { cursorOf } = await readKnown(store, () => store.takeSnapshot(journal.snapshot()));
  expect(cursorOf(journal.agentId)).toBe(journal.cursor);
});
