/** One action on many tasks: `/api/tasks/bulk`, and on every stale one: `/api/reclaim`. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { agentStates, ReclaimItemSchema, ReclaimStaleSchema } from '@holdfast/shared';
import type { Agents } from '../agents.ts';
import { type BulkOptions, MOST_MATCHES, runBulk } from '../bulk.ts';
import { reclaimStale } from '../reclaim-stale.ts';
import type { TaskFilter } from '../session-store.ts';
import { definedOnly, json, jsonBody, problem } from './answers.ts';
import { type FilterFields, filterFields, namedAgent, noSuchAgent, toFilter } from './task-filter.ts';

export interface BulkRoutesOptions extends BulkOptions {
  agents: Agents;
}

const MOST_IDS = 1000;
const DEFAULT_REASON = 'asked for in bulk';

const BulkSchema = z
  .strictObject({
    action: z.enum(['cancel', 'retry', 'reclaim', 'resolve']),
    ids: z.array(z.string().min(1).max(256)).min(1).max(MOST_IDS).optional(),
    filter: z.strictObject(filterFields).optional(),
    dryRun: z.boolean().optional(),
    reason: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .openapi({ description: 'of a reclaim, in a person’s words' }),
  })
  .superRefine(({ ids, filter }, context) => {
    if ((ids === undefined) !== (filter === undefined)) return;
    context.addIssue({ code: 'custom', path: [], message: 'needs exactly one of ids and filter' });
  })
  .openapi('Bulk');

const BulkItemSchema = z
  .object({
    id: z.string(),
    title: z.string().optional().openapi({
      description:
        'what the task is called, cut to 120 characters: its title, or the first line of what it runs',
    }),
    result: z.enum(['done', 'promised', 'refused', 'wouldDo']),
    code: z.string().optional(),
    message: z.string().optional(),
    newId: z.string().optional().openapi({ description: 'the task that a retry makes' }),
  })
  .openapi('BulkItem');

const bulk = createRoute({
  method: 'post',
  path: '/api/tasks/bulk',
  summary: 'Do the same to many tasks; harmless to repeat',
  description:
    'One result for each task; what one is refused for changes nothing for the others. `promised`: on record, and ' +
    'delivered as soon as its agent can be reached. A retry makes its new ids from the old ones, so a task is ' +
    'retried in bulk once, and a repeat names the task that the first one made. A reclaim means the attempt that is ' +
    `known when the tasks are chosen. A filter acts on the newest ${MOST_MATCHES} that it finds; \`matched\` says how ` +
    'many there are.',
  request: { body: jsonBody(BulkSchema) },
  responses: {
    200: json(
      z.object({ items: z.array(BulkItemSchema), matched: z.number().int() }),
      'What was done, or with dryRun would be',
    ),
    422: problem('invalid'),
  },
});

const named = { agentId: z.string(), agentName: z.string() };

const reclaim = createRoute({
  method: 'post',
  path: '/api/reclaim',
  summary: 'Reclaim what each agent finds stale now',
  description:
    'Every agent is asked directly and judges for itself; nothing is promised. What could not be asked is listed, ' +
    'and nothing is known of it.',
  request: {
    body: jsonBody(
      ReclaimStaleSchema.extend({
        agent: z.string().min(1).max(256).optional().openapi({ description: 'only this one: id or name' }),
      }).openapi('ReclaimStaleThroughWeb'),
    ),
  },
  responses: {
    200: json(
      z.object({
        items: z.array(ReclaimItemSchema.extend(named)),
        unreachable: z.array(
          z.object({
            agentId: z.string(),
            name: z.string(),
            state: z.enum(agentStates),
            message: z.string(),
          }),
        ),
      }),
      'Each stale task with its evidence and what was done, and the agents that could not be asked',
    ),
    422: problem('invalid'),
  },
});

export function addBulkRoutes(app: OpenAPIHono, options: BulkRoutesOptions): void {
  const { agents, store, now } = options;

  /**
   * Nothing to do and an agent that was misspelt must not look the same. An agent that was removed is known by its
   * tasks. Throws `ProblemError` `invalid`.
   */
  async function filterOf(fields: FilterFields): Promise<TaskFilter> {
    const filter = toFilter(agents, fields, now());
    const { agent } = fields;
    if (agent === undefined || agents.find(agent).outcome === 'found') return filter;
    const { items } = await store.moreTasks({ agentId: agent }, { limit: 1 });
    if (items.length === 0) throw noSuchAgent(agent, '/filter/agent');
    return filter;
  }

  app.openapi(bulk, async (context) => {
    const { action, ids, filter, dryRun = false, reason = DEFAULT_REASON } = context.req.valid('json');
    const which = ids === undefined ? { filter: await filterOf(filter ?? {}) } : { ids };
    return context.json(await runBulk(options, { action, which, isDryRun: dryRun, reason }), 200);
  });

  app.openapi(reclaim, async (context) => {
    const { agent, ...asked } = context.req.valid('json');
    const ids = agent === undefined ? agents.views().map(({ id }) => id) : [namedAgent(agents, agent)];
    return context.json(await reclaimStale(agents, ids, definedOnly(asked)), 200);
  });
}
