import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '@holdfast/shared';
import { expect, test } from 'vitest';
import type { TaskFilter, TaskMark } from './session-store.ts';
import { describeSessionStore, type StoreUnderTest } from './session-store.contract.ts';
import { taskId } from './fake-journal.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import { Derived } from './store/derived.ts';
import { TaskList } from './store/task-list.ts';
import { TaskTable } from './store/task-table.ts';

function openInFolder(): StoreUnderTest & { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
  const path = join(folder, 'web.db');
  const under = {
    folder,
    path,
    store: openSqliteSessionStore({ path }),
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
  await under.reopen();
  expect(readAll(under.folder)).not.toContain(secret);
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

test('what is pending, was refused or needs a person is found without a look at the tasks that ended', async () => {
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

function readAll(folder: string): string {
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');
}
