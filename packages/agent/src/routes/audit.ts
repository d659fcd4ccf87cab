/** `/audit`: the proof of every live task, and what there is without one (PROTOCOL.md §3). */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { AuditSchema, TaskIdSchema } from '@holdfast/shared';
import type { Auditor } from '../audit.ts';
import { json, problem } from './tasks.ts';

const audit = createRoute({
  method: 'get',
  path: '/audit',
  summary: 'The proof of every live task; rows without process, processes without row',
  request: { query: z.object({ taskId: TaskIdSchema.optional() }) },
  responses: {
    200: json(AuditSchema, 'What was seen just now'),
    404: problem('no_such_task'),
    422: problem('invalid'),
  },
});

export function addAuditRoutes(app: OpenAPIHono, auditor: Auditor): void {
  app.openapi(audit, async (context) =>
    context.json(await auditor.audit(context.req.valid('query').taskId), 200),
  );
}
