/**
 * Web's REST, as functions. Guarantees: every call ends, within a time limit, in an answer or a `Problem`; a 401 is
 * announced to `onSignedOut` whatever the call was.
 */
import type { Attempt, Pool, ShownAgent, ShownSession, ShownTask, State, TaskEvent } from '@holdfast/shared';
import type { BulkAction, BulkItem } from '../model/bulk.ts';
import type { Channel, Notifications } from '../model/channels.ts';
import type { WebDoubt } from '../model/events.ts';
import { MOST_LABELS } from '../model/labels.ts';
import { problemFrom, unreachableProblem, type Problem } from '../model/problem.ts';
import type { TaskProof } from '../model/proof.ts';
import type { SubmitBody } from '../model/submit-form.ts';

export type Answer<T> = { ok: true; value: T; status: number } | { ok: false; problem: Problem };

export interface TaskPage {
  items: ShownTask[];
  next?: string;
  cursor: string;
}

export interface FirstTaskPage extends TaskPage {
  /** How many there are in all. */
  total: number;
}

/** A piece of an attempt's output; `isComplete`: the attempt is settled and no byte will follow. */
export interface OutputPiece {
  bytes: Uint8Array;
  totalBytes: number;
  isComplete: boolean;
}

/** An agent's events of a task, and of each when web received it. */
export interface EventRecord {
  items: TaskEvent[];
  received: { seq: number; receivedAt: number }[];
}

const TIMEOUT_MS = 20_000;

let announceSignedOut = (): void => undefined;

export function onSignedOut(listener: () => void): void {
  announceSignedOut = listener;
}

