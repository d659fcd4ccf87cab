/** Web without its links: the real store, routes and deliveries behind a real server, agents that a test plays. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NotificationsConfig, serveApp, type Submit } from '@holdfast/shared';
import { type Agents, startAgents } from './agents.ts';
import { createWebApp } from './app.ts';
import { startDiscovery } from './discovery.ts';
import { startFeed } from './feed.ts';
import { startIntents } from './intents.ts';
import { startNotifications } from './notify.ts';
import { startOutputs } from './output.ts';
import type { SessionStore } from './session-store.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import {
  announceFakeAgent,
  FakeAgents,
  FakeLink,
  HeldClock,
  makeHome,
  NOON,
  silentLogger,
  taskOf,
  viewOf,
} from './test-kit.ts';

export const TOKEN = 'the-token-of-web-0123456789';
export const BEARER = { authorization: `Bearer ${TOKEN}` };

export interface TestApp {
  url: string;
  port: number;
  store: SessionStore;
  agents: Agents;
  network: FakeAgents;
  links: FakeLink[];
  clock: HeldClock;
  /** A call as the CLI makes it: with the token. Objects are sent as JSON. */
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
}

export interface Answer {
  status: number;
  body: unknown;
  headers: Headers;
}

/** Agents `a1` (one) and `a2` (two), both live. `cleanups` are to be run after the test, last one first. */
export async function startTestApp(
  cleanups: (() => unknown)[],
  options: { allowedHosts?: string[]; channels?: NotificationsConfig['channels'] } = {},
): Promise<TestApp> {
  const home = makeHome(cleanups);
  announceFakeAgent(home, { id: 'a1', name: 'one' });
  announceFakeAgent(home, { id: 'a2', name: 'two' });
  const dashboardFolder = join(home, 'dist');
  mkdirSync(dashboardFolder);
  writeFileSync(join(dashboardFolder, 'index.html'), '<!doctype html><title>Holdfast</title>');
  const store = openSqliteSessionStore({ path: ':memory:', now: () => NOON });
  cleanups.push(() => store.close());
  const clock = new HeldClock();
  const discovery = startDiscovery({ home, logger: silentLogger, startTimer: clock.startTimer });
  cleanups.push(() => discovery.stop());
  const network = new FakeAgents();
  const links: FakeLink[] = [];
  const agents = await startAgents({
    store,
    discovery,
    follow: ({ id, name, url }) => {
      const link = new FakeLink(viewOf({ id, name, url }));
      links.push(link);
      return link;
    },
    lostAfterMs: 15_000,
    logger: silentLogger,
    fetch: network.fetch,
    now: clock.now,
    startTimer: clock.startTimer,
  });
  cleanups.push(() => agents.stop());
  const intents = await startIntents({
    store,
    agents,
    retentionMs: 30 * 24 * 3600 * 1000,
    logger: silentLogger,
    now: clock.now,
    startTimer: clock.startTimer,
  });
  cleanups.push(() => intents.stop());
  const feed = startFeed({
    store,
    agents,
    failingChannels: () => notifications.failing(),
    heartbeatMs: 60_000,
    logger: silentLogger,
    now: clock.now,
  });
  const outputs = startOutputs({ client: (id) => agents.client(id) });
  const notifications = await startNotifications({
    store,
    agents,
    config: { channels: options.channels ?? {} },
    url: () => server.url,
    logger: silentLogger,
    now: clock.now,
  });
  cleanups.push(() => notifications.stop());
  const app = createWebApp({
    store,
    agents,
    intents,
    feed,
    outputs,
    notifications,
    token: TOKEN,
    allowedHosts: options.allowedHosts ?? [],
    port: () => server.port,
    isStoreOpen: () => true,
    dashboardFolder,
    logger: silentLogger,
    now: clock.now,
    startTimer: clock.startTimer,
  });
  const server = await serveApp(app, '127.0.0.1', 0);
  cleanups.push(() => server.stop());
  cleanups.push(() => feed.stop());
  const { url, port } = server;
  return {
    url,
    port,
    store,
    agents,
    network,
    links,
    clock,
    call: async (method, path, body, headers = BEARER) => {
      const answer = await fetch(`${url}${path}`, {
        method,
        redirect: 'manual',
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      const isJson = /json/.test(answer.headers.get('content-type') ?? '');
      return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
    },
  };
}

/** Every agent takes every submit. */
export function acceptAll({ network }: TestApp): void {
  network.reply = (call) => {
    if (call.path === '/tasks')
      call.answer(
        201,
        taskOf(call.body as Submit, { agentId: call.agent, title: (call.body as Submit).title }),
      );
  };
}
