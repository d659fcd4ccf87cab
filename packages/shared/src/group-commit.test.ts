import { join } from 'node:path';
import Database from 'better-sqlite3';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { GroupCommit, type GroupCommitOptions } from './group-commit.ts';
import { makeFolder } from './test-support.ts';

function codeOf(error: unknown): string {
  return error instanceof Database.SqliteError ? error.code : String(error);
}

/** A group over a file, with a second connection that sees only what is committed, and a diary of the callbacks. */
function openGroup(options: Partial<GroupCommitOptions> = {}) {
  const folder = makeFolder();
  const path = join(folder.path, 'test.db');
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('CREATE TABLE rows (value TEXT NOT NULL UNIQUE)');
  const outside = new Database(path, { readonly: true });
  const diary: string[] = [];
  const group = new GroupCommit({
    database,
    onBegin: () => diary.push('begin'),
    onEnd: () => diary.push('end'),
    onCommit: () => diary.push('commit'),
    onRollback: () => diary.push('rollback'),
    onSavepoint: () => diary.push('savepoint'),
    onUndo: () => diary.push('undo'),
    ...options,
  });
  const insert = database.prepare('INSERT INTO rows VALUES (?)');
  const add = (value: string) =>
    group.run(() => {
      insert.run(value);
      return `added ${value}`;
    });
  /** Adds, and notes the answer in the diary when it comes. */
  const addNoted = (value: string) =>
    add(value).then(
      (answer) => diary.push(answer),
      (error: unknown) => diary.push(`refused ${value}: ${codeOf(error)}`),
    );
  return {
    database,
    group,
    diary,
    add,
    addNoted,
    durable: () => outside.prepare('SELECT value FROM rows ORDER BY rowid').pluck().all(),
    fill: () =>
      database.pragma(`max_page_count = ${String(database.pragma('page_count', { simple: true }))}`),
    empty: () => database.pragma('max_page_count = 1000000'),
    [Symbol.dispose]: () => {
      outside.close();
      database.close();
      folder[Symbol.dispose]();
    },
  };
}

const big = (name: string) => name.repeat(50_000);

test('changes of one turn share one transaction, and answers come after the commit, in order', async () => {
  using test = openGroup();
  const answers = [test.addNoted('a'), test.addNoted('b'), test.addNoted('c')];
  expect(test.diary).toEqual([]);
  expect(test.durable()).toEqual([]);
  await Promise.all(answers);
  expect(test.diary).toEqual(
    ['begin', 'savepoint', 'savepoint', 'savepoint', 'end', 'commit'].concat([
      'added a',
      'added b',
      'added c',
    ]),
  );
  expect(test.durable()).toEqual(['a', 'b', 'c']);
});

test('P1: when onCommit runs, and so when anyone is answered, another connection sees the rows', async () => {
  const seen: unknown[] = [];
  using test = openGroup({ onCommit: () => seen.push(test.durable()) });
  await test.add('a');
  expect(seen).toEqual([['a']]);
  expect(test.database.inTransaction).toBe(false);
});

test('changes of another turn are another transaction', async () => {
  using test = openGroup();
  await test.addNoted('a');
  await test.addNoted('b');
  expect(test.diary.filter((entry) => entry === 'commit')).toHaveLength(2);
});

test('a change that fails is undone alone; the others of its group are durable', async () => {
  using test = openGroup();
  const answers = [
    test.addNoted('a'),
    test.addNoted('a'),
    test.group
      .run(() => {
        test.database.exec("INSERT INTO rows VALUES ('half')");
        throw new Error('my own');
      })
      .catch((error: unknown) => test.diary.push(String(error))),
    test.addNoted('b'),
  ];
  await Promise.all(answers);
  expect(test.durable()).toEqual(['a', 'b']);
  expect(test.diary).toEqual(
    ['begin', 'savepoint', 'savepoint', 'undo', 'savepoint', 'undo', 'savepoint', 'end', 'commit'].concat([
      'added a',
      'refused a: SQLITE_CONSTRAINT_UNIQUE',
      'Error: my own',
      'added b',
    ]),
  );
});

test('any mix of good and bad changes leaves exactly the good ones, each answered by what it did', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(fc.boolean(), { maxLength: 8 }), { maxLength: 6 }), async (turns) => {
      using test = openGroup();
      const good: string[] = [];
      for (const [turn, kinds] of turns.entries()) {
        const results = await Promise.allSettled(
          kinds.map((fine, at) => {
            const value = `${turn}-${at}`;
            if (fine) good.push(value);
            return test.group.run(() => {
              test.database.exec(`INSERT INTO rows VALUES ('${value}')`);
              if (!fine) throw new Error(value);
              return value;
            });
          }),
        );
        expect(results.map((result) => result.status === 'fulfilled')).toEqual(kinds);
        expect(test.durable()).toEqual(good);
      }
    }),
    { numRuns: 25 },
  );
});

