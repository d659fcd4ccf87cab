import { expect, test } from 'vitest';
import { ClockOffset } from './clock-offset.ts';
import { NOON } from './test-kit.ts';

const HOUR_MS = 3_600_000;

/** An agent whose heartbeats come every 5 s; `ahead` is its clock's, each delay that of one heartbeat. */
function openLink() {
  const offset = new ClockOffset();
  const clock = { ms: 0, webSetBy: 0 };
  return {
    offset,
    clock,
    beat: (ahead: number, delays: number[]): void => {
      for (const delay of delays) {
        clock.ms += 5000;
        const sentAt = NOON + clock.ms + ahead;
        offset.take({
          sentAt,
          receivedAt: NOON + clock.webSetBy + clock.ms + delay,
          monotonicMs: clock.ms + delay,
        });
      }
    },
  };
}

test('the heartbeat with the least delay tells the offset, ahead or behind', () => {
  for (const ahead of [HOUR_MS, -HOUR_MS]) {
    const { offset, beat } = openLink();
    beat(ahead, [900, 3, 4000]);
    expect(offset.aheadMs).toBe(ahead - 3);
  }
});

test('clocks within 2 s agree, and so do those that only delays part', () => {
  const { offset, beat } = openLink();
  beat(-1990, [5, 5, 5]);
  expect(offset.aheadMs).toBeUndefined();
  beat(0, [9000, 9000, 9000, 20]);
  expect(offset.aheadMs).toBeUndefined();
});

test('nothing is said of one or two heartbeats: they may have waited behind a snapshot', () => {
  const { offset, beat } = openLink();
  beat(0, [8000, 7000]);
  expect(offset.aheadMs).toBeUndefined();
  beat(0, [1]);
  expect(offset.aheadMs).toBeUndefined();
});

test('a clock that is set forward is noticed with the next heartbeat, one that is set back within five', () => {
  const { offset, beat } = openLink();
  beat(0, [1, 1, 1]);
  beat(HOUR_MS, [1]);
  expect(offset.aheadMs).toBe(HOUR_MS - 1);
  beat(0, [1, 1, 1, 1]);
  expect(offset.aheadMs).toBe(HOUR_MS - 1);
  beat(0, [1]);
  expect(offset.aheadMs).toBeUndefined();
});

test('web’s own clock that is set, or a machine that slept, is no news of the agent’s', () => {
  const { offset, clock, beat } = openLink();
  beat(0, [1, 1, 1]);
  clock.webSetBy = -HOUR_MS;
  // Against the clock as it is now the agent is ahead; what was compared with the other one says nothing.
  beat(0, [1]);
  expect(offset.aheadMs).toBeUndefined();
  beat(0, [1, 1]);
  expect(offset.aheadMs).toBe(HOUR_MS - 1);
  clock.webSetBy = 0;
  beat(0, [1, 1, 1]);
  expect(offset.aheadMs).toBeUndefined();
});

test('the answer stands still while delays make it tremble', () => {
  const { offset, beat } = openLink();
  beat(HOUR_MS, [10, 10, 10]);
  beat(HOUR_MS, [400, 300, 200, 450, 1]);
  expect(offset.aheadMs).toBe(HOUR_MS - 10);
});
