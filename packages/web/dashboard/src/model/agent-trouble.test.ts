import { expect, test } from 'vitest';
import { troubleOf } from './agent-trouble.ts';
import { anAgent } from './samples.ts';

const pool = { slots: 4, running: 0, queued: 0, paused: false, draining: false };

test('an agent that is merely busy, paused or silent waits for nobody', () => {
  expect(troubleOf(anAgent({ pool: { ...pool, paused: true }, digestOk: true }))).toBeUndefined();
  expect(troubleOf(anAgent({ state: 'lost', reason: 'agent_unreachable' }))).toBeUndefined();
});

test('a refused, a degraded, an unequal agent and one that asks for attention wait for a person', () => {
  expect(troubleOf(anAgent({ state: 'refused', detail: 'The token is wrong.' }))?.text).toBe(
    'The token is wrong.',
  );
  expect(troubleOf(anAgent({ state: 'lost', reason: 'agent_degraded', asOf: 5 }))).toMatchObject({
    sinceAt: 5,
  });
  expect(troubleOf(anAgent({ digestOk: false }))?.text).toContain('differs');
  const attention = [{ code: 'low_disk', message: 'Disk is nearly full.', sinceAt: 7 }];
  expect(troubleOf(anAgent({ pool: { ...pool, attention } }))).toEqual({
    word: 'low disk',
    text: 'Disk is nearly full.',
    sinceAt: 7,
  });
});
