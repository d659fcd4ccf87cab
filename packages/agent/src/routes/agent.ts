/** Who the agent is and how it is: `/agent`, `/events`, `/livez`, `/readyz`, `/metrics`. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { AgentInfoSchema, destroyerOf } from '@holdfast/shared';
import type { Registry } from 'prom-client';
import type { Events } from '../events.ts';
import { json } from './tasks.ts';

export interface AgentRoutesOptions {
  events: Events;
  metrics: Registry;
  /** What keeps the agent from taking work, by check; all true when it is ready. */
  checks: () => Record<string, boolean>;
}

const info = createRoute({
  method: 'get',
  path: '/agent',
  summary: 'Identity of the agent and its last heartbeat',
  responses: { 200: json(AgentInfoSchema, 'The agent') },
});

const events = createRoute({
  method: 'get',
  path: '/events',
  summary: 'Every transition of every task, as server-sent events',
  description:
    'Resumes behind the cursor in `Last-Event-ID`, else `?cursor=`. Frames: hello, reset, snapshot, snapshotEnd, task, activity, heartbeat, bye (PROTOCOL.md).',
  request: { query: z.object({ cursor: z.string().optional() }) },
  responses: {
    200: { description: 'The stream', content: { 'text/event-stream': { schema: z.string() } } },
  },
});

const ReadySchema = z.object({ ready: z.boolean(), checks: z.record(z.string(), z.boolean()) });

const readyz = createRoute({
  method: 'get',
  path: '/readyz',
  summary: 'Whether the agent takes work',
  responses: { 200: json(ReadySchema, 'Ready'), 503: json(ReadySchema, 'Not ready, and why') },
});

export function addAgentRoutes(app: OpenAPIHono, options: AgentRoutesOptions): void {
  app.openapi(info, (context) => context.json(options.events.info(), 200));

  app.openapi(events, (context) => {
    // On an automatic reconnect EventSource repeats the old URL: the header is the newer of the two.
    const cursor = context.req.header('last-event-id') ?? context.req.valid('query').cursor;
    return options.events.open(cursor, destroyerOf(context));
  });

  app.openapi(readyz, (context) => {
    const checks = options.checks();
    const ready = Object.values(checks).every(Boolean);
    return context.json({ ready, checks }, ready ? 200 : 503);
  });

  app.get('/livez', (context) => context.text('ok'));

  app.get('/metrics', async (context) =>
    context.body(await options.metrics.metrics(), 200, { 'content-type': options.metrics.contentType }),
  );
}
