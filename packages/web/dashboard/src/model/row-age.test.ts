import { expect, test } from 'vitest';
import { rowAge } from './row-age.ts';
import { aTask } from './samples.ts';

const now = 1_000_000_000;
const live = { state: 'live', asOf: now } as const;

test('what has ended tells how long ago, whatever it printed', () => {
  const task = aTask({ status: 'failed', endedAt: now - 3 * 3_600_000, lastOutputAt: now - 4 * 3_600_000 });
  expect(rowAge(task, live, now, false)).toMatchObject({
    kind: 'ended',
    text: '3 h ago',
    title: expect.stringMatching(/^Ended 12 Jan 1970, \d\d:\d\d:\d\d$/),
  });
});

test('an end that an agent with another clock states is as long ago as it is', () => {
  const task = aTask({ status: 'completed', endedAt: now + 58 * 60_000 });
  expect(rowAge(task, { ...live, aheadMs: 60 * 60_000 }, now, false)?.text).toBe('2 min ago');
  const lost = aTask({ status: 'lost', verdict: { at: now - 120_000 } });
  expect(rowAge(lost, { ...live, aheadMs: 60 * 60_000 }, now, false)?.text).toBe('2 min ago');
});

test('what goes on tells the age of its last output, in doubt that at the last proof', () => {
  const task = aTask({ lastOutputAt: now - 30_000 });
  expect(rowAge(task, live, now, false)).toMatchObject({ kind: 'output', text: '30 s' });
  expect(rowAge(task, { state: 'stale', asOf: now - 20_000 }, now, false)?.text).toBe('10 s+');
  expect(rowAge(aTask(), live, now, false)).toBeUndefined();
});

test('a list by changes tells of each row the change', () => {
  const unknown = aTask({ status: 'unknown', unknownSince: now - 60_000, lastOutputAt: now - 90_000 });
  expect(rowAge(unknown, { state: 'unknown', asOf: now - 75_000 }, now, true)).toMatchObject({
    kind: 'changed',
    text: '1 min ago',
  });
});
