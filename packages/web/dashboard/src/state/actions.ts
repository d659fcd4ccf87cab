/**
 * What a person can ask for. Guarantees: nothing is shown as done that web did not say; while an answer is awaited
 * the action says so; a refusal is shown in web's own words.
 */
import { signal } from '@preact/signals';
import { uuidv7 } from 'uuidv7';
import type { ShownTask } from '@holdfast/shared';
import type { Problem } from '../model/problem.ts';
import {
  cancelTask,
  reclaimTask,
  resolveTask,
  retryTask,
  signIn,
  signOut,
  submitTask,
  type Answer,
} from '../transport/api.ts';
import type { SubmitBody } from '../model/submit-form.ts';
import { openTask } from './navigation.ts';
import { endSession, retryNow } from './store.ts';
import { loadTask, peekTask, settleList } from './tasks.ts';

export type Action = 'cancel' | 'retry' | 'reclaim' | 'resolve';

export interface Notice {
  id: number;
  tone: 'info' | 'problem';
  text: string;
}

/** Actions whose answer is awaited, as `<action> <task id>`. */
const asking = signal<ReadonlySet<string>>(new Set());
export const notices = signal<readonly Notice[]>([]);

const NOTICE_MS = 9000;
let nextNotice = 1;

export function notify(text: string, tone: Notice['tone'] = 'info'): void {
  const notice: Notice = { id: nextNotice, tone, text };
  nextNotice += 1;
  notices.value = [...notices.value.slice(-2), notice];
  window.setTimeout(() => dismissNotice(notice.id), NOTICE_MS);
}

export function dismissNotice(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

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

export async function retry(id: string): Promise<void> {
  const newId = uuidv7();
  if (await ask('retry', id, () => retryTask(id, newId))) showNew(newId);
}

export function reclaim(id: string): void {
  const attempt = peekTask(id)?.attempt;
  if (attempt === undefined) return;
  void ask('reclaim', id, () => reclaimTask(id, attempt, 'asked for in the dashboard'));
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
