import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { changedAt, lengthRank, openDatabase, type TaskTimes } from '@holdfast/shared';
import { expect, test } from 'vitest';
import type { TaskFilter, TaskMark } from './session-store.ts';
import { describeSessionStore, type StoreUnderTest } from './session-store.contract.ts';
import { taskId } from './fake-journal.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import { Derived } from './store/derived.ts';
import { TaskList } from './store/task-list.ts';
import { TaskTable } from './store/task-table.ts';

function openInFolder(
  monotonic: () => number = () => performance.now(),
): StoreUnderTest & { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
  const path = join(folder, 'web.db');
  const under = {
    folder,
    path,
    store: openSqliteSessionStore({ path, monotonic }),
    async reopen() {
      await under.store.close();
      under.store = openSqliteSessionStore({ path });
      return under.store;
    },
    async [Symbol.asyncDispose]() {
      await under.store.close();
      rmSync(folder, { recursive: true });
    },
  };
  return under;
}

describeSessionStore('sqlite', async () => openInFolder());

test('the values of an environment are nowhere on the disk once the submit is delivered', async () => {
  const secret = 'hunter2-hunter2-hunter2';
  await using under = openInFolder();
  const { store } = under;
  const submit = { id: taskId(1), sessionId: 's', spec: { command: ['true'], env: { TOKEN: secret } } };
  await store.recordIntent({ id: 'i', taskId: taskId(1), body: { action: 'submit', submit }, at: 1 });
  expect(readAll(under.folder)).toContain(secret);
  await store.settleIntent('i', 2);
  expect(readAll(under.folder)).not.toContain(secret);
  expect(await store.task(taskId(1))).toBeDefined();
});

test('secrets of many deliveries are wiped together, and where another reads the file just then, with a later commit', async () => {
  let ms = 0;
  await using under = openInFolder(() => ms);
  const { store, path } = under;
  const secret = (n: number): string => `hunter2-of-${n}-hunter2`;
  const deliver = async (n: number): Promise<void> => {
    const submit = { id: taskId(n), sessionId: 's', spec: { command: ['true'], env: { TOKEN: secret(n) } } };
    await store.recordIntent({ id: `i${n}`, taskId: taskId(n), body: { action: 'submit', submit }, at: 1 });
    if (n % 2 === 1) await store.settleIntent(`i${n}`, 2);
    else await store.refuseIntent(`i${n}`, 'no', 2);
  };
  const commit = (at: number) =>
    store.rememberAgent({ id: 'a', name: `named at ${at}`, url: 'http://a' }, at);
  const left = () => [1, 2, 3].filter((n) => readAll(under.folder).includes(secret(n)));
  await deliver(1);
  expect(left()).toEqual([]);
  await deliver(2);
  await deliver(3);
  expect(left()).toEqual([2, 3]);
  const other = new Database(path, { readonly: true });
  other.exec('BEGIN');
  other.prepare('SELECT count(*) FROM tasks').get();
  ms += 5000;
  await commit(ms);
  expect(left()).toEqual([2, 3]);
  other.exec('ROLLBACK');
  other.close();
  ms += 5000;
  await commit(ms);
  expect(left()).toEqual([]);
});

test('a secret that was delivered just before web was killed is wiped when the store is opened again', async () => {
  await using under = openInFolder(() => 0);
  const { store } = under;
  for (const n of [1, 2]) {
    const submit = { id: taskId(n), sessionId: 's', spec: { command: ['true'], env: { TOKEN: 'hunter2' } } };
    await store.recordIntent({ id: `i${n}`, taskId: taskId(n), body: { action: 'submit', submit }, at: 1 });
    await store.settleIntent(`i${n}`, 2);
  }
  const killed = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
  cpSync(under.folder, killed, { recursive: true });
  expect(readAll(killed)).toContain('hunter2');
  const again = openSqliteSessionStore({ path: join(killed, 'web.db') });
  const left = readAll(killed);
  await again.close();
  rmSync(killed, { recursive: true });
  expect(left).not.toContain('hunter2');
});

test('a listener that throws keeps nobody from being answered', async () => {
  await using under = openInFolder();
  const heard = Promise.withResolvers<Error>();
  process.once('uncaughtExceptionMonitor', heard.resolve);
  const caught = Promise.withResolvers<unknown>();
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', caught.resolve);
  under.store.onChange(() => {
    throw new Error('listener');
  });
  await under.store.rememberAgent({ id: 'a', name: 'a', url: 'http://a' }, 1);
  expect(await caught.promise).toMatchObject({ message: 'listener' });
  for (const listener of others) process.on('uncaughtException', listener);
  expect(await under.store.agents()).toHaveLength(1);
});

