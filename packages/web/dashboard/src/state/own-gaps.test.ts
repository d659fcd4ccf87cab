import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { newLink } from '../model/link.ts';
import { noteFrame, takeLink } from './clock.ts';
import { ownGaps, startOwnGaps } from './own-gaps.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

test('a gap runs from the last frame that arrived to the first one after', () => {
  const open = { ...newLink(), phase: 'open' as const, heartbeatMs: 5000 };
  noteFrame(1_000_000);
  takeLink(open);
  startOwnGaps();
  expect(ownGaps.value).toEqual([]);
  vi.setSystemTime(1_020_000);
  takeLink({ ...open, phase: 'waiting', brokenAt: 1_001_000 });
  expect(ownGaps.value).toEqual([{ fromAt: 1_000_000 }]);
  vi.setSystemTime(1_030_000);
  noteFrame(1_030_000);
  takeLink(open);
  expect(ownGaps.value).toEqual([{ fromAt: 1_000_000, toAt: 1_030_000 }]);
});
