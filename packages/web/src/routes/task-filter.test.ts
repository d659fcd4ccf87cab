import { z } from '@hono/zod-openapi';
import { ProblemError } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { NOON, viewOf } from '../test-kit.ts';
import { filterFields, toFilter } from './task-filter.ts';

const views = () => [];
const FilterSchema = z.strictObject(filterFields);

test('a time that is none is refused, and never read as the beginning of time', () => {
  const refused = [null, false, '', [], ' 1', '1e3', -1, 1.5];
  expect(refused.filter((since) => FilterSchema.safeParse({ since }).success)).toEqual([]);
  expect(FilterSchema.parse({ since: NOON })).toEqual({ since: NOON });
  expect(FilterSchema.parse({ since: String(NOON) })).toEqual({ since: NOON });
});

test('the retries of a task are asked for by its id, and by nothing that is no text', () => {
  const none = { views, find: () => ({ outcome: 'none' as const }) };
  expect(toFilter(none, FilterSchema.parse({ retryOf: 'x' }), NOON)).toEqual({ retryOf: 'x' });
  expect(FilterSchema.safeParse({ retryOf: '' }).success).toBe(false);
});

test('exclusions have names of their own, agents are found by name in them too, and one status is all others', () => {
  const find = (name: string) =>
    name === 'two'
      ? { outcome: 'found' as const, view: viewOf({ id: 'a2' }) }
      : { outcome: 'ambiguous' as const };
  const fields = FilterSchema.parse({
    notAgent: 'two',
    notLabel: ['a=b,c', 'd'],
    notIs: 'stale,pending',
    notStatus: 'completed,failed',
    notSince: String(NOON),
    notExit: '!0',
    status: ['failed', 'running'],
  });
  expect(toFilter({ views, find }, fields, NOON)).toEqual({
    status: ['running'],
    not: {
      agentIds: ['a2'],
      labels: ['a=b,c', 'd'],
      marks: { is: ['stale', 'pending'], at: NOON },
      since: NOON,
      exitCodes: [{ op: '!', value: 0 }],
    },
  });
  expect(() => toFilter({ views, find }, { notAgent: ['one'] }, NOON)).toThrow(
    '/notAgent more than one agent',
  );
});

test('marks are judged by the clocks of the agents that have another time than web', () => {
  const agents = {
    find: () => ({ outcome: 'none' as const }),
    views: () => [viewOf({ id: 'a1' }), viewOf({ id: 'a2', clockAheadMs: -90_000 })],
  };
  const marks = { is: ['stale'], at: NOON, aheadMs: { a2: -90_000 } };
  expect(toFilter(agents, FilterSchema.parse({ is: 'stale', notIs: 'stale' }), NOON)).toEqual({
    marks,
    not: { marks },
  });
});

test('an agent is found by name; nobody’s is taken as an id; a name that several have is refused', () => {
  const found = { views, find: () => ({ outcome: 'found' as const, view: viewOf({ id: 'a7' }) }) };
  expect(toFilter(found, { agent: 'one' }, NOON)).toEqual({ agentId: 'a7' });
  const none = { views, find: () => ({ outcome: 'none' as const }) };
  expect(toFilter(none, { agent: 'gone' }, NOON)).toEqual({ agentId: 'gone' });
  const several = { views, find: () => ({ outcome: 'ambiguous' as const }) };
  expect(() => toFilter(several, { agent: 'one' }, NOON)).toThrow(ProblemError);
  expect(() => toFilter(several, { agent: 'one' }, NOON)).toThrow('more than one agent is called "one"');
});

// Fails without: the limit in answers.ts. A thousand conditions are more than SQLite takes.
test('more conditions of a kind than anyone means are refused', () => {
  const queues = (count: number) => ({ notQueue: Array.from({ length: count }, () => 'q') });
  expect([50, 51].map((count) => FilterSchema.safeParse(queues(count)).success)).toEqual([true, false]);
});
