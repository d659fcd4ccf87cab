import { expect, test } from 'vitest';
import {
  agentStates,
  changedAt,
  isEnded,
  isTerminal,
  knowledgeOf,
  lengthRank,
  sessionStatus,
  shownStatuses,
  type ShownStatus,
  taskStatuses,
  worstFirst,
} from './status.ts';

test('only the last word of an agent is terminal; a verdict ends a task too', () => {
  expect(shownStatuses.filter((status) => isTerminal(status))).toEqual(['completed', 'failed', 'cancelled']);
  expect(shownStatuses.filter((status) => isEnded(status))).toEqual([
    'completed',
    'failed',
    'cancelled',
    'lost',
  ]);
});

test('P2: a living task is live only while its agent is', () => {
  for (const status of taskStatuses.filter((one) => !isTerminal(one))) {
    for (const state of agentStates) {
      const known = knowledgeOf({ status, updatedAt: 5 }, { state, asOf: 7 });
      expect(known.state).toBe(state === 'live' ? 'live' : 'stale');
      expect(known.asOf).toBe(7);
    }
    expect(knowledgeOf({ status, updatedAt: 5 }, undefined)).toEqual({
      state: 'stale',
      asOf: 5,
      reason: 'agent_removed',
    });
    const slow = { state: 'late', asOf: 7, reason: 'agent_degraded' } as const;
    expect(knowledgeOf({ status, updatedAt: 5 }, slow).reason).toBe('agent_degraded');
  }
});

test('an ended task is live for ever, with its agent or without', () => {
  for (const status of shownStatuses.filter((one) => isEnded(one))) {
    for (const state of agentStates) {
      expect(knowledgeOf({ status, endedAt: 3, updatedAt: 5 }, { state, asOf: 7 })).toEqual({
        state: 'live',
        asOf: 3,
      });
    }
    expect(knowledgeOf({ status, updatedAt: 5 }, undefined)).toEqual({ state: 'live', asOf: 5 });
  }
});

test('an unknown task stays unknown although its agent is live, and says why', () => {
  const live = { state: 'live', asOf: 9 } as const;
  const doubt = { reason: 'not_on_agent', asOf: 4 } as const;
  expect(knowledgeOf({ status: 'unknown', updatedAt: 5, doubt }, live)).toEqual({
    state: 'unknown',
    ...doubt,
  });
  expect(knowledgeOf({ status: 'unknown', updatedAt: 5 }, live)).toEqual({ state: 'unknown', asOf: 5 });
});

test('a submitted task is a fact of web itself', () => {
  expect(knowledgeOf({ status: 'submitted', updatedAt: 5 }, undefined)).toEqual({ state: 'live', asOf: 5 });
});

test('a session is as bad as the worst of its tasks', () => {
  expect(worstFirst.toSorted()).toEqual(shownStatuses.toSorted());
  expect(sessionStatus({})).toBe('empty');
  expect(sessionStatus({ running: 0 })).toBe('empty');
  for (const [place, worst] of worstFirst.entries()) {
    const counts = Object.fromEntries(worstFirst.slice(place).map((status) => [status, 1]));
    expect(sessionStatus(counts)).toBe(worst);
  }
});

test('a task keeps its place in a list for as long as its status holds', () => {
  const times = { createdAt: 10, startedAt: 20, endedAt: 50 };
  const at = (status: ShownStatus, more = {}) => changedAt({ ...times, status, ...more });
  expect([at('queued'), at('submitted'), at('running'), at('starting')]).toEqual([10, 10, 20, 20]);
  expect([at('completed'), at('unknown', { unknownSince: 70 }), at('lost', { verdictAt: 90 })]).toEqual([
    50, 70, 90,
  ]);
  const later = { statusAt: 30 };
  expect([changedAt({ status: 'starting', createdAt: 10, ...later }), at('queued', later)]).toEqual([30, 30]);
  expect([at('running', later), at('completed', later)]).toEqual([20, 50]);
  expect([
    changedAt({ status: 'running', createdAt: 10 }),
    changedAt({ status: 'lost', createdAt: 10 }),
  ]).toEqual([10, 10]);
});

test('in the order of length work in hand comes first, then what waits, then what ended', () => {
  const order = [
    { status: 'running', createdAt: 1, startedAt: 20 },
    { status: 'unknown', createdAt: 1, startedAt: 30 },
    { status: 'starting', createdAt: 31 },
    { status: 'queued', createdAt: 2, startedAt: 5 },
    { status: 'submitted', createdAt: 3 },
    { status: 'completed', createdAt: 1, startedAt: 10, endedAt: 90 },
    { status: 'failed', createdAt: 1, startedAt: 10, endedAt: 50 },
    { status: 'cancelled', createdAt: 1, endedAt: 90 },
  ] as const;
  const ranks = order.map((task) => lengthRank(task));
  expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
  expect(new Set(ranks).size).toBe(ranks.length);
});
