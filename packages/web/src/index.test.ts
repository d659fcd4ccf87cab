import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  type Config,
  frameText,
  loadConfig,
  type SettingName,
  type ShownTask,
  type State,
} from '@holdfast/shared';
import { afterEach, expect, test } from 'vitest';
import { FakeJournal, taskId } from './fake-journal.ts';
import { runWeb, startWeb, type Web } from './index.ts';
import { announceFakeAgent, makeHome, silentLogger, until } from './test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

function configOf(home: string, flags: Partial<Record<SettingName, unknown>> = {}): Config {
  return loadConfig({
    flags: { home, webPort: 0, heartbeatMs: 100, lostAfterMs: 3_600_000, ...flags },
    env: {},
  }).config;
}

async function start(home: string, flags: Partial<Record<SettingName, unknown>> = {}): Promise<Web> {
  const web = await startWeb({ config: configOf(home, flags), logger: silentLogger });
  cleanups.push(() => web.stop());
  return web;
}

/** An agent of this machine that tells its whole journal to whoever asks, and a heartbeat every 50 ms. */
async function serveJournal(home: string, journal: FakeJournal): Promise<void> {
  const readers = new Set<ServerResponse>();
  const heartbeat = () => ({
    at: Date.now(),
    head: journal.head,
    chain: journal.chain,
    floor: journal.floor,
    liveDigest: journal.liveDigest,
    live: 1,
    journalOk: true,
    sweptAt: Date.now(),
    pool: { slots: 4, running: 1, queued: 0, paused: false, draining: false },
  });
  const server = createServer((request, response) => {
    if (request.url !== '/events' || request.headers.authorization !== 'Bearer token-of-agent-a') {
      response.writeHead(401).end();
      return;
    }
    const send = (event: string, data: unknown) => response.write(frameText(event, JSON.stringify(data)));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const { agentId, epoch, head, floor, floorChain, chain } = journal;
    const known = request.headers['last-event-id'] === journal.cursor;
    send('hello', {
      protocol: 1,
      agentId,
      name: 'one',
      version: '0.1.0',
      epoch,
      instance: 'i',
      head,
      floor,
      // It beats far more often than it promises: it is never late, however slow the machine is.
      heartbeatMs: 60_000,
      resume: known ? 'replay' : 'reset',
    });
    if (!known) {
      const tasks = [...journal.tasks.values()];
      send('reset', { reason: 'no_cursor', floor, floorChain, tasks: tasks.length });
      send('snapshot', { tasks });
      send('snapshotEnd', { seq: head, chain, tasks: tasks.length });
      for (const { event, json, chain: after } of journal.after(floor)) {
        response.write(frameText('task', json, `${epoch}.${event.seq}.${after}`));
      }
    }
    send('heartbeat', heartbeat());
    readers.add(response);
    response.on('close', () => readers.delete(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const beat = setInterval(() => {
    for (const reader of readers) reader.write(frameText('heartbeat', JSON.stringify(heartbeat())));
  }, 50);
  cleanups.push(
    () =>
      new Promise((resolve) => {
        clearInterval(beat);
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  const { port } = server.address() as AddressInfo;
  announceFakeAgent(home, { id: journal.agentId, url: `http://127.0.0.1:${port}` });
}

async function get<T>(web: Web, path: string, headers?: Record<string, string>): Promise<T> {
  const answer = await fetch(`${web.url}${path}`, {
    headers: headers ?? { authorization: `Bearer ${web.token}` },
  });
  return (await answer.json()) as T;
}

test('web says where it is, answers, and leaves no trace of itself when it stops', async () => {
  const home = makeHome(cleanups);
  const web = await start(home);
  const file = join(home, 'web.json');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ url: web.url, pid: process.pid });
  expect((await fetch(`${web.url}/readyz`)).status).toBe(200);
  expect(readFileSync(join(home, 'web.token'), 'utf8').trim()).toBe(web.token);
  expect(statSync(join(home, 'web.token')).mode & 0o777).toBe(0o600);
  await web.stop();
  expect(existsSync(file)).toBe(false);
  await expect(fetch(`${web.url}/readyz`)).rejects.toThrow('fetch failed');
});

test('an agent that appears is followed, and its tasks are shown as it vouches for them, also after a restart', async () => {
  const home = makeHome(cleanups);
  const journal = new FakeJournal();
  journal.run(taskId(1));
  const web = await start(home);
  await serveJournal(home, journal);
  const path = `/api/tasks/${taskId(1)}`;
  const isVouched = async (from: Web) => {
    const task = await get<Partial<ShownTask>>(from, path);
    return task.status === 'running' && task.knowledge?.state === 'live';
  };
  await until(() => isVouched(web));
  await web.stop();
  const again = await start(home);
  expect((await get<ShownTask>(again, path)).status).toBe('running');
  await until(() => isVouched(again));
  const { agents, counts } = await get<State>(again, '/api/state');
  expect(agents).toMatchObject([{ id: 'agent-a', state: 'live', digestOk: true }]);
  expect(counts).toEqual({ running: 1 });
  const events = await get<{ items: unknown[] }>(again, `${path}/events`);
  expect(events.items).toEqual(journal.log.map(({ event }) => event));
});

test('a sign-in survives a restart', async () => {
  const home = makeHome(cleanups);
  const web = await start(home);
  const entered = await fetch(`${web.url}/api/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: web.token }),
  });
  const cookie = entered.headers.get('set-cookie')!.split(';')[0]!;
  await web.stop();
  const again = await start(home, { webPort: web.port });
  expect(await get(again, '/api/state', { cookie })).toHaveProperty('cursor');
});

test('a second web of the same home refuses, naming the first; after it, another may start', async () => {
  const home = makeHome(cleanups);
  const web = await start(home);
  await expect(startWeb({ config: configOf(home), logger: silentLogger })).rejects.toMatchObject({
    code: 'already_running',
    message: expect.stringContaining(`pid ${process.pid}, ${web.url}`),
  });
  expect((await fetch(`${web.url}/readyz`)).status).toBe(200);
  await web.stop();
  await start(home);
});

test('a start that fails leaves nothing held: the next one succeeds', async () => {
  const home = makeHome(cleanups);
  const other = await start(makeHome(cleanups));
  const taken = startWeb({ config: configOf(home, { webPort: other.port }), logger: silentLogger });
  await expect(taken).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(existsSync(join(home, 'web.json'))).toBe(false);
  const web = await start(home);
  expect((await fetch(`${web.url}/readyz`)).status).toBe(200);
});

test('web is not opened to other machines unless the hosts it may be called by are named', async () => {
  const home = makeHome(cleanups);
  const open = (flags: Partial<Record<SettingName, unknown>>) =>
    startWeb({ config: configOf(home, { webHost: '0.0.0.0', ...flags }), logger: silentLogger });
  await expect(open({})).rejects.toMatchObject({
    code: 'bad_config',
    message: expect.stringContaining('--allowed-host'),
  });
  await using web = await open({ allowedHost: ['web.lan'] });
  expect(web.port).toBeGreaterThan(0);
});

test('stopping tells the readers of the feed, and waits for nobody', async () => {
  const web = await start(makeHome(cleanups));
  const feed = await fetch(`${web.url}/api/events`, { headers: { authorization: `Bearer ${web.token}` } });
  const told = feed.text();
  await web.stop();
  expect(await told).toMatch(/event: bye\ndata: \{"reason":"shutdown"/);
});

test('what a person can mend is one line and an exit code', async () => {
  const home = makeHome(cleanups);
  const lines: string[] = [];
  const run = (flags: Partial<Record<SettingName, unknown>>) =>
    runWeb({
      flags: { home, webPort: 0, logLevel: 'silent', ...flags },
      env: {},
      stderr: { write: (line) => lines.push(line) },
    });
  const web = await start(home);
  expect(await run({})).toBe(1);
  expect(await run({ webPort: 'x' })).toBe(2);
  expect(await run({ home: makeHome(cleanups), webPort: web.port })).toBe(1);
  expect(lines).toHaveLength(3);
  expect(lines[0]).toContain('already runs');
  expect(lines[1]).toContain('--web-port is "x"');
  expect(lines[2]).toContain('choose another port');
  for (const line of lines) expect(line).toMatch(/^holdfast web: .*\n$/);
});
