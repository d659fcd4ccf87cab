/**
 * Reading what an agent sends. Nothing here throws but `FrameError`, whatever the text.
 *
 * The rare frames are validated by their schemas. Events and snapshot rows come by the hundred thousand, from an
 * agent whose chain vouches for its text: of them only what the store and the fold rely on is looked at.
 */
import { isTerminal, taskStatuses, type EventKind, type Task, type TaskEvent } from '@holdfast/shared';
import type { ForeignEvent } from './session-store.ts';

export class FrameError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'FrameError';
  }
}

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { message: string } };
}

/** The data of a frame, as its schema has it. Throws `FrameError`. */
export function readFrame<T>(name: string, schema: Schema<T>, text: string): T {
  const result = schema.safeParse(parseJson(name, text));
  if (result.success) return result.data;
  throw new FrameError(`its ${name} is not as the protocol has it: ${result.error.message}`);
}

/**
 * The event in `text`. Of a kind that is not known, or without the data of its kind, it is foreign: kept, and
 * folded by nobody. Throws `FrameError` if it does not even say which event it is.
 */
export function readEvent(text: string): TaskEvent | ForeignEvent {
  const value = parseJson('event', text);
  if (!isObject(value)) throw new FrameError('an event is not an object');
  const { seq, taskId, at } = value;
  if (!isInteger(seq) || typeof taskId !== 'string' || !isInteger(at)) {
    throw new FrameError('an event lacks its seq, its task or its time');
  }
  return isFoldable(value) ? value : { foreign: true, seq, taskId, at };
}

/** The tasks of one `snapshot` frame. Throws `FrameError`. */
export function readSnapshot(text: string): Task[] {
  const value = parseJson('snapshot', text);
  const tasks = isObject(value) ? value['tasks'] : undefined;
  if (!Array.isArray(tasks)) throw new FrameError('a snapshot has no tasks');
  if (!tasks.every(isTask)) throw new FrameError('a snapshot holds something that is no task');
  return tasks;
}

type Fields = Record<string, unknown>;

const statuses: ReadonlySet<unknown> = new Set(taskStatuses);
const terminal: ReadonlySet<unknown> = new Set(taskStatuses.filter(isTerminal));

/** What the fold reads of the data of each kind. */
const checks: Record<EventKind, (data: Fields, event: Fields) => boolean> = {
  submitted: (data, event) => isTask(data['task']) && data['task'].id === event['taskId'],
  claimed: isBegin,
  started: isBegin,
  adopted: (data) => isObject(data['process']),
  requeued: (data) => isEnd(data) && isOptional(data, ['notBeforeAt'], isInteger),
  stopRequested: (data) => isString(data['cause']),
  reported: (data) => isString(data['externalId']),
  attention: (data) => isString(data['code']) && (data['cleared'] === true || isString(data['message'])),
  completed: (data) => isEnd(data) && isInteger(data['endedAt']),
  failed: (data) => isEnd(data) && isInteger(data['endedAt']),
  cancelled: (data) => isEnd(data) && isInteger(data['endedAt']),
};
const checkOf: ReadonlyMap<unknown, (data: Fields, event: Fields) => boolean> = new Map(
  Object.entries(checks),
);

function isFoldable(event: Fields): event is Fields & TaskEvent {
  const { kind, attempt, sessionId, data = {} } = event;
  const check = checkOf.get(kind);
  return (
    check !== undefined && isInteger(attempt) && isString(sessionId) && isObject(data) && check(data, event)
  );
}

function isBegin(data: Fields): boolean {
  return isOptional(data, ['process', 'claim'], isObject);
}

/** An outcome, and the output up to it. */
function isEnd(fields: Fields): boolean {
  const { outcome } = fields;
  return (
    isObject(outcome) &&
    typeof outcome['reason'] === 'string' &&
    isInteger(fields['outputBytes']) &&
    isOptional(fields, ['lastOutputAt'], isInteger) &&
    isOptional(fields, ['lastLine'], isString)
  );
}

function isTask(value: unknown): value is Task {
  if (!isObject(value)) return false;
  return (
    typeof value['id'] === 'string' &&
    typeof value['sessionId'] === 'string' &&
    typeof value['agentId'] === 'string' &&
    typeof value['queue'] === 'string' &&
    statuses.has(value['status']) &&
    isInteger(value['attempt']) &&
    isInteger(value['seq']) &&
    isInteger(value['createdAt']) &&
    isInteger(value['outputBytes']) &&
    isSpec(value['spec']) &&
    isObject(value['labels']) &&
    Object.values(value['labels']).every((label) => typeof label === 'string') &&
    isOptional(value, ['title', 'externalId', 'lastLine'], isString) &&
    isOptional(value, ['startedAt', 'endedAt', 'lastOutputAt'], isInteger) &&
    isOptional(value, ['claim', 'process', 'outcome'], isObject) &&
    isOptional(value, ['attention'], Array.isArray) &&
    (!terminal.has(value['status']) || value['endedAt'] !== undefined)
  );
}

/** What lists and search read of it. */
function isSpec(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { command } = value;
  return (
    (command === undefined || (Array.isArray(command) && command.every(isString))) &&
    isOptional(value, ['shell', 'runner', 'prompt'], isString)
  );
}

function isOptional(fields: Fields, names: readonly string[], is: (value: unknown) => boolean): boolean {
  return names.every((name) => fields[name] === undefined || is(fields[name]));
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function parseJson(name: string, text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    throw new FrameError(`its ${name} is not JSON`, error);
  }
}
