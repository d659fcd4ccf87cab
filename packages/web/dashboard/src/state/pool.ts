/** Pause, drain, resume and slots of an agent. Guarantees: the agent's own answer is shown, never a guess at it. */
import { signal } from '@preact/signals';
import type { PoolAsk, PoolAsked } from '../model/pool-steps.ts';
import { changePool, changeSlots, reconnectAgent } from '../transport/api.ts';
import { webNow } from './clock.ts';
import { notify } from './notices.ts';

/** The newest change of each agent, by its id. */
export const poolAsked = signal<ReadonlyMap<string, PoolAsked>>(new Map());

export async function askPool(agentId: string, ask: PoolAsk): Promise<void> {
  note(agentId, { ask });
  const answer =
    ask.verb === 'slots' ? await changeSlots(agentId, ask.slots) : await changePool(agentId, ask.verb);
  if (poolAsked.peek().get(agentId)?.ask !== ask) return;
  note(
    agentId,
    answer.ok ? { ask, answer: { pool: answer.value, at: webNow.peek() } } : { ask, problem: answer.problem },
  );
}

function note(agentId: string, asked: PoolAsked): void {
  poolAsked.value = new Map([...poolAsked.peek(), [agentId, asked]]);
}

export async function retryAgent(agentId: string): Promise<void> {
  const answer = await reconnectAgent(agentId);
  if (!answer.ok) notify(answer.problem.detail, 'problem');
}
