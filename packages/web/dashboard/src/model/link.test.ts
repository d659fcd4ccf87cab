import { expect, test } from 'vitest';
import { backOffMs, deadlineMs, linkState, newLink, noteLink, parseCursor, type LinkFacts } from './link.ts';

const open: LinkFacts = { ...newLink(), phase: 'open', lastFrameAt: 100_000, heartbeatMs: 5000 };

test('a link that spoke within its heartbeat is live', () => {
  expect(linkState(open, 103_000)).toEqual({ state: 'live', ageMs: 3000 });
});

test('an open link that misses a heartbeat is stale, whatever its phase claims', () => {
  expect(linkState(open, 108_600).state).toBe('stale');
});

test('a link that is silent beyond two heartbeats and five seconds is blind', () => {
  expect(linkState(open, 100_000 + deadlineMs(5000)).state).toBe('stale');
  expect(linkState(open, 100_001 + deadlineMs(5000)).state).toBe('blind');
});

test('a cut that lasts less than a second alarms nobody', () => {
  const cut: LinkFacts = { ...open, phase: 'waiting', brokenAt: 100_500, retryAt: 101_000 };
  expect(linkState(cut, 100_900).state).toBe('live');
  expect(linkState(cut, 101_500)).toEqual({ state: 'stale', ageMs: 1500, retryInMs: 0 });
});

test('while a try is under way that is said, and not when the next one would be', () => {
  const trying: LinkFacts = { ...open, phase: 'connecting', brokenAt: 101_000 };
  expect(linkState(trying, 125_000)).toEqual({ state: 'blind', ageMs: 25_000, isTrying: true });
  expect(linkState({ ...newLink(), phase: 'connecting' }, 5)).toEqual({
    state: 'connecting',
    isTrying: true,
  });
});

test('a browser that never heard web is connecting, not live', () => {
  expect(linkState(newLink(), 5)).toEqual({ state: 'connecting' });
});

test('a signed-out browser says so, however fresh its last frame is', () => {
  expect(linkState({ ...open, phase: 'signedOut' }, 100_001)).toEqual({ state: 'signedOut' });
});

test('the wait between attempts has full jitter within 250 ms and 10 s', () => {
  expect(backOffMs(0, 0)).toBe(250);
  expect(backOffMs(0, 0.999)).toBeLessThanOrEqual(500);
  expect(backOffMs(40, 0)).toBe(250);
  expect(backOffMs(40, 0.9999)).toBeGreaterThan(9900);
  expect(backOffMs(40, 0.9999)).toBeLessThanOrEqual(10_000);
});

test('happenings of the link are kept, newest last, at most eight', () => {
  let link = newLink();
  for (let i = 1; i <= 20; i += 1) link = noteLink(link, i, `happening ${i}`);
  expect(link.recent).toHaveLength(8);
  expect(link.recent.at(-1)).toEqual({ at: 20, text: 'happening 20' });
});

test('a cursor is an epoch and a version, anything else is none', () => {
  expect(parseCursor('3f9a.1204')).toEqual({ epoch: '3f9a', version: 1204 });
  expect(parseCursor('1204')).toBeUndefined();
  expect(parseCursor('.5')).toBeUndefined();
  expect(parseCursor('3f9a.-1')).toBeUndefined();
});
