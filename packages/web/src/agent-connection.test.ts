import { expect, test } from 'vitest';
import { AgentConnection, type ConnectionListener } from './agent-connection.ts';
import { FakeAgent } from './fake-agent.ts';
import { FakeJournal, taskId } from './fake-journal.ts';
import type { SessionStore } from './session-store.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';
import { NOON, until } from './test-kit.ts';

/** A connection to an agent whose journal has one running task; `listener` is what it tells. */
async function setUp(listener: ConnectionListener) {
  const journal = new FakeJournal();
  journal.run(taskId(1));
  const agent = new FakeAgent(journal);
  await agent.listen();
  const store = openSqliteSessionStore({ path: ':memory:' });
  await store.rememberAgent({ id: journal.agentId, name: 'one', url: agent.url }, NOON);
  const [stored] = await store.agents();
  const connect = (): AgentConnection =>
    new AgentConnection({
      agent,
      stored: stored!,
      store,
      distrust: undefined,
      listener,
      now: () => NOON,
      monotonic: () => 0,
    });
  return {
    agent,
    store,
    connect,
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await agent[Symbol.asyncDispose]();
      await store.close();
    },
  };
}

/** Keeps a method of the store from being done until `release`. */
function hold(store: SessionStore, method: 'takeSnapshot' | 'liveDigest') {
  const { promise, resolve } = Promise.withResolvers<void>();
  const kept = { isAsked: false, release: resolve };
  const original = store[method].bind(store) as (given: never) => Promise<never>;
  store[method] = async (given: unknown): Promise<never> => {
    kept.isAsked = true;
    await promise;
    return original(given as never);
  };
  return kept;
}

const cases = [
  ['takeSnapshot', ['resynced']],
  ['liveDigest', []],
] as const;

for (const [method, facts] of cases) {
  test(`a connection that is closed during ${method} tells no more than what is a fact of the store`, async () => {
    const told: string[] = [];
    const listener = new Proxy({} as ConnectionListener, {
      get: (_, name: string) => () => told.push(name),
    });
    await using made = await setUp(listener);
    const held = hold(made.store, method);
    const connection = made.connect();
    await until(() => {
      if (!held.isAsked && told.includes('resynced')) made.agent.beat();
      return held.isAsked;
    });
    connection.close();
    const before = told.length;
    held.release();
    await connection.settled();
    expect(told.slice(before)).toEqual(facts);
  });
}

test('an error thrown while what came is read is told, and goes no further', async () => {
  const faults: unknown[] = [];
  const error = new Error('unforeseen');
  const listener = new Proxy({} as ConnectionListener, {
    get: (_, name: string) => (given: unknown) => {
      if (name === 'faulted') faults.push(given);
      if (name === 'ended') throw error;
    },
  });
  await using made = await setUp(listener);
  const connection = made.connect();
  await made.agent.vanish();
  await until(() => faults.length > 0);
  expect(faults).toEqual([error]);
  connection.close();
  await connection.settled();
});
