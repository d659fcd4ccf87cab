/** What waits, and for whom. Guarantees: pure; a figure that an agent does not tell is absent, never guessed. */
import type { AgentInfo } from '@holdfast/shared';

/** The queue whose tasks the agent runs itself; all others are for workers. (The contract's, without its schemas.) */
export const DEFAULT_QUEUE = 'default';

/** Queued tasks of named queues: of all that have not ended those that neither run nor wait for a slot. */
export function waitingForWorkers({ live, pool }: Pick<AgentInfo, 'live' | 'pool'>): number | undefined {
  const { running, queued, claimed } = pool;
  return claimed === undefined ? undefined : Math.max(0, live - running - queued - claimed);
}
