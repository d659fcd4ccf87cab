/**
 * One action on many tasks.
 *
 * Guarantees:
 * - Each task is judged and acted on by itself: what one is refused for, or fails with, changes nothing for the others.
 * - A dry run changes nothing and refuses what the action itself would refuse without asking an agent.
 * - Agents are served side by side, and all of it waits for answers no longer than 10 s: what is not answered by
 *   then is promised (P11).
 * - Repeating it is harmless. A second cancel asks for nothing more; a reclaim is bound to the attempt that web knew
 *   when the tasks were chosen, and to the journal in which it has this number; the new id of a retry is made from the
 *   old task's, so that each task is retried in bulk at most once and a repeat answers with the task that the first one
 *   made.
 */
import { createHash } from 'node:crypto';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { type Logger, ProblemError, type Task, taskIdTime } from '@holdfast/shared';
import type { Agents } from './agents.ts';
import { isAway } from './delivery-lane.ts';
import type { Intents } from './intents.ts';
import { type Action, refusalOf } from './judge.ts';
import { readKnown } from './known-journal.ts';
import type { SessionStore, TaskFilter, TaskRow, TaskRows } from './session-store.ts';
import { type StartTimer, startTimer } from './timers.ts';

export interface BulkRequest {
  action: Action;
  /** Which tasks: by id, or the newest 10,000 that a filter finds. */
  which: { ids: readonly string[] } | { filter: TaskFilter };
  isDryRun: boolean;
  /** Why, for a reclaim. */
  reason: string;
}

/** Of a cancel that no agent had to be asked for. */
const NEVER_SENT = 'It was cancelled before it was sent to an agent.';

interface BulkItem {
  id: string;
  /** What the task is called, at most 120 characters: its title, or the first line of what it runs. */
  title?: string;
  /** `done`: as it was asked. `promised`: on record, its agent has not answered yet. */
  result: 'done' | 'promised' | 'refused' | 'wouldDo';
  code?: string;
  message?: string;
  /** The task that a retry makes. */
  newId?: string;
}

export interface BulkOptions {
  store: Pick<SessionStore, 'agents' | 'task' | 'tasks' | 'moreTasks'>;
  agents: Pick<Agents, 'viewOf'>;
  intents: Pick<Intents, 'cancel' | 'retry' | 'reclaim' | 'resolve'>;
  logger: Logger;
  now: () => number;
  startTimer?: StartTimer;
}

/** `matched`: how many tasks the filter finds, or how many different ids were given. */
export interface BulkResult {
  items: BulkItem[];
  matched: number;
}

export const MOST_MATCHES = 10_000;
const PAGE = 500;
const PATIENCE_MS = 10_000;
/** Rows of one agent that are under way at the same time. */
const MOST_AT_A_TIME = 64;

/** A task as it was when it was chosen. */
interface Chosen {
  id: string;
  title: string | undefined;
  agentId: string | undefined;
  attempt: number;
  /** Of the journal in which the attempt has this number. */
  cursor?: string;
  /** In a dry run. */
  forecast: BulkItem | undefined;
}

export async function runBulk(options: BulkOptions, request: BulkRequest): Promise<BulkResult> {
  const { value, cursorOf } = await readKnown(options.store, () => choose(options, request));
  const { matched } = value;
  const chosen = value.chosen.map((one) => {
    const cursor = cursorOf(one.agentId);
    return cursor === undefined ? one : { ...one, cursor };
  });
  if (request.isDryRun) return { items: chosen.map(({ forecast }) => forecast!), matched };
  const later = options.startTimer ?? startTimer;
  const patience = Promise.withResolvers<undefined>();
  const timer = later(() => patience.resolve(undefined), PATIENCE_MS);
  try {
    return { items: await actOnAll(options, request, chosen, patience.promise), matched };
  } finally {
    timer.cancel();
    patience.resolve(undefined);
  }
}

