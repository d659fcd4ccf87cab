/** What agents can prove: the proof of one task, the audit of one agent, and the runners that it has. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { AuditSchema, AuditTaskSchema, ProofSchema, RunnerInfoSchema } from '@holdfast/shared';
import type { Agents } from '../agents.ts';
import { askAgent, askAgentOf } from '../ask-agent.ts';
import type { Reads } from '../reads.ts';
import { IdParamSchema, json, problem } from './answers.ts';

const problems = { 502: problem('bad_agent'), 503: problem('agent_unreachable') };

const TaskProofSchema = AuditTaskSchema.extend({
  proof: z.union([
    ProofSchema,
    /** The agent looked and found that nothing works on it. */
    z.object({ kind: z.literal('none'), message: z.string() }),
    /** The agent looked and says that no attempt is under way: it waits, or it has ended. */
    z.object({ kind: z.literal('over') }),
  ]),
  agentId: z.string(),
  agentName: z.string(),
}).openapi('TaskProof');

const readProof = createRoute({
  method: 'get',
  path: '/api/tasks/{id}/proof',
  summary: 'What proves that somebody works on a task, as its agent sees it now',
  request: { params: IdParamSchema },
  responses: {
    200: json(TaskProofSchema, 'The agent’s proof; `verifiedAt` is the time of its look, by its clock'),
    404: problem('no_such_task'),
    ...problems,
  },
});

const readAudit = createRoute({
  method: 'get',
  path: '/api/agents/{id}/audit',
  summary: 'Every live task of an agent with its proof, and what should not be',
  request: { params: IdParamSchema },
  responses: {
    200: json(AuditSchema, 'As the agent sees it now'),
    404: problem('no_such_agent'),
    ...problems,
  },
});

const RunnersSchema = z.object({ items: z.array(RunnerInfoSchema) });

const readRunners = createRoute({
  method: 'get',
  path: '/api/agents/{id}/runners',
  summary: 'The runners of an agent, and which of them it could start',
  request: { params: IdParamSchema },
  responses: { 200: json(RunnersSchema, 'By name'), 404: problem('no_such_agent'), ...problems },
});

export function addAuditRoutes(app: OpenAPIHono, { agents, reads }: { agents: Agents; reads: Reads }): void {
  app.openapi(readProof, async (context) => {
    const row = await reads.row(context.req.valid('param').id);
    const audit = await askAgentOf(agents, row, {
      method: 'GET',
      path: `/audit?taskId=${row.id}`,
      schema: AuditSchema,
      signal: context.req.raw.signal,
    });
    const agentId = row.agentId!;
    const agentName = agents.viewOf(agentId)?.name ?? agentId;
    // An agent that does not know the filter names every task.
    const found = audit.tasks.find((one) => one.taskId === row.id);
    if (found !== undefined) return context.json({ ...found, agentId, agentName }, 200);
    const ghost = audit.ghosts.find((one) => one.taskId === row.id);
    const proof =
      ghost === undefined ? { kind: 'over' as const } : { kind: 'none' as const, message: ghost.message };
    const attempt = ghost?.attempt ?? row.task.attempt;
    return context.json({ taskId: row.id, attempt, proof, verifiedAt: audit.at, agentId, agentName }, 200);
  });

  app.openapi(readAudit, async (context) => {
    const { id } = context.req.valid('param');
    const question = { method: 'GET' as const, path: '/audit', schema: AuditSchema };
    return context.json(await askAgent(agents, id, { ...question, signal: context.req.raw.signal }), 200);
  });

  app.openapi(readRunners, async (context) => {
    const { id } = context.req.valid('param');
    const question = { method: 'GET' as const, path: '/runners', schema: RunnersSchema };
    return context.json(await askAgent(agents, id, { ...question, signal: context.req.raw.signal }), 200);
  });
}
