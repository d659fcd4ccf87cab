/** Reclaim: one attempt, or everything that is stale (PROTOCOL.md §3). */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import {
  ProblemError,
  ReclaimFenceSchema,
  ReclaimItemSchema,
  ReclaimSchema,
  ReclaimStaleSchema,
  TaskSchema,
} from '@holdfast/shared';
import type { Events } from '../events.ts';
import type { Reclaimer } from '../reclaim.ts';
import type { StopRequests } from '../stop-requests.ts';
import { json, problem, taskParams } from './tasks.ts';

const reclaim = createRoute({
  method: 'post',
  path: '/tasks/{id}/reclaim',
  summary: 'Give up an attempt for another one; harmless to repeat',
  description:
    'Attempts are numbered anew in another journal. With `cursor`, a place in the log that the asker has read up to, ' +
    'the attempt is that of this log alone: a journal that does not continue it refuses with `attempt_changed`.',
  request: {
    params: taskParams,
    query: ReclaimFenceSchema,
    body: { required: true, content: { 'application/json': { schema: ReclaimSchema } } },
  },
  responses: {
    202: json(TaskSchema, 'On record; the next attempt starts when every process of this one is gone'),
    404: problem('no_such_task'),
    409: problem('attempt_changed, not_claimable'),
    422: problem('invalid'),
  },
});

const reclaimStale = createRoute({
  method: 'post',
  path: '/reclaim',
  summary: 'Reclaim every stale attempt; one that was verified alive is never stale',
  request: { body: { required: false, content: { 'application/json': { schema: ReclaimStaleSchema } } } },
  responses: {
    200: json(z.object({ items: z.array(ReclaimItemSchema) }), 'What was found, and what came of it'),
    422: problem('invalid'),
  },
});

export interface ReclaimRoutesOptions {
  stops: Pick<StopRequests, 'reclaim'>;
  reclaimer: Pick<Reclaimer, 'reclaimStale'>;
  events: Pick<Events, 'continuation'>;
}

export function addReclaimRoutes(app: OpenAPIHono, { stops, reclaimer, events }: ReclaimRoutesOptions): void {
  app.openapi(reclaim, async (context) => {
    const { attempt, reason } = context.req.valid('json');
    const { cursor } = context.req.valid('query');
    const continuation = cursor === undefined ? 'continues' : events.continuation(cursor);
    if (continuation !== 'continues') {
      const why =
        continuation === 'too_old'
          ? `This agent's log does not reach back to where attempt ${attempt} was seen: those events were pruned, so it ` +
            'cannot be told whether that attempt is meant.'
          : `This agent's journal is another one than that in which attempt ${attempt} was seen: it was replaced or restored.`;
      const next = 'Look at the task, and reclaim it again if that is still needed.';
      throw new ProblemError('attempt_changed', `${why} ${next}`);
    }
    const task = await stops.reclaim(context.req.valid('param').id, attempt, reason);
    // Without a condition it is never left undone.
    return context.json(task!, 202);
  });

  app.openapi(reclaimStale, async (context) =>
    context.json({ items: await reclaimer.reclaimStale(context.req.valid('json')) }, 200),
  );
}