async function choose(
  options: BulkOptions,
  request: BulkRequest,
): Promise<{ chosen: Chosen[]; matched: number }> {
  const { store } = options;
  const { which } = request;
  const chosen: Chosen[] = [];
  if ('ids' in which) {
    const ids = [...new Set(which.ids)];
    for (const id of ids) chosen.push(await chosenOf(options, request, id, await store.task(id)));
    return { chosen, matched: ids.length };
  }
  const first = await store.tasks(which.filter, { limit: PAGE });
  let page: TaskRows = first;
  for (;;) {
    for (const row of page.items) chosen.push(await chosenOf(options, request, row.id, row));
    await yieldToOthers();
    if (page.next === undefined || chosen.length >= MOST_MATCHES) break;
    page = await store.moreTasks(which.filter, { limit: PAGE, after: page.next });
  }
  return { chosen: chosen.slice(0, MOST_MATCHES), matched: first.total };
}

async function chosenOf(
  options: BulkOptions,
  request: BulkRequest,
  id: string,
  row: TaskRow | undefined,
): Promise<Chosen> {
  const title = row === undefined ? undefined : titleOf(row.task);
  return {
    id,
    title,
    agentId: row?.agentId,
    attempt: row?.task.attempt ?? 0,
    forecast: request.isDryRun ? named(title, await forecastOf(options, request.action, id, row)) : undefined,
  };
}

/** A title of spaces alone cannot be seen. */
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;
const MOST_TITLE_CHARACTERS = 120;

function titleOf({ title, spec }: Task): string | undefined {
  const { command, shell, runner, prompt } = spec;
  const run =
    shell ?? command?.join(' ') ?? (runner === undefined ? undefined : `${runner}: ${prompt ?? ''}`);
  const text = title !== undefined && VISIBLE.test(title) ? title : run?.split('\n', 1)[0];
  if (text === undefined || text === '') return undefined;
  // A character is two code units at most; none is cut in half.
  return Array.from(text.slice(0, 2 * MOST_TITLE_CHARACTERS))
    .slice(0, MOST_TITLE_CHARACTERS)
    .join('');
}

function named(title: string | undefined, { id, ...item }: BulkItem): BulkItem {
  return { id, ...(title === undefined ? {} : { title }), ...item };
}

/** What the action would do to one task. */
async function forecastOf(
  { store, agents, logger }: BulkOptions,
  action: Action,
  id: string,
  row: TaskRow | undefined,
): Promise<BulkItem> {
  try {
    const known = judge(agents, action, id, row);
    const newId = action === 'retry' ? retryIdOf(known) : undefined;
    const message =
      newId !== undefined && (await store.task(newId)) !== undefined
        ? 'It was retried in bulk before: nothing would change.'
        : forecastMessage(agents, action, known);
    return {
      id,
      result: 'wouldDo',
      ...(message === undefined ? {} : { message }),
      ...(newId === undefined ? {} : { newId }),
    };
  } catch (error) {
    return refused(id, error, logger);
  }
}

function forecastMessage(agents: Pick<Agents, 'viewOf'>, action: Action, row: TaskRow): string | undefined {
  if (action === 'resolve') return undefined;
  if (row.pending.some((pending) => pending.action === action)) {
    return 'It was asked for already, and waits for its agent.';
  }
  if (row.status === 'submitted' || row.agentId === undefined) return undefined;
  const view = agents.viewOf(row.agentId);
  return isAway(view)
    ? `${view?.name ?? 'Its agent'} cannot be reached now: it would be delivered when that returns.`
    : undefined;
}

/** Throws `ProblemError` if the action cannot be done to the task, as far as web can tell. */
function judge(
  agents: Pick<Agents, 'viewOf'>,
  action: Action,
  id: string,
  row: TaskRow | undefined,
): TaskRow {
  if (row === undefined) throw new ProblemError('no_such_task', `There is no task ${id}.`);
  const refusal = refusalOf(action, row, (agentId) => agents.viewOf(agentId) !== undefined);
  if (refusal !== undefined) throw refusal;
  if (action === 'reclaim' && row.task.status !== 'starting' && row.task.status !== 'running') {
    // Nobody named an attempt here: web can only mean one that it knows to be under way.
    throw new ProblemError('not_claimable', `The task is ${row.task.status}: no attempt of it is under way.`);
  }
  return row;
}