test('what is pending, was refused or needs a person is found without a look at the tasks that ended, and no order sorts', async () => {
  await using under = openInFolder();
  await under.store.close();
  const migrations = fileURLToPath(new URL('../drizzle', import.meta.url));
  const database = openDatabase({ path: under.path, migrations });
  const asked: string[] = [];
  const tasks = new TaskTable(database);
  const watched = new Proxy(database, {
    get(target, name) {
      if (name !== 'prepare') return Reflect.get(target, name, target) as unknown;
      return (sql: string) => (asked.push(sql), target.prepare(sql));
    },
  });
  const list = new TaskList(watched, Derived.open(database, 0), tasks, 'e');
  const plansOf = (is: TaskMark, filter: TaskFilter = {}) => {
    asked.length = 0;
    list.read({ ...filter, marks: { is: [is], at: 1 } }, { limit: 9 });
    return asked.map((sql) =>
      database
        .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...Array.from(sql.matchAll(/\?/g), () => 1))
        .map(({ detail }) => detail)
        .filter((detail) => /\btasks\b|ORDER BY/.test(detail)),
    );
  };
  for (const order of ['changed', 'longest'] as const) {
    asked.length = 0;
    list.rows({ agentId: 'a', not: { sessionIds: ['s'] } }, { limit: 9, order });
    const index = order === 'changed' ? 'tasks_changed' : 'tasks_length';
    const plans = asked.flatMap((sql) =>
      database
        .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...Array.from(sql.matchAll(/\?/g), () => 1)),
    );
    // Every condition is answered by the index, and nothing is sorted.
    expect(plans.map(({ detail }) => detail)).toEqual([
      `SEARCH tasks USING COVERING INDEX ${index} (status=?)`,
    ]);
  }
  const scan = (index: string) => [expect.stringContaining(`SCAN tasks USING INDEX ${index}`)];
  expect(plansOf('pending')).toEqual([scan('tasks_pending'), scan('tasks_pending')]);
  expect(plansOf('pending', { sessionId: 's', status: ['running'] })).toEqual([
    scan('tasks_pending'),
    scan('tasks_pending'),
  ]);
  expect(plansOf('refused')).toEqual([scan('tasks_refused'), scan('tasks_refused')]);
  // One statement serves every status but one, and one the failed.
  const needy = plansOf('needsYou');
  expect(needy.filter((plan) => plan[0]!.includes('tasks_refused'))).toHaveLength(2);
  expect(needy.every((plan) => plan.length === 1)).toBe(true);
  expect(
    needy.filter((plan) => plan[0]!.includes('SEARCH tasks USING INDEX tasks_status (status=?')),
  ).toHaveLength(2);
  database.close();
});

test('a store of before there were orders is put in order when it is opened', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
  try {
    const path = join(folder, 'web.db');
    const all = fileURLToPath(new URL('../drizzle', import.meta.url));
    const before = join(folder, 'drizzle');
    cpSync(all, before, { recursive: true });
    const journal: { entries: { tag: string }[] } = JSON.parse(
      readFileSync(join(before, 'meta', '_journal.json'), 'utf8'),
    );
    journal.entries = journal.entries.slice(
      0,
      journal.entries.findIndex(({ tag }) => tag === '0006_list_orders'),
    );
    writeFileSync(join(before, 'meta', '_journal.json'), JSON.stringify(journal));
    const database = openDatabase({ path, migrations: before });
    const insert = database.prepare(
      `INSERT INTO tasks (id, session_id, status, created_at, queue, version, updated_at, stated_status,
         unknown_since, verdict_at, task, answer)
       VALUES (?, 's', ?, 5, 'q', ?, 0, 'queued', ?, ?, ?, ?)`,
    );
    const ran = { createdAt: 5, startedAt: 7, endedAt: 20 };
    const rows: TaskTimes[] = [
      { status: 'queued', createdAt: 5 },
      { status: 'submitted', createdAt: 5 },
      { status: 'running', createdAt: 5, startedAt: 7 },
      { ...ran, status: 'completed' },
      { status: 'cancelled', createdAt: 5, endedAt: 20 },
      { ...ran, status: 'unknown', unknownSince: 30 },
      { ...ran, status: 'lost', unknownSince: 30, verdictAt: 40 },
    ];
    for (const [at, { status, unknownSince = null, verdictAt = null, ...times }] of rows.entries()) {
      const text = JSON.stringify(times);
      // Where an agent's answer is ahead of its log, it is the answer that is shown.
      const [task, answer] = at % 2 === 0 ? [text, null] : ['{"createdAt":5}', text];
      insert.run(String(at), status, at + 1, unknownSince, verdictAt, task, answer);
    }
    database.close();
    const opened = openDatabase({ path, migrations: all });
    const keys = opened
      .prepare<unknown[], { changed: number; rank: number }>(
        'SELECT changed_at AS changed, length_rank AS rank FROM tasks ORDER BY row',
      )
      .all();
    opened.close();
    expect(keys).toEqual(rows.map((row) => ({ changed: changedAt(row), rank: lengthRank(row) })));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function readAll(folder: string): string {
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');
}
