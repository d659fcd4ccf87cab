/** `/pool`: slots, pause, drain, resume. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { PoolSchema } from '@holdfast/shared';
import type { Pool } from '../pool.ts';
import { json, problem } from './tasks.ts';

const read = createRoute({
  method: 'get',
  path: '/pool',
  summary: 'Slots, and what runs and waits',
  responses: { 200: json(PoolSchema, 'The pool') },
});

const change = createRoute({
  method: 'patch',
  path: '/pool',
  summary: 'Change the number of slots; running tasks go on',
  request: {
    body: {
      required: true,
      content: {
        'application/json': { schema: z.strictObject({ slots: z.number().int().min(0).max(10_000) }) },
      },
    },
  },
  responses: { 200: json(PoolSchema, 'The pool'), 422: problem('invalid') },
});

const modes = { pause: 'paused', drain: 'draining', resume: 'active' } as const;

export function addPoolRoutes(app: OpenAPIHono, pool: Pool): void {
  app.openapi(read, (context) => context.json(pool.view, 200));
  app.openapi(change, async (context) =>
    context.json(await pool.setSlots(context.req.valid('json').slots), 200),
  );
  for (const [verb, mode] of Object.entries(modes)) {
    const route = createRoute({
      method: 'post',
      path: `/pool/${verb}`,
      summary: `${verb[0]!.toUpperCase()}${verb.slice(1)} the pool`,
      responses: { 200: json(PoolSchema, 'The pool') },
    });
    app.openapi(route, async (context) => context.json(await pool.setMode(mode), 200));
  }
}
