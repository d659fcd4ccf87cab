/**
 * What a filter asks of a row, as SQL over the columns of `tasks`. Guarantees: a row is found exactly if `TaskFilter`
 * describes it; statuses that cannot fulfil a condition are not looked at, so that a question about the few tasks
 * that live does not read the many that ended.
 *
 * Facts that have no column (end, exit code, attention, lease) are read from the row's JSON, `answer` before `task`, as
 * `visibleTask` does.
 */
import { shownStatuses, type ShownStatus } from '@holdfast/shared';
import type { MarkTest, NumberTest, TaskExclusions, TaskFilter, TaskMark } from '../session-store.ts';

export interface Conditions {
  /** Statuses that a match can have; undefined for any. */
  statuses: readonly ShownStatus[] | undefined;
  texts: string[];
  values: (string | number)[];
}

/** A refused submit stays in sight this long: the task is over, and only the person can do something about it. */
const REFUSAL_SHOWN_MS = 24 * 3600 * 1000;

const DAY_MS = 24 * 3600 * 1000;
const shown = 'coalesce(answer, task)';
const lease = `max(coalesce(json_extract(${shown}, '$.claim.leaseExpiresAt'), 0),
  CASE WHEN activity_attempt = attempt THEN coalesce(lease_expires_at, 0) ELSE 0 END)`;
const hasAttention = `coalesce(json_array_length(${shown}, '$.attention'), 0) > 0`;
const isSilent = `EXISTS (SELECT 1 FROM json_each(${shown}, '$.attention') AS a
  WHERE json_extract(a.value, '$.code') IN ('claim_silent', 'probe_failed'))`;
const leaseIsOver = `(status IN ('starting', 'running') AND json_type(${shown}, '$.claim') IS NOT NULL
  AND ${lease} <= ? + coalesce((SELECT value FROM json_each(?) WHERE key = agent_id), 0))`;
const leaseValues = ({ at, aheadMs = {} }: MarkTest): (string | number)[] => [at, JSON.stringify(aheadMs)];

const unended: readonly ShownStatus[] = ['unknown', 'submitted', 'queued', 'starting', 'running'];
const statusIn = (statuses: readonly ShownStatus[]): string =>
  `status IN (${statuses.map((status) => `'${status}'`).join(', ')})`;

const attemptOf = `coalesce(json_extract(answer, '$.attempt'), attempt)`;
const exitCodeOf = `json_extract(${shown}, '$.outcome.exitCode')`;
// `updated_at` is read first: it is a column, and no clock that is of use is a day ahead of web's.
const isSince = `(${statusIn(unended)} OR (updated_at > ?
  AND coalesce(CASE WHEN status = 'lost' THEN verdict_at END, json_extract(${shown}, '$.endedAt'), updated_at) >= ?))`;

const marks: Record<
  TaskMark,
  { statuses: readonly ShownStatus[]; text: string; values: (test: MarkTest) => (string | number)[] }
> = {
  needsYou: {
    statuses: [...unended, 'failed'],
    text: `(status = 'unknown' OR (status = 'failed' AND refused_at > ?)
      OR (status <> 'failed' AND (refused_at IS NOT NULL OR ${hasAttention} OR ${leaseIsOver})))`,
    values: (test) => [test.at - REFUSAL_SHOWN_MS, ...leaseValues(test)],
  },
  stale: {
    statuses: ['starting', 'running'],
    text: `(${isSilent} OR ${leaseIsOver})`,
    values: leaseValues,
  },
  attention: { statuses: unended, text: hasAttention, values: () => [] },
  refused: { statuses: [...unended, 'failed'], text: 'refused_at IS NOT NULL', values: () => [] },
  pending: {
    statuses: shownStatuses.filter((status) => status !== 'submitted'),
    text: 'pending > 0',
    values: () => [],
  },
};