async function request<T>(
  path: string,
  init: RequestInit,
  take: (answer: Response) => Promise<T>,
): Promise<Answer<T>> {
  let problem: Problem;
  try {
    const answer = await fetch(path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (answer.ok) return { ok: true, value: await take(answer), status: answer.status };
    problem = problemFrom(answer.status, await readJson<unknown>(answer));
  } catch (error) {
    // Rejected for a network failure, also within the body, and for the time limit: no whole answer came.
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    problem = unreachableProblem(init.method === undefined ? 'read' : 'action');
  }
  if (problem.status === 401 && !path.startsWith('/api/sign-in')) announceSignedOut();
  return { ok: false, problem };
}

/** The body, believed to be what the contract says; undefined when it is not JSON. */
async function readJson<T>(answer: Response): Promise<T | undefined> {
  const text = await answer.text();
  try {
    const value: T = JSON.parse(text);
    return value;
  } catch (error) {
    // A proxy in between may answer with a page; the status still says what happened.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function call<T>(path: string, init: RequestInit = {}): Promise<Answer<T>> {
  const answer = await request(path, init, readJson<T>);
  if (!answer.ok) return answer;
  const { value, status } = answer;
  return value === undefined
    ? { ok: false, problem: problemFrom(502, undefined) }
    : { ok: true, value, status };
}

function post<T>(path: string, body: unknown): Promise<Answer<T>> {
  return send<T>('POST', path, body);
}

function send<T>(method: 'POST' | 'PATCH', path: string, body: unknown): Promise<Answer<T>> {
  return call<T>(path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

const task = (id: string): string => `/api/tasks/${encodeURIComponent(id)}`;

export const readState = (): Promise<Answer<State>> => call('/api/state');
export interface SessionPage {
  items: ShownSession[];
  next?: string;
  cursor: string;
}

/** The newest activity first; archived ones apart. */
export const readSessions = (
  options: { archived?: boolean; after?: string } = {},
): Promise<Answer<SessionPage>> => {
  const query = new URLSearchParams({ archived: String(options.archived ?? false) });
  if (options.after !== undefined) query.set('after', options.after);
  return call(`/api/sessions?${query}`);
};
/** Those of these that there are; at most 50 are asked for. */
export const readSessionsById = (ids: readonly string[]): Promise<Answer<SessionPage>> =>
  call(`/api/sessions?${new URLSearchParams({ ids: ids.join(',') })}`);
export const readSession = (id: string): Promise<Answer<ShownSession>> =>
  call(`/api/sessions/${encodeURIComponent(id)}`);
export const changeSession = (
  id: string,
  change: { title?: string; archived?: boolean },
): Promise<Answer<ShownSession>> => send('PATCH', `/api/sessions/${encodeURIComponent(id)}`, change);
export const readLabels = (): Promise<Answer<{ items: { label: string; tasks: number }[] }>> =>
  call(`/api/labels?limit=${MOST_LABELS}`);
/** The first page. */
export const readTasks = (query: URLSearchParams): Promise<Answer<FirstTaskPage>> =>
  call(`/api/tasks?${query}`);
/** A further one, `after` in the query. */
export const readMoreTasks = (query: URLSearchParams): Promise<Answer<TaskPage>> =>
  call(`/api/tasks?${query}`);
export const readTask = (id: string): Promise<Answer<ShownTask>> => call(task(id));
export const readEvents = (id: string): Promise<Answer<EventRecord>> => call(`${task(id)}/events`);
export const readDoubts = (id: string): Promise<Answer<{ items: WebDoubt[] }>> =>
  call(`${task(id)}/knowledge`);
export const readAttempts = (id: string): Promise<Answer<{ items: Attempt[] }>> =>
  call(`${task(id)}/attempts`);

/** Asks the task’s agent at this moment. */
export const readProof = (id: string): Promise<Answer<TaskProof>> => call(`${task(id)}/proof`);

export const submitTask = (body: SubmitBody): Promise<Answer<ShownTask>> => post('/api/tasks', body);
export const cancelTask = (id: string): Promise<Answer<ShownTask>> => post(`${task(id)}/cancel`, {});
export const retryTask = (id: string, newId: string): Promise<Answer<ShownTask>> =>
  post(`${task(id)}/retry`, { id: newId });
export const reclaimTask = (id: string, attempt: number, reason: string): Promise<Answer<ShownTask>> =>
  post(`${task(id)}/reclaim`, { attempt, reason });
export const resolveTask = (id: string): Promise<Answer<ShownTask>> =>
  post(`${task(id)}/resolve`, { verdict: 'lost' });

export interface BulkRequest {
  action: BulkAction;
  ids?: readonly string[];
  filter?: Record<string, string | number | string[]>;
  dryRun?: boolean;
  reason?: string;
}
export const bulkTasks = (body: BulkRequest): Promise<Answer<{ items: BulkItem[]; matched: number }>> =>
  post('/api/tasks/bulk', body);

const agent = (id: string): string => `/api/agents/${encodeURIComponent(id)}`;

export const changePool = (id: string, verb: 'pause' | 'drain' | 'resume'): Promise<Answer<Pool>> =>
  post(`${agent(id)}/${verb}`, {});
export const changeSlots = (id: string, slots: number): Promise<Answer<Pool>> =>
  send('PATCH', agent(id), { slots });
/** Web tries to reach the agent now. */
export const reconnectAgent = (id: string): Promise<Answer<ShownAgent>> => post(`${agent(id)}/reconnect`, {});

export const readNotifications = (): Promise<Answer<Notifications>> => call('/api/notifications');
/** Sends a test at once; the answer comes when it was delivered or failed. */
export const testChannel = (channel: string): Promise<Answer<Channel>> =>
  post('/api/notifications/test', { channel });

export const signIn = (proof: { token: string } | { code: string }): Promise<Answer<unknown>> =>
  post('/api/sign-in', proof);
/** Undefined when it was done. */
export async function signOut(): Promise<Problem | undefined> {
  const answer = await request('/api/sign-out', { method: 'POST' }, async () => undefined);
  return answer.ok ? undefined : answer.problem;
}

export const outputUrl = (id: string, attempt: number): string => `${task(id)}/output?attempt=${attempt}`;

/** Of a body that was cut nothing is used: the same range will be read again. */
export function readOutput(
  id: string,
  range: { attempt: number; offset: number; limit: number },
): Promise<Answer<OutputPiece>> {
  const path = `${outputUrl(id, range.attempt)}&offset=${range.offset}&limit=${range.limit}`;
  return request(path, {}, async (answer) => {
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return {
      bytes,
      totalBytes: Number(answer.headers.get('holdfast-output-bytes') ?? range.offset + bytes.length),
      isComplete: answer.headers.get('holdfast-output-complete') === 'true',
    };
  });
}
