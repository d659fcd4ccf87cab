/** Reading tasks: `/api/tasks`, one task, its events, its doubts, its attempts, its output. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import {
  destroyerOf,
  AttemptSchema,
  doubtReasons,
  KnowledgeSchema,
  ProblemError,
  SessionIdSchema,
  ShownTaskSchema,
  shownStatuses,
  TaskEventSchema,
  taskStatuses,
} from '@holdfast/shared';
import { AgentUnreachableError } from '../agent-client.ts';
import { passOn } from '../agent-problem.ts';
import type { Agents } from '../agents.ts';
import type { Outputs } from '../output.ts';
import type { Reads } from '../reads.ts';
import type { SessionStore, TaskFilter } from '../session-store.ts';
import {
  definedOnly,
  holds,
  IdParamSchema,
  json,
  listOf,
  notModified,
  pageQuery,
  problem,
  repeatable,
  stream,
} from './answers.ts';

export interface TaskRoutesOptions {
  store: SessionStore;
  agents: Agents;
  reads: Reads;
  outputs: Outputs;
}

const time = z.number().int();

const ListQuerySchema = z.strictObject({
  status: listOf(z.enum(shownStatuses)).openapi({ description: 'one or more, comma-separated' }),
  sessionId: SessionIdSchema.optional(),
  agent: z.string().min(1).max(256).optional().openapi({ description: 'id or name' }),
  queue: z.string().min(1).max(64).optional(),
  label: repeatable(z.string().min(1).max(320)).openapi({
    description: '`key` or `key=value`; repeat it for several',
  }),
  q: z
    .string()
    .max(500)
    .optional()
    .openapi({ description: 'anywhere in title, command, id or session, whatever the case' }),
  ...pageQuery,
});

const list = createRoute({
  method: 'get',
  path: '/api/tasks',
  summary: 'Tasks, newest first',
  request: { query: ListQuerySchema },
  responses: {
    200: json(
      z.object({
        items: z.array(ShownTaskSchema),
        next: z.string().optional(),
        total: z.number().int(),
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
  const { store, agents, reads, outputs } = options;

  app.openapi(list, async (context) => {
    const etag = reads.etag();
    if (holds(context, etag)) return context.body(null, 304, { etag });
    const { limit, after, agent, label, ...query } = context.req.valid('query');
    const filter: TaskFilter = definedOnly({
      ...query,
      agentId: agent && agentIdOf(agents, agent),
      labels: label,
    });
    const page = await reads.tasks(filter, definedOnly({ limit, after }));
    return context.json(page, 200, { etag });
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
    const client = row.agentId === undefined ? undefined : agents.client(row.agentId);
    if (client === undefined)
      throw new ProblemError('agent_unreachable', 'No agent that web knows has this task.');
    try {
      const answer = await client.call('GET', `/tasks/${row.id}/attempts`, {
        signal: context.req.raw.signal,
      });
      if (answer.kind === 'refused') throw passOn(answer);
      const attempts = AttemptsSchema.safeParse(answer.body);
      if (!attempts.success)
        throw new ProblemError('bad_agent', 'The agent’s list of attempts cannot be read.');
      return context.json(attempts.data, 200);
    } catch (error) {
      if (!(error instanceof AgentUnreachableError)) throw error;
      throw new ProblemError('agent_unreachable', `Its agent cannot be reached: ${error.message}.`, {
        cause: error,
      });
    }
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

/** An agent's id for a filter; one that nobody has finds nothing. */
function agentIdOf(agents: Agents, reference: string): string {
  const found = agents.find(reference);
  return found.outcome === 'found' ? found.view.id : reference;
}
