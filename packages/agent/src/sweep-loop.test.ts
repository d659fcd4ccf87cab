import { createLogger } from '@holdfast/shared';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startSweepLoop, type SweepTick } from './sweep-loop.ts';
import { until } from './test-kit.ts';

function openLoop(
  sweep: (number: number) => Promise<void>,
  lastAliveAt?: number,
  renew: (tick: SweepTick) => Promise<void> = () => Promise.resolve(),
) {
  const ticks: SweepTick[] = [];
  const clock = { at: 10_000, monotonic: 0 };
  const counts = { begun: 0, swept: 0, afterwards: 0 };
  const loop = startSweepLoop({
    renew,
    sweep: (tick) => {
      ticks.push(tick);
      counts.begun += 1;
      return sweep(counts.begun);
    },
    periodMs: 5,
    lastAliveAt,
    now: () => clock.at,
    monotonic: () => clock.monotonic,
    onSwept: () => (counts.swept += 1),
    afterwards: () => {
      counts.afterwards += 1;
      return Promise.resolve();
    },
    logger: createLogger('agent', 'silent'),
  });
  /** One period passes, `late` ms more on a clock. */
  const tick = async (late: { at?: number; monotonic?: number } = {}) => {
    clock.at += 5 + (late.at ?? 0);
    clock.monotonic += 5 + (late.monotonic ?? 0);
    await vi.advanceTimersByTimeAsync(5);
  };
  return { counts, loop, ticks, tick, clock };
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
  await vi.advanceTimersByTimeAsync(100);
  expect(counts.begun).toBe(1);
  const stopped = loop.stop();
  first.resolve();
  await stopped;
  vi.advanceTimersByTime(100);
  expect(counts).toEqual({ begun: 1, swept: 0, afterwards: 0 });
});

test('failure mode 13: a tick that comes late on either clock, or a clock that was set back, tells since when nobody was awake', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { loop, ticks, tick } = openLoop(() => Promise.resolve(), 7000);
  await tick();
  await tick({ at: 10 });
  await tick({ at: 11 });
  await tick({ monotonic: 11 });
  await tick({ at: -20 });
  await tick();
  await loop.stop();
  // Fails without: the comparison of the wall clock, of the monotonic one, or of a clock set back, in `isLate`.
  expect(ticks).toEqual([
    { at: 10_000, asleepSince: 7000 },
    { at: 10_005 },
    { at: 10_020 },
    { at: 10_036, asleepSince: 10_020 },
    { at: 10_041, asleepSince: 10_036 },
    { at: 10_026, asleepSince: 10_041 },
    { at: 10_031 },
  ]);
});

test('a sleep that was noticed during a sweep is told to the next; one that was made up for is not told again, though that sweep failed', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { loop, ticks, tick } = openLoop((number) => gates[number - 1]?.promise ?? Promise.resolve());
  await tick({ at: 100 });
  await tick();
  gates[0]!.resolve();
  await tick();
  expect(ticks.at(-1)).toEqual({ at: 10_115, asleepSince: 10_000 });
  gates[1]!.reject(new Error('EIO'));
  await tick();
  await tick();
  await loop.stop();
  // Fails without: `isRenewed`.
  expect(ticks.slice(2)).toEqual([{ at: 10_120 }, { at: 10_125 }]);
});

test('a sleep that could not be made up for is told again, and nothing is judged before it is', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const renewed: SweepTick[] = [];
  const { loop, ticks, tick } = openLoop(
    () => Promise.resolve(),
    7000,
    (given) => {
      renewed.push(given);
      return renewed.length === 1 ? Promise.reject(new Error('EIO')) : Promise.resolve();
    },
  );
  await tick();
  await tick();
  await loop.stop();
  expect(renewed.map(({ asleepSince }) => asleepSince)).toEqual([7000, 7000, undefined]);
  expect(ticks).toEqual([{ at: 10_005, asleepSince: 7000 }, { at: 10_010 }]);
});

test('whoever judges by the clock between two sweeps catches up first, and only then', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { loop, ticks, tick, clock } = openLoop(() => Promise.resolve());
  await tick();
  await loop.catchUp();
  expect(ticks).toHaveLength(2);
  clock.at += 3_600_000;
  await loop.catchUp();
  expect(ticks.at(-1)).toEqual({ at: 3_610_005, asleepSince: 10_005 });
  await loop.stop();
});

test('a sleep that a running sweep does not know of is told to one that follows at once', async () => {
  const first = Promise.withResolvers<void>();
  const { loop, ticks, clock } = openLoop((number) => (number === 1 ? first.promise : Promise.resolve()));
  clock.at += 3_600_000;
  const caughtUp = loop.catchUp();
  first.resolve();
  await caughtUp;
  await loop.stop();
  expect(ticks[1]).toMatchObject({ asleepSince: 10_000 });
});
