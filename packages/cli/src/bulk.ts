/**
 * One action on all tasks that a filter finds, by web's bulk action.
 *
 * Guarantees: what is acted on is what was found before anybody was asked, task by task, and never one that came to
 * fit meanwhile; the count that a person confirms is exact; a dry run changes nothing; each task has its result; an
 * answer that was lost is told as such (exit code 75), and repeating the command is harmless.
 */
import { CliError, usageError } from './cli-error.ts';
import type { Client } from './client.ts';
import { confirm } from './confirm.ts';
import { exitCodes } from './exit-codes.ts';
import { type FilterOptions, filterQuery, type TaskFilter, taskFilter } from './filter-options.ts';
import type { Invocation } from './invocation.ts';
import { widthOf } from './io.ts';
import { askOnce } from './lost-answer.ts';
import { readItems } from './pages.ts';
import { type Cell, type Column, renderTable } from './render.ts';
import { shortIds } from './task-ref.ts';
import { statusText, taskName } from './task-text.ts';
import { countText, plainText } from './words.ts';
import type { ShownStatus } from '@holdfast/shared';
import type { Command } from 'commander';

/** As web answers it. */
export interface BulkItem {
  id: string;
  /** `done`: the request was taken. `promised`: it is on record, the agent has not answered yet. */
  result: 'done' | 'promised' | 'refused' | 'wouldDo';
  code?: string;
  message?: string;
  /** The task that a retry makes. */
  newId?: string;
}

interface BulkAnswer {
  items: BulkItem[];
  /** How many fit; web acts on the newest 10,000. */
  matched: number;
}

export interface BulkOptions extends FilterOptions {
  dryRun?: boolean;
  yes?: boolean;
}

export interface BulkAction {
  action: 'cancel' | 'retry';
  /** What is meant where no status is given. */
  statuses: readonly ShownStatus[];
  /** A line of standard output for a task that was not refused. */
  describe: (item: BulkItem) => string;
}

/** Web's bound for the ids of one request. */
const MOST_IDS = 1000;
/** Of what a person is asked about: more would not fit a screen. */
const PREVIEW_ROWS = 20;

export function addBulkOptions(command: Command): Command {
  return command
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('-y, --yes', 'do not ask');
}

export async function actOnMatching(
  invocation: Invocation,
  options: BulkOptions,
  bulk: BulkAction,
): Promise<void> {
  const { io } = invocation;
  const { dryRun = false, yes = false } = options;
  if (dryRun && yes) throw usageError('--dry-run and --yes exclude each other');
  const filter: TaskFilter = { status: [...bulk.statuses], ...taskFilter(invocation, options) };
  if (!dryRun && !yes && io.stdin.isTTY !== true) {
    throw usageError(
      'there is no terminal to ask whether to go on',
      'See what would be done with --dry-run; then give -y.',
    );
  }
  const client = invocation.openWebClient('the choice of tasks by what they are');
  const found = await ask(client, { action: bulk.action, filter, dryRun: true });
  const ids = found.items.filter((item) => item.result === 'wouldDo').map((item) => item.id);
  if (dryRun) {
    if (invocation.isJson) return invocation.printJson(found);
    if (found.items.length > 0)
      await invocation.print(
        await foundTable(invocation, client, { filter, found, width: invocation.width }),
      );
    invocation.say(foundText(found, bulk));
    return;
  }
  if (ids.length > 0 && !yes) {
    const first = { ...found, items: found.items.slice(0, PREVIEW_ROWS) };
    invocation.say(await foundTable(invocation, client, { filter, found: first, width: widthOf(io.stderr) }));
    const more = found.items.length - first.items.length;
    if (more > 0) invocation.say(`… and ${more} more; see all with --dry-run`);
    if (!(await confirm(io, `${foundText(found, bulk)} Go on?`))) {
      invocation.say('Nothing was done.');
      return;
    }
  }
  await act(invocation, client, { found, ids, bulk });
}

interface BulkRequest {
  action: string;
  filter?: TaskFilter;
  ids?: readonly string[];
  dryRun?: boolean;
}

async function ask(client: Client, body: BulkRequest): Promise<BulkAnswer> {
  return (await client.call<BulkAnswer>('POST', '/tasks/bulk', { body })).value;
}

