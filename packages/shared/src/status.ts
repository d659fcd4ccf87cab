/**
 * Statuses, and what may be said of them. No schema and no Node here: the dashboard runs this file as it is.
 */

/** What an agent may say of a task, in the order of its life. */
export const taskStatuses = ['queued', 'starting', 'running', 'completed', 'failed', 'cancelled'] as const;
export type TaskStatus = (typeof taskStatuses)[number];

/** What web may show of a task: an agent's word, or a verdict of web's own about what it knows. */
export const shownStatuses = [...taskStatuses, 'submitted', 'unknown', 'lost'] as const;
export type ShownStatus = (typeof shownStatuses)[number];

export type TerminalStatus = 'completed' | 'failed' | 'cancelled';

/** True where the agent has said its last word (P5). */
export function isTerminal(status: ShownStatus): status is TerminalStatus {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

/** True while an attempt is under way: somebody has to be working on it (P3). */
export function isUnderWay(status: ShownStatus): status is 'starting' | 'running' {
  return status === 'starting' || status === 'running';
}

/** True for every status from which no further work is expected: the terminal ones and the verdict `lost`. */
export function isEnded(status: ShownStatus): boolean {
  return isTerminal(status) || status === 'lost';
}

/** Web's link to one agent. Only `live` vouches for what the agent said. */
export const agentStates = ['connecting', 'resyncing', 'live', 'late', 'lost', 'stopped', 'refused'] as const;
export type AgentState = (typeof agentStates)[number];

export const doubtReasons = [
  'agent_unreachable',
  'agent_stopped',
  'agent_degraded',
  'not_on_agent',
  'agent_removed',
  'web_down',
] as const;
export type DoubtReason = (typeof doubtReasons)[number];

/** How far the status of a row can be trusted, `asOf` when it was last vouched for (ms). */
export interface Knowledge {
  state: 'live' | 'stale' | 'unknown';
  asOf: number;
  reason?: DoubtReason;
}

/**
 * What is known of a task's status (P2): the row's own doubt first, then the link to its agent.
 *
 * - An ended task is `live` for ever: nothing can change it.
 * - An `unknown` row says why and since when.
 * - A `submitted` task that no agent holds yet is web's own fact.
 * - Everything else is as good as the link: vouched for while it is `live`, else `stale` as of its last proof.
 */
export function knowledgeOf(
  task: {
    status: ShownStatus;
    endedAt?: number | undefined;
    updatedAt: number;
    doubt?: { reason: DoubtReason; asOf: number } | undefined;
  },
  agent: { state: AgentState; asOf: number; reason?: DoubtReason | undefined } | undefined,
): Knowledge {
  if (isEnded(task.status)) return { state: 'live', asOf: task.endedAt ?? task.updatedAt };
  if (task.status === 'unknown') {
    return task.doubt === undefined
      ? { state: 'unknown', asOf: task.updatedAt }
      : { state: 'unknown', asOf: task.doubt.asOf, reason: task.doubt.reason };
  }
  if (task.status === 'submitted') return { state: 'live', asOf: task.updatedAt };
  if (agent === undefined) return { state: 'stale', asOf: task.updatedAt, reason: 'agent_removed' };
  if (agent.state === 'live') return { state: 'live', asOf: agent.asOf };
  return { state: 'stale', asOf: agent.asOf, reason: agent.reason ?? 'agent_unreachable' };
}

/** The times of a task that lists are ordered by (ms). */
export interface TaskTimes {
  status: ShownStatus;
  createdAt: number;
  /** When it came to the status that its agent states. */
  statusAt?: number | undefined;
  startedAt?: number | undefined;
  endedAt?: number | undefined;
  unknownSince?: number | undefined;
  /** When a person gave it up. */
  verdictAt?: number | undefined;
}

/** When its status, as it is shown, came to hold. It stands still for as long as the status does. */
export function changedAt(task: TaskTimes): number {
  const { status, createdAt, statusAt, startedAt, endedAt, unknownSince, verdictAt } = task;
  if (status === 'unknown') return unknownSince ?? startedAt ?? createdAt;
  if (status === 'lost') return verdictAt ?? endedAt ?? startedAt ?? createdAt;
  if (isTerminal(status)) return endedAt ?? startedAt ?? createdAt;
  // A task that was claimed, or went back to the queue, came to its status long after its creation, maybe.
  return (isUnderWay(status) ? startedAt : undefined) ?? statusAt ?? createdAt;
}

const WAITING = 1e14;
const ENDED = 1e15;

/**
 * Where a task stands in the order of length, the least first: what is in hand by its beginning, then what waits by its
 * creation, then what ended by how long it took. No clock: while a status holds, its task keeps its place.
 */
export function lengthRank(task: TaskTimes): number {
  const { status, createdAt, startedAt, endedAt } = task;
  if (isEnded(status)) {
    const tookMs = startedAt === undefined || endedAt === undefined ? 0 : endedAt - startedAt;
    return ENDED - Math.max(0, tookMs);
  }
  if (status === 'queued' || status === 'submitted') return WAITING + createdAt;
  return startedAt ?? createdAt;
}

/** A session's status, worst first, from the statuses of its tasks; never stored. */
export function sessionStatus(counts: Partial<Record<ShownStatus, number>>): ShownStatus | 'empty' {
  for (const status of worstFirst) if ((counts[status] ?? 0) > 0) return status;
  return 'empty';
}

/** Doubt outranks work in progress, which outranks failure, which outranks success. */
export const worstFirst: readonly ShownStatus[] = [
  'unknown',
  'running',
  'starting',
  'queued',
  'submitted',
  'lost',
  'failed',
  'cancelled',
  'completed',
];
