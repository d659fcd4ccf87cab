/**
 * What a person can ask for. Guarantees: nothing is shown as done that web did not say; while an answer is awaited
 * the action says so; a refusal is shown in web's own words.
 */
import { signal } from '@preact/signals';
import type { ShownTask } from '@holdfast/shared';
import type { Problem } from '../model/problem.ts';
import {
  cancelTask,
  readTask,
  reclaimTask,
  resolveTask,
  retryTask,
  signIn,
  signOut,
  submitTask,
  type Answer,
} from '../transport/api.ts';
import type { SubmitBody } from '../model/submit-form.ts';
import { agentOf } from './agents.ts';
import { submitAnew } from './dialogs.ts';
import { openTask } from './navigation.ts';
import { notify } from './notices.ts';
import { endSession, hasState, retryNow } from './store.ts';
import { loadTask, peekTask, settleList } from './tasks.ts';

export type Action = 'cancel' | 'retry' | 'reclaim' | 'resolve';

/** Actions whose answer is awaited, as `<action> <task id>`. */
const asking = signal<ReadonlySet<string>>(new Set());

/** Characters of a reclaim’s reason that web takes. */
const MOST_REASON = 500;

export function isAsking(action: Action, id: string): boolean {
  return asking.value.has(`${action} ${id}`);
}

async function ask(action: Action, id: string, request: () => Promise<Answer<ShownTask>>): Promise<boolean> {
  const key = `${action} ${id}`;
  if (asking.value.has(key)) return false;
  asking.value = new Set([...asking.value, key]);
  const answer = await request();
  asking.value = new Set([...asking.value].filter((other) => other !== key));
  if (!answer.ok) notify(answer.problem.detail, 'problem');
  return answer.ok;
}

export function cancel(id: string): void {
  void ask('cancel', id, () => cancelTask(id));
}

async function retry(id: string): Promise<void> {
  // Fetched when it is needed: the first look at the page makes no ids.
  const { newId } = await import('./new-id.ts');
  const retryId = newId();
  if (await ask('retry', id, () => retryTask(id, retryId))) showNew(retryId);
}

/** Whether an agent has it, so that it can be repeated: what was refused, or never delivered, no agent ever had. */
export function isHeld(task: Pick<ShownTask, 'seq'>): boolean {
  return task.seq > 0;
}

/** Submitted to an agent that web follows no more: whether it arrived nobody will tell. */
export function isAbandoned(task: Pick<ShownTask, 'status' | 'agentId'>): boolean {
  const { status, agentId } = task;
  return status === 'submitted' && agentId !== undefined && hasState.value && agentOf(task) === undefined;
}

/** Runs an ended task again; one that no agent ever had is submitted anew, by its form. */
export function retryOrSubmit(task: ShownTask): void {
  if (isHeld(task)) void retry(task.id);
  else submitAnew(task);
}

/** Gives up the attempt that the person saw; `evidence` is what they saw of it. */
export function reclaim(id: string, attempt: number, evidence = 'no evidence of staleness'): void {
  const reason = `Asked for in the dashboard: ${evidence}`.slice(0, MOST_REASON);
  void ask('reclaim', id, () => reclaimTask(id, attempt, reason));
}

export function resolveLost(id: string): void {
  void ask('resolve', id, () => resolveTask(id));
}

/** Returns the refusal, if there was one. */
export async function submit(body: SubmitBody): Promise<Problem | undefined> {
  const answer = await submitTask(body);
  if (!answer.ok) return answer.problem;
  showNew(body.id);
  return undefined;
}

/** Whether a task whose submit was not answered is there after all; if so, it is shown. */
export async function findSubmitted(id: string): Promise<'arrived' | 'missing' | 'unheard'> {
  const answer = await readTask(id);
  if (answer.ok) {
    showNew(id);
    return 'arrived';
  }
  return answer.problem.status === 404 ? 'missing' : 'unheard';
}

function showNew(id: string): void {
  settleList();
  openTask(id);
  if (peekTask(id) === undefined) void loadTask(id);
}

export async function enter(proof: { token: string } | { code: string }): Promise<Problem | undefined> {
  const answer = await signIn(proof);
  if (!answer.ok) return answer.problem;
  retryNow();
  return undefined;
}

export async function leave(): Promise<void> {
  const problem = await signOut();
  if (problem === undefined) endSession();
  else notify(problem.detail, 'problem');
}
