/** `/claims`: tasks of a named queue for workers that the agent did not start (PROTOCOL.md §3). */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import {
  ClaimCompleteSchema,
  ClaimFailSchema,
  ClaimHeartbeatSchema,
  ClaimRequestSchema,
  GrantSchema,
  LeaseSchema,
  TaskSchema,
  WorkerReleaseSchema,
} from '@holdfast/shared';
import type { ClaimLine } from '../claim-line.ts';
import type { Claims } from '../claims.ts';
import { json, problem } from './tasks.ts';

const body = <T extends z.ZodType>(schema: T, required = true) => ({
  required,
  content: { 'application/json': { schema } },
});
const params = z.object({ token: z.string().min(1).max(128) });
const lost = problem('claim_lost: another attempt is the current one, or this one is over');

const claim = createRoute({
  method: 'post',
  path: '/claims',
  summary: 'Take the next task of a queue; harmless to repeat with the same claimId',
  request: { body: body(ClaimRequestSchema) },
  responses: {
    200: json(GrantSchema, 'The task, and the token that speaks for its attempt'),
    204: { description: 'There was none within waitMs' },
    409: problem('claim_lost: this claimId was used for a claim that is over'),
    422: problem('invalid'),
    507: problem('journal_full'),
  },
});

const heartbeat = createRoute({
  method: 'post',
  path: '/claims/{token}/heartbeat',
  summary: 'The worker is alive: its lease begins anew',
  request: { params, body: body(ClaimHeartbeatSchema, false) },
  responses: {
    200: json(LeaseSchema, 'Until when it may be silent, and whether it should stop'),
    409: lost,
    422: problem('invalid'),
  },
});

const complete = createRoute({
  method: 'post',
  path: '/claims/{token}/complete',
  summary: 'The work is done',
  request: { params, body: body(ClaimCompleteSchema, false) },
  responses: { 200: json(TaskSchema, 'The task'), 409: lost, 422: problem('invalid') },
});

const fail = createRoute({
  method: 'post',
  path: '/claims/{token}/fail',
  summary: 'The work failed; `retryable` asks for another attempt within the budget',
  request: { params, body: body(ClaimFailSchema) },
  responses: { 200: json(TaskSchema, 'The task'), 409: lost, 422: problem('invalid') },
});

const release = createRoute({
  method: 'post',
  path: '/claims/{token}/release',
  summary: 'The worker gives the task back; that is not charged',
  request: { params },
  responses: { 200: json(TaskSchema, 'The task'), 409: lost },
});

const releaseWorker = createRoute({
  method: 'post',
  path: '/claims/release',
  summary: 'A restarted worker gives back all that it held; that is not charged',
  request: { body: body(WorkerReleaseSchema) },
  responses: {
    200: json(z.object({ items: z.array(TaskSchema) }), 'The tasks that it held'),
    422: problem('invalid'),
  },
});

export function addClaimRoutes(app: OpenAPIHono, claims: Claims, line: ClaimLine): void {
  app.openapi(claim, async (context) => {
    const grant = await line.take(context.req.valid('json'), context.req.raw.signal);
    return grant === undefined ? context.body(null, 204) : context.json(grant, 200);
  });

  app.openapi(releaseWorker, async (context) =>
    context.json({ items: await claims.releaseWorker(context.req.valid('json').worker) }, 200),
  );

  app.openapi(heartbeat, async (context) => {
    const { token } = context.req.valid('param');
    return context.json(await claims.heartbeat(token, context.req.valid('json').progress), 200);
  });

  app.openapi(complete, async (context) => {
    const { token } = context.req.valid('param');
    return context.json(await claims.say(token, { kind: 'complete', ...context.req.valid('json') }), 200);
  });

  app.openapi(fail, async (context) => {
    const { token } = context.req.valid('param');
    return context.json(await claims.say(token, { kind: 'fail', ...context.req.valid('json') }), 200);
  });

  app.openapi(release, async (context) =>
    context.json(await claims.say(context.req.valid('param').token, { kind: 'release' }), 200),
  );
}
