import { expect, test } from 'vitest';
import { formatCursor } from '@holdfast/shared';
import { planResume } from './events.ts';

const epoch = 'aaaaaaaaaaaaaaaa';
const chain = 'bbbbbbbbbbbbbbbb';
const log = { epoch, head: 10, floor: 4, chainAt: () => chain };
const cursor = (more: { epoch?: string; seq?: number; chain?: string } = {}) =>
  formatCursor({ epoch, seq: 7, chain, ...more });

test('a cursor that the log continues is replayed from, its floor and its head included', () => {
  for (const seq of [4, 7, 10])
    expect(planResume(cursor({ seq }), log)).toEqual({ kind: 'replay', from: seq });
});

test('every other cursor is refused with its own reason', () => {
  const reasonOf = (given: string | undefined) => {
    const plan = planResume(given, log);
    return plan.kind === 'reset' ? plan.reason : plan.kind;
  };
  expect(reasonOf(undefined)).toBe('no_cursor');
  expect(reasonOf('')).toBe('no_cursor');
  expect(reasonOf('nonsense')).toBe('bad_cursor');
  expect(reasonOf(`${cursor()}0`)).toBe('bad_cursor');
  expect(reasonOf(cursor({ epoch: 'cccccccccccccccc' }))).toBe('epoch');
  expect(reasonOf(cursor({ seq: 11 }))).toBe('ahead');
  expect(reasonOf(cursor({ seq: 3 }))).toBe('too_old');
  expect(reasonOf(cursor({ chain: 'dddddddddddddddd' }))).toBe('diverged');
});