interface Chosen {
  found: BulkAnswer;
  ids: readonly string[];
  bulk: BulkAction;
}

/** In the order in which they were found; those that were refused at once have their result too. */
async function act(invocation: Invocation, client: Client, { found, ids, bulk }: Chosen): Promise<void> {
  const results = new Map(found.items.map((item) => [item.id, item]));
  let lost: unknown;
  for (let at = 0; at < ids.length && lost === undefined; at += MOST_IDS) {
    const some = ids.slice(at, at + MOST_IDS);
    try {
      const request = { action: bulk.action, ids: some };
      const { items } = await askOnce(client, lostBulk(ids.length - at), () => ask(client, request));
      for (const item of items) results.set(item.id, item);
    } catch (error) {
      lost = error;
    }
  }
  const items = [...results.values()];
  if (invocation.isJson) await invocation.printJson({ items, matched: found.matched });
  for (const item of items) await tell(invocation, item, bulk);
  if (items.length === 0) invocation.say('No task fits.');
  else if (isCut(found)) invocation.say(`These were, ${newestText(found)}.`);
  if (lost !== undefined) throw lost;
}

const lostBulk = (count: number) => ({
  whether: `it was done to ${count === 1 ? 'the task' : `the last ${count} tasks`}`,
  hint: 'Repeat the command: what was done is not done twice.',
});

async function tell(invocation: Invocation, item: BulkItem, { describe }: BulkAction): Promise<void> {
  switch (item.result) {
    case 'done':
    case 'promised':
      if (!invocation.isJson) await invocation.print(describe(item));
      return;
    case 'refused':
      // Web failed inside: how far it had come, it does not know.
      if (item.code === 'internal') invocation.exitCode = exitCodes.unknown;
      invocation.exitCode ||= exitCodes.refused;
      invocation.sayErrorOf(item.id, new CliError(plainText(item.message ?? 'it was refused')));
      return;
    case 'wouldDo':
      // The answer that was to tell of it was lost.
      return;
    default:
      return item.result satisfies never;
  }
}

/** `Would cancel 12 tasks; 1 more would be refused.` */
function foundText(found: BulkAnswer, { action }: BulkAction): string {
  const { items } = found;
  if (items.length === 0) return 'No task fits.';
  const refused = items.filter((item) => item.result === 'refused').length;
  const first = `Would ${action} ${countText(items.length - refused, 'task')}`;
  const second = refused === 0 ? '' : `; ${refused} more would be refused`;
  const third = isCut(found) ? `; ${newestText(found)}` : '';
  return `${first}${second}${third}.`;
}

/** More fit than web acts on. */
function isCut({ items, matched }: BulkAnswer): boolean {
  return matched > items.length;
}

function newestText({ items, matched }: BulkAnswer): string {
  return `of ${matched} that fit, the newest ${items.length}`;
}

const columns: readonly Column[] = [
  { head: 'ID' },
  { head: 'STATUS', least: 12 },
  { head: 'SESSION', least: 8, dropAt: 1 },
  { head: 'TASK', least: 12 },
  { head: 'RESULT', least: 12 },
];

interface FoundTable {
  filter: TaskFilter;
  found: BulkAnswer;
  width: number | undefined;
}

/** What was found, with what it is: rows that have changed since have their id and their result. */
async function foundTable(
  invocation: Invocation,
  client: Client,
  { filter, found, width }: FoundTable,
): Promise<string> {
  const { items } = found;
  const rows = await readItems((query) => client.readTasks(query), filterQuery(filter), items.length);
  const tasks = new Map(rows.map((task) => [task.id, task]));
  const ids = width === undefined ? undefined : shortIds(items.map((item) => item.id));
  const now = invocation.io.now();
  const cells = items.map((item): Cell[] => {
    const task = tasks.get(item.id);
    const words = item.result === 'wouldDo' ? 'would be done' : item.result;
    const result = item.message === undefined ? words : `${words}: ${item.message}`;
    return [
      ids?.get(item.id) ?? item.id,
      task === undefined ? '' : statusText(task, now),
      task?.sessionId ?? '',
      task === undefined ? '' : taskName(task),
      { text: plainText(result), style: item.result === 'wouldDo' ? 'yellow' : 'dim' },
    ];
  });
  return renderTable({ columns, rows: cells, paint: invocation.paint, width });
}
