import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Statement } from 'better-sqlite3';
import { GroupCommit, openDatabase, type SqliteDatabase } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { openSqliteSessionStore } from '../sqlite-session-store.ts';
import { describeAlertStore } from './alert-store.contract.ts';
import { LaneTimes } from './lane-times.ts';
import { AlertNotes } from './note.ts';
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

const AT = 1_800_000_000_000;

/** As many doubts that a channel is to be told of, 40 agents' each. */
function openWaiting(count: number) {
  const migrations = fileURLToPath(new URL('../../drizzle', import.meta.url));
  const database = openDatabase({ path: ':memory:', migrations });
  const noop = () => undefined;
  const group = new GroupCommit({
    database,
    onSavepoint: noop,
    onUndo: noop,
    onEnd: noop,
    onCommit: noop,
    onRollback: noop,
  });
  database.exec(`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${count})
    INSERT INTO alerts (key, kind, task_id, agent_name, subject, detail, lasting, since_at, noted_at)
    SELECT 'k' || n, 'unknown', 't' || n, 'agent ' || (n % 40), 'task ' || n, 'was running', 1, ${AT}, ${AT} FROM n`);
  database.exec(
    `INSERT INTO alert_tellings (channel, alert_id, state) SELECT 'ops', id, 'waiting' FROM alerts`,
  );
  return { database, group, [Symbol.dispose]: () => database.close() };
}

const rule = { name: 'ops', on: ['unknown' as const], unknownAfterMs: 120_000, cooldownMs: 60_000 };

test('of 15,000 alerts that wait a look reads none, and a message the first of them', async () => {
  using waiting = openWaiting(15_000);
  const { counted, read } = counting(waiting.database);
  const alerts = new SqliteAlertStore(counted, waiting.group);
  const at = AT;
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
});

// Fails without: the pages of `compose`.
test('a message that gathers 10,000 alerts lets others run in between, and nobody sees it before it is whole', async () => {
  using waiting = openWaiting(10_000);
  const alerts = new SqliteAlertStore(waiting.database, waiting.group);
  const seen: (number | undefined)[] = [];
  const composing = alerts.compose([rule], AT + 121_000).then(() => 'whole' as const);
  for (;;) {
    const turn = new Promise<'turn'>((resolve) => setImmediate(() => resolve('turn')));
    if ((await Promise.race([composing, turn])) === 'whole') break;
    seen.push((await alerts.nextMessage('ops'))?.message.count);
  }
  expect(seen.length).toBeGreaterThanOrEqual(9);
  // The last turn may be over before whoever composes hears of it.
  expect(new Set(seen.slice(0, 8))).toEqual(new Set([undefined]));
  expect((await alerts.nextMessage('ops'))?.message.count).toBe(10_000);
});

// Fails without: the message that is `gathering` in `#composeLane`.
test('P1: a restart in the middle of a message goes on with it: each alert is in one message, and what was resolved meanwhile is taken back', async () => {
  using waiting = openWaiting(12_000);
  let turns = 0;
  const cut = {
    run<T>(change: () => T): Promise<T> {
      turns += 1;
      return turns > 3 ? Promise.reject(new Error('the process was killed')) : waiting.group.run(change);
    },
  };
  const before = new SqliteAlertStore(waiting.database, cut as GroupCommit);
  await expect(before.compose([rule], AT + 121_000)).rejects.toThrow('killed');
  const alerts = new SqliteAlertStore(waiting.database, waiting.group);
  expect(await alerts.nextMessage('ops')).toBeUndefined();
  // One that was gathered before, and one that was not yet.
  const notes = new AlertNotes(waiting.database, new LaneTimes());
  const noting = { at: AT + 121_500, channels: [rule], kinds: new Set(['unknown' as const]) };
  await waiting.group.run(() => [1, 11_000].map((id) => notes.resolve(id, 'completed', noting)));
  const told: number[] = [];
  for (const at of [AT + 122_000, AT + 200_000, AT + 300_000, AT + 400_000]) {
    await alerts.compose([rule], at);
    for (;;) {
      const next = await alerts.nextMessage('ops');
      if (next === undefined) break;
      if (next.message.lane === 'trouble') told.push(next.message.count);
      else expect(next.message).toMatchObject({ lane: 'resolved', title: 'Resolved: task 1' });
      await alerts.recordTry(next.id, { outcome: 'delivered' }, at);
    }
  }
  expect(told).toEqual([10_000, 1999]);
  const left = waiting.database.prepare(
    `SELECT state, count(*) AS n FROM alert_tellings GROUP BY state ORDER BY state`,
  );
  expect(left.all()).toEqual([
    { state: 'done', n: 1 },
    { state: 'told', n: 11_998 },
  ]);
});
