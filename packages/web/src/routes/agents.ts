/** Agents: `/api/agents`, and their pools, whose changes are passed through to them. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { PoolSchema, ProblemError, ShownAgentSchema } from '@holdfast/shared';
import type { Agents } from '../agents.ts';
import { askAgent } from '../ask-agent.ts';
import { AgentNameSchema, AgentUrlSchema } from '../discovery.ts';
import type { Reads } from '../reads.ts';
import { definedOnly, IdParamSchema, json, jsonBody, problem } from './answers.ts';

const list = createRoute({
  method: 'get',
  path: '/api/agents',
  summary: 'Agents, by name',
  responses: { 200: json(z.object({ items: z.array(ShownAgentSchema), cursor: z.string() }), 'All of them') },
});

const add = createRoute({
  method: 'post',
  path: '/api/agents',
  summary: 'Follow an agent of another machine, or give one a new address',
  description: 'The agent is asked who it is before anything is kept; it must be running and take the token.',
  request: {
    body: jsonBody(
      z.strictObject({
        url: AgentUrlSchema.openapi({ type: 'string', example: 'http://build-2.lan:7401' }),
        token: z
          .string()
          .max(1024)
          .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
          .openapi({ description: 'its agent.token' }),
        name: AgentNameSchema.optional(),
      }),
    ),
  },
  responses: {
    201: json(ShownAgentSchema, 'Followed from now on'),
    200: json(ShownAgentSchema, 'Known before; its address was renewed'),
    409: problem('agent_conflict'),
    422: problem('invalid'),
    502: problem('bad_agent'),
    503: problem('agent_unreachable'),
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/api/agents/{id}',
  summary: 'Follow an agent no longer; its live tasks become unknown',
  request: { params: IdParamSchema },
  responses: {
    200: json(ShownAgentSchema, 'As it was last'),
    404: problem('no_such_agent'),
    409: problem('agent_conflict: it runs on this machine'),
  },
});

const poolProblems = {
  404: problem('no_such_agent'),
  422: problem('invalid'),
  502: problem('bad_agent'),
  503: problem('agent_unreachable'),
};

const changeSlots = createRoute({
  method: 'patch',
  path: '/api/agents/{id}',
  summary: 'Change the number of slots of an agent; running tasks go on',
  request: {
    params: IdParamSchema,
    body: jsonBody(z.strictObject({ slots: z.number().int().min(0).max(10_000) })),
  },
  responses: { 200: json(PoolSchema, 'Its pool'), ...poolProblems },
});

const reconnect = createRoute({
  method: 'post',
  path: '/api/agents/{id}/reconnect',
  summary: 'Connect to an agent now instead of waiting for the next try',
  request: { params: IdParamSchema },
  responses: { 202: json(ShownAgentSchema, 'As it is shown now'), 404: problem('no_such_agent') },
});

export function addAgentRoutes(app: OpenAPIHono, { agents, reads }: { agents: Agents; reads: Reads }): void {
  app.openapi(list, (context) => context.json({ items: agents.views(), cursor: reads.cursor() }, 200));

  app.openapi(add, async (context) => {
    const { url, token, name } = context.req.valid('json');
    const { agent, created } = await agents.add({ url, token, ...definedOnly({ name }) });
    return context.json(agent, created ? 201 : 200);
  });

  app.openapi(remove, async (context) =>
    context.json(await agents.remove(context.req.valid('param').id), 200),
  );

  app.openapi(reconnect, (context) => {
    const { id } = context.req.valid('param');
    const view = agents.reconnect(id);
    if (view === undefined) throw new ProblemError('no_such_agent', `There is no agent ${id}.`);
    return context.json(view, 202);
  });

  app.openapi(changeSlots, async (context) => {
    const pool = await askAgent(agents, context.req.valid('param').id, {
      method: 'PATCH',
      path: '/pool',
      body: context.req.valid('json'),
      schema: PoolSchema,
    });
    return context.json(pool, 200);
  });

  for (const verb of ['pause', 'drain', 'resume'] as const) {
    const route = createRoute({
      method: 'post',
      path: `/api/agents/{id}/${verb}`,
      summary: `${verb[0]!.toUpperCase()}${verb.slice(1)} an agent`,
      request: { params: IdParamSchema },
      responses: { 200: json(PoolSchema, 'Its pool'), ...poolProblems },
    });
    app.openapi(route, async (context) => {
      const pool = await askAgent(agents, context.req.valid('param').id, {
        method: 'POST',
        path: `/pool/${verb}`,
        schema: PoolSchema,
      });
      return context.json(pool, 200);
    });
  }
}
