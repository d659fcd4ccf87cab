import { expect, test } from 'vitest';
import { assertedStatus, certaintyOf, worstAgentsFirst } from './certainty.ts';
import type { LinkState } from './link.ts';
import { anAgent, aTask } from './samples.ts';

const now = 1_060_000;
const live: LinkState = { state: 'live', ageMs: 500 };
const stale: LinkState = { state: 'stale', ageMs: 8000 };
const blind: LinkState = { state: 'blind', ageMs: 20_000 };

test('a running task is as certain as its agent while web is heard', () => {
  expect(certaintyOf(aTask(), anAgent(), live, now)).toEqual({ state: 'live', asOf: 1_050_000 });
  expect(certaintyOf(aTask(), anAgent({ state: 'late' }), live, now).state).toBe('stale');
});

test('a running task of a live agent is stale when this browser does not hear web', () => {
  const certainty = certaintyOf(aTask(), anAgent({ asOf: 1_055_000 }), stale, now);
  expect(certainty).toEqual({
    state: 'stale',
    asOf: 1_052_000,
    heardAt: 1_052_000,
    reason: 'web_unreachable',
  });
});

test('beyond the deadline nothing that can change is vouched for', () => {
  const certainty = certaintyOf(aTask(), anAgent(), blind, now);
  expect(certainty).toEqual({
    state: 'unknown',
    asOf: 1_040_000,
    heardAt: 1_040_000,
    reason: 'web_unreachable',
  });
});

test('the oldest proof in the chain is the age that is shown', () => {
  expect(certaintyOf(aTask(), anAgent({ asOf: 1_030_000 }), blind, now).asOf).toBe(1_030_000);
});

test('each link has its own age: the agent’s proof may be older than our last word from web', () => {
  const certainty = certaintyOf(aTask(), anAgent({ asOf: 1_030_000 }), blind, now);
  expect(certainty).toMatchObject({ asOf: 1_030_000, heardAt: 1_040_000 });
  expect(certaintyOf(aTask(), anAgent({ asOf: 1_030_000 }), live, now).heardAt).toBeUndefined();
});

test('a doubt that web had when it was last heard keeps its own reason', () => {
  const silent = anAgent({ state: 'lost', reason: 'agent_degraded' });
  expect(certaintyOf(aTask(), silent, stale, now).reason).toBe('agent_degraded');
});

test('an unknown row keeps the reason and the time of its doubt', () => {
  const task = aTask({
    status: 'unknown',
    lastStatus: 'running',
    knowledge: { state: 'unknown', asOf: 1_020_000, reason: 'not_on_agent' },
  });
  expect(certaintyOf(task, anAgent(), live, now)).toEqual({
    state: 'unknown',
    asOf: 1_020_000,
    reason: 'not_on_agent',
  });
  expect(assertedStatus(task)).toBe('running');
});

test('an ended task never ages, whichever link is down', () => {
  for (const status of ['completed', 'failed', 'cancelled', 'lost'] as const) {
    const task = aTask({ status, endedAt: 1_010_000 });
    expect(certaintyOf(task, undefined, blind, now)).toEqual({ state: 'live', asOf: 1_010_000 });
  }
});

test('a submitted task is web’s own fact for as long as web was heard', () => {
  const { agentId: _, ...task } = aTask({ status: 'submitted' });
  expect(certaintyOf(task, undefined, live, now).state).toBe('live');
  expect(certaintyOf(task, undefined, stale, now)).toMatchObject({ state: 'stale', asOf: 1_052_000 });
});

test('agents in trouble come first', () => {
  const agents = [
    anAgent({ name: 'b' }),
    anAgent({ name: 'a' }),
    anAgent({ name: 'z', state: 'late' }),
    anAgent({ name: 'y', state: 'lost' }),
    anAgent({ name: 'x', state: 'refused' }),
  ];
  expect(worstAgentsFirst(agents).map((agent) => agent.name)).toEqual(['x', 'y', 'z', 'a', 'b']);
});

test('agents with numbers in their names are in the order of the numbers', () => {
  const agents = [anAgent({ name: 'node-17' }), anAgent({ name: 'node-7' })];
  expect(worstAgentsFirst(agents).map(({ name }) => name)).toEqual(['node-7', 'node-17']);
});

test('how far its agent’s clock is ahead comes with every certainty, but not with what only web has stated', () => {
  const agent = anAgent({ clockAheadMs: 3_600_000 });
  for (const link of [live, stale, blind]) {
    expect(certaintyOf(aTask(), agent, link, now).aheadMs).toBe(3_600_000);
    expect(certaintyOf(aTask({ status: 'completed' }), agent, link, now).aheadMs).toBe(3_600_000);
  }
  expect(certaintyOf(aTask({ status: 'submitted', seq: 0 }), agent, live, now)).not.toHaveProperty('aheadMs');
  expect(certaintyOf(aTask(), anAgent(), live, now)).not.toHaveProperty('aheadMs');
});
