import { expect, test } from 'vitest';
import { uuidv7 } from 'uuidv7';
import type { Journal } from './journal.ts';
import { listTasks, Queue } from './queue.ts';
import { makeSubmit, openTestJournal } from './test-support.ts';

function openQueue(journal: Journal, more: { queueLimit?: number; now?: () => number } = {}): Queue {
  return new Queue({
    journal,
    agentId: 'agent',
    name: 'build-2',
    queueLimit: 100,
    retentionMs: 3_600_000,
    runners: new Set(['claude']),
    now: Date.now,
    ...more,
  });
}

const claim = (journal: Journal, queue: Queue) => journal.change(() => queue.claimNext()?.task);

test('a submit is accepted once: repeated it is the same task, with other content a conflict that changes nothing', async () => {
  using opened = openTestJournal();
  const queue = openQueue(opened.journal);
  const submit = makeSubmit({
    spec: { command: ['true'], env: { TOKEN: 'secret' } },
    labels: { a: '1', b: '2' },
  });
  const first = await queue.submitTask(submit);
  const again = await queue.submitTask({ ...submit, labels: { b: '2', a: '1' } });
  expect([first.created, again.created]).toEqual([true, false]);
  expect(again.task).toEqual(first.task);
  const other = { ...submit, spec: { command: ['true'], env: { TOKEN: 'other' } } };
  await expect(queue.submitTask(other)).rejects.toMatchObject({ code: 'task_conflict', status: 409 });
  expect(opened.journal.head).toBe(1);
});

test('values of the environment never reach a reader, and are there for the attempt', async () => {
  using opened = openTestJournal();
  const { task } = await openQueue(opened.journal).submitTask(
    makeSubmit({ spec: { command: ['true'], env: { TOKEN: 'hunter2' } } }),
  );
  expect(task.spec.env).toEqual(['TOKEN']);
  expect(opened.journal.eventsAfter(0, 10)[0]!.json).not.toContain('hunter2');
  expect(opened.journal.record(task.id)!.env).toEqual({ TOKEN: 'hunter2' });
});

test('the order is priority, then submission; a taken key or a delay never blocks those behind', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const queue = openQueue(journal);
  const submit = async (title: string, more: Parameters<typeof makeSubmit>[0] = {}) => {
    await queue.submitTask(makeSubmit({ title, ...more }));
  };
  const keyed = { spec: { command: ['true'], concurrencyKey: 'one' } };
  await submit('keyed first', keyed);
  await submit('keyed second', keyed);
  await submit('plain');
  await submit('urgent', { priority: 5 });
  await submit('other queue', { queue: 'gpu', spec: { payload: 1 } });
  const order = [];
  for (let task = await claim(journal, queue); task !== undefined; task = await claim(journal, queue))
    order.push(task.title);
  expect(order).toEqual(['urgent', 'keyed first', 'plain']);
});

test('a task waits until its notBeforeAt, and the queue says when the next one is due', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  let now = Date.now();
  const queue = openQueue(journal, { now: () => now });
  await queue.submitTask(makeSubmit());
  const task = (await claim(journal, queue))!;
  const data = {
    charged: true,
    notBeforeAt: now + 5000,
    outcome: { reason: 'process_vanished' },
    outputBytes: 0,
  } as const;
  await journal.change(() => journal.append(journal.record(task.id)!, { kind: 'requeued', data }));
  expect(await claim(journal, queue)).toBeUndefined();
  expect(queue.nextDelayedAt(now)).toBe(now + 5000);
  now += 5000;
  expect(await claim(journal, queue)).toMatchObject({ id: task.id, attempt: 2, status: 'starting' });
});

test('a clock that was set back delays no task for longer than a delay can be', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  let now = Date.now();
  const queue = openQueue(journal, { now: () => now });
  await queue.submitTask(makeSubmit());
  const task = (await claim(journal, queue))!;
  const data = {
    charged: true,
    notBeforeAt: now + 60_000,
    outcome: { reason: 'process_vanished' },
    outputBytes: 0,
  } as const;
  await journal.change(() => journal.append(journal.record(task.id)!, { kind: 'requeued', data }));
  expect(await claim(journal, queue)).toBeUndefined();
  now -= 3_600_000;
  // Fails without: `MOST_DELAY_MS` in `#next`.
  expect(await claim(journal, queue)).toMatchObject({ id: task.id, attempt: 2 });
});

