import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Submit } from '@holdfast/shared';
import { afterEach, expect, test } from 'vitest';
import { type Agents, startAgents } from './agents.ts';
import { type Discovery, startDiscovery } from './discovery.ts';
import type { SessionStore } from './session-store.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import {
  announceFakeAgent,
  FakeAgents,
  FakeLink,
  HeldClock,
  makeHome,
  NOON,
  problemOf,
  silentLogger,
  submitOf,
  taskOf,
  until,
  viewOf,
} from './test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

interface Setup {
  home: string;
  store: SessionStore;
  discovery: Discovery;
  agents: Agents;
  links: FakeLink[];
  network: FakeAgents;
  clock: HeldClock;
}

async function setUp(options: { home?: string; store?: SessionStore } = {}): Promise<Setup> {
  const home = options.home ?? makeHome(cleanups);
  const store = options.store ?? openSqliteSessionStore({ path: ':memory:', now: () => NOON });
  if (options.store === undefined) cleanups.push(() => store.close());
  const clock = new HeldClock();
  const discovery = startDiscovery({ home, logger: silentLogger, startTimer: clock.startTimer });
  cleanups.push(() => discovery.stop());
  const links: FakeLink[] = [];
  const network = new FakeAgents();
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
  return { home, store, discovery, agents, links, network, clock };
}

const infoOf = (agentId: string, name: string) => ({ agentId, name });

test('agents that are found are remembered and followed, each once', async () => {
  const { home, discovery, agents, links, store } = await setUp();
  announceFakeAgent(home, { id: 'a2', name: 'two' });
  announceFakeAgent(home, { id: 'a1', name: 'one' });
  discovery.refresh();
  await until(() => agents.views().length === 2);
  discovery.refresh();
  expect(agents.views().map((view) => view.id)).toEqual(['a1', 'a2']);
  expect((await store.agents()).map((agent) => agent.id)).toEqual(['a1', 'a2']);
  expect(links).toHaveLength(2);
});

test('an agent whose address changed is followed anew under the new one', async () => {
  const home = makeHome(cleanups);
  announceFakeAgent(home);
  const { discovery, agents, links, store } = await setUp({ home });
  announceFakeAgent(home, { url: 'http://moved.test' });
  discovery.refresh();
  await until(() => links.length === 2);
  await until(() => agents.viewOf('a1')?.url === 'http://moved.test');
  expect(links.map((link) => link.stopped)).toEqual([true, false]);
  expect(await store.agents()).toMatchObject([{ url: 'http://moved.test' }]);
  links[0]!.show({ state: 'lost' });
  expect(agents.viewOf('a1')?.state).toBe('live');
});

test('a change of a link gets a version and is told; a newer proof alone is no change', async () => {
  const home = makeHome(cleanups);
  announceFakeAgent(home);
  const { agents, links, store } = await setUp({ home });
  const told: string[] = [];
  agents.onChange((view, before) => told.push(`${before?.state} → ${view.state}`));
  await until(() => store.version() > 1);
  const version = store.version();
  const revision = agents.revision();
  links[0]!.show({ asOf: NOON + 5000 });
  expect(agents.revision()).toBe(revision);
  links[0]!.show({ state: 'late' });
  expect(agents.revision()).toBe(revision + 1);
  expect(told).toEqual(['live → late']);
  await until(() => store.version() > version);
  expect(await store.changesAfter(version, 100)).toMatchObject({ agents: ['a1'], tasks: [] });
  expect(agents.viewOf('a1')).toMatchObject({ state: 'late', asOf: NOON + 5000 });
});

/** An agent a9 with a running task, of which nothing but the store knows. */
async function rememberRunning(store: SessionStore): Promise<Submit> {
  await store.rememberAgent({ id: 'a9', name: 'gone', url: 'http://a9.test' }, NOON);
  const submit = submitOf();
  await store.recordIntent({
    id: 'i1',
    taskId: submit.id,
    agentId: 'a9',
    body: { action: 'submit', submit },
    at: NOON,
  });
  await store.takeSnapshot({
    agentId: 'a9',
    reason: 'no_cursor',
    epoch: '0123456789abcdef',
    floor: 1,
    floorChain: '0123456789abcdef',
    seq: 1,
    chain: '0123456789abcdef',
    tasks: [taskOf(submit, { agentId: 'a9', status: 'running', attempt: 1 })],
    receivedAt: NOON,
  });
  return submit;
}

