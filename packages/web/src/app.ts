/** The HTTP side of web: its parts behind one guard, its API, its feed and the dashboard. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { createApp, FailureLimiter, guard, type Logger } from '@holdfast/shared';
import type { Agents } from './agents.ts';
import { serveDashboard } from './dashboard.ts';
import type { Feed } from './feed.ts';
import type { Intents } from './intents.ts';
import { startMetrics } from './metrics.ts';
import type { Notifications } from './notify.ts';
import type { Outputs } from './output.ts';
import { createReads } from './reads.ts';
import { addActionRoutes } from './routes/actions.ts';
import { addAgentRoutes } from './routes/agents.ts';
import { addAuditRoutes } from './routes/audit.ts';
import { addBulkRoutes } from './routes/bulk.ts';
import { addNotificationRoutes } from './routes/notifications.ts';
import { isPublicPath } from './routes/paths.ts';
import { addServiceRoutes } from './routes/service.ts';
import { addSessionRoutes } from './routes/sessions.ts';
import { acceptsCookie, addSignInRoutes } from './routes/sign-in.ts';
import { addTaskRoutes } from './routes/tasks.ts';
import type { SessionStore } from './session-store.ts';
import { SignIn } from './sign-in.ts';
import { definedOnly } from './routes/answers.ts';
import type { StartTimer } from './timers.ts';

export interface WebAppOptions {
  store: SessionStore;
  agents: Agents;
  intents: Intents;
  feed: Feed;
  outputs: Outputs;
  notifications: Notifications;
  /** The content of `web.token`. */
  token: string;
  allowedHosts: readonly string[];
  /** The port that web listens on; known once it does. */
  port: () => number;
  isStoreOpen: () => boolean;
  dashboardFolder: string | undefined;
  logger: Logger;
  now: () => number;
  startTimer?: StartTimer;
}

export function createWebApp(options: WebAppOptions): OpenAPIHono {
  const { store, agents, intents, feed, outputs, notifications, token, port, logger, now } = options;
  const limiter = new FailureLimiter({ now });
  const signIn = new SignIn({ token, now });
  const reads = createReads({ store, agents, notifications });
  const metrics = startMetrics({ store, agents, intents, feed, now });
  const app = createApp({
    title: 'Holdfast web',
    description: 'Tasks of every agent: the truth about them, and what people ask of them.',
    logger,
    guard: guard({
      token,
      allowedHosts: options.allowedHosts,
      limiter,
      isPublic: isPublicPath,
      accepts: (context) => acceptsCookie(context, signIn, port()),
    }),
  });
  addServiceRoutes(app, { reads, feed, metrics, checks: () => ({ store: options.isStoreOpen() }) });
  addSessionRoutes(app, { store, reads, now });
  addTaskRoutes(app, { store, agents, reads, outputs, now });
  addBulkRoutes(app, {
    store,
    agents,
    intents,
    logger,
    now,
    ...definedOnly({ startTimer: options.startTimer }),
  });
  addActionRoutes(app, { agents, intents, reads });
  addAgentRoutes(app, { agents, reads });
  addAuditRoutes(app, { agents, reads });
  addNotificationRoutes(app, { notifications });
  addSignInRoutes(app, { signIn, limiter, port });
  app.use(serveDashboard(options.dashboardFolder));
  return app;
}
