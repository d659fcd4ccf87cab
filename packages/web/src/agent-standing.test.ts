import { expect, test } from 'vitest';
import { AgentStanding } from './agent-standing.ts';
import type { SessionStore } from './session-store.ts';
import { NOON, until } from './test-kit.ts';

type Call = [method: string, ...given: unknown[]];

/** A store that answers what `answers` says, or as if all were well, and keeps what it was told. */
function setUp(answers: Partial<SessionStore> = {}) {
  const calls: Call[] = [];
  const complaints: string[] = [];
  const writing = new Set<Promise<unknown>>();
  const well = {
    markUnknown: async () => 0,
    recordProof: async () => undefined,
    vouch: async () => 0,
    prune: async () => ({ more: false }),
    ...answers,
  };
  const store = new Proxy({} as SessionStore, {
    get:
      (_, method: keyof typeof well) =>
      (...given: never[]) => {
        calls.push([method, ...given]);
        return (well[method] as (...given: never[]) => Promise<unknown>)(...given);
      },
  });
  const standing = new AgentStanding({
    agentId: 'a1',
    store,
    now: () => NOON,
    write: (write, complaint) => {
      const done = write.catch(() => complaints.push(complaint)).finally(() => writing.delete(done));
      writing.add(done);
    },
  });
  const prove = async (receivedAt = NOON, floor = 0): Promise<void> => {
    standing.prove({ receivedAt, heartbeatMs: 5000, floor });
    await until(() => writing.size === 0);
  };
  const told = (method: string): Call[] => calls.filter(([name]) => name === method);
  return { standing, calls, complaints, prove, told };
}

test('the last proof only grows, and is what a doubt is dated by', async () => {
  const { standing, prove, told } = setUp();
  expect(standing.asOf).toBe(0);
  standing.remember(NOON - 10);
  expect(standing.asOf).toBe(NOON - 10);
  await prove(NOON);
  await prove(NOON - 5);
  standing.remember(NOON - 10);
  expect(standing.asOf).toBe(NOON);
  expect(told('recordProof')).toEqual([
    ['recordProof', 'a1', NOON, 5000],
    ['recordProof', 'a1', NOON, 5000],
  ]);
  standing.doubt('agent_unreachable');
  expect(told('markUnknown')).toEqual([['markUnknown', 'a1', 'agent_unreachable', NOON, NOON]]);
});

test('a doubt is owed one vouch; one that failed is tried again at the next proof', async () => {
  let fails = true;
  const { standing, prove, told, complaints } = setUp({
    vouch: async () => {
      if (fails) throw new Error('disk full');
      return 1;
    },
  });
  await prove();
  expect(told('vouch')).toEqual([]);
  standing.doubt('agent_degraded');
  await prove();
  expect(complaints).toEqual(['its tasks were not taken back']);
  fails = false;
  await prove();
  await prove();
  expect(told('vouch')).toHaveLength(2);
  standing.oweVouch();
  await prove();
  expect(told('vouch')).toHaveLength(3);
});

test('what the agent pruned goes page by page, once for each floor, and one prune at a time', async () => {
  const pages: ((page: { more: boolean }) => void)[] = [];
  const { standing, prove, told } = setUp({
    prune: () => new Promise((resolve) => pages.push(resolve)),
  });
  standing.prove({ receivedAt: NOON, heartbeatMs: 5000, floor: 8 });
  standing.prove({ receivedAt: NOON, heartbeatMs: 5000, floor: 9 });
  expect(pages).toHaveLength(1);
  pages[0]!({ more: true });
  await until(() => pages.length === 2);
  pages[1]!({ more: false });
  await prove(NOON, 8);
  expect(told('prune').map(([, , floor]) => floor)).toEqual([8, 8]);
  standing.prove({ receivedAt: NOON, heartbeatMs: 5000, floor: 9 });
  expect(pages).toHaveLength(3);
  standing.stop();
  pages[2]!({ more: true });
  await prove(NOON, 9);
  expect(told('prune').map(([, , floor]) => floor)).toEqual([8, 8, 9]);
});
