import { createLogger } from '@holdfast/shared';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startSweepLoop } from './sweep-loop.ts';
import { until } from './test-kit.ts';

function openLoop(sweep: (number: number) => Promise<void>) {
  const counts = { begun: 0, swept: 0, afterwards: 0 };
  const loop = startSweepLoop({
    sweep: () => {
      counts.begun += 1;
      return sweep(counts.begun);
    },
    periodMs: 5,
    onSwept: () => (counts.swept += 1),
    afterwards: () => {
      counts.afterwards += 1;
      return Promise.resolve();
    },
    logger: createLogger('agent', 'silent'),
  });
  return { counts, loop };
}

test('a sweep that fails is made up for by the next one', async () => {
  const { counts, loop } = openLoop((number) =>
    number <= 2 ? Promise.reject(new Error('EIO')) : Promise.resolve(),
  );
  await until('a sweep succeeds', () => counts.swept > 0);
  await loop.stop();
  expect(counts.begun - counts.swept).toBe(2);
  expect(counts.afterwards).toBeGreaterThanOrEqual(2);
});

test('sweeps do not overlap, and after a stop none begins and nothing is told', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const first = Promise.withResolvers<void>();
  const { counts, loop } = openLoop(() => first.promise);
  vi.advanceTimersByTime(100);
  expect(counts.begun).toBe(1);
  const stopped = loop.stop();
  first.resolve();
  await stopped;
  vi.advanceTimersByTime(100);
  expect(counts).toEqual({ begun: 1, swept: 0, afterwards: 0 });
});
