/** Reading tasks: `/api/tasks`, one task, its events, its doubts, its attempts, its output. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import {
  destroyerOf,
  AttemptSchema,
  doubtReasons,
  KnowledgeSchema,
  ShownTaskSchema,
  shownStatuses,
  TaskEventSchema,
  taskStatuses,
} from '@holdfast/shared';
import type { Agents } from '../agents.ts';
import { askAgentOf } from '../ask-agent.ts';
import type { Outputs } from '../output.ts';
import type { Reads } from '../reads.ts';
import { type SessionStore, taskOrders } from '../session-store.ts';
import {
  definedOnly,
  holds,
  IdParamSchema,
  json,
  notModified,
  pageQuery,
  problem,
  stream,
} from './answers.ts';
import { filterFields, toFilter } from './task-filter.ts';

export interface TaskRoutesOptions {
  store: SessionStore;
  agents: Agents;
  reads: Reads;
  outputs: Outputs;
  now: () => number;
}

const time = z.number().int();

const ListQuerySchema = z.strictObject({
  ...filterFields,
  ...pageQuery,
  order: z
    .enum(taskOrders)
    .optional()
    .openapi({
      description:
        '`newest` (default) and `oldest` by creation; `changed`: the newest change of a status first; `longest`: what ' +
        'is in hand for longest, then what waits for longest, then what took longest',
    }),
});

const LabelsSchema = z.object({
  items: z.array(z.object({ label: z.string(), tasks: z.number().int() })),
});

const readLabels = createRoute({
  method: 'get',
  path: '/api/labels',
  summary: 'The labels that most tasks have, and how many have each',
  request: { query: z.strictObject({ limit: pageQuery.limit }) },
  responses: { 200: json(LabelsSchema, 'The most frequent first'), 304: notModified },
});

const list = createRoute({
  method: 'get',
  path: '/api/tasks',
  summary: 'Tasks by creation, by the last change of their status, or by length',
  request: { query: ListQuerySchema },
  responses: {
    200: json(
      z.object({
        items: z.array(ShownTaskSchema),
        next: z.string().optional(),
        total: z.number().int().optional().describe('How many there are in all; on the first page only'),
        cursor: z.string(),
      }),
      'One page, and the cursor from which the feed goes on',
    ),
    304: notModified,
    422: problem('invalid'),
  },
});

const read = createRoute({
  method: 'get',
  path: '/api/tasks/{id}',
  summary: 'One task',
  request: { params: IdParamSchema },
  responses: { 200: json(ShownTaskSchema, 'The task'), 304: notModified, 404: problem('no_such_task') },
});

const ReceivedSchema = z.object({ seq: z.number().int(), generation: z.number().int(), receivedAt: time });

const readEvents = createRoute({
  method: 'get',
  path: '/api/tasks/{id}/events',
  summary: 'The agent’s events of a task, oldest first',
  description:
    'Of the newest journal of its agent that knows the task. `items` are the events exactly as the agent states ' +
    'them; `received` says of each, in the same order, when web had it on disk.',
  request: { params: IdParamSchema },
  responses: {
    200: json(z.object({ items: z.array(TaskEventSchema), received: z.array(ReceivedSchema) }), 'Its events'),
    404: problem('no_such_task'),
  },
});

const DoubtSchema = z
  .object({
    reason: z.enum(doubtReasons),
    lastStatus: z.enum([...taskStatuses, 'submitted']),
    asOf: time,
    since: time,
    resolvedAt: time.optional(),
    resolvedTo: z.enum(shownStatuses).optional(),
  })
  .openapi('Doubt');

const readKnowledge = createRoute({
  method: 'get',
  path: '/api/tasks/{id}/knowledge',
  summary: 'What web knows of a task’s status now, and when it doubted and why',
  request: { params: IdParamSchema },
  responses: {
    200: json(z.object({ knowledge: KnowledgeSchema, items: z.array(DoubtSchema) }), 'Doubts, oldest first'),
    404: problem('no_such_task'),
  },
});

const AttemptsSchema = z.object({ items: z.array(AttemptSchema) });

const readAttempts = createRoute({
  method: 'get',
  path: '/api/tasks/{id}/attempts',
  summary: 'The attempts of a task, asked from its agent',
  request: { params: IdParamSchema },
  responses: {
    200: json(AttemptsSchema, 'Oldest first'),
    404: problem('no_such_task'),
    502: problem('bad_agent'),
    503: problem('agent_unreachable'),
  },
});

const count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional();
const OutputQuerySchema = z.strictObject({
  attempt: count.openapi({ description: 'default: the last one' }),
  offset: count.openapi({ description: 'in bytes; default 0' }),
  limit: count.openapi({ description: 'in bytes; default: all' }),
});
const outputProblems = {
  404: problem('no_such_task, no_such_attempt'),
  416: problem('range_not_satisfiable'),
  502: problem('bad_agent'),
  503: problem('agent_unreachable: it cannot be had now'),
};

const readOutput = createRoute({
  method: 'get',
  path: '/api/tasks/{id}/output',
  summary: 'Output of a task, raw bytes from its agent',
  description:
    '`holdfast-output-bytes` says how much there is so far, `holdfast-output-complete` whether more can come.',
  request: { params: IdParamSchema, query: OutputQuerySchema },
  responses: {
    200: { description: 'The bytes', content: { 'application/octet-stream': { schema: z.string() } } },
    ...outputProblems,
  },
});

const followOutput = createRoute({
  method: 'get',
  path: '/api/tasks/{id}/output/stream',
  summary: 'Output of a task as it is written, as server-sent events',
  description:
    'Frames: `output { offset, text }` with id = next offset, `gap { from, to, why }`, `end { bytes, … }`.',
  request: { params: IdParamSchema, query: OutputQuerySchema.omit({ limit: true }) },
  responses: { 200: stream('The stream'), ...outputProblems },
});

export function addTaskRoutes(app: OpenAPIHono, options: TaskRoutesOptions): void {
  const { store, agents, reads, outputs, now } = options;

  app.openapi(list, async (context) => {
    const etag = reads.etag();
    if (holds(context, etag)) return context.body(null, 304, { etag });
    const { limit, after, order, ...fields } = context.req.valid('query');
    const filter = toFilter(agents, fields, now());
    const page = await reads.tasks(filter, definedOnly({ limit, after, order }));
    // What a filter finds by the clock changes without anything having changed.
    const isByClock = filter.marks !== undefined || filter.not?.marks !== undefined;
    return context.json(page, 200, isByClock ? {} : { etag });
  });

  app.openapi(readLabels, async (context) => {
    const etag = reads.etag();
    if (holds(context, etag)) return context.body(null, 304, { etag });
    const items = await store.labels(context.req.valid('query').limit);
    return context.json({ items }, 200, { etag });
  });

  app.openapi(read, async (context) => {
    const etag = reads.etag();
    const row = await reads.row(context.req.valid('param').id);
    if (holds(context, etag)) return context.body(null, 304, { etag });
    return context.json(reads.show(row), 200, { etag });
  });

  app.openapi(readEvents, async (context) => {
    const row = await reads.row(context.req.valid('param').id);
    const stored = await store.events(row.id);
    const newest = Math.max(0, ...stored.map((one) => one.generation));
    const current = stored.filter((one) => one.generation === newest);
    return context.json(
      {
        items: current.map((one) => one.event),
        received: current.map(({ event, generation, receivedAt }) => ({
          seq: event.seq,
          generation,
          receivedAt,
        })),
      },
      200,
    );
  });

  app.openapi(readKnowledge, async (context) => {
    const row = await reads.row(context.req.valid('param').id);
    return context.json({ knowledge: reads.show(row).knowledge, items: await store.doubts(row.id) }, 200);
  });

  app.openapi(readAttempts, async (context) => {
    const row = await reads.row(context.req.valid('param').id);
    // No agent has begun what none has acknowledged.
    if (row.task.seq === 0) return context.json({ items: [] }, 200);
    return context.json(
      await askAgentOf(agents, row, {
        method: 'GET',
        path: `/tasks/${row.id}/attempts`,
        schema: AttemptsSchema,
        signal: context.req.raw.signal,
      }),
      200,
    );
  });

  app.openapi(readOutput, async (context) => {
    const row = await reads.row(context.req.valid('param').id);
    const query = context.req.valid('query');
    return outputs.read({
      row,
      query,
      signal: context.req.raw.signal,
      destroy: destroyerOf(context),
    });
  });

  app.openapi(followOutput, async (context) => {
    const row = await reads.row(context.req.valid('param').id);
    const answer = await outputs.follow({
      row,
      query: context.req.valid('query'),
      lastEventId: context.req.header('last-event-id'),
      signal: context.req.raw.signal,
      destroy: destroyerOf(context),
    });
    return answer;
  });
}
