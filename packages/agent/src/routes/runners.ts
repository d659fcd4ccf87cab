/** `/runners`: what a task may name as `runner`, and where its program is (PROTOCOL.md §3). */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type RunnerInfo, RunnerInfoSchema } from '@holdfast/shared';
import { json } from './tasks.ts';

const list = createRoute({
  method: 'get',
  path: '/runners',
  summary: 'The runners that a task may name, and where their programs are',
  responses: { 200: json(z.object({ items: z.array(RunnerInfoSchema) }), 'The runners, by name') },
});

export function addRunnerRoutes(app: OpenAPIHono, listRunners: () => RunnerInfo[]): void {
  app.openapi(list, (context) => context.json({ items: listRunners() }, 200));
}
