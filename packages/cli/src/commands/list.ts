/**
 * `holdfast list`: tasks, newest first unless asked otherwise. Guarantees: what nobody vouches for is marked so;
 * `--json` prints an array of the API's tasks, and nothing is left out of it but by the filters and the limit.
 */
import type { Command } from 'commander';
import { chooseAgent } from '../agent-ref.ts';
import { usageError } from '../cli-error.ts';
import type { Client, SeenAgent, SeenTask, TaskPage } from '../client.ts';
import {
  addFilterOptions,
  type FilterOptions,
  filterQuery,
  isFiltered,
  taskFilter,
} from '../filter-options.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { addLimitOptions, type LimitOptions, limitOf, readPages } from '../pages.ts';
import type { Cell, Column } from '../render.ts';
import { unknownWord } from '../suggest.ts';
import { shortIds } from '../task-ref.ts';
import { elapsedText, exitText, statusText, taskName } from '../task-text.ts';
import { ageText, plainText } from '../words.ts';

interface ListOptions extends LimitOptions, FilterOptions {
  order?: string;
}

const orders = ['newest', 'oldest', 'changed', 'longest'] as const;

export function defineList(command: Command, invocation: Invocation): void {
  addFilterOptions(command.alias('ls').optionsGroup('Which tasks:'))
    .optionsGroup('In which order:')
    .option(
      '--order <order>',
      'newest (default) or oldest; changed: the newest change of a status first; longest: what is in hand for longest',
    );
  addLimitOptions(command).action(async (options: ListOptions) => {
    const limit = limitOf(options);
    const query = listQuery(invocation, options);
    const client = invocation.openClient();
    const [page, agents] = await Promise.all([readTasks(client, query, limit), client.readAgents()]);
    // Nothing is what web finds for an agent that nobody has.
    if (options.agent !== undefined && page.items.length === 0) chooseAgent(agents, options.agent);
    if (invocation.isJson) return invocation.printJson(page.items);
    return printTasks(invocation, page, agents, options);
  });
  addManual(command, {
    guarantees: [
      'A status that nobody vouches for is shown as ◌ running?, with the age of the last proof; ? unknown is a status that web itself no longer believes. Nothing in the list is older than it says.',
      'On a terminal columns are cut to its width (on a narrow one session, age and agent are left out first) and ids to what tells them apart; elsewhere, and with --json, nothing is cut.',
    ],
    exits: {
      ok: 'the list is whole, up to --limit; that no task fits is no failure',
      refused: 'there is no such agent, or web refused a filter',
    },
    examples: [
      'holdfast list --status running,unknown',
      'holdfast list --session nightly --label branch=main --all',
      'holdfast list -q deploy --order changed',
      'holdfast list --json | jq -r \'.[] | select(.status == "failed") | .id\'',
    ],
  });
}

function listQuery(invocation: Invocation, options: ListOptions): URLSearchParams {
  const query = filterQuery(taskFilter(invocation, options));
  const { order } = options;
  if (order === undefined) return query;
  if (!orders.some((one) => one === order)) throw unknownWord('order', order, orders);
  if (invocation.options.agentUrl !== undefined)
    throw usageError('--order is web’s: an agent lists the newest first', 'Leave out --agent-url.');
  query.set('order', order);
  return query;
}

async function readTasks(client: Client, query: URLSearchParams, limit: number): Promise<TaskPage> {
  const items: SeenTask[] = [];
  let last: TaskPage = { items };
  let total: number | undefined;
  for await (const page of readPages((asked) => client.readTasks(asked), query, limit)) {
    items.push(...page.items);
    last = page;
    // Only the first page says it.
    total ??= page.total;
  }
  return { ...last, items, ...(total === undefined ? {} : { total }) };
}

const columns: readonly Column[] = [
  { head: 'ID' },
  { head: 'STATUS', least: 12 },
  { head: 'AGE', align: 'right', dropAt: 2 },
  { head: 'TOOK', align: 'right', dropAt: 5 },
  { head: 'EXIT', align: 'right', dropAt: 4 },
  { head: 'AGENT', least: 6, dropAt: 3 },
  { head: 'SESSION', least: 8, dropAt: 1 },
  { head: 'TASK', least: 12 },
];

async function printTasks(
  invocation: Invocation,
  page: TaskPage,
  agents: readonly SeenAgent[],
  options: ListOptions,
): Promise<void> {
  const { items } = page;
  if (items.length === 0) {
    invocation.say(
      isFiltered(options)
        ? 'No task fits.'
        : 'There are no tasks yet. Run one with: holdfast run -- echo hello',
    );
    return;
  }
  const isTerminal = invocation.width !== undefined;
  const ids = isTerminal ? shortIds(items.map((task) => task.id)) : undefined;
  const now = invocation.io.now();
  const rows = items.map((task): Cell[] => {
    const agent = agents.find((one) => one.id === task.agentId);
    return [
      ids?.get(task.id) ?? task.id,
      statusText(task, now),
      ageText(now - task.createdAt),
      elapsedText(task, now),
      exitText(task),
      plainText(agent?.name ?? task.agentId ?? '-'),
      task.sessionId,
      taskName(task),
    ];
  });
  await invocation.printTable(columns, rows);
  if (isTerminal && page.next !== undefined) {
    const of = page.total === undefined ? `The first ${items.length}` : `${items.length} of ${page.total}`;
    invocation.say(`${of}; see more with --limit or --all`);
  }
}
