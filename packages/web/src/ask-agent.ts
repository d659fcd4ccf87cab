/**
 * One question to one agent, answered as web answers it: what the agent says is checked against its schema, what it
 * refuses is passed on, and silence is `agent_unreachable`. Nothing is tried again.
 */
import { ProblemError } from '@holdfast/shared';
import type { z } from '@hono/zod-openapi';
import { AgentUnreachableError } from './agent-client.ts';
import { passOn } from './agent-problem.ts';
import type { Agents } from './agents.ts';
import type { TaskRow } from './session-store.ts';

interface Question<T extends z.ZodType> {
  method: 'GET' | 'POST' | 'PATCH';
  path: string;
  body?: unknown;
  /** What the answer must be. */
  schema: T;
  signal?: AbortSignal;
}

/**
 * Throws `ProblemError`: `no_such_agent`, `agent_unreachable`, `bad_agent` (an answer that cannot be read), or the
 * agent's own.
 */
export async function askAgent<T extends z.ZodType>(
  agents: Pick<Agents, 'viewOf' | 'client'>,
  id: string,
  { method, path, body, schema, signal }: Question<T>,
): Promise<z.infer<T>> {
  const view = agents.viewOf(id);
  if (view === undefined) throw new ProblemError('no_such_agent', `There is no agent ${id}.`);
  const client = agents.client(id);
  if (client === undefined) {
    throw new ProblemError('agent_unreachable', `The address of ${view.name} is not known.`);
  }
  try {
    const answer = await client.call(method, path, {
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (answer.kind === 'refused') throw passOn(answer);
    const read = schema.safeParse(answer.body);
    if (!read.success) throw new ProblemError('bad_agent', `The answer of ${view.name} cannot be read.`);
    return read.data;
  } catch (error) {
    if (!(error instanceof AgentUnreachableError)) throw error;
    throw new ProblemError('agent_unreachable', `${view.name} cannot be reached: ${error.message}.`, {
      cause: error,
    });
  }
}

/** The same of the agent that has a task. Throws `agent_unreachable` as well where web follows none that has it. */
export async function askAgentOf<T extends z.ZodType>(
  agents: Pick<Agents, 'viewOf' | 'client'>,
  { agentId }: Pick<TaskRow, 'agentId'>,
  question: Question<T>,
): Promise<z.infer<T>> {
  if (agentId === undefined || agents.viewOf(agentId) === undefined) {
    throw new ProblemError('agent_unreachable', 'No agent that web knows has this task.');
  }
  return askAgent(agents, agentId, question);
}