export function conditionsOf(filter: TaskFilter): Conditions {
  const made: Conditions = {
    statuses: filter.status === undefined ? undefined : [...new Set(filter.status)],
    texts: [],
    values: [],
  };
  const add = (text: string, ...values: (string | number)[]): void => {
    made.texts.push(text);
    made.values.push(...values);
  };
  const only = (statuses: readonly ShownStatus[]): void => {
    made.statuses = statuses.filter((status) => made.statuses?.includes(status) !== false);
  };
  if (filter.sessionId !== undefined) add('session_id = ?', filter.sessionId);
  if (filter.agentId !== undefined) add('agent_id = ?', filter.agentId);
  if (filter.queue !== undefined) add('queue = ?', filter.queue);
  if (filter.retryOf !== undefined) add('retry_of = ?', filter.retryOf);
  for (const label of filter.labels ?? []) addLabel(add, label);
  if (filter.attempt !== undefined) {
    addNumber(add, attemptOf, filter.attempt);
  }
  if (filter.marks !== undefined) {
    for (const mark of filter.marks.is) {
      only(marks[mark].statuses);
      add(marks[mark].text, ...marks[mark].values(filter.marks));
    }
  }
  if (filter.since !== undefined) add(isSince, filter.since - DAY_MS, filter.since);
  if (filter.not !== undefined) addExclusions(add, filter.not);
  if (filter.exitCode !== undefined) {
    // A completed task has exit code 0, or none.
    const canBeZero = holdsFor(filter.exitCode, 0);
    only(
      shownStatuses.filter((status) => !unended.includes(status) && (canBeZero || status !== 'completed')),
    );
    addNumber(add, exitCodeOf, filter.exitCode);
  }
  // Last, so that it is looked for only where all else holds.
  if (filter.q !== undefined && filter.q !== '') {
    add('instr((SELECT text FROM task_texts AS t WHERE t.row = tasks.row), ?) > 0', filter.q.toLowerCase());
  }
  return made;
}

/** What may hold of a row is asked as it is, and must be false: where a column is empty it does not hold. */
function addExclusions(add: Add, not: TaskExclusions): void {
  const exclude: Add = (text, ...values) => add(`NOT coalesce(${text}, 0)`, ...values);
  for (const id of not.sessionIds ?? []) exclude('(session_id = ?)', id);
  for (const id of not.agentIds ?? []) exclude('(agent_id = ?)', id);
  for (const queue of not.queues ?? []) exclude('(queue = ?)', queue);
  for (const label of not.labels ?? []) addLabel(exclude, label);
  for (const mark of not.marks?.is ?? []) {
    const { statuses, text, values } = marks[mark];
    exclude(`(${statusIn(statuses)} AND ${text})`, ...values(not.marks!));
  }
  if (not.since !== undefined) exclude(isSince, not.since - DAY_MS, not.since);
  for (const test of not.attempts ?? []) addNumber(exclude, attemptOf, test);
  for (const test of not.exitCodes ?? []) {
    addNumber(exclude, `CASE WHEN ${statusIn(unended)} THEN NULL ELSE ${exitCodeOf} END`, test);
  }
}

type Add = (text: string, ...values: (string | number)[]) => void;

function addLabel(add: Add, label: string): void {
  const split = label.indexOf('=');
  const of = 'SELECT 1 FROM task_labels AS l WHERE l.row = tasks.row AND l.key = ?';
  if (split === -1) add(`EXISTS (${of})`, label);
  else add(`EXISTS (${of} AND l.value = ?)`, label.slice(0, split), label.slice(split + 1));
}

function addNumber(add: Add, expression: string, { op, value }: NumberTest): void {
  // False, not unknown, where there is no number.
  add(`(${expression} ${op === '!' ? '<>' : op} ?)`, value);
}

function holdsFor({ op, value }: NumberTest, number: number): boolean {
  switch (op) {
    case '=':
      return number === value;
    case '!':
      return number !== value;
    case '<':
      return number < value;
    case '>':
      return number > value;
    default:
      return op satisfies never;
  }
}
