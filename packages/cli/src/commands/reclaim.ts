/**
 * `holdfast reclaim`: takes tasks back from whoever was to work on them, so that they are tried again.
 *
 * Guarantees: what is reclaimed is the attempt that was current when the command looked, never a later one, so that
 * repeating it is harmless; what is stale is its agent's judgement, with the evidence in each row; nothing is done
 * unasked; an agent that could not be asked makes the exit code 75.
 */
import type { Command } from 'commander';
import type { ReclaimItem, ShownAgent } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { CliError, usageError } from '../cli-error.ts';
import type { Client, SeenAgent, SeenTask } from '../client.ts';
import { confirm } from '../confirm.ts';
import { actOnEach } from '../each-task.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { afterLostAnswer, askOnce } from '../lost-answer.ts';
import { type Cell, type Column, renderTable, type Style } from '../render.ts';
import { shortIds } from '../task-ref.ts';
import { endText } from '../task-text.ts';
import { ageText, parseDuration, parseWhole, plainText } from '../words.ts';

interface ReclaimOptions {
  reason?: string;
  stale?: boolean;
  olderThan?: string;
  maxAttempts?: string;
  agent?: string;
  dryRun?: boolean;
  yes?: boolean;
}

const MOST_ATTEMPTS = 100;

export function defineReclaim(command: Command, invocation: Invocation): void {
  command
    .usage('[options] <ids...> --reason <text>\n       holdfast reclaim --stale [options]')
    .argument('[ids...]', 'the tasks’ ids, or the beginnings of them')
    .optionsGroup('Tasks that are named:')
    .option('--reason <text>', 'why, for the record')
    .optionsGroup('Tasks that are stale:')
    .option('--stale', 'every task whose agent has evidence that nobody works on it')
    .option('--older-than <duration>', 'with --stale: only attempts that began so long ago: 30m, 2h')
    .option('--max-attempts <n>', 'with --stale: only tasks that have used at most n attempts')
    .option('--agent <name>', 'with --stale: only of this agent, by name or id')
    .option('--dry-run', 'with --stale: say what would be done, and do nothing')
    .option('-y, --yes', 'with --stale: do not ask')
    .action((refs: string[], options: ReclaimOptions) =>
      options.stale === true
        ? reclaimStale(invocation, refs, options)
        : reclaimNamed(invocation, refs, options),
    );
  addManual(command, {
    guarantees: [
      'What is reclaimed is the attempt that was current when the command looked, never a later one. A process is stopped first, and its next attempt starts when all of it is gone; a worker’s claim is taken back at once. The attempt is not charged to the task’s budget.',
      'Stale are a lease that has run out (lease_expired), a claim silent for more than half its lease (claim_silent), and a process that cannot be looked at (probe_failed); never a task that was verified alive, however quiet. --stale shows the evidence and asks before it does anything; without a terminal it needs -y.',
    ],
    exits: {
      ok: 'all that was asked for was done, or nothing is stale',
      failed: 'a task could not be reclaimed, or the service cannot be reached',
      refused: 'a task has ended, was never started, or there is none of that id',
      unknown: 'an agent could not be asked, or whether it was done is not known; repeating is harmless',
    },
    examples: [
      'holdfast reclaim 0199aa3c --reason "the build host hangs"',
      'holdfast reclaim --stale --dry-run',
      'holdfast reclaim --stale --older-than 30m --max-attempts 5 -y',
    ],
  });
}

// ── Named tasks ────────────────────────────────────────────────────────────────────────────────────────────

