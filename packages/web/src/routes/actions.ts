/** What people ask of a task: submit, cancel, retry, reclaim, resolve. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { ReclaimSchema, ShownTaskSchema, SubmitSchema, TaskIdSchema } from '@holdfast/shared';
import type { Agents } from '../agents.ts';
import type { Intents } from '../intents.ts';
import type { Reads } from '../reads.ts';
import { IdParamSchema, json, jsonBody, problem } from './answers.ts';
import { namedAgent } from './task-filter.ts';

export interface ActionRoutesOptions {
  agents: Agents;
  intents: Intents;
  reads: Reads;
}

const submit = createRoute({
  method: 'post',
  path: '/api/tasks',
  summary: 'Submit a task; harmless to repeat',
  description: 'A submit as the agent takes it, plus `agent`: the id or name of the agent that is to run it.',
  request: {
    body: jsonBody(
      SubmitSchema.safeExtend({ agent: z.string().min(1).max(256).optional() }).openapi('SubmitToWeb'),
    ),
  },
  responses: {
    201: json(ShownTaskSchema, 'An agent has it'),
    202: json(
      ShownTaskSchema,
      'Promised: it is delivered as soon as an agent takes it, and `pending` says so',
    ),
    200: json(ShownTaskSchema, 'The same submit was accepted before'),
    409: problem('task_conflict: the id belongs to another task'),
    422: problem('invalid'),
  },
});

const cancel = createRoute({
  method: 'post',
  path: '/api/tasks/{id}/cancel',
  summary: 'Ask for a task to be stopped',
  request: { params: IdParamSchema },
  responses: {
    202: json(ShownTaskSchema, 'On record; `pending` until the agent has answered'),
    404: problem('no_such_task'),
    409: problem('already_ended, with taskStatus'),
    503: problem('agent_unreachable: its agent was removed'),
  },
});

const retry = createRoute({
  method: 'post',
  path: '/api/tasks/{id}/retry',
  summary: 'Run an ended task again, as a new task on the same agent',
  request: { params: IdParamSchema, body: jsonBody(z.strictObject({ id: TaskIdSchema })) },
  responses: {
    201: json(ShownTaskSchema, 'The new task; its agent has it'),
    202: json(ShownTaskSchema, 'The new task, promised'),
    200: json(ShownTaskSchema, 'The same retry was accepted before'),
    404: problem('no_such_task'),
    409: problem('not_ended, task_conflict'),
    422: problem('invalid'),
    503: problem('agent_unreachable: its agent was removed'),
  },
});

const reclaim = createRoute({
  method: 'post',
  path: '/api/tasks/{id}/reclaim',
  summary: 'Give up an attempt of a task, for a new one; harmless to repeat',
  description:
    'A claim is taken back at once, a process of the agent is stopped first. Another attempt than the one that is ' +
    'named is left alone, however late its agent hears of it.',
  request: { params: IdParamSchema, body: jsonBody(ReclaimSchema) },
  responses: {
    202: json(ShownTaskSchema, 'On record; `pending` until the agent has answered'),
    404: problem('no_such_task'),
    409: problem('not_claimable, attempt_changed'),
    422: problem('invalid'),
    503: problem('agent_unreachable: its agent was removed'),
  },
});

const resolve = createRoute({
  method: 'post',
  path: '/api/tasks/{id}/resolve',
  summary:
    'Give a verdict on a task whose status is unknown, or that was submitted to an agent that was removed; it yields to ' +
    'what its agent may still say',
  request: {
    params: IdParamSchema,
    body: jsonBody(
      z.strictObject({ verdict: z.literal('lost'), note: z.string().min(1).max(2000).optional() }),
    ),
  },
  responses: {
    200: json(ShownTaskSchema, 'The task'),
    404: problem('no_such_task'),
    409: problem('not_unknown'),
    422: problem('invalid'),
  },
});

const statusOf = { acknowledged: 201, promised: 202, repeated: 200 } as const;

export function addActionRoutes(app: OpenAPIHono, options: ActionRoutesOptions): void {
  const { agents, intents, reads } = options;

  app.openapi(submit, async (context) => {
    const { agent, ...body } = context.req.valid('json');
    const accepted = await intents.submit(body, agent === undefined ? undefined : namedAgent(agents, agent));
    return context.json(reads.show(accepted.row), statusOf[accepted.outcome]);
  });

  app.openapi(cancel, async (context) => {
    const row = await intents.cancel(context.req.valid('param').id);
    return context.json(reads.show(row), 202);
  });

  app.openapi(retry, async (context) => {
    const accepted = await intents.retry(context.req.valid('param').id, context.req.valid('json').id);
    return context.json(reads.show(accepted.row), statusOf[accepted.outcome]);
  });

  app.openapi(reclaim, async (context) => {
    const row = await intents.reclaim(context.req.valid('param').id, context.req.valid('json'));
    return context.json(reads.show(row), 202);
  });

  app.openapi(resolve, async (context) => {
    const { id } = await reads.row(context.req.valid('param').id);
    return context.json(reads.show(await intents.resolve(id, context.req.valid('json').note)), 200);
  });
}