async function actOnAll(
  options: BulkOptions,
  request: BulkRequest,
  chosen: readonly Chosen[],
  patience: Promise<unknown>,
): Promise<BulkItem[]> {
  const items: BulkItem[] = [];
  const lanes = new Map<string | undefined, number[]>();
  for (const [index, { agentId }] of chosen.entries()) {
    const lane = lanes.get(agentId);
    if (lane === undefined) lanes.set(agentId, [index]);
    else lane.push(index);
  }
  async function work(lane: Iterator<number>): Promise<void> {
    for (let next = lane.next(); next.done !== true; next = lane.next()) {
      const one = chosen[next.value]!;
      try {
        items[next.value] = named(one.title, await act(options, request, one, patience));
      } catch (error) {
        items[next.value] = named(one.title, refused(one.id, error, options.logger));
      }
    }
  }
  await Promise.all(
    [...lanes.values()].flatMap((indexes) => {
      const lane = indexes.values();
      return Array.from({ length: Math.min(MOST_AT_A_TIME, indexes.length) }, () => work(lane));
    }),
  );
  return items;
}

async function act(
  options: BulkOptions,
  { action, reason }: BulkRequest,
  { id, attempt, cursor }: Chosen,
  patience: Promise<unknown>,
): Promise<BulkItem> {
  const { store, agents, intents } = options;
  const row = judge(agents, action, id, await store.task(id));
  switch (action) {
    case 'cancel':
      return answered(id, action, await intents.cancel(id, patience));
    case 'reclaim': {
      const reclaim = { attempt, reason, ...(cursor === undefined ? {} : { cursor }) };
      return answered(id, action, await intents.reclaim(id, reclaim, patience));
    }
    case 'resolve':
      await intents.resolve(id);
      return { id, result: 'done' };
    case 'retry': {
      const newId = retryIdOf(row);
      const accepted = await intents.retry(id, newId, patience);
      const item = { ...answered(id, action, accepted.row), newId };
      return accepted.outcome === 'repeated'
        ? { message: 'It was retried in bulk before; retry the new task to run it once more.', ...item }
        : item;
    }
    default:
      return action satisfies never;
  }
}

function answered(id: string, action: Action, row: TaskRow): BulkItem {
  if (row.pending.some((pending) => pending.action === action)) return { id, result: 'promised' };
  const { refused: refusal } = row;
  if (refusal?.action === action) return { id, result: 'refused', message: refusal.message };
  // Web's own doing: no agent was asked, as far as web knows.
  if (row.status === 'cancelled' && row.task.seq === 0) return { id, result: 'done', message: NEVER_SENT };
  return { id, result: 'done' };
}

/** What was thrown, as a row's result. What is no refusal is web's own fault: the log has it, the caller does not. */
function refused(id: string, error: unknown, logger: Logger): BulkItem {
  if (error instanceof ProblemError) {
    return { id, result: 'refused', code: error.code, message: error.message };
  }
  logger.error({ err: error, task: id }, 'one task of a bulk action could not be acted on');
  return {
    id,
    result: 'refused',
    code: 'internal',
    message: 'The service could not do that; its log says why. Look at the task before you ask again.',
  };
}

/**
 * A UUIDv7 (RFC 9562) of the moment at which the task ended, the same each time. A verdict stays on record when the
 * agent's truth arrives, so it goes first.
 */
function retryIdOf({ id, task, verdict }: TaskRow): string {
  const at = verdict?.at ?? task.endedAt ?? taskIdTime(id);
  const time = at.toString(16).padStart(12, '0');
  const hash = createHash('sha256').update(`retry in bulk of ${id}`).digest('hex');
  const variant = ((Number.parseInt(hash[3]!, 16) & 3) | 8).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hash.slice(0, 3)}-${variant}${hash.slice(4, 7)}-${hash.slice(7, 19)}`;
}
