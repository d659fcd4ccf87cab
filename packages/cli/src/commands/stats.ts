/**
 * `holdfast stats`: how many tasks of each status, which has run longest, which are stale. Guarantees: what nobody
 * vouches for is counted apart; agents that could not be asked for stale tasks are named.
 */
import type { Command } from 'commander';
import type { ReclaimItem, ShownAgent } from '@holdfast/shared';
import { shownStatuses } from '@holdfast/shared/status';
import type { Client, SeenTask } from '../client.ts';
import { RefusedError } from '../service-error.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { readItems } from '../pages.ts';
import { renderFields } from '../render.ts';
import { elapsedText, taskName } from '../task-text.ts';
import { ageText, plainText } from '../words.ts';

interface Stats {
  /** Tasks by status; those without tasks are left out. */
  counts: Record<string, number>;
  /** Starting or running, or unknown and was; null if none is. */
  oldestRunning: SeenTask | null;
  /** Tasks whose status nobody vouches for now: the unknown ones, and those of agents that are out of sight. */
  notVouchedFor: number;
  /** What `reclaim --stale` would reclaim. */
  stale: ReclaimItem[];
  /** Agents that could not be asked what is stale. */
  unreachable: { name: string; message: string }[];
}

export function defineStats(command: Command, invocation: Invocation): void {
  command.action(async () => {
    const client = invocation.openClient();
    const { stats, doubtful } = await readStats(client);
    if (stats.unreachable.length > 0) invocation.exitCode = exitCodes.unknown;
    if (invocation.isJson) return invocation.printJson(stats);
    return printStats(invocation, stats, doubtful);
  });
  addManual(command, {
    guarantees: [
      'Stale are tasks of which their agent has evidence that nobody works on them; take them back with: holdfast reclaim --stale. Not vouched for are tasks that are unknown, and those of agents that are out of sight: they may well run. The oldest running is sought among them too. What could not be asked is named, and its figure has a question mark.',
    ],
    exits: {
      ok: 'every figure is known',
      refused: 'the token is not taken',
      unknown: 'an agent could not be asked what is stale',
    },
    examples: ['holdfast stats', 'holdfast stats --json | jq .counts.failed'],
  });
}

/** `doubtful`: the statuses of which some tasks are not vouched for. */
async function readStats(client: Client): Promise<{ stats: Stats; doubtful: ReadonlySet<string> }> {
  const [{ counts, isInSight }, stale] = await Promise.all([readCounts(client), readStale(client)]);
  const alive = await readAll(client, isInSight ? 'starting,running' : 'queued,starting,running,unknown');
  const oldest = alive
    .filter((task) => task.startedAt !== undefined && isRunning(task))
    .toSorted((a, b) => a.startedAt! - b.startedAt!)[0];
  const inDoubt = alive.filter((task) => task.knowledge !== undefined && task.knowledge.state !== 'live');
  return {
    stats: { counts, oldestRunning: oldest ?? null, notVouchedFor: inDoubt.length, ...stale },
    doubtful: new Set(inDoubt.map((task) => task.status)),
  };
}

/** The last that anybody knew of it. */
function isRunning({ status, lastStatus }: SeenTask): boolean {
  const known = status === 'unknown' ? lastStatus : status;
  return known === 'running' || known === 'starting';
}

interface Counts {
  counts: Record<string, number>;
  /** Every agent vouches for its tasks now. */
  isInSight: boolean;
}

async function readCounts(client: Client): Promise<Counts> {
  if (client.kind === 'web') {
    type State = { counts: Record<string, number>; agents: Pick<ShownAgent, 'state'>[] };
    const { counts, agents } = (await client.call<State>('GET', '/state')).value;
    const isInSight = agents.every(({ state }) => state === 'live') && (counts.unknown ?? 0) === 0;
    return { counts, isInSight };
  }
  // An agent keeps no counts of ended tasks.
  const counts: Record<string, number> = {};
  for (const { status } of await readAll(client)) counts[status] = (counts[status] ?? 0) + 1;
  return { counts, isInSight: true };
}

function readAll(client: Client, status?: string): Promise<SeenTask[]> {
  const query = new URLSearchParams(status === undefined ? {} : { status });
  return readItems((asked) => client.readTasks(asked), query);
}

async function readStale(client: Client): Promise<Pick<Stats, 'stale' | 'unreachable'>> {
  try {
    const body = { dryRun: true };
    type Answer = { items: ReclaimItem[]; unreachable?: { name: string; message: string }[] };
    const { items, unreachable = [] } = (await client.call<Answer>('POST', '/reclaim', { body })).value;
    return { stale: items, unreachable };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return { stale: [], unreachable: [{ name: client.name, message: error.message }] };
  }
}

async function printStats(
  invocation: Invocation,
  stats: Stats,
  doubtful: ReadonlySet<string>,
): Promise<void> {
  const { counts, oldestRunning, notVouchedFor, stale, unreachable } = stats;
  const now = invocation.io.now();
  const fields = shownStatuses
    .filter((status) => (counts[status] ?? 0) > 0 || status === 'running' || status === 'queued')
    .map((status): [string, string] => {
      const isDoubtful = doubtful.has(status) && status !== 'unknown';
      return [status, `${counts[status] ?? 0}${isDoubtful ? '?' : ''}`];
    });
  const oldest = oldestRunning === null ? noneText(stats) : oldestText(oldestRunning, now);
  fields.push(['oldest running', oldest], ['not vouched for', String(notVouchedFor)]);
  // Of an agent that was not asked nobody knows what is stale.
  const staleText = `${stale.length}${unreachable.length === 0 ? '' : '?'}`;
  fields.push([
    'stale',
    stale.length === 0 ? staleText : `${staleText}; see holdfast reclaim --stale --dry-run`,
  ]);
  await invocation.print(renderFields(fields, invocation.paint));
  const first = stale.toSorted((a, b) => a.evidence.sinceAt - b.evidence.sinceAt).slice(0, 5);
  for (const { taskId, evidence } of first) {
    const since = ageText(now - evidence.sinceAt);
    await invocation.print(
      `  ${taskId}  ${plainText(`${evidence.code}: ${evidence.message}`)}, since ${since}`,
    );
  }
  for (const { name, message } of unreachable) {
    invocation.say(plainText(`holdfast: ${name} was not asked what is stale: ${message}`));
  }
}

/** What nobody vouches for may run by now. */
function noneText({ notVouchedFor }: Stats): string {
  return notVouchedFor === 0 ? 'nothing runs' : 'nothing that anybody vouches for';
}

function oldestText(task: SeenTask, now: number): string {
  const doubt = task.status === 'unknown' ? '  (unknown)' : '';
  return `${elapsedText(task, now)}  ${task.id}  ${taskName(task)}${doubt}`;
}
