import type { AgentState } from '@holdfast/shared/status';
import { expect, test } from 'vitest';
import { isCountDoubtful, isPoolVouched, workBy, type CountInput } from './count-certainty.ts';
import { aTask } from './samples.ts';

const agents = (b: AgentState, asOf = 1_050_000) =>
  [
    { id: 'a', state: 'live', asOf: 1_050_000 },
    { id: 'b', state: b, asOf },
  ] as const;
const byStatus = (...agentIds: string[]) =>
  workBy(
    agentIds.map((agentId) => aTask({ agentId })),
    ({ status }) => status,
  );
const isDoubtful = (change: Partial<CountInput>): boolean =>
  isCountDoubtful({
    filter: { statuses: ['starting', 'running'] },
    count: 2,
    work: byStatus('a', 'a'),
    agents: agents('late'),
    link: 'live',
    ...change,
  });

test('a count is doubtful if a row in it is: one of an agent that is late', () => {
  expect(isDoubtful({})).toBe(false);
  expect(isDoubtful({ work: byStatus('a', 'b') })).toBe(true);
  expect(isDoubtful({ work: byStatus('a', 'b'), agents: agents('live') })).toBe(false);
});

test('where not all that is counted is loaded, an agent whose tasks are not counted as unknown yet makes it doubtful', () => {
  expect(isDoubtful({ count: 3 })).toBe(true);
  expect(isDoubtful({ count: 3, agents: agents('lost') })).toBe(false);
  // It never vouched for a task that could be in the count.
  expect(isDoubtful({ count: 3, agents: agents('refused', 0) })).toBe(false);
});

test('while web is not heard, every count that can change is doubtful; one of what has ended never is', () => {
  expect(isDoubtful({ link: 'stale' })).toBe(true);
  expect(isDoubtful({ link: 'stale', count: 0 })).toBe(true);
  expect(isDoubtful({ link: 'blind', filter: { statuses: ['failed'] } })).toBe(false);
});

test('that tasks are unknown is web’s own word, and so is what waits for delivery', () => {
  expect(isDoubtful({ filter: { statuses: ['unknown'] }, count: 9 })).toBe(false);
  const work = workBy([aTask({ status: 'submitted', agentId: 'b' })], ({ status }) => status);
  expect(isDoubtful({ filter: { statuses: ['submitted', 'queued'] }, count: 1, work })).toBe(false);
});

test('slots are told as they stand only by an agent that is heard', () => {
  expect(isPoolVouched({ state: 'live' }, 'live')).toBe(true);
  expect(isPoolVouched({ state: 'late' }, 'live')).toBe(false);
  expect(isPoolVouched({ state: 'live' }, 'stale')).toBe(false);
});

test('only work in hand counts, and what waits for delivery is on no agent yet', () => {
  const work = workBy(
    [
      aTask({ status: 'completed', agentId: 'b' }),
      aTask({ status: 'submitted', agentId: 'b' }),
      aTask({ status: 'queued', agentId: 'a' }),
    ],
    ({ sessionId }) => sessionId,
  );
  expect(work.get('calm-harbor')).toEqual({ tasks: 2, agentIds: new Set(['a']) });
});
