/**
 * The web service: it follows the agents, keeps what they say, delivers what people ask, and serves both to them.
 * The way of the data is the order of these files:
 *
 *   discovery → agents → subscription → ingest → session-store → feed → browsers
 *   routes → intents → agent-client → agents
 *   session-store → notify → channels
 */
import { join } from 'node:path';
import {
  type Config,
  createLogger,
  loadToken,
  type Logger,
  refuseOpenDoor,
  type RunOptions,
  runService,
  serveApp,
  VERSION,
} from '@holdfast/shared';
import type { Fetch } from './agent-client.ts';
import { startAgents } from './agents.ts';
import { announceWeb, takeHome } from './announcement.ts';
import { createWebApp } from './app.ts';
import { startDiscovery } from './discovery.ts';
import { startFeed } from './feed.ts';
import { startIntents } from './intents.ts';
import { startNotifications } from './notify.ts';
import { startOutputs } from './output.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import { startSubscription } from './subscription.ts';

export interface WebOptions {
  config: Config;
  logger?: Logger;
  now?: () => number;
  /** For calls to agents. */
  fetch?: Fetch;
  /** Where the dashboard was built to. */
  dashboardFolder?: string;
}

export interface Web extends AsyncDisposable {
  url: string;
  port: number;
  /** The content of `web.token`. */
  token: string;
  /** Ends streams, deliveries and links, and closes the store. Tasks go on. */
  stop(): Promise<void>;
}

/**
 * Starts web for `config.home`. When it resolves, web answers. Throws `ConfigError`, `AlreadyRunningError`,
 * `DatabaseError`, or what listening throws (`EADDRINUSE`); whatever was begun is undone.
 */
export async function startWeb(options: WebOptions): Promise<Web> {
  const { config, now = Date.now } = options;
  refuseOpenDoor('web', config);
  const logger = options.logger ?? createLogger('holdfast-web', config.logLevel);
  const startedAt = now();
  const fetch = options.fetch === undefined ? {} : { fetch: options.fetch };

  await using begun = new AsyncDisposableStack();
  begun.use(takeHome(config.home));
  const token = loadToken(join(config.home, 'web.token'));
  const store = begun.adopt(openSqliteSessionStore({ path: join(config.home, 'web.db') }), (open) =>
    open.close(),
  );
  let storeOpen = true;
  begun.defer(() => {
    storeOpen = false;
  });

  const discovery = begun.adopt(startDiscovery({ home: config.home, logger }), (open) => open.stop());
  const lostAfter = config.lostAfterMs === undefined ? {} : { lostAfterMs: config.lostAfterMs };
  const agents = begun.adopt(
    await startAgents({
      store,
      discovery,
      follow: (agent, stored) =>
        startSubscription({
          agent,
          store,
          startedAt,
          config: lostAfter,
          heartbeatMs: stored?.heartbeatMs,
          logger,
          ...fetch,
        }),
      lostAfterMs: config.lostAfterMs ?? 2 * config.heartbeatMs + 5000,
      logger,
      now,
      ...fetch,
    }),
    (open) => open.stop(),
  );
  const intents = begun.adopt(
    await startIntents({ store, agents, retentionMs: config.retentionMs, logger, now }),
    (open) => open.stop(),
  );
  const notifications = begun.adopt(
    await startNotifications({
      store,
      agents,
      config: config.notifications,
      url: () => server.url,
      logger,
      now,
    }),
    (open) => open.stop(),
  );
  const feed = startFeed({
    store,
    agents,
    failingChannels: () => notifications.failing(),
    heartbeatMs: config.heartbeatMs,
    logger,
    now,
  });
  const outputs = startOutputs({ client: (id) => agents.client(id) });
  const endStreams = () => {
    feed.stop();
    outputs.stop();
  };
  begun.defer(endStreams);
  const app = createWebApp({
    store,
    agents,
    intents,
    feed,
    outputs,
    notifications,
    token,
    allowedHosts: config.allowedHost,
    port: () => server.port,
    isStoreOpen: () => storeOpen,
    dashboardFolder: options.dashboardFolder,
    logger,
    now,
  });
  const server = begun.adopt(await serveApp(app, config.webHost, config.webPort), (open) => open.stop());
  // Not before web has its address, which messages lead to.
  notifications.begin();
  // Streams would hold the server open: they end before it is stopped.
  begun.defer(endStreams);
  begun.use(announceWeb(config.home, server.url));
  logger.info({ url: server.url, version: VERSION }, 'web is ready');

  const running = begun.move();
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= running.disposeAsync());
  return { url: server.url, port: server.port, token, stop, [Symbol.asyncDispose]: stop };
}

/** Runs web until it is asked to stop; resolves with the exit code (`runService`). */
export function runWeb(options: RunOptions = {}): Promise<number> {
  return runService({ name: 'web', start: (config) => startWeb({ config }) }, options);
}
