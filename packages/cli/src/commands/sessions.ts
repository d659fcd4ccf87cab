/** `holdfast sessions`: what tasks belong together. Guarantees: a session's status is its worst task's, never a guess. */
import type { Command } from 'commander';
import type { ShownSession } from '@holdfast/shared';
import { shownStatuses } from '@holdfast/shared/status';
import { usageError } from '../cli-error.ts';
import type { Client } from '../client.ts';
import { defaultOf } from '../default-subcommand.ts';
import type { Invocation } from '../invocation.ts';
import type { Cell, Column } from '../render.ts';
import { ageText, parseWhole, plainText } from '../words.ts';

interface ListOptions {
  archived?: boolean;
  limit: string;
  all?: boolean;
}

const PAGE = 200;
const MOST = 1_000_000;
const WHAT = 'a session’s title and archive';

export function defineSessions(command: Command, invocation: Invocation): void {
  command.addHelpText(
    'after',
    `
A session is made when a task first names it (run --session), and takes the title of its first task until it is given
one. Archiving hides it from the list; it changes no task.

Examples:
  holdfast sessions
  holdfast list --session nightly
  holdfast sessions rename nightly "Nightly build"
  holdfast sessions archive nightly`,
  );
  command
    .command('list', defaultOf(invocation, 'sessions'))
    .description('list sessions, newest activity first')
    .option('--archived', 'those that were archived, instead of the others')
    .option('--limit <n>', 'at most so many', '50')
    .option('--all', 'without a limit')
    .action(async (options: ListOptions) => {
      const limit = options.all === true ? MOST : parseWhole(options.limit, '--limit', 1, MOST);
      const client = invocation.openWebClient('the list of sessions');
      const sessions = await readSessions(client, options.archived === true, limit);
      if (invocation.isJson) return invocation.printJson(sessions);
      return printSessions(invocation, sessions);
    });
  command
    .command('rename')
    .description('give a session a title')
    .argument('<id>', 'the session’s id')
    .argument('<title>', 'what to call it')
    .action((id: string, title: string) => {
      if (title.trim() === '') throw usageError('the title is empty');
      return change(invocation, [id], { title }, (session) => `is called ${plainText(session.title ?? '')}`);
    });
  for (const [verb, archived, done] of [
    ['archive', true, 'is archived'],
    ['unarchive', false, 'is listed again'],
  ] as const) {
    command
      .command(verb)
      .description(archived ? 'hide sessions from the list' : 'list archived sessions again')
      .argument('<ids...>', 'the sessions’ ids')
      .action((ids: string[]) => change(invocation, ids, { archived }, () => done));
  }
}

async function readSessions(client: Client, archived: boolean, limit: number): Promise<ShownSession[]> {
  const sessions: ShownSession[] = [];
  let after: string | undefined;
  do {
    const query = new URLSearchParams({
      archived: String(archived),
      limit: String(Math.min(PAGE, limit - sessions.length)),
      ...(after === undefined ? {} : { after }),
    });
    type Page = { items: ShownSession[]; next?: string };
    const { items, next } = (await client.call<Page>('GET', `/sessions?${query.toString()}`)).value;
    sessions.push(...items);
    after = next;
  } while (after !== undefined && sessions.length < limit);
  return sessions;
}

/** One after the other; a refusal ends it, and what was changed before stands. */
async function change(
  invocation: Invocation,
  ids: readonly string[],
  body: { title?: string; archived?: boolean },
  describe: (session: ShownSession) => string,
): Promise<void> {
  const client = invocation.openWebClient(WHAT);
  const changed: ShownSession[] = [];
  for (const id of ids) {
    const path = `/sessions/${encodeURIComponent(id)}`;
    const { value } = await client.call<ShownSession>('PATCH', path, { body });
    changed.push(value);
    if (!invocation.isJson) await invocation.print(`${value.id}  ${describe(value)}`);
  }
  if (invocation.isJson) await invocation.printJson(changed);
}

const columns: readonly Column[] = [
  { head: 'SESSION', least: 8 },
  { head: 'STATUS' },
  { head: 'TASKS', least: 12 },
  { head: 'ACTIVE', align: 'right' },
  { head: 'TITLE', least: 12 },
];

async function printSessions(invocation: Invocation, sessions: readonly ShownSession[]): Promise<void> {
  if (sessions.length === 0) {
    invocation.say(
      'There are no such sessions. A task names one: holdfast run --session nightly -- make test',
    );
    return;
  }
  const now = invocation.io.now();
  const rows = sessions.map((session): Cell[] => [
    session.id,
    session.status,
    countsText(session.counts),
    ageText(now - session.updatedAt),
    plainText(session.title ?? ''),
  ]);
  await invocation.printTable(columns, rows);
}

/** `2 running, 1 failed`, in the order of a task's life. */
function countsText(counts: ShownSession['counts']): string {
  return shownStatuses
    .filter((status) => (counts[status] ?? 0) > 0)
    .map((status) => `${counts[status]} ${status}`)
    .join(', ');
}
