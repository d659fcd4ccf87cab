/**
 * Lists that come in pages, and options that may be repeated or that bound a list. Guarantees: no more is asked for
 * than is wanted.
 */
import type { Command } from 'commander';
import { parseWhole } from './words.ts';

interface Page<T> {
  items: T[];
  next?: string;
}

/** A service's largest page. */
const MOST_PAGE = 200;
const MOST = 1_000_000;

/**
 * The pages of a list, one after the other: `read` asks for one by `query`, to which `limit` and `after` are added.
 * `most` bounds the items in all.
 */
export async function* readPages<T, P extends Page<T>>(
  read: (query: URLSearchParams) => Promise<P>,
  query: URLSearchParams = new URLSearchParams(),
  most: number = Infinity,
): AsyncGenerator<P> {
  const asked = new URLSearchParams(query);
  for (let left = most; left > 0;) {
    asked.set('limit', String(Math.min(MOST_PAGE, left)));
    const page = await read(asked);
    yield page;
    if (page.next === undefined) return;
    left -= page.items.length;
    asked.set('after', page.next);
  }
}

/** All items of a list, or the first `most`. */
export async function readItems<T>(
  read: (query: URLSearchParams) => Promise<Page<T>>,
  query?: URLSearchParams,
  most?: number,
): Promise<T[]> {
  const items: T[] = [];
  for await (const page of readPages(read, query, most)) items.push(...page.items);
  return items;
}

export interface LimitOptions {
  limit: string;
  all?: boolean;
}

export function addLimitOptions(command: Command): Command {
  return command
    .optionsGroup('How many:')
    .option('--limit <n>', 'at most so many', '50')
    .option('--all', 'without a limit');
}

export function limitOf({ limit, all }: LimitOptions): number {
  return all === true ? MOST : parseWhole(limit, '--limit', 1, MOST);
}

/** For an option that may be repeated: its values, in order. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
