/**
 * `holdfast stats`: how many tasks of each status, which has run longest, which are stale. Guarantees: what nobody
 * vouches for is counted apart; agents that could not be asked for stale tasks are named.
 */
import type { Command } from 'commander';
import type { ReclaimItem } from '@holdfast/shared';
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
  /** Starting or running; null if none is. */
  oldestRunning: SeenTask | null;
  /** Starting and running tasks whose status nobody vouches for now. */
  notVouchedFor: number;
  /** What `reclaim --stale` would reclaim. */
  stale: ReclaimItem[];
  /** Agents that could not be asked what is stale. */
  unreachable: { name: string; message: string }[];
}

export function defineStats(command: Command, invocation: Invocation): void {
  command.action(async () => {
    const client = invocation.openClient();
    const stats = await readStats(client);
    if (stats.unreachable.length > 0) invocation.exitCode = exitCodes.unknown;
    if (invocation.isJson) return invocation.printJson(stats);
    return printStats(invocation, stats);
  });
  addManual(command, {
    guarantees: [
      'Stale are tasks of which their agent has evidence that nobody works on them; take them back with: holdfast reclaim --stale. Not vouched for are running tasks of agents that are out of sight: they may well run. What could not be asked is named, and its figure has a question mark.',
    ],
    exits: {
      ok: 'every figure is known',
      refused: 'the token is not taken',
      unknown: 'an agent could not be asked what is stale',
    },
    examples: ['holdfast stats', 'holdfast stats --json | jq .counts.failed'],
  });
}

async function readStats(client: Client): Promise<Stats> {
  const [counts, live, stale] = await Promise.all([
    readCounts(client),
    readAll(client, 'starting,running'),
    readStale(client),
  ]);
  const oldest = live
    .filter((task) => task.startedAt !== undefined)
    .toSorted((a, b) => a.startedAt! - b.startedAt!)[0];
  return {
    counts,
    oldestRunning: oldest ?? null,
    notVouchedFor: live.filter((task) => task.knowledge !== undefined && task.knowledge.state !== 'live')
      .length,
    ...stale,
  };
}

async function readCounts(client: Client): Promise<Record<string, number>> {
  if (client.kind === 'web')
    return (await client.call<{ counts: Record<string, number> }>('GET', '/state')).value.counts;
  // An agent keeps no counts of ended tasks.
  const counts: Record<string, number> = {};
  for (const { status } of await readAll(client)) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
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

async function printStats(invocation: Invocation, stats: Stats): Promise<void> {
  const { counts, oldestRunning, notVouchedFor, stale, unreachable } = stats;
  const now = invocation.io.now();
  const fields = shownStatuses
    .filter((status) => (counts[status] ?? 0) > 0 || status === 'running' || status === 'queued')
    .map((status): [string, string] => [status, String(counts[status] ?? 0)]);
  const oldest =
    oldestRunning === null
      ? 'nothing runs'
      : `${elapsedText(oldestRunning, now)}  ${oldestRunning.id}  ${taskName(oldestRunning)}`;
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
