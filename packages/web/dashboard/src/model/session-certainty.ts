/**
 * How certain a session may look in the rail. Guarantees: pure; never more certain than the agents that its work is known
 * to be on; an agent that has none of its work does not weaken it, as far as the rows that are loaded can tell.
 */
import type { ShownAgent, ShownSession, ShownTask } from '@holdfast/shared';
import type { AgentState, ShownStatus } from '@holdfast/shared/status';
import { isEnded } from '@holdfast/shared/status';
import type { Certainty } from './certainty.ts';
import type { LinkState } from './link.ts';

/** What is loaded of a session's tasks that have not ended. */
export interface SessionWork {
  tasks: number;
  agentIds: ReadonlySet<string>;
}

/** The work in hand among `tasks`, by session. */
export function workBySession(tasks: Iterable<ShownTask>): Map<string, SessionWork> {
  const found = new Map<string, { tasks: number; agentIds: Set<string> }>();
  for (const { sessionId, status, agentId } of tasks) {
    if (isEnded(status)) continue;
    const work = found.get(sessionId) ?? { tasks: 0, agentIds: new Set() };
    work.tasks += 1;
    // What is submitted and not delivered is web's own word: no agent vouches for it yet.
    if (agentId !== undefined && status !== 'submitted') work.agentIds.add(agentId);
    found.set(sessionId, work);
  }
  return found;
}

export function sessionCertainty(
  session: Pick<ShownSession, 'status' | 'counts'>,
  work: SessionWork | undefined,
  agents: readonly Pick<ShownAgent, 'id' | 'state'>[],
  link: LinkState['state'],
): Certainty['state'] {
  if (session.status === 'empty' || isEnded(session.status)) return 'live';
  if (session.status === 'unknown' || link === 'blind') return 'unknown';
  if (link !== 'live') return 'stale';
  const stateOf = (id: string): AgentState | undefined => agents.find((agent) => agent.id === id)?.state;
  if (work !== undefined && [...work.agentIds].some((id) => stateOf(id) !== 'live')) return 'stale';
  if ((work?.tasks ?? 0) >= inHand(session.counts)) return 'live';
  // Where not all of its work is loaded: the tasks of an agent that web has given up on are counted as unknown, those
  // of one that is merely late are not yet.
  return agents.some(({ state }) => !isToldByCounts(state)) ? 'stale' : 'live';
}

function isToldByCounts(state: AgentState): boolean {
  return state === 'live' || state === 'lost' || state === 'stopped';
}

function inHand(counts: ShownSession['counts']): number {
  const open: readonly ShownStatus[] = ['unknown', 'running', 'starting', 'queued'];
  return open.reduce((sum, status) => sum + (counts[status] ?? 0), counts.submitted ?? 0);
}