test('an agent that only the store remembers is shown as lost, and its tasks are unknown after the deadline', async () => {
  const { store } = await setUp();
  const submit = await rememberRunning(store);
  const { agents, clock, home, discovery } = await setUp({ store });
  expect(agents.viewOf('a9')).toMatchObject({ state: 'lost', reason: 'agent_unreachable' });
  expect(agents.client('a9')).toBeUndefined();
  clock.advance(14_999);
  expect((await store.task(submit.id))?.status).toBe('running');
  clock.advance(1);
  await until(async () => (await store.task(submit.id))?.status === 'unknown');
  announceFakeAgent(home, { id: 'a9', name: 'back' });
  discovery.refresh();
  await until(() => agents.viewOf('a9')?.state === 'live');
});

test('P2: a doubt that could not be written at the deadline is written at the next one', async () => {
  const { store } = await setUp();
  const submit = await rememberRunning(store);
  const markUnknown = store.markUnknown.bind(store);
  const { clock, agents } = await setUp({ store });
  store.markUnknown = () => Promise.reject(new Error('disk full'));
  clock.advance(15_000);
  store.markUnknown = markUnknown;
  clock.advance(15_000);
  await until(async () => (await store.task(submit.id))?.status === 'unknown');
  await agents.stop();
  expect(clock.waits).not.toContain(15_000);
});

test('an agent is found by its id before any name, and by a name only if one agent has it', async () => {
  const home = makeHome(cleanups);
  announceFakeAgent(home, { id: 'a1', name: 'same' });
  announceFakeAgent(home, { id: 'a2', name: 'same' });
  announceFakeAgent(home, { id: 'a3', name: 'a1' });
  const { agents } = await setUp({ home });
  expect(agents.find('a1')).toMatchObject({ outcome: 'found', view: { id: 'a1' } });
  expect(agents.find('same')).toEqual({ outcome: 'ambiguous' });
  expect(agents.find('nobody')).toEqual({ outcome: 'none' });
});

test('an added agent is asked who it is, is kept across a restart, and can be given a new address', async () => {
  const { home, agents, network } = await setUp();
  network.reply = (call) => call.answer(200, infoOf('r1', 'far'));
  const { agent, created } = await agents.add({ url: 'http://r1.test', token: 't' });
  expect(created).toBe(true);
  expect(agent).toMatchObject({ id: 'r1', name: 'far', url: 'http://r1.test' });
  expect(JSON.stringify(agent)).not.toContain('"t"');
  expect(await agents.add({ url: 'http://moved.test', token: 't2', name: 'mine' })).toMatchObject({
    created: false,
    agent: { id: 'r1', name: 'mine', url: 'http://moved.test' },
  });
  const again = await setUp({ home });
  expect(again.agents.views()).toMatchObject([{ id: 'r1', name: 'mine', url: 'http://moved.test' }]);
});

test('an agent that cannot be added says why, and nothing is kept', async () => {
  const { home, agents, network, discovery } = await setUp();
  announceFakeAgent(home);
  discovery.refresh();
  await until(() => agents.views().length === 1);
  const cases: [
    (call: { answer: (status: number, body?: unknown) => void; cut: () => void }) => void,
    object,
  ][] = [
    [(call) => call.cut(), { code: 'agent_unreachable' }],
    [
      (call) => call.answer(401, problemOf('unauthorized', 401)),
      { code: 'invalid', options: { errors: [{ pointer: '/token' }] } },
    ],
    [(call) => call.answer(404, 'nothing'), { code: 'bad_agent' }],
    [(call) => call.answer(302), { code: 'bad_agent' }],
    [(call) => call.answer(200, { hello: 'world' }), { code: 'bad_agent' }],
    [(call) => call.answer(200, infoOf('../evil', 'x')), { code: 'bad_agent' }],
    [(call) => call.answer(200, infoOf('a1', 'other')), { code: 'agent_conflict' }],
    [(call) => call.answer(200, infoOf('r1', 'one')), { code: 'agent_conflict' }],
  ];
  for (const [reply, error] of cases) {
    network.reply = reply;
    await expect(agents.add({ url: 'http://r1.test', token: 't' })).rejects.toMatchObject(error);
  }
  expect(discovery.agents()).toHaveLength(1);
  expect(agents.views()).toHaveLength(1);
});

