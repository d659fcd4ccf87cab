import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { StatementCache } from './statement-cache.ts';

function openCache(most: number): StatementCache {
  const database = new Database(':memory:');
  onTestFinished(() => void database.close());
  return new StatementCache(database, most);
}

test('a statement is prepared once while it is in use', () => {
  const cache = openCache(2);
  const first = cache.prepare('SELECT 1');
  cache.prepare('SELECT 2');
  expect(cache.prepare('SELECT 1')).toBe(first);
  cache.prepare('SELECT 3');
  // The other one was used longer ago: it went.
  expect(cache.prepare('SELECT 1')).toBe(first);
});

test('texts without number keep no more statements than the bound, and each still answers', () => {
  const cache = openCache(3);
  for (let n = 0; n < 50; n += 1) expect(cache.prepare(`SELECT ${n} AS n`).get()).toEqual({ n });
  expect(cache.size).toBe(3);
});
