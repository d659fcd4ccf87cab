/** Web itself: `/api/state`, the feed, health and metrics. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { destroyerOf, StateSchema } from '@holdfast/shared';
import type { Feed } from '../feed.ts';
import type { WebMetrics } from '../metrics.ts';
import type { Reads } from '../reads.ts';
import { holds, json, notModified, stream } from './answers.ts';

export interface ServiceRoutesOptions {
  reads: Reads;
  feed: Feed;
  metrics: WebMetrics;
  /** What keeps web from serving, by check; all true when it is ready. Agents that are away do not. */
  checks: () => Record<string, boolean>;
}

const state = createRoute({
  method: 'get',
  path: '/api/state',
  summary: 'Agents, counts by status, and the cursor from which the feed goes on',
  responses: { 200: json(StateSchema, 'The state'), 304: notModified },
});

const events = createRoute({
  method: 'get',
  path: '/api/events',
  summary: 'Every change of what web shows, as server-sent events',
  description:
    'Goes on behind the cursor in `Last-Event-ID`, else `?cursor=`. Frames: hello, change (id = cursor), heartbeat, ' +
    'reset, bye (PROTOCOL.md). After a reset read `/api/state` and the lists again.',
  request: { query: z.object({ cursor: z.string().optional() }) },
  responses: { 200: stream('The stream') },
});

const ReadySchema = z.object({ ready: z.boolean(), checks: z.record(z.string(), z.boolean()) });

const readyz = createRoute({
  method: 'get',
  path: '/readyz',
  summary: 'Whether web serves; agents that cannot be reached do not count',
  responses: { 200: json(ReadySchema, 'Ready'), 503: json(ReadySchema, 'Not ready, and why') },
});

const livez = createRoute({
  method: 'get',
  path: '/livez',
  summary: 'Whether the process answers',
  responses: { 200: { description: 'It does', content: { 'text/plain': { schema: z.string() } } } },
});

const readMetrics = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'Figures in the Prometheus text format',
  responses: { 200: { description: 'The figures', content: { 'text/plain': { schema: z.string() } } } },
});

export function addServiceRoutes(app: OpenAPIHono, options: ServiceRoutesOptions): void {
  const { reads, feed, metrics, checks } = options;

  app.openapi(state, (context) => {
    const etag = reads.etag();
    if (holds(context, etag)) return context.body(null, 304, { etag });
    return context.json(reads.state(), 200, { etag });
  });

  app.openapi(events, (context) => {
    // On an automatic reconnect EventSource repeats the old URL: the header is the newer of the two.
    const cursor = context.req.header('last-event-id') ?? context.req.valid('query').cursor;
    return feed.open(cursor, destroyerOf(context));
  });

  app.openapi(readyz, (context) => {
    const done = checks();
    const ready = Object.values(done).every(Boolean);
    return context.json({ ready, checks: done }, ready ? 200 : 503);
  });

  app.openapi(livez, (context) => context.text('ok', 200));

  app.openapi(readMetrics, async (context) => {
    const { text, contentType } = await metrics.read();
    return context.text(text, 200, { 'content-type': contentType });
  });
}
