/**
 * One action on many tasks. Guarantees: nothing is asked before its dry run was shown; what is then asked is exactly what
 * the dry run named, not what a filter finds by then; what was refused or got no answer stays marked.
 */
import { signal } from '@preact/signals';
import { filterToFields } from '../model/filter.ts';
import { withoutBidi } from '../model/bidi.ts';
import { portionsOf, type BulkAction, type BulkItem } from '../model/bulk.ts';
import type { Problem } from '../model/problem.ts';
import { bulkTasks } from '../transport/api.ts';
import { webNow } from './clock.ts';
import { openDialog } from './dialogs.ts';
import { place } from './navigation.ts';
import { isAllMarked, marked, setMarks } from './selection.ts';

type BulkStage =
  | { kind: 'asking' }
  | { kind: 'forecast'; items: BulkItem[]; matched: number }
  | { kind: 'acting'; items: BulkItem[]; of: number }
  | { kind: 'done'; items: BulkItem[] }
  | { kind: 'failed'; problem: Problem };

export interface Bulk {
  action: BulkAction;
  /** What was asked about, where it was not what is marked. */
  ids?: readonly string[] | undefined;
  /** What the tasks are called, in the list or not. */
  names: ReadonlyMap<string, string>;
  stage: BulkStage;
}

export const bulk = signal<Bulk | undefined>(undefined);
/** The newest one that was carried out: what it left marked may be nowhere in the list. */
const lastDone = signal<Bulk | undefined>(undefined);

/** Most ids that one request asks for: web answers each within seconds. */
const PORTION = 500;
/** Each dialog has its own number: an answer that belongs to a closed one is ignored. */
let turn = 0;

/** Opens the dialog with a dry run of the marked tasks, or of `ids`. */
export async function forecastBulk(action: BulkAction, ids?: readonly string[]): Promise<void> {
  turn += 1;
  const mine = turn;
  bulk.value = { action, ids, names: new Map(), stage: { kind: 'asking' } };
  openDialog('bulk');
  const stage = await forecast(action, ids);
  const items = stage.kind === 'forecast' ? stage.items : [];
  if (mine === turn) bulk.value = { action, ids, names: namesOf(items), stage };
}

function namesOf(items: readonly BulkItem[]): ReadonlyMap<string, string> {
  return new Map(items.flatMap(({ id, title }) => (title === undefined ? [] : [[id, withoutBidi(title)]])));
}

/** Whether the newest result tells of all these tasks why they stayed as they are. */
export function isExplained(ids: readonly string[]): boolean {
  const { stage } = lastDone.value ?? {};
  if (stage?.kind !== 'done') return false;
  const left = new Set(stage.items.filter(isLeft).map(({ id }) => id));
  return ids.every((id) => left.has(id));
}

/** Opens the dialog with the newest result. */
export function reopenBulk(): void {
  turn += 1;
  bulk.value = lastDone.peek();
  openDialog('bulk');
}

function isLeft({ result }: BulkItem): boolean {
  return result === 'refused' || result === 'notAsked';
}

async function forecast(action: BulkAction, ids: readonly string[] | undefined): Promise<BulkStage> {
  if (ids === undefined && isAllMarked.peek()) {
    const filter = filterToFields(place.peek().filter, webNow.peek());
    const answer = await bulkTasks({ action, filter, dryRun: true });
    return answer.ok ? { kind: 'forecast', ...answer.value } : { kind: 'failed', problem: answer.problem };
  }
  const items: BulkItem[] = [];
  for (const portion of portionsOf(ids ?? [...marked.peek()], PORTION)) {
    const answer = await bulkTasks({ action, ids: portion, dryRun: true });
    if (!answer.ok) return { kind: 'failed', problem: answer.problem };
    items.push(...answer.value.items);
  }
  return { kind: 'forecast', items, matched: items.length };
}

/** Does what the dry run said. */
export async function confirmBulk(): Promise<void> {
  const current = bulk.peek();
  if (current?.stage.kind !== 'forecast') return;
  const { action, names } = current;
  const mine = turn;
  const ids = current.stage.items.filter(({ result }) => result === 'wouldDo').map(({ id }) => id);
  const items: BulkItem[] = [];
  const show = (stage: BulkStage): void => {
    if (mine === turn) bulk.value = { action, names, stage };
  };
  show({ kind: 'acting', items: [], of: ids.length });
  for (const portion of portionsOf(ids, PORTION)) {
    const answer = await bulkTasks({ action, ids: portion, reason: 'Asked for in the dashboard, in bulk' });
    if (answer.ok) items.push(...answer.value.items);
    else {
      const { detail } = answer.problem;
      for (const id of portion) items.push({ id, result: 'notAsked', message: detail });
    }
    show({ kind: 'acting', items: [...items], of: ids.length });
  }
  setMarks(new Set(items.filter(isLeft).map(({ id }) => id)));
  lastDone.value = { action, names, stage: { kind: 'done', items } };
  show({ kind: 'done', items });
}

export function endBulk(): void {
  turn += 1;
  bulk.value = undefined;
}
