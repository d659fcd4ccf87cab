/**
 * Tasks by the beginning of their id. Guarantees: a whole id is taken as it is, without a look-up; a beginning stands
 * for exactly one task, or the command does not run.
 */
import { CliError, usageError } from './cli-error.ts';
import type { Client } from './client.ts';
import { exitCodes } from './exit-codes.ts';
import { readPages } from './pages.ts';

const WHOLE = 32;
const LEAST = 4;
const GROUPS = [8, 4, 4, 4, 12];
const MOST_NAMED = 5;

/** The id that `ref` stands for: any beginning of it, with or without hyphens, in either case. */
export async function resolveTaskId(client: Client, ref: string): Promise<string> {
  const digits = ref.toLowerCase().replaceAll('-', '');
  if (!/^[0-9a-f]+$/.test(digits) || digits.length > WHOLE) {
    throw usageError(`"${ref}" is not the id of a task`, 'See ids with: holdfast list');
  }
  if (digits.length < LEAST)
    throw usageError(`"${ref}" is too short for an id`, `Write at least ${LEAST} digits of it.`);
  const prefix = withHyphens(digits);
  if (digits.length === WHOLE) return prefix;
  const ids = await findIds(client, prefix);
  const [first, ...others] = ids;
  if (others.length > 0) {
    const named = ids.slice(0, MOST_NAMED).join(', ');
    throw usageError(
      `"${ref}" fits several tasks: ${named}${ids.length > MOST_NAMED ? ', …' : ''}`,
      'Write more of the id.',
    );
  }
  if (first === undefined) {
    throw new CliError(`there is no task "${ref}"`, {
      exitCode: exitCodes.refused,
      hint: 'See which there are: holdfast list',
    });
  }
  return first;
}

/** Ids that begin so: all of them, or the first several. */
async function findIds(client: Client, prefix: string): Promise<string[]> {
  const ids: string[] = [];
  // The search looks into titles and commands too: what it finds is sifted.
  const query = new URLSearchParams({ q: prefix });
  for await (const page of readPages((asked) => client.readTasks(asked), query)) {
    ids.push(...page.items.map((task) => task.id).filter((id) => id.startsWith(prefix)));
    if (ids.length > 1) break;
  }
  return ids;
}

function withHyphens(digits: string): string {
  const parts: string[] = [];
  let at = 0;
  for (const length of GROUPS) {
    if (at < digits.length) parts.push(digits.slice(at, at + length));
    at += length;
  }
  return parts.join('-');
}

/** Up to here a UUIDv7 is a time in ms: two tasks seldom share it. */
const TIME_LENGTH = 13;

/** For each id its shortest beginning that no other of them has, no shorter than its time. */
export function shortIds(ids: readonly string[]): Map<string, string> {
  const sorted = ids.toSorted();
  return new Map(
    sorted.map((id, index) => {
      const length = Math.max(
        TIME_LENGTH,
        commonLength(id, sorted[index - 1] ?? '') + 1,
        commonLength(id, sorted[index + 1] ?? '') + 1,
      );
      // A beginning does not end in a hyphen.
      return [id, id.slice(0, id[length - 1] === '-' ? length + 1 : length)];
    }),
  );
}

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}
