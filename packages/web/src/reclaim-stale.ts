/**
 * Reclaiming what is stale, on every agent at once.
 *
 * Staleness is an agent's judgement of this moment, so each is asked directly and nothing is promised. All are asked
 * side by side, each for at most 10 s (P11), also those whose link is down: only asking tells. One that did not
 * answer, or not as an agent does, is named with the reason, never left out.
 */
import { z } from '@hono/zod-openapi';
import {
  type AgentState,
  ProblemError,
  type ReclaimItem,
  ReclaimItemSchema,
  type ReclaimStale,
} from '@holdfast/shared';
import type { Agents } from './agents.ts';
import { askAgent } from './ask-agent.ts';

export interface StaleReclaims {
  items: (ReclaimItem & { agentId: string; agentName: string })[];
  unreachable: { agentId: string; name: string; state: AgentState; message: string }[];
}

const ItemsSchema = z.object({ items: z.array(ReclaimItemSchema) });

/** Agents in the order of `ids`; one that was removed meanwhile is passed over. */
export async function reclaimStale(
  agents: Pick<Agents, 'viewOf' | 'client'>,
  ids: readonly string[],
  asked: ReclaimStale,
): Promise<StaleReclaims> {
  const answers = await Promise.all(ids.map((id) => askOne(agents, id, asked)));
  return {
    items: answers.flatMap((answer) => answer.items),
    unreachable: answers.flatMap((answer) => answer.unreachable),
  };
}

async function askOne(
  agents: Pick<Agents, 'viewOf' | 'client'>,
  id: string,
  asked: ReclaimStale,
): Promise<StaleReclaims> {
  const view = agents.viewOf(id);
  if (view === undefined) return { items: [], unreachable: [] };
  const { name, state } = view;
  try {
    const question = { method: 'POST' as const, path: '/reclaim', body: asked, schema: ItemsSchema };
    const { items } = await askAgent(agents, id, question);
    return { items: items.map((item) => ({ ...item, agentId: id, agentName: name })), unreachable: [] };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return {
      items: [],
      unreachable: [{ agentId: id, name, state, message: messageOf(error, asked.dryRun === true) }],
    };
  }
}

/** An answer that was lost may be that of a reclaim which was done. */
function messageOf(error: ProblemError, isDryRun: boolean): string {
  if (isDryRun || error.code !== 'agent_unreachable') return error.message;
  return `${error.message} Nothing is known of its stale tasks; asking again is harmless.`;
}