test('an entry without an id that a person wrote is asked who it is until it answers', async () => {
  const { home, agents, network, clock, discovery } = await setUp();
  const path = join(home, 'remote-agents.json');
  writeFileSync(path, JSON.stringify([{ url: 'http://r1.test/', token: 't' }]));
  discovery.refresh();
  (await network.take()).cut();
  await until(() => clock.waits.includes(10_000));
  expect(agents.views()).toEqual([]);
  clock.advance(10_000);
  (await network.take()).answer(200, infoOf('r1', 'far'));
  await until(() => agents.views().length === 1);
  expect(agents.viewOf('r1')).toMatchObject({ name: 'far', url: 'http://r1.test' });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([
    { id: 'r1', name: 'far', url: 'http://r1.test', token: 't' },
  ]);
});

test('a removed agent is followed no longer, also after a restart', async () => {
  const { home, agents, network, links, store } = await setUp();
  network.reply = (call) => call.answer(200, infoOf('r1', 'far'));
  await agents.add({ url: 'http://r1.test', token: 't' });
  expect(await agents.remove('r1')).toMatchObject({ id: 'r1' });
  expect(links[0]!.stopped).toBe(true);
  expect(agents.views()).toEqual([]);
  await expect(agents.remove('r1')).rejects.toMatchObject({ code: 'no_such_agent' });
  expect((await setUp({ home, store })).agents.views()).toEqual([]);
});

test('an agent of this machine is removed only when it does not run', async () => {
  const home = makeHome(cleanups);
  announceFakeAgent(home);
  const { agents, links } = await setUp({ home });
  await expect(agents.remove('a1')).rejects.toMatchObject({ code: 'agent_conflict' });
  links[0]!.show({ state: 'stopped' });
  await agents.remove('a1');
  expect(agents.views()).toEqual([]);
});

/** The next call of this method fails, as on a full disk. Tells whether it did. */
function failOnce(
  store: SessionStore,
  method: 'rememberAgent' | 'removeAgent' | 'touchAgent',
): () => boolean {
  const original = store[method].bind(store) as () => Promise<void>;
  let failed = false;
  store[method] = () => {
    failed = true;
    store[method] = original;
    return Promise.reject(new Error('disk full'));
  };
  return () => failed;
}

test('an agent that could not be recorded when it was found is followed later, though nothing new is found', async () => {
  const { home, discovery, agents, store, clock } = await setUp();
  const failed = failOnce(store, 'rememberAgent');
  announceFakeAgent(home);
  discovery.refresh();
  await until(failed);
  await until(() => {
    clock.advance(1000);
    return agents.viewOf('a1') !== undefined;
  }, 'the agent');
});

test('a link is given up only when the one to the new address can begin', async () => {
  const home = makeHome(cleanups);
  announceFakeAgent(home);
  const { discovery, agents, store, clock, links } = await setUp({ home });
  const failed = failOnce(store, 'rememberAgent');
  announceFakeAgent(home, { url: 'http://moved.test' });
  discovery.refresh();
  await until(failed);
  expect(links.map((link) => link.stopped)).toEqual([false]);
  await until(() => {
    clock.advance(1000);
    return agents.viewOf('a1')?.url === 'http://moved.test';
  }, 'the new address');
  expect(links.map((link) => link.stopped)).toEqual([true, false]);
});

test('an agent whose removal could not be recorded is not shown as it was for ever', async () => {
  const { agents, network, store } = await setUp();
  network.reply = (call) => call.answer(200, infoOf('r1', 'far'));
  await agents.add({ url: 'http://r1.test', token: 't' });
  failOnce(store, 'removeAgent');
  await expect(agents.remove('r1')).rejects.toThrow('disk full');
  await until(() => agents.viewOf('r1')?.state === 'lost');
  await agents.remove('r1');
  expect(agents.views()).toEqual([]);
  expect(await store.agents()).toEqual([]);
});

test('a change of a link that could not be announced is announced later, though the link changes no more', async () => {
  const home = makeHome(cleanups);
  announceFakeAgent(home);
  const { links, store, clock } = await setUp({ home });
  await until(() => store.version() > 1);
  const version = store.version();
  const failed = failOnce(store, 'touchAgent');
  links[0]!.show({ state: 'late' });
  await until(failed);
  await until(() => {
    clock.advance(1000);
    return store.version() > version;
  }, 'the change');
  expect(await store.changesAfter(version, 100)).toMatchObject({ agents: ['a1'] });
});