test('a full disk in one change refuses the group after onRollback, and the next group works again', async () => {
  using test = openGroup();
  await test.add('before');
  test.diary.length = 0;
  test.fill();
  await Promise.all([test.addNoted('a'), test.addNoted(big('b')), test.addNoted('c')]);
  expect(test.diary.slice(0, 4)).toEqual(['begin', 'savepoint', 'savepoint', 'rollback']);
  expect(test.diary.slice(4).map((entry) => entry.slice(-11))).toEqual([
    'SQLITE_FULL',
    'SQLITE_FULL',
    'SQLITE_FULL',
  ]);
  expect(test.durable()).toEqual(['before']);
  expect(test.database.inTransaction).toBe(false);
  test.empty();
  await test.add('after');
  expect(test.durable()).toEqual(['before', 'after']);
});

test('a commit that fails refuses every change with its error, after onRollback and without onCommit', async () => {
  using test = openGroup();
  test.database.exec('CREATE TABLE parents (id INTEGER PRIMARY KEY)');
  test.database.exec('CREATE TABLE late (parent REFERENCES parents(id) DEFERRABLE INITIALLY DEFERRED)');
  const spoil = test.group
    .run(() => test.database.exec('INSERT INTO late VALUES (99)'))
    .catch((error: unknown) => test.diary.push(`refused: ${codeOf(error)}`));
  await Promise.all([test.addNoted('a'), spoil]);
  expect(test.diary).toEqual(
    ['begin', 'savepoint', 'savepoint', 'end', 'rollback'].concat([
      'refused: SQLITE_CONSTRAINT_FOREIGNKEY',
      'refused a: SQLITE_CONSTRAINT_FOREIGNKEY',
    ]),
  );
  expect(test.durable()).toEqual([]);
  await test.add('after');
  expect(test.durable()).toEqual(['after']);
});

test('a journal that cannot be begun, because another writes or it is closed, refuses the group', async () => {
  using test = openGroup();
  const other = new Database(test.database.name);
  test.database.pragma('busy_timeout = 0');
  other.exec('BEGIN IMMEDIATE');
  await test.addNoted('a');
  expect(test.diary).toEqual(['rollback', 'refused a: SQLITE_BUSY']);
  other.close();
  await test.add('b');
  test.database.close();
  await expect(test.add('c')).rejects.toThrow(/not open/);
});

test('onEnd takes part in the transaction: if it fails, all of the group does', async () => {
  let fails = true;
  using test = openGroup({
    onEnd: () => {
      if (fails) throw new Error('the end');
    },
  });
  await expect(Promise.all([test.add('a'), test.add('b')])).rejects.toThrow('the end');
  expect(test.durable()).toEqual([]);
  fails = false;
  await test.add('c');
  expect(test.durable()).toEqual(['c']);
});

test('callers are answered although onCommit throws, and its error is not lost', async () => {
  using test = openGroup({
    onCommit: () => {
      throw new Error('the publisher');
    },
  });
  const answer = test.add('a');
  expect(() => test.group.flush()).toThrow('the publisher');
  await expect(answer).resolves.toBe('added a');
  expect(test.durable()).toEqual(['a']);
});

test('callers are refused although onRollback throws, and its error is not lost', async () => {
  using test = openGroup({
    onRollback: () => {
      throw new Error('the owner');
    },
  });
  test.fill();
  const answer = test.add(big('a'));
  expect(() => test.group.flush()).toThrow('the owner');
  await expect(answer).rejects.toMatchObject({ code: 'SQLITE_FULL' });
});

test('a change asked for by a callback or an answer joins the next group', async () => {
  let more: Promise<string> | undefined;
  using test = openGroup({
    onCommit: () => {
      test.diary.push('commit');
      more ??= test.add('more');
    },
  });
  await test.add('a');
  expect(test.durable()).toEqual(['a']);
  await more;
  expect(test.durable()).toEqual(['a', 'more']);
  expect(test.diary.filter((entry) => entry === 'commit')).toHaveLength(2);
});

test('flush commits what waits, now, and is harmless when nothing does', async () => {
  using test = openGroup();
  test.group.flush();
  expect(test.diary).toEqual([]);
  const answer = test.add('a');
  test.group.flush();
  expect(test.durable()).toEqual(['a']);
  await answer;
  const later = test.add('b');
  await later;
  expect(test.diary.filter((entry) => entry === 'begin')).toHaveLength(2);
});
