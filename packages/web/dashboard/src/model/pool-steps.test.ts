import { expect, test } from 'vitest';
import type { Pool } from '@holdfast/shared';
import { poolSteps, type PoolAsked } from './pool-steps.ts';
import { unreachableProblem } from './problem.ts';
import { anAgent } from './samples.ts';

const pool = (change: Partial<Pool> = {}): Pool => ({
  slots: 4,
  running: 0,
  queued: 0,
  paused: false,
  draining: false,
  ...change,
});
const steps = (asked: PoolAsked, shown: Pool | undefined, state: 'live' | 'lost' = 'live') =>
  poolSteps(asked, anAgent({ state, ...(shown === undefined ? {} : { pool: shown }) })).map(
    ({ name, state }) => `${name} ${state}`,
  );

test('what was asked is acknowledged by the answer and in effect by a heartbeat', () => {
  const ask = { verb: 'pause' } as const;
  expect(steps({ ask }, pool())).toEqual(['asked done', 'acknowledged now', 'in-effect waiting']);
  const answer = { pool: pool({ paused: true }), at: 1_050_000 };
  expect(steps({ ask, answer }, pool())).toEqual(['asked done', 'acknowledged done', 'in-effect now']);
  expect(steps({ ask, answer }, pool({ paused: true })).at(-1)).toBe('in-effect done');
});

test('a refusal says that nothing was changed', () => {
  const made = poolSteps(
    { ask: { verb: 'drain' }, problem: { status: 409, detail: 'It is stopping.' } },
    anAgent(),
  );
  expect(made.at(-1)).toEqual({
    name: 'acknowledged',
    state: 'failed',
    text: 'Nothing was changed: It is stopping.',
  });
});

test('a drain is done when nothing runs any more', () => {
  const asked = {
    ask: { verb: 'drain' },
    answer: { pool: pool({ draining: true }), at: 1_050_000 },
  } as const;
  expect(poolSteps(asked, anAgent({ pool: pool({ draining: true, running: 2 }) })).at(-1)).toMatchObject({
    state: 'now',
    text: 'It starts nothing; 2 tasks to end',
  });
  expect(steps(asked, pool({ draining: true })).at(-1)).toBe('in-effect done');
});

test('fewer slots than running tasks say so, and a silent agent is not vouched for', () => {
  const asked = {
    ask: { verb: 'slots', slots: 1 },
    answer: { pool: pool({ slots: 1 }), at: 1_050_000 },
  } as const;
  expect(poolSteps(asked, anAgent({ pool: pool({ slots: 1, running: 3 }) })).at(-1)?.text).toBe(
    '1 slot; 2 more still run',
  );
  expect(steps(asked, pool(), 'lost').at(-1)).toBe('in-effect now');
});

test('of what got no answer it is not said that nothing was changed', () => {
  const made = poolSteps({ ask: { verb: 'drain' }, problem: unreachableProblem('action') }, anAgent());
  expect(made.at(-1)?.text).toMatch(/^It is not known whether it arrived: /);
});

test('what somebody else has changed again is not waited for', () => {
  const asked = { ask: { verb: 'pause' }, answer: { pool: pool({ paused: true }), at: 1_050_000 } } as const;
  const after = (ms: number) => anAgent({ pool: pool(), asOf: 1_050_000 + ms, heartbeatMs: 5000 });
  expect(poolSteps(asked, after(10_000)).at(-1)?.state).toBe('now');
  expect(poolSteps(asked, after(10_001)).at(-1)).toMatchObject({
    state: 'failed',
    text: 'Changed again since, by somebody else',
  });
});