async function reclaimNamed(invocation: Invocation, refs: string[], options: ReclaimOptions): Promise<void> {
  const { reason, olderThan, maxAttempts, agent, dryRun, yes } = options;
  if (refs.length === 0)
    throw usageError('there is nothing to reclaim', 'Name tasks by their ids, or give --stale.');
  const given = { '--older-than': olderThan, '--max-attempts': maxAttempts, '--agent': agent };
  for (const [name, value] of Object.entries({ ...given, '--dry-run': dryRun, '--yes': yes })) {
    if (value !== undefined) throw usageError(`${name} goes with --stale`);
  }
  if (reason === undefined || reason.trim() === '')
    throw usageError('--reason is missing', 'Say why, for whoever reads the task’s history later.');
  await actOnEach(invocation, {
    refs,
    act: (client, id) => reclaimTask(client, id, reason),
    describe: describeReclaim,
  });
}

async function reclaimTask(client: Client, id: string, reason: string): Promise<SeenTask> {
  const { attempt } = await client.readTask(id);
  if (attempt === 0) {
    throw new CliError('it has not been started: there is no attempt to reclaim', {
      exitCode: exitCodes.refused,
      hint: `Its state: holdfast show ${id}`,
    });
  }
  const [path, body] = [`/tasks/${id}/reclaim`, { attempt, reason }];
  return (await askOnce(client, lostReclaim, () => client.call<SeenTask>('POST', path, { body }))).value;
}

function describeReclaim(task: SeenTask): string {
  return `${task.id}  ${reclaimText(task)}`;
}

function reclaimText(task: SeenTask): string {
  if (isEnded(task.status)) return endText(task);
  if (task.pending?.some((one) => one.action === 'reclaim') === true)
    return 'reclaim pending: it will be delivered when the task’s agent answers';
  if (task.stopRequested?.cause === 'reclaim')
    return `attempt ${task.attempt} is being stopped; the next one follows when it is gone`;
  if (task.status === 'queued') return 'reclaimed: it waits for its next attempt';
  return 'reclaim requested';
}

const lostReclaim = {
  whether: 'it was reclaimed',
  hint: 'Repeat the command: an attempt that was reclaimed is not reclaimed twice.',
};

// ── Stale tasks ────────────────────────────────────────────────────────────────────────────────────────────

type StaleItem = ReclaimItem & { agentId?: string; agentName?: string };

interface StaleAnswer {
  items: StaleItem[];
  /** Agents that could not be asked; web’s alone. */
  unreachable: { agentId: string; name: string; state: ShownAgent['state']; message: string }[];
}

interface StaleQuery {
  olderThanMs?: number;
  maxAttempts?: number;
  agent?: string;
}

async function reclaimStale(invocation: Invocation, refs: string[], options: ReclaimOptions): Promise<void> {
  const { io } = invocation;
  if (refs.length > 0) throw usageError('--stale chooses the tasks itself; no ids go with it');
  if (options.reason !== undefined) throw usageError('--stale gives its own reasons; --reason goes with ids');
  if (options.dryRun === true && options.yes === true)
    throw usageError('--dry-run and --yes exclude each other');
  const query = staleQuery(invocation, options);
  const mayAsk = io.stdin.isTTY === true;
  if (options.dryRun !== true && options.yes !== true && !mayAsk) {
    throw usageError(
      'there is no terminal to ask whether to go on',
      'See what would be done with --dry-run; then give -y.',
    );
  }
  const client = invocation.openClient();
  const agents = await client.readAgents();
  if (options.dryRun === true) {
    return tellAnswer(invocation, await askStale(client, query, true), agents);
  }
  if (options.yes !== true) {
    const preview = await askStale(client, query, true);
    if (preview.items.length === 0) return tellAnswer(invocation, preview, agents);
    invocation.say(staleTable(invocation, preview.items, agents, io.stderr.columns));
    if (!(await confirm(io, questionOf(preview.items)))) {
      invocation.say('Nothing was done.');
      sayUnreachable(invocation, preview);
      return;
    }
  }
  await tellAnswer(invocation, await askStale(client, query, false), agents);
}

