/** Notifications: the channels with how it goes with them, the newest alerts, and a test. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { alertKinds } from '@holdfast/shared';
import type { Notifications } from '../notify.ts';
import { json, jsonBody, problem } from './answers.ts';

const time = z.number().int();

const ChannelSchema = z
  .object({
    name: z.string(),
    type: z.enum(['webhook', 'slack', 'discord', 'ntfy']),
    host: z.string().openapi({ description: 'all of its address that is ever shown' }),
    on: z.array(z.enum(alertKinds)),
    unknownAfterMs: z.number().int(),
    cooldownMs: z.number().int(),
    labels: z.array(z.string()).optional(),
    state: z.enum(['untried', 'ok', 'failing']),
    lastTry: z.object({ at: time, delivered: z.boolean(), error: z.string().optional() }).optional(),
    waiting: z.number().int(),
    dropped: z.number().int().openapi({ description: 'messages of the last 7 days that were given up' }),
  })
  .openapi('NotificationChannel');

const AlertSchema = z
  .object({
    id: z.number().int().openapi({ description: 'rises with each alert' }),
    kind: z.enum(alertKinds),
    subject: z.string(),
    detail: z.string(),
    taskId: z.string().optional(),
    sessionId: z.string().optional(),
    agentId: z.string().optional(),
    agentName: z.string().optional(),
    lasting: z.boolean().openapi({ description: 'it lasts until it is resolved' }),
    sinceAt: time,
    notedAt: time,
    resolvedAt: time.optional(),
    resolution: z.string().optional(),
  })
  .openapi('Alert');

const read = createRoute({
  method: 'get',
  path: '/api/notifications',
  summary: 'Channels with how it goes with them, and the newest alerts first',
  description: 'Alerts of the last 7 days. They are noted whether or not a channel is configured.',
  request: {
    query: z.object({
      limit: z.coerce.number().int().min(1).max(500).default(50),
      before: z.coerce.number().int().min(1).optional().openapi({ description: 'the id of an alert' }),
    }),
  },
  responses: {
    200: json(z.object({ channels: z.array(ChannelSchema), alerts: z.array(AlertSchema) }), 'As of now'),
  },
});

const test = createRoute({
  method: 'post',
  path: '/api/notifications/test',
  summary: 'Sends a test to one channel now and says how it went',
  request: { body: jsonBody(z.strictObject({ channel: z.string().min(1).max(64) })) },
  responses: {
    200: json(ChannelSchema, 'The channel; `lastTry` is the test'),
    404: problem('no_such_channel'),
  },
});

export function addNotificationRoutes(
  app: OpenAPIHono,
  { notifications }: { notifications: Notifications },
): void {
  app.openapi(read, async (context) => {
    const { limit, before } = context.req.valid('query');
    const [channels, alerts] = await Promise.all([
      notifications.channels(),
      notifications.alerts({ limit, ...(before === undefined ? {} : { before }) }),
    ]);
    return context.json({ channels, alerts }, 200);
  });

  app.openapi(test, async (context) =>
    context.json(await notifications.test(context.req.valid('json').channel), 200),
  );
}
