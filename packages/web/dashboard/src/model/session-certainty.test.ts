import { expect, test } from 'vitest';
import { aTask } from './samples.ts';
import { workBy } from './count-certainty.ts';
import { sessionCertainty } from './session-certainty.ts';

const session = { status: 'running', counts: { running: 2, completed: 5 } } as const;
const agents = (b: 'live' | 'late' | 'lost') =>
  [
    { id: 'a', state: 'live', asOf: 1 },
    { id: 'b', state: b, asOf: 1 },
  ] as const;
const workOn = (...agentIds: string[]) =>
  workBy(
    agentIds.map((agentId) => aTask({ sessionId: 's', agentId })),
    ({ sessionId }) => sessionId,
  ).get('s');

test('an agent that is lost weakens the sessions whose work it has, and no other', () => {
  expect(sessionCertainty(session, workOn('a', 'a'), agents('lost'), 'live')).toBe('live');
  expect(sessionCertainty(session, workOn('a', 'b'), agents('lost'), 'live')).toBe('stale');
  expect(sessionCertainty(session, workOn('a', 'gone'), agents('live'), 'live')).toBe('stale');
});

test('where not all of its work is loaded, what web counts as unknown decides, and what it cannot count yet weakens', () => {
  for (const work of [undefined, workOn('a')]) {
    expect(sessionCertainty(session, work, agents('lost'), 'live')).toBe('live');
    expect(sessionCertainty(session, work, agents('late'), 'live')).toBe('stale');
  }
  for (const status of ['submitted', 'queued', 'starting', 'running'] as const) {
    const part = { status, counts: { [status]: 2 } };
    expect(sessionCertainty(part, workOn('a'), agents('late'), 'live')).toBe('stale');
  }
  const unknown = { status: 'unknown', counts: { unknown: 1, running: 1 } } as const;
  expect(sessionCertainty(unknown, undefined, agents('lost'), 'live')).toBe('unknown');
});

test('no session looks more certain than the link to web, but for what has ended', () => {
  expect(sessionCertainty(session, workOn('a', 'a'), agents('live'), 'stale')).toBe('stale');
  expect(sessionCertainty(session, workOn('a', 'a'), agents('live'), 'blind')).toBe('unknown');
  expect(sessionCertainty({ status: 'failed', counts: { failed: 1 } }, undefined, [], 'blind')).toBe('live');
});
