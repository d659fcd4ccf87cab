import { expect, test } from 'vitest';
import type { ShownAgent } from '@holdfast/shared';
import { ViewTeller } from './view-teller.ts';

function open() {
  let now = 0;
  const timers = new Map<() => void, number>();
  const view: ShownAgent = { id: 'a', name: 'a', url: 'u', state: 'live', asOf: 0, lag: 0, reconnects: 0 };
  const kit = {
    view,
    told: [] as ShownAgent[],
    advance(ms: number) {
      now += ms;
      for (const [run, at] of timers) {
        if (at > now) continue;
        timers.delete(run);
        run();
      }
    },
    teller: new ViewTeller({
      view: () => ({ ...view }),
      monotonic: () => now,
      startTimer: (run, delayMs) => {
        timers.set(run, now + delayMs);
        return { cancel: () => timers.delete(run) };
      },
    }),
  };
  kit.teller.listen((told) => kit.told.push(told));
  return kit;
}

test('a change is told at once and once, the time of a proof never', () => {
  const kit = open();
  kit.teller.tell();
  kit.view.asOf = 5;
  kit.teller.tell();
  expect(kit.told).toEqual([]);
  kit.view.state = 'late';
  kit.teller.tell();
  kit.teller.tell();
  kit.view.state = 'lost';
  kit.teller.tell();
  expect(kit.told.map(({ state }) => state)).toEqual(['late', 'lost']);
});

test('lag and progress alone are told twice a second, and the last of them always', () => {
  const kit = open();
  for (let lag = 1; lag <= 20; lag++) {
    kit.view.lag = lag;
    kit.teller.tell();
    kit.advance(100);
  }
  kit.advance(500);
  expect(kit.told.length).toBeLessThanOrEqual(6);
  expect(kit.told.at(-1)?.lag).toBe(20);
});

test('nothing is told after stop', () => {
  const kit = open();
  kit.view.lag = 1;
  kit.teller.tell();
  kit.view.lag = 2;
  kit.teller.tell();
  kit.teller.stop();
  kit.advance(1000);
  expect(kit.told.map(({ lag }) => lag)).toEqual([1]);
});
