import { ProblemError } from '@holdfast/shared';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { type BulkOptions, runBulk } from './bulk.ts';
import { FakeJournal } from './fake-journal.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import { newTaskId, NOON, silentLogger, submitOf, taskOf, viewOf } from './test-kit.ts';

async function setUp(count: number, change: Partial<BulkOptions> = {}) {
  const store = openSqliteSessionStore({ path: ':memory:', now: () => NOON });
  const ids = Array.from({ length: count }, () => newTaskId());
  for (const id of ids) {
    const submit = submitOf({ id });
    await store.recordIntent({
      id: `i${id}`,
      taskId: id,
      agentId: 'a1',
      at: NOON,
      body: { action: 'submit', submit },
    });
    await store.settleIntent(`i${id}`, NOON, taskOf(submit, { status: 'running', attempt: 1, seq: 3 }));
  }
  const never = () => Promise.reject(new ProblemError('internal', 'not asked for here'));
  const options: BulkOptions = {
    store,
    agents: { viewOf: () => viewOf() },
    intents: { cancel: never, retry: never, reclaim: never, resolve: never },
    logger: silentLogger,
    now: () => NOON,
    ...change,
  };
  return { store, ids, options };
}

test('a fault that is no refusal is its row’s result and in the log, and all others go on', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => lines.push(line) });
  const { store, ids, options } = await setUp(80, { logger });
  const asked: string[] = [];
  options.intents = {
    ...options.intents,
    async cancel(id) {
      asked.push(id);
      if (id === ids[0]) throw new TypeError('/secret/path is broken');
      return (await store.task(id))!;
    },
  };
  const { items } = await runBulk(options, { action: 'cancel', which: { ids }, isDryRun: false, reason: '' });
  expect(items[0]).toEqual({
    id: ids[0],
    title: 'true',
    result: 'refused',
    code: 'internal',
    message: 'The service could not do that; its log says why. Look at the task before you ask again.',
  });
  expect(items.slice(1).map(({ result }) => result)).toEqual(Array(79).fill('done'));
  expect(asked).toHaveLength(80);
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({ task: ids[0], err: { message: '/secret/path is broken' } });
  await store.close();
});

test('a cancel before the delivery is done, and says that no agent was asked', async () => {
  const { store, options } = await setUp(0);
  const submit = submitOf({});
  await store.recordIntent({ id: 'i', taskId: submit.id, at: NOON, body: { action: 'submit', submit } });
  options.intents = {
    ...options.intents,
    async cancel(id) {
      await store.cancelUnsent(id, NOON);
      return (await store.task(id))!;
    },
  };
  const request = { action: 'cancel', which: { ids: [submit.id] }, isDryRun: false, reason: '' } as const;
  const { items } = await runBulk(options, request);
  const message = 'It was cancelled before it was sent to an agent.';
  expect(items).toEqual([{ id: submit.id, title: 'true', result: 'done', message }]);
  await store.close();
});

test('what a filter finds is counted once, however many pages it has', async () => {
  const { store, options } = await setUp(1100);
  let counted = 0;
  const tasks = store.tasks.bind(store);
  store.tasks = (filter, page) => {
    counted += 1;
    return tasks(filter, page);
  };
  const { items, matched } = await runBulk(options, {
    action: 'cancel',
    which: { filter: { queue: 'default' } },
    isDryRun: true,
    reason: '',
  });
  expect([new Set(items.map(({ id }) => id)).size, matched, counted]).toEqual([1100, 1100, 1]);
  await store.close();
});

// Fails without: `readKnown` in bulk.ts.
test('P4: a bulk reclaim names the journal in which the tasks were chosen, whatever web has heard since; a refusal is its row’s', async () => {
  const { store, options } = await setUp(0);
  const journal = new FakeJournal('a1');
  const ids = [newTaskId(), newTaskId()];
  for (const id of ids) journal.run(id);
  await store.rememberAgent({ id: 'a1', name: 'one', url: 'http://a1' }, NOON);
  await store.takeSnapshot(journal.snapshot());
  const other = new FakeJournal('a1', '00000000000000ee');
  for (const id of ids) other.run(id);
  const asked: object[] = [];
  options.intents = {
    ...options.intents,
    async reclaim(id, reclaim) {
      asked.push(reclaim);
      if (id === ids[1]) throw new ProblemError('attempt_changed', 'its journal is another one');
      // Meanwhile the agent comes back with another journal, and the same numbers.
      await store.takeSnapshot(other.snapshot('epoch'));
      return (await store.task(id))!;
    },
  };
  const which = { filter: { agentId: 'a1' } };
  options.agents = { viewOf: () => viewOf() };
  const { items } = await runBulk(options, { action: 'reclaim', which, isDryRun: false, reason: 'r' });
  expect(asked).toEqual(ids.map(() => ({ attempt: 1, reason: 'r', cursor: journal.cursor })));
  expect(items.toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id))).toMatchObject([
    { id: ids[0], result: 'done' },
    { id: ids[1], result: 'refused', code: 'attempt_changed', message: 'its journal is another one' },
  ]);
  await store.close();
});
