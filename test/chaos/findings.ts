/** Everything that the checker knows of a run, from sources that do not know of one another. */
import type { ShownTask } from '@holdfast/shared';
import type { EvidenceLine } from './evidence.ts';
import type { AgentHistory, Event, WebHistory } from './history.ts';
import type { Ledger, Violation } from './ledger.ts';
import type { WorkerWord } from './worker-words.ts';

export interface Findings {
  agent: AgentHistory;
  web: WebHistory;
  evidence: readonly EvidenceLine[];
  ledger: Ledger;
  words: readonly WorkerWord[];
  /** When web was seen to show a task as unknown. */
  unknown: ReadonlyMap<string, number>;
  /** What a browser was sent, and what web lists. */
  browser: { rows: ReadonlyMap<string, ShownTask>; listed: readonly ShownTask[] };
  /** Living processes with a marker of the agent's home. */
  processes: readonly { pid: number; taskId: string; attempt: number }[];
  pool: { slots: number; running: number; queued: number };
  /** What the agent says of itself. */
  audit: { tasks: readonly unknown[]; ghosts: readonly unknown[]; strays: readonly unknown[] };
}

export type Check = (findings: Findings) => Violation[];

export const TERMINAL: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

/** The events of each task, in order. */
export function eventsByTask(history: AgentHistory): Map<string, Event[]> {
  return Map.groupBy(history.events, (event) => event.taskId);
}

/** Equal but for the order of the fields. */
export function sameJson(one: string, other: string): boolean {
  return canonical(JSON.parse(one)) === canonical(JSON.parse(other));
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
