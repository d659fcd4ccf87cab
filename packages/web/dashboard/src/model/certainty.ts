/**
 * How certain a row may look. Guarantees: never more certain than its weakest link. The agent's link to web
 * (`knowledgeOf`) is composed with this browser's link to web; an ended task is certain for ever (P5).
 */
import type { AgentState, DoubtReason, ShownStatus } from '@holdfast/shared/status';
import type { ShownAgent, ShownTask } from '@holdfast/shared';
import { isEnded, knowledgeOf } from '@holdfast/shared/status';
import type { LinkState } from './link.ts';

/** `web_unreachable`: this browser cannot hear web, whatever web may know. */
export type CertaintyReason = DoubtReason | 'web_unreachable';

export interface Certainty {
  state: 'live' | 'stale' | 'unknown';
  /** When the status was last vouched for (web's clock, ms). */
  asOf: number;
  reason?: CertaintyReason;
  /**
   * When this browser last heard web (web's clock, ms); absent while it hears it. `asOf` is as old as the oldest link:
   * this is the age of ours alone.
   */
  heardAt?: number;
  /** How far the clock that the task’s own times are from is ahead of web’s (ms); absent when they agree. */
  aheadMs?: number;
}

/** A time of web's clock by the clock that the task's own times are from. */
export function byTasksClock(at: number, { aheadMs = 0 }: Pick<Certainty, 'aheadMs'>): number {
  return at + aheadMs;
}

/**
 * `now` and the result's `asOf` are in web's clock (ms). A row whose proof is older than what this browser last
 * heard keeps the older proof: the age shown is the age of the oldest link in the chain.
 */
export function certaintyOf(
  task: ShownTask,
  agent: Pick<ShownAgent, 'state' | 'asOf' | 'reason' | 'clockAheadMs'> | undefined,
  link: LinkState,
  now: number,
): Certainty {
  // Of what no agent has stated yet every time is web's own.
  const aheadMs = task.seq === 0 ? undefined : agent?.clockAheadMs;
  return { ...ofLinks(task, agent, link, now), ...(aheadMs === undefined ? {} : { aheadMs }) };
}

function ofLinks(
  task: ShownTask,
  agent: Pick<ShownAgent, 'state' | 'asOf' | 'reason'> | undefined,
  link: LinkState,
  now: number,
): Certainty {
  const known = knowledgeOf(
    {
      status: task.status,
      endedAt: task.endedAt,
      updatedAt: task.updatedAt,
      doubt:
        task.status === 'unknown' && task.knowledge.reason !== undefined
          ? { reason: task.knowledge.reason, asOf: task.knowledge.asOf }
          : undefined,
    },
    agent,
  );
  if (isEnded(task.status) || link.state === 'live') return known;
  const heardAt = 'ageMs' in link ? now - link.ageMs : known.asOf;
  // Web vouched for its own intents for as long as it was heard.
  const asOf = task.status === 'submitted' ? heardAt : Math.min(known.asOf, heardAt);
  if (known.state === 'unknown') return { ...known, asOf, heardAt };
  const blind = link.state === 'blind' || link.state === 'signedOut';
  // Web had doubts of its own when it was last heard: they are the older and the better explanation.
  const reason = known.state === 'stale' ? (known.reason ?? 'web_unreachable') : 'web_unreachable';
  return { state: blind ? 'unknown' : 'stale', asOf, heardAt, reason: blind ? 'web_unreachable' : reason };
}

/** The status as last asserted, where web shows `unknown`. */
export function assertedStatus(task: ShownTask): ShownStatus {
  return task.status === 'unknown' ? (task.lastStatus ?? 'unknown') : task.status;
}

/** Agents in the order of concern: what is broken first, then by name. */
export function worstAgentsFirst(agents: readonly ShownAgent[]): ShownAgent[] {
  return agents.toSorted((a, b) => concern[b.state] - concern[a.state] || byName(a.name, b.name));
}

/** `node-7` before `node-17`. */
export const { compare: byName } = new Intl.Collator(undefined, { numeric: true });

const concern: Record<AgentState, number> = {
  refused: 6,
  lost: 5,
  stopped: 4,
  late: 3,
  connecting: 2,
  resyncing: 1,
  live: 0,
};
