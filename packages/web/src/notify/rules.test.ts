import type { AlertKind } from '@holdfast/shared';
import { expect, test } from 'vitest';
import {
  type ChannelRule,
  dueAt,
  isWanted,
  kindsOf,
  type LanePlan,
  type LaneState,
  laneOf,
  planLane,
  ripeAt,
} from './rules.ts';

const NOW = 1_800_000_000_000;
const rule: ChannelRule = {
  name: 'ops',
  on: ['failed', 'unknown'],
  unknownAfterMs: 120_000,
  cooldownMs: 60_000,
};

const plans: [string, LaneState, LanePlan][] = [
  ['a lane that never told anything is open', { busy: false }, { kind: 'open' }],
  [
    'in the cooldown it rests',
    { busy: false, lastAt: NOW - 20_000 },
    { kind: 'resting', until: NOW + 40_000 },
  ],
  ['after the cooldown it is open at once', { busy: false, lastAt: NOW - 60_000 }, { kind: 'open' }],
  [
    'a lane whose message is under way waits for it, not for a time',
    { busy: true, lastAt: NOW - 20_000 },
    { kind: 'none' },
  ],
  ['a clock that was set back silences no lane', { busy: false, lastAt: NOW + 3_600_000 }, { kind: 'open' }],
];

test.each(plans)('%s', (_name, state, expected) => {
  expect(planLane(rule, state, NOW)).toEqual(expected);
});

const ripe: [string, AlertKind, number, number][] = [
  ['an end is ripe when it was noted', 'failed', NOW, NOW],
  ['attention does not wait for the time of doubts', 'attention', NOW - 5, NOW],
  ['a doubt must last', 'unknown', NOW - 5, NOW + 119_995],
  ['so must the silence of an agent', 'agentLost', NOW, NOW + 120_000],
  ['a doubt that was old when it was noted is ripe then', 'unknown', NOW - 999_000, NOW],
];

test.each(ripe)('%s', (_name, kind, sinceAt, expected) => {
  expect(ripeAt({ kind, sinceAt, notedAt: NOW }, rule)).toBe(expected);
  expect(dueAt(expected)).toBe(expected + 1000);
});

test('each kind is told in one lane', () => {
  expect(kindsOf('ended').map(laneOf)).toEqual(Array(4).fill('ended'));
  expect(kindsOf('trouble').map(laneOf)).toEqual(Array(3).fill('trouble'));
});

const wants: [Partial<ChannelRule>, AlertKind, Record<string, string> | undefined, boolean][] = [
  [{}, 'failed', { a: '1' }, true],
  [{}, 'completed', { a: '1' }, false],
  [{ labels: ['a'] }, 'failed', { a: '1' }, true],
  [{ labels: ['a=1'] }, 'failed', { a: '1' }, true],
  [{ labels: ['a=1=2'] }, 'failed', { a: '1=2' }, true],
  [{ labels: ['a=2'] }, 'failed', { a: '1' }, false],
  [{ labels: ['a', 'b'] }, 'failed', { a: '1' }, false],
  [{ labels: ['toString'] }, 'failed', {}, false],
  [{ labels: ['a'] }, 'failed', undefined, false],
];

test.each(wants)(
  'a channel with %j is told of "%s" with the labels %j: %s',
  (change, kind, labels, expected) => {
    expect(isWanted({ ...rule, ...change }, kind, labels)).toBe(expected);
  },
);
