/**
 * Of which journal what was read is known.
 *
 * The number of an attempt means something in one journal alone, and an agent may come back with another one at any
 * moment: between a look at a row and the request that follows from it, or while that request is on its way. So a
 * request that names an attempt carries a cursor, a place in the log of the journal that the row came from, and the agent
 * decides whether it is that one still (PROTOCOL.md §3).
 */
import { formatCursor } from '@holdfast/shared';
import type { SessionStore, StoredAgent } from './session-store.ts';

export interface KnownRead<T> {
  value: T;
  /** A cursor that covers all that was read of this agent; undefined if web knows no journal of it. */
  cursorOf: (agentId: string | undefined) => string | undefined;
}

/** Reads by `read`, and tells of which journals that is known. */
export async function readKnown<T>(
  store: Pick<SessionStore, 'agents'>,
  read: () => Promise<T>,
): Promise<KnownRead<T>> {
  const before = await agentsOf(store);
  const value = await read();
  const after = await agentsOf(store);
  return {
    value,
    cursorOf(agentId) {
      if (agentId === undefined) return undefined;
      const first = before.get(agentId);
      const last = after.get(agentId);
      // A journal that came in between: which of the two was read is not known, and the new one must refuse.
      const isSame =
        first?.position === undefined || first.position.generation === last?.position?.generation;
      return cursorOf(isSame ? last : first);
    },
  };
}

/** How far its rows were stated: what they say may be ahead of the position. */
function cursorOf(agent: StoredAgent | undefined): string | undefined {
  return agent?.position === undefined || agent.reach === undefined
    ? undefined
    : formatCursor({ epoch: agent.position.epoch, ...agent.reach });
}

async function agentsOf(store: Pick<SessionStore, 'agents'>): Promise<Map<string, StoredAgent>> {
  return new Map((await store.agents()).map((agent) => [agent.id, agent]));
}
