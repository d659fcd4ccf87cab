import type { AlertKind } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { type Alert, type ChannelRule, isWanted, type PlanInput, planMessages } from './rules.ts';

const NOW = 1_800_000_000_000;
const rule: ChannelRule = {
  name: 'ops',
  on: ['failed', 'unknown'],
  unknownAfterMs: 120_000,
  cooldownMs: 60_000,
};

/** Noted `agoMs` before now. */
function alert(kind: AlertKind, agoMs: number, change: Partial<Alert> = {}): Alert {
  const at = NOW - agoMs;
  const lasting = kind === 'unknown' || kind === 'attention' || kind === 'agentLost';
  return { id: 1, kind, subject: 's', detail: '', lasting, sinceAt: at, notedAt: at, ...change };
}

function plan(input: Partial<PlanInput>) {
  const { messages, nextAt } = planMessages({ rule, lanes: {}, waiting: [], owed: [], now: NOW, ...input });
  return {
    messages: messages.map(({ lane, alerts }) => `${lane} ${alerts.length}`),
    ...(nextAt === undefined ? {} : { inMs: nextAt - NOW }),
  };
}

const cases: [string, Partial<PlanInput>, ReturnType<typeof plan>][] = [
  ['nothing', {}, { messages: [] }],
  ['news of this moment is gathered', { waiting: [alert('failed', 0)] }, { messages: [], inMs: 1000 }],
  [
    'after the gathering all of it is told',
    { waiting: [alert('failed', 1000), alert('failed', 0)] },
    { messages: ['ended 2'] },
  ],
  [
    'in the cooldown it waits',
    { waiting: [alert('failed', 2000)], lanes: { ended: { busy: false, lastAt: NOW - 20_000 } } },
    { messages: [], inMs: 40_000 },
  ],
  [
    'after the cooldown it is told at once',
    { waiting: [alert('failed', 2000)], lanes: { ended: { busy: false, lastAt: NOW - 60_000 } } },
    { messages: ['ended 1'] },
  ],
  [
    'a lane whose message is under way waits for it, not for a time',
    { waiting: [alert('failed', 99_000)], lanes: { ended: { busy: true, lastAt: NOW - 99_000 } } },
    { messages: [] },
  ],
  [
    'lanes do not wait for each other',
    {
      waiting: [alert('failed', 2000), alert('attention', 2000)],
      owed: [alert('unknown', 9000, { resolvedAt: NOW - 2000 })],
      lanes: { ended: { busy: true, lastAt: NOW } },
    },
    { messages: ['trouble 1', 'resolved 1'] },
  ],
  [
    'a young doubt waits until it is old enough',
    { waiting: [alert('unknown', 10_000)] },
    { messages: [], inMs: 111_000 },
  ],
  ['an old doubt is told', { waiting: [alert('unknown', 121_000)] }, { messages: ['trouble 1'] }],
  [
    'a young doubt does not go with an old one',
    { waiting: [alert('unknown', 121_000), alert('unknown', 1000)] },
    { messages: ['trouble 1'] },
  ],
  [
    'a doubt that was old when it was noted is gathered all the same',
    { waiting: [alert('unknown', 0, { sinceAt: NOW - 999_000 })] },
    { messages: [], inMs: 1000 },
  ],
  [
    'attention does not wait for the time of doubts',
    { waiting: [alert('attention', 1000)] },
    { messages: ['trouble 1'] },
  ],
  [
    'an end that could not be told for a day is news no more',
    { waiting: [alert('failed', 25 * 3_600_000)] },
    { messages: [] },
  ],
  [
    'a doubt that lasts is told however late',
    { waiting: [alert('unknown', 25 * 3_600_000)] },
    { messages: ['trouble 1'] },
  ],
  [
    'resolutions are gathered too',
    { owed: [alert('unknown', 99_000, { resolvedAt: NOW - 300 })] },
    { messages: [], inMs: 700 },
  ],
  [
    'a clock that was set back silences no lane',
    { waiting: [alert('failed', 2000)], lanes: { ended: { busy: false, lastAt: NOW + 3_600_000 } } },
    { messages: ['ended 1'] },
  ],
];

test.each(cases)('%s', (_name, input, expected) => {
  expect(plan(input)).toEqual(expected);
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
