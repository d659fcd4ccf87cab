/** `/tasks`: submit, list, read, cancel, retry (PROTOCOL.md §3). */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import {
  AttemptSchema,
  hashContent,
  ProblemSchema,
  SubmitSchema,
  type Task,
  TaskEventSchema,
  TaskIdSchema,
  TaskSchema,
  taskStatuses,
} from '@holdfast/shared';
import type { AttemptStore } from '../attempts.ts';
import type { Claims } from '../claims.ts';
import type { Journal } from '../journal.ts';
import { listTasks, noSuchTask, type Queue } from '../queue.ts';
import type { StopRequests } from '../stop-requests.ts';
import type { Supervisor } from '../supervise.ts';

export interface TaskRoutesOptions {
  journal: Journal;
  queue: Queue;
  attempts: AttemptStore;
  claims: Claims;
  stops: StopRequests;
  supervisor: Supervisor;
  /** A task was queued: the dispatcher looks. */
  onQueued: () => void;
}

const MOST_LISTED = 500;

export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: ProblemSchema } },
});
export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema } },
});
export const taskParams = z.object({ id: TaskIdSchema });

/** A list in the query: `a,b` or repeated. */
const listOf = <T extends z.ZodType>(item: T) =>
  z.preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(item).optional());

const ListQuerySchema = z.object({
  status: listOf(z.enum(taskStatuses)),
  sessionId: z.string().optional(),
  queue: z.string().optional(),
  label: z.preprocess(
    (value) => (typeof value === 'string' ? [value] : value),
    z.array(z.string()).optional(),
  ),
  q: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(MOST_LISTED).default(100),
  after: TaskIdSchema.optional(),
});

const submit = createRoute({
  method: 'post',
  path: '/tasks',
  summary: 'Submit a task; harmless to repeat',
  request: { body: { required: true, content: { 'application/json': { schema: SubmitSchema } } } },
  responses: {
    201: json(TaskSchema, 'Accepted: it survives anything from here on'),
    200: json(TaskSchema, 'The same submit was accepted before'),
    409: problem('task_conflict: the id belongs to another task'),
    422: problem('invalid'),
    503: problem('queue_full'),
    507: problem('journal_full'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/tasks',
  summary: 'Tasks, newest first',
  request: { query: ListQuerySchema },
  responses: {
    200: json(z.object({ items: z.array(TaskSchema), next: z.string().optional() }), 'One page'),
    304: { description: 'Nothing has changed since the given ETag' },
  },
});

const read = createRoute({
  method: 'get',
  path: '/tasks/{id}',
  summary: 'One task',
  request: { params: taskParams },
  responses: { 200: json(TaskSchema, 'The task'), 404: problem('no_such_task') },
});

const readEvents = createRoute({
  method: 'get',
  path: '/tasks/{id}/events',
  summary: 'The events of a task that the log still holds, oldest first',
  request: { params: taskParams },
  responses: {
    200: json(z.object({ items: z.array(TaskEventSchema) }), 'Its events'),
    404: problem('no_such_task'),
  },
});

const readAttempts = createRoute({
  method: 'get',
  path: '/tasks/{id}/attempts',
  summary: 'The attempts of a task, oldest first',
  request: { params: taskParams },
  responses: {
    200: json(z.object({ items: z.array(AttemptSchema) }), 'Its attempts'),
    404: problem('no_such_task'),
  },
});

const cancel = createRoute({
  method: 'post',
  path: '/tasks/{id}/cancel',
  summary: 'Ask for a task to be stopped',
  request: { params: taskParams },
  responses: {
    202: json(TaskSchema, 'The request is on record; the task ends when its processes are gone'),
    404: problem('no_such_task'),
    409: problem('already_ended, with taskStatus'),
  },
});

const retry = createRoute({
  method: 'post',
  path: '/tasks/{id}/retry',
  summary: 'Run an ended task again, as a new task',
  request: {
    params: taskParams,
    body: {
      required: true,
      content: { 'application/json': { schema: z.strictObject({ id: TaskIdSchema }) } },
    },
  },
  responses: {
    201: json(TaskSchema, 'The new task'),
    200: json(TaskSchema, 'The same retry was accepted before'),
    404: problem('no_such_task'),
    409: problem('not_ended, task_conflict'),
  },
});

export function addTaskRoutes(app: OpenAPIHono, options: TaskRoutesOptions): void {
  const { journal, queue, attempts, claims, stops, supervisor, onQueued } = options;

  const taskOf = (id: string) => {
    const record = journal.record(id);
    if (record === undefined) throw noSuchTask(id);
    return record.task;
  };

  /** With what changes without an event: the output as it was last measured, the lease as it was last renewed. */
  const asOfNow = (task: Task) => claims.withLease(supervisor.withOutput(task));

  app.openapi(submit, async (context) => {
    const { task, created } = await queue.submitTask(context.req.valid('json'));
    if (created) onQueued();
    return context.json(task, created ? 201 : 200);
  });

  app.openapi(list, (context) => {
    const { label, ...query } = context.req.valid('query');
    const { items, ...rest } = listTasks(journal.database, { ...query, labels: label });
    const page = { items: items.map(asOfNow), ...rest };
    // Of what is answered: leases and outputs change without an event.
    const etag = `"${hashContent(page)}"`;
    if (matchesEtag(context.req.header('if-none-match'), etag)) return context.body(null, 304, { etag });
    return context.json(page, 200, { etag });
  });

  app.openapi(read, (context) => {
    return context.json(asOfNow(taskOf(context.req.valid('param').id)), 200);
  });

  app.openapi(readEvents, (context) => {
    const { id } = taskOf(context.req.valid('param').id);
    return context.json({ items: journal.eventsOf(id) }, 200);
  });

  app.openapi(readAttempts, (context) => {
    const { id } = taskOf(context.req.valid('param').id);
    return context.json({ items: attempts.list(id) }, 200);
  });

  app.openapi(cancel, async (context) => {
    const task = await stops.cancel(context.req.valid('param').id);
    return context.json(task, 202);
  });

  app.openapi(retry, async (context) => {
    const { task, created } = await queue.retryTask(
      context.req.valid('param').id,
      context.req.valid('json').id,
    );
    if (created) onQueued();
    return context.json(task, created ? 201 : 200);
  });
}

/** RFC 9110 §13.1.2: a list, compared weakly, because a proxy that compresses marks what passes it as weak. */
function matchesEtag(given: string | undefined, etag: string): boolean {
  return given?.split(',').some((one) => one.trim().replace(/^W\//, '') === etag) === true;
}
