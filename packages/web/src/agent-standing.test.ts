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
    liveTasks: async () => [{ id: 't1', status: 'running' as const }],
    recordAbsence: async () => 1,
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
    startedAt: NOON - 1000,
    now: () => NOON,
    write: (write, complaint) => {
      const done = write.catch(() => complaints.push(complaint)).finally(() => writing.delete(done));
      writing.add(done);
    },
  });
  const prove = async (receivedAt = NOON, floor = 0): Promise<void> => {
    standing.prove({ receivedAt, heartbeatMs: 5000, deadlineMs: 15_000, floor });
    await until(() => writing.size === 0);
  };
  const told = (method: string): Call[] => calls.filter(([name]) => name === method);
  return { standing, calls, complaints, prove, told };
}

test('the last proof only grows, and is what a doubt is dated by', async () => {
  const { standing, prove, told } = setUp();
  expect(standing.asOf).toBe(0);
  await standing.remember(NOON - 10);
  expect(standing.asOf).toBe(NOON - 10);
  await prove(NOON);
  await prove(NOON - 5);
  await standing.remember(NOON - 10);
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
  standing.prove({ receivedAt: NOON, heartbeatMs: 5000, deadlineMs: 15_000, floor: 8 });
  standing.prove({ receivedAt: NOON, heartbeatMs: 5000, deadlineMs: 15_000, floor: 9 });
  expect(pages).toHaveLength(1);
  pages[0]!({ more: true });
  await until(() => pages.length === 2);
  pages[1]!({ more: false });
  await prove(NOON, 8);
  expect(told('prune').map(([, , floor]) => floor)).toEqual([8, 8]);
  standing.prove({ receivedAt: NOON, heartbeatMs: 5000, deadlineMs: 15_000, floor: 9 });
  expect(pages).toHaveLength(3);
  standing.stop();
  pages[2]!({ more: true });
  await prove(NOON, 9);
  expect(told('prune').map(([, , floor]) => floor)).toEqual([8, 8, 9]);
});

test('what another journal of the agent pruned goes too, though the floor before it was higher', async () => {
  const { prove, told } = setUp();
  await prove(NOON, 1000);
  await prove(NOON, 0);
  await prove(NOON, 7);
  await prove(NOON, 7);
  expect(told('prune').at(-1)).toEqual(['prune', 'a1', 7, 200, NOON]);
  expect(told('prune').filter(([, , floor]) => floor === 7)).toHaveLength(1);
});

/** The last proof to the run of web before this one came `agoMs` before the first to this one. */
async function setUpAfter(agoMs: number, answers: Partial<SessionStore> = {}) {
  const made = setUp(answers);
  await made.standing.remember(NOON - agoMs);
  return made;
}

test('P9: what nobody saw while web was away is put on record before the proof, once', async () => {
  const { calls, prove } = await setUpAfter(20_000);
  await prove();
  await prove(NOON + 1);
  const absence = {
    asOf: NOON - 20_000,
    since: NOON - 1000,
    until: NOON,
    tasks: [{ id: 't1', status: 'running' }],
  };
  expect(calls).toEqual([
    ['liveTasks', 'a1'],
    ['recordAbsence', 'a1', absence],
    ['recordProof', 'a1', NOON, 5000],
    ['recordProof', 'a1', NOON + 1, 5000],
  ]);
});

test('P9: what ended between two connections was live in the absence all the same', async () => {
  const live = [[{ id: 't1', status: 'running' as const }], []];
  const { standing, prove, told } = setUp({ liveTasks: async () => live.shift()! });
  await standing.remember(NOON - 20_000);
  await standing.remember(NOON - 20_000);
  await prove();
  expect(told('recordAbsence').map(([, , absence]) => absence)).toMatchObject([{ tasks: [{ id: 't1' }] }]);
});

test('an absence that its deadline covers is none, nor is time in which this web was there', async () => {
  const short = await setUpAfter(15_000);
  await short.prove();
  expect(short.told('recordAbsence')).toEqual([]);
  // Followed anew under another address: the proof came to this run.
  const here = await setUpAfter(500);
  await here.prove(NOON + 60_000);
  expect(here.told('recordAbsence')).toEqual([]);
  const never = await setUpAfter(NOON);
  await never.prove();
  expect(never.told('recordAbsence')).toEqual([]);
});

test('an absence that could not be recorded is recorded at the next proof, and only then the proof is', async () => {
  let fails = true;
  const { prove, told, complaints } = await setUpAfter(20_000, {
    recordAbsence: async () => {
      if (fails) throw new Error('disk full');
      return 1;
    },
  });
  await prove();
  expect(complaints).toEqual(['its proof was not recorded']);
  expect(told('recordProof')).toEqual([]);
  fails = false;
  await prove(NOON + 5000);
  expect(told('recordAbsence')).toHaveLength(2);
  expect(told('recordProof')).toEqual([['recordProof', 'a1', NOON + 5000, 5000]]);
});

test('no proof overtakes an absence that is on its way to the disk', async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const { standing, prove, told } = await setUpAfter(20_000, { recordAbsence: () => promise });
  const floor = { heartbeatMs: 5000, deadlineMs: 15_000, floor: 0 };
  standing.prove({ receivedAt: NOON, ...floor });
  standing.prove({ receivedAt: NOON + 5000, ...floor });
  expect(told('recordProof')).toEqual([]);
  resolve(1);
  await until(() => told('recordProof').length === 1);
  await prove(NOON + 10_000);
  expect(told('recordAbsence')).toHaveLength(1);
  expect(told('recordProof').map(([, , asOf]) => asOf)).toEqual([NOON + 5000, NOON + 10_000]);
});