test('a full queue refuses with Retry-After, also within one group of submits', async () => {
  using opened = openTestJournal();
  const queue = openQueue(opened.journal, { queueLimit: 2 });
  const results = await Promise.allSettled([1, 2, 3].map(() => queue.submitTask(makeSubmit())));
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  expect(results[2]).toMatchObject({
    reason: { code: 'queue_full', status: 503, options: { retryAfterSeconds: 5 } },
  });
});

test('an id whose time cannot be is refused: a repeat of it could not be noticed', async () => {
  using opened = openTestJournal();
  const queue = openQueue(opened.journal);
  const at = (time: number) => {
    const hex = time.toString(16).padStart(12, '0');
    return `${hex.slice(0, 8)}-${hex.slice(8)}${uuidv7().slice(13)}`;
  };
  for (const time of [Date.now() + 120_000, Date.now() - 7_200_000]) {
    await expect(queue.submitTask(makeSubmit({ id: at(time) }))).rejects.toMatchObject({ code: 'invalid' });
  }
  // Which of the two clocks is wrong, the agent cannot know.
  await expect(queue.submitTask(makeSubmit({ id: at(Date.now() + 3 * 3_600_000) }))).rejects.toMatchObject({
    message: expect.stringMatching(
      /is 3 h ahead of the clock of agent build-2.*the clock that made the id is ahead, or that of build-2 is behind/,
    ) as unknown,
  });
  await expect(
    queue.submitTask(makeSubmit({ spec: { runner: 'unknown', prompt: 'x' } })),
  ).rejects.toMatchObject({
    code: 'invalid',
    options: { errors: [{ pointer: '/spec/runner' }] },
  });
  expect(opened.journal.head).toBe(0);
});

test('a retry makes a new task that names the old one, once, with its environment', async () => {
  using opened = openTestJournal();
  const { journal } = opened;
  const queue = openQueue(journal);
  const { task } = await queue.submitTask(
    makeSubmit({ title: 'old', spec: { command: ['true'], env: { A: 'b' } } }),
  );
  const newId = uuidv7();
  await expect(queue.retryTask(task.id, newId)).rejects.toMatchObject({ code: 'not_ended' });
  const data = { outcome: { reason: 'cancelled_by_user' }, endedAt: 1, outputBytes: 0 } as const;
  await journal.change(() => journal.append(journal.record(task.id)!, { kind: 'cancelled', data }));
  const first = await queue.retryTask(task.id, newId);
  const again = await queue.retryTask(task.id, newId);
  expect([first.created, again.created]).toEqual([true, false]);
  expect(first.task).toMatchObject({
    id: newId,
    retryOf: task.id,
    status: 'queued',
    title: 'old',
    attempt: 0,
  });
  expect(journal.record(newId)!.env).toEqual({ A: 'b' });
  await expect(queue.retryTask(uuidv7(), uuidv7())).rejects.toMatchObject({ code: 'no_such_task' });
});

test('lists are newest first, filtered and paged without holes', async () => {
  using opened = openTestJournal();
  const queue = openQueue(opened.journal);
  const titles = ['a', 'b', 'c', 'd', 'e'];
  for (const title of titles) {
    const labels = { kind: title < 'c' ? 'x' : 'y' };
    await queue.submitTask(makeSubmit({ title: `Title ${title}`, labels, sessionId: title }));
  }
  const { database } = opened.journal;
  const first = listTasks(database, { limit: 2 });
  const second = listTasks(database, { limit: 2, after: first.next });
  const third = listTasks(database, { limit: 2, after: second.next });
  const seen = [first, second, third].flatMap((page) => page.items.map((task) => task.sessionId));
  expect(seen).toEqual(['e', 'd', 'c', 'b', 'a']);
  expect(third.next).toBeUndefined();
  const only = (query: object) =>
    listTasks(database, { limit: 10, ...query }).items.map((task) => task.sessionId);
  expect(only({ labels: ['kind=x'] })).toEqual(['b', 'a']);
  expect(only({ labels: ['kind'] })).toHaveLength(5);
  expect(only({ q: 'TITLE C' })).toEqual(['c']);
  expect(only({ q: '%' })).toEqual([]);
  expect(only({ status: ['running'] })).toEqual([]);
  expect(() => listTasks(database, { limit: 1, after: uuidv7() })).toThrow(/after/);
});
