import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Statement } from 'better-sqlite3';
import { GroupCommit, openDatabase, type SqliteDatabase } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { openSqliteSessionStore } from '../sqlite-session-store.ts';
import { describeAlertStore } from './alert-store.contract.ts';
import { SqliteAlertStore } from './sqlite-alert-store.ts';

describeAlertStore('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-alerts-'));
  const path = join(folder, 'web.db');
  const under = {
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
});

/** The same database, which says how often its alerts are asked for and how many rows that brought. */
function counting(database: SqliteDatabase) {
  const read = { statements: 0, rows: 0 };
  const prepare = (sql: string) => {
    const statement = database.prepare(sql);
    if (!/FROM[^]*alert_tellings/.test(sql)) return statement;
    return new Proxy(statement, {
      get(target, name) {
        if (name === 'pluck') return () => (target.pluck(), statementOf(target));
        return statementOf(target)[name as 'all'];
      },
    });
  };
  const statementOf = (target: Statement) => ({
    all(...values: unknown[]) {
      const rows = target.all(...values);
      read.statements += 1;
      read.rows += rows.length;
      return rows;
    },
    get(...values: unknown[]) {
      read.statements += 1;
      read.rows += 1;
      return target.get(...values);
    },
    run: (...values: unknown[]) => target.run(...values),
  });
  const counted = new Proxy(database, {
    get(target, name) {
      if (name === 'prepare') return prepare;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { counted, read };
}

test('of 15,000 alerts that wait a look reads none, and a message the first of them', async () => {
  const migrations = fileURLToPath(new URL('../../drizzle', import.meta.url));
  const database = openDatabase({ path: ':memory:', migrations });
  const { counted, read } = counting(database);
  const noop = () => undefined;
  const group = new GroupCommit({
    database,
    onSavepoint: noop,
    onUndo: noop,
    onEnd: noop,
    onCommit: noop,
    onRollback: noop,
  });
  const alerts = new SqliteAlertStore(counted, group);
  const at = 1_800_000_000_000;
  database.exec(`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 15000)
    INSERT INTO alerts (key, kind, task_id, agent_name, subject, detail, lasting, since_at, noted_at)
    SELECT 'k' || n, 'unknown', 't' || n, 'agent ' || (n % 40), 'task ' || n, 'was running', 1, ${at}, ${at} FROM n`);
  database.exec(
    `INSERT INTO alert_tellings (channel, alert_id, state) SELECT 'ops', id, 'waiting' FROM alerts`,
  );
  const rule = { name: 'ops', on: ['unknown' as const], unknownAfterMs: 120_000, cooldownMs: 60_000 };
  const compose = async (now: number) => {
    read.statements = 0;
    read.rows = 0;
    const { nextAt } = await alerts.compose([rule], now);
    return { nextAt, ...read };
  };
  expect(await compose(at)).toMatchObject({ nextAt: at + 121_000, rows: 3 });
  for (const later of [1, 60_000, 120_999]) {
    expect(await compose(at + later)).toEqual({ nextAt: at + 121_000, statements: 0, rows: 0 });
  }
  const told = await compose(at + 121_000);
  expect(told.rows).toBeLessThan(700);
  const message = await alerts.nextMessage('ops');
  expect(message?.message).toMatchObject({ count: 10_000, title: '10000 tasks unknown' });
  expect(message?.message.text.split('\n').at(-1)).toBe('… and 31 more');
  expect(await compose(at + 122_000)).toEqual({ nextAt: undefined, statements: 0, rows: 0 });
  await alerts.recordTry(message!.id, { outcome: 'delivered' }, at + 123_000);
  await compose(at + 123_000);
  expect(await compose(at + 124_000)).toEqual({ nextAt: at + 181_000, statements: 0, rows: 0 });
  await compose(at + 181_000);
  expect((await alerts.nextMessage('ops'))?.message.count).toBe(5000);
  database.close();
});