function staleQuery(invocation: Invocation, options: ReclaimOptions): StaleQuery {
  const { olderThan, maxAttempts, agent } = options;
  if (agent !== undefined && invocation.options.agentUrl !== undefined)
    throw usageError('with --agent-url there is one agent only');
  return {
    ...(olderThan === undefined ? {} : { olderThanMs: parseDuration(olderThan, '--older-than') }),
    ...(maxAttempts === undefined
      ? {}
      : { maxAttempts: parseWhole(maxAttempts, '--max-attempts', 1, MOST_ATTEMPTS) }),
    ...(agent === undefined ? {} : { agent }),
  };
}

async function askStale(client: Client, query: StaleQuery, dryRun: boolean): Promise<StaleAnswer> {
  try {
    const body = { ...query, dryRun };
    const { value } = await client.call<Partial<StaleAnswer>>('POST', '/reclaim', { body });
    return { items: value.items ?? [], unreachable: value.unreachable ?? [] };
  } catch (error) {
    throw dryRun ? error : afterLostAnswer(client, error, lostReclaim);
  }
}

function questionOf(items: readonly StaleItem[]): string {
  return items.length === 1 ? 'Reclaim this task?' : `Reclaim these ${items.length} tasks?`;
}

const resultStyles: Record<string, Style> = {
  wouldReclaim: 'yellow',
  reclaimed: 'green',
  stopping: 'blue',
  changed: 'dim',
};

const resultWords: Record<string, string> = {
  wouldReclaim: 'would reclaim',
  changed: 'no longer stale',
};

/** The rows, whom nobody could ask, and the exit code. */
async function tellAnswer(
  invocation: Invocation,
  answer: StaleAnswer,
  agents: readonly SeenAgent[],
): Promise<void> {
  const { items } = answer;
  const isFailed = items.some((item) => !Object.hasOwn(resultStyles, item.result));
  if (isFailed) invocation.exitCode = exitCodes.failed;
  if (invocation.isJson) await invocation.printJson(answer);
  else if (items.length === 0) {
    invocation.say(
      answer.unreachable.length === 0
        ? 'Nothing is stale.'
        : 'Nothing is stale on the agents that were asked.',
    );
  } else {
    await invocation.print(staleTable(invocation, items, agents, invocation.width));
  }
  sayUnreachable(invocation, answer);
}

function sayUnreachable(invocation: Invocation, { unreachable }: StaleAnswer): void {
  for (const { name, state, message } of unreachable) {
    invocation.sayError(
      new CliError(plainText(`agent ${name} was not asked, it is ${state}: ${message}`), {
        hint: 'What is stale there is not known. See holdfast agents list.',
      }),
    );
    invocation.exitCode = exitCodes.unknown;
  }
}

const columns: readonly Column[] = [
  { head: 'ID' },
  { head: 'AGENT', least: 6 },
  { head: 'ATTEMPT', align: 'right' },
  { head: 'EVIDENCE', least: 16 },
  { head: 'SINCE', align: 'right' },
  { head: 'ACTION' },
  { head: 'RESULT', least: 12 },
];

function staleTable(
  invocation: Invocation,
  items: readonly StaleItem[],
  agents: readonly SeenAgent[],
  width: number | undefined,
): string {
  const ids = width === undefined ? undefined : shortIds(items.map((item) => item.taskId));
  const now = invocation.io.now();
  const rows = items.map((item): Cell[] => {
    const { code, message, sinceAt } = item.evidence;
    const words = resultWords[item.result] ?? item.result;
    const result = item.message === undefined ? words : `${words}: ${item.message}`;
    return [
      ids?.get(item.taskId) ?? item.taskId,
      plainText(item.agentName ?? agents[0]?.name ?? ''),
      String(item.attempt),
      plainText(`${code}: ${message}`),
      ageText(now - sinceAt),
      item.action,
      { text: plainText(result), style: resultStyles[item.result] ?? 'red' },
    ];
  });
  return renderTable({ columns, rows, paint: invocation.paint, width });
}
