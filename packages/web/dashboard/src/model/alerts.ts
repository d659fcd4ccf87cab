/**
 * What a person is told of who does not look. Guarantees: nothing that was so before the telling began is told; an alert
 * is told once and retracted when the truth replaces it; a failure is final and never retracted.
 */
import type { ShownAgent, ShownTask } from '@holdfast/shared';
import { troubleOf } from './agent-trouble.ts';
import { hasMark, taskName } from './filter.ts';
import { statusHelp } from './sentence.ts';

type AlertKind = 'unknown' | 'failed' | 'needsYou';

export interface Alert {
  id: string;
  kind: AlertKind;
  name: string;
  /** Since when (web's clock, ms). */
  /** Since when it stands (web's clock, ms). */
  at: number;
}

export interface Retraction {
  id: string;
  kind: AlertKind;
  name: string;
  /** What holds instead: `completed`, `running`. */
  now: string;
}

function alertOf(task: ShownTask, now: number, aheadMs: number): Alert | undefined {
  const alert = (kind: AlertKind, at: number): Alert => ({ id: task.id, kind, name: taskName(task), at });
  if (task.status === 'unknown') return alert('unknown', task.unknownSince ?? task.updatedAt);
  if (hasMark(task, 'needs-you', now, aheadMs)) {
    const isStale = hasMark(task, 'stale', now, aheadMs);
    const times = [
      ...(task.attention ?? []).map(({ sinceAt }) => sinceAt - aheadMs),
      ...(task.refused === undefined ? [] : [task.refused.at]),
      ...(isStale && task.claim !== undefined ? [task.claim.leaseExpiresAt - aheadMs] : []),
    ];
    return alert('needsYou', Math.max(...times));
  }
  return task.status === 'failed' ? alert('failed', (task.endedAt ?? task.updatedAt) - aheadMs) : undefined;
}

/** The alerts that stand, and what has been added to and taken from them since they were last told. */
export class Alerts {
  readonly #since: number;
  readonly #open = new Map<string, Alert>();
  readonly #told = new Map<string, Alert>();
  #retracted: Retraction[] = [];

  /** `since`: web's clock (ms) when the telling began. */
  constructor(since: number) {
    this.#since = since;
  }

  /** Ids whose truth may have changed unheard. */
  get openIds(): string[] {
    return [...this.#open.values()].filter(({ kind }) => kind !== 'failed').map(({ id }) => id);
  }

  /** `now`: web's clock (ms); `aheadMs`: by how much the one that the task's times are from is ahead of it. */
  takeTask(task: ShownTask, now: number, aheadMs = 0): void {
    this.#take(
      task.id,
      alertOf(task, now, aheadMs),
      taskName(task),
      statusHelp[task.status].word.toLowerCase(),
    );
  }

  takeAgent(agent: ShownAgent, now: number): void {
    const trouble = troubleOf(agent);
    const alert =
      trouble === undefined
        ? undefined
        : ({ id: agent.id, kind: 'needsYou', name: agent.name, at: trouble.sinceAt ?? now } as const);
    this.#take(agent.id, alert, agent.name, 'well');
  }

  #take(id: string, alert: Alert | undefined, name: string, now: string): void {
    const open = this.#open.get(id);
    if (open !== undefined && open.kind === alert?.kind) return;
    if (open !== undefined) {
      this.#open.delete(id);
      if (this.#told.delete(id) && open.kind !== 'failed') {
        this.#retracted.push({ id, kind: open.kind, name, now });
      }
    }
    if (alert !== undefined && alert.at >= this.#since) this.#open.set(id, alert);
  }

  /** What is new since the last call, all of it told from here on. */
  tell(): { raised: Alert[]; retracted: Retraction[] } {
    const raised = [...this.#open.values()].filter(({ id }) => !this.#told.has(id));
    for (const alert of raised) this.#told.set(alert.id, alert);
    // A failure cannot be retracted: it need not be remembered.
    for (const { id, kind } of raised) if (kind === 'failed') this.#open.delete(id);
    const retracted = this.#retracted;
    this.#retracted = [];
    return { raised, retracted };
  }
}

const titles: Record<AlertKind, (count: number) => string> = {
  unknown: (count) => (count === 1 ? 'A task is unknown' : `${count} tasks are unknown`),
  failed: (count) => (count === 1 ? 'A task failed' : `${count} tasks failed`),
  needsYou: (count) => (count === 1 ? 'One thing needs you' : `${count} things need you`),
};

const NAMED = 3;

export interface AlertText {
  kind: AlertKind;
  title: string;
  body: string;
  isRetraction: boolean;
}

/** One text for each kind, however much has happened. */
export function alertTexts(raised: readonly Alert[], retracted: readonly Retraction[]): AlertText[] {
  const texts: AlertText[] = [];
  for (const kind of ['unknown', 'needsYou', 'failed'] as const) {
    const of = raised.filter((alert) => alert.kind === kind);
    if (of.length > 0) {
      const body = namedOf(of.map(({ name }) => name));
      texts.push({ kind, title: titles[kind](of.length), body, isRetraction: false });
      continue;
    }
    const back = retracted.filter((one) => one.kind === kind);
    if (back.length === 0) continue;
    const title = kind === 'unknown' ? 'Known again' : 'No longer needs you';
    const body = namedOf(back.map(({ name, now }) => `${name}: ${now}`));
    texts.push({ kind, title, body, isRetraction: true });
  }
  return texts;
}

function namedOf(names: readonly string[]): string {
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).join('\n')}${more > 0 ? `\nand ${more} more` : ''}`;
}
