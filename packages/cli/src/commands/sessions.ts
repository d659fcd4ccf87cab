/**
 * `holdfast sessions`: what tasks belong together. Guarantees: a session's status is its worst task's, and is marked
 * where nobody vouches for one of them (P2).
 */
import type { Command } from 'commander';
import type { ShownSession } from '@holdfast/shared';
import { shownStatuses } from '@holdfast/shared/status';
import { usageError } from '../cli-error.ts';
import type { Client } from '../client.ts';
import { defaultOf } from '../default-subcommand.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { askOnce, type LostAnswer } from '../lost-answer.ts';
import { addLimitOptions, type LimitOptions, limitOf, readItems } from '../pages.ts';
import type { Cell, Column } from '../render.ts';
import { ageText, plainText } from '../words.ts';

interface ListOptions extends LimitOptions {
  archived?: boolean;
}

const changeExits = {
  ok: 'each was changed',
  refused: 'there is no such session',
  unknown: 'whether one was changed is not known; repeating it is harmless',
};

const WHAT = 'a session’s title and archive';

export function defineSessions(command: Command, invocation: Invocation): void {
  const list = command
    .command('list', defaultOf(invocation, 'sessions'))
    .description('list sessions, newest activity first')
    .option('--archived', 'those that were archived, instead of the others');
  addLimitOptions(list).action(async (options: ListOptions) => {
    const limit = limitOf(options);
    const client = invocation.openWebClient('the list of sessions');
    const sessions = await readSessions(client, options.archived === true, limit);
    if (invocation.isJson) return invocation.printJson(sessions);
    return printSessions(invocation, sessions, await readDoubtful(client));
  });
  const rename = command
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
    const one = command
      .command(verb)
      .description(archived ? 'hide sessions from the list' : 'list archived sessions again')
      .argument('<ids...>', 'the sessions’ ids')
      .action((ids: string[]) => change(invocation, ids, { archived }, () => done));
    addManual(one, {
      guarantees: [
        'Changes no task, and nothing but the list of sessions. One after the other; a refusal ends it, and what was changed before stands.',
      ],
      exits: changeExits,
      examples: [
        `holdfast sessions ${verb} nightly`,
        `holdfast sessions ${verb} nightly cli-20261121-c23edf`,
      ],
    });
  }
  addManual(command, {
    guarantees: [
      'A session is made when a task first names it (run --session), and takes the title of its first task until it is given one. Archiving hides it from the list; it changes no task.',
    ],
    examples: [
      'holdfast sessions',
      'holdfast list --session nightly',
      'holdfast sessions rename nightly "Nightly build"',
      'holdfast sessions archive nightly',
    ],
  });
  addManual(list, {
    guarantees: [
      'The status of a session is that of its worst task; it has a question mark where nobody vouches for one of them now.',
    ],
    exits: { ok: 'the list is whole, up to --limit', refused: 'the token is not taken' },
    examples: ['holdfast sessions', 'holdfast sessions list --archived --all --json'],
  });
  addManual(rename, {
    guarantees: ['The title is for people; the id by which tasks name the session stays.'],
    exits: changeExits,
    examples: [
      'holdfast sessions rename nightly "Nightly build"',
      "holdfast sessions rename cli-20261121-c23edf 'Try-outs'",
    ],
  });
}

function readSessions(client: Client, archived: boolean, limit: number): Promise<ShownSession[]> {
  type Page = { items: ShownSession[]; next?: string };
  const read = async (query: URLSearchParams): Promise<Page> =>
    (await client.call<Page>('GET', `/sessions?${query.toString()}`)).value;
  return readItems(read, new URLSearchParams({ archived: String(archived) }), limit);
}

/** Sessions with a live task for which nobody vouches now: a session's own row says nothing of that. */
async function readDoubtful(client: Client): Promise<Set<string>> {
  const silent = (await client.readShownAgents()).filter((agent) => agent.state !== 'live');
  const tasks = await Promise.all(
    silent.map(({ id }) =>
      readItems(
        (query) => client.readTasks(query),
        new URLSearchParams({ agent: id, status: 'queued,starting,running' }),
      ),
    ),
  );
  return new Set(
    tasks
      .flat()
      .filter(({ knowledge }) => knowledge !== undefined && knowledge.state !== 'live')
      .map((task) => task.sessionId),
  );
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
    const { value } = await askOnce(client, lostChange(id), () =>
      client.call<ShownSession>('PATCH', path, { body }),
    );
    changed.push(value);
    if (!invocation.isJson) await invocation.print(`${value.id}  ${describe(value)}`);
  }
  if (invocation.isJson) await invocation.printJson(changed);
}

function lostChange(id: string): LostAnswer {
  return { whether: `${id} was changed`, hint: 'Repeat the command: that is harmless.' };
}

const columns: readonly Column[] = [
  { head: 'SESSION', least: 8 },
  { head: 'STATUS' },
  { head: 'TASKS', least: 12, dropAt: 2 },
  { head: 'ACTIVE', align: 'right', dropAt: 1 },
  { head: 'TITLE', least: 12 },
];

async function printSessions(
  invocation: Invocation,
  sessions: readonly ShownSession[],
  doubtful: ReadonlySet<string>,
): Promise<void> {
  if (sessions.length === 0) {
    invocation.say(
      'There are no such sessions. A task names one: holdfast run --session nightly -- make test',
    );
    return;
  }
  const now = invocation.io.now();
  const rows = sessions.map((session): Cell[] => [
    session.id,
    doubtful.has(session.id) ? { text: `${session.status}?`, style: 'yellow' } : session.status,
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
