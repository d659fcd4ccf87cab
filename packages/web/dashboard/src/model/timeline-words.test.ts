import { expect, test } from 'vitest';
import type { Span } from './timeline.ts';
import { laneEndText, lanesSummary, spanExplanation, spanName } from './timeline-words.ts';

const at = new Date(2026, 10, 21, 14, 2, 11, 42).getTime();
const now = at + 3_600_000;
const running: Span = {
  phase: 'running',
  attempt: 2,
  fromAt: at,
  toAt: at + 262_000,
  isDoubted: false,
  isOpen: false,
  receivedAt: at + 18,
};

test('a span says its times by both clocks', () => {
  expect(spanExplanation(running, 'build-2', now)).toBe(
    'Running, attempt 2, for 4:22: 14:02:11.042 to 14:06:33.042, build-2’s clock. Web had it on record at 14:02:11.060 of its own clock, 18 ms later.',
  );
});

test('clocks that cannot both be right are said to differ', () => {
  expect(spanExplanation({ ...running, receivedAt: at - 5000 }, 'build-2', now)).toContain(
    '5.0 s earlier, so the two clocks differ by at least that',
  );
});

test('a gap says whose it is, and whether the truth is known by now', () => {
  const unseen = { ...running, isDoubted: true };
  expect(
    spanExplanation({ ...unseen, doubt: { by: 'web', reason: 'agent_unreachable' } }, 'build-2', now),
  ).toContain('Web heard nothing from build-2: nobody here saw it. What happened was learned afterwards.');
  expect(spanExplanation({ ...unseen, isOpen: true, doubt: { by: 'page' } }, 'build-2', now)).toMatch(
    /^Was running, attempt 2, not seen for 4:22: 14:02:11\.042 until now\. This page did not hear web\. It is not known what happens now\.$/,
  );
});

test('a summary adds up what was spent where, and what nobody saw', () => {
  const lanes = [
    { attempt: 1, spans: [{ ...running, phase: 'queued' as const, toAt: at + 2000 }] },
    { attempt: 2, spans: [running, { ...running, isDoubted: true, toAt: at + 40_000 }] },
  ];
  expect(lanesSummary(lanes)).toBe('Queued 2.0 s · Running 4:22 · not seen 40 s');
  expect(spanName(lanes[1]!.spans[1]!)).toBe('Running, not seen, 40 s');
});

test('what its worker or its agent did not say is told apart from what nobody saw', () => {
  const silent = { ...running, isOpen: true, isDoubted: true, doubt: { by: 'worker' as const } };
  expect(spanName(silent)).toBe('Was running, not heard, 4:22');
  expect(spanExplanation(silent, 'build-2', now)).toBe(
    'Was running, attempt 2, not heard for 4:22: 14:02:11.042 until now. Its worker was not heard. It is not known what happens now.',
  );
  const seen = { ...running, toAt: at + 30_000 };
  expect(lanesSummary([{ attempt: 2, spans: [seen, silent] }])).toBe('Running 30 s · not heard 4:22');
  const unverified = { ...silent, doubt: { by: 'agent' as const } };
  expect(spanExplanation(unverified, 'build-2', now)).toContain('build-2 could not verify its process.');
});

test('an attempt that was given up says so, and whether it counted', () => {
  const end = { at, kind: 'requeued', outcome: { reason: 'lease_expired' as const }, isCharged: true };
  expect(laneEndText({ attempt: 1, spans: [], end })).toBe('its worker went silent, queued again');
  expect(laneEndText({ attempt: 1, spans: [], end: { ...end, isCharged: false } })).toMatch(
    /\(not charged\)$/,
  );
  expect(laneEndText({ attempt: 1, spans: [] })).toBe('');
});

test('of clocks that are known to differ, the time on the way is told without the difference', () => {
  const ahead = { ...running, receivedAt: at + 18 - 3_600_000 };
  expect(spanExplanation(ahead, 'build-2', now, 3_600_000)).toMatch(
    /^Running, attempt 2, for 4:22: 14:02:11\.042 .*build-2’s clock\. Web had it on record at 13:02:11\.060 of its own clock, 18 ms later\.$/,
  );
});
