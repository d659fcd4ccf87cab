import type { AlertKind } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { NOON } from '../test-kit.ts';
import type { Alert, Lane } from './rules.ts';
import { describeAlerts, describeTest, type Message, MOST_ITEMS, type Told } from './wording.ts';

function alert(kind: AlertKind, subject: string, change: Partial<Alert> = {}): Alert {
  return { id: 1, kind, subject, detail: '', lasting: true, sinceAt: NOON, notedAt: NOON, ...change };
}

/** What a store reads of these alerts for a message of all of them. */
function describeAll(lane: Lane, alerts: readonly Alert[]): Message {
  const numbered = alerts.map((one, id) => ({ ...one, id }));
  const words = ({ agentName, detail, resolution }: Alert) =>
    `${agentName ?? ''} ${lane === 'resolved' ? resolution : detail}`;
  const groups = [
    ...Map.groupBy(numbered, (one) => (one.kind === 'unknown' ? words(one) : one.kind)).values(),
  ];
  const told: Told = {
    counts: {},
    doubts: groups.filter(([first]) => first?.kind === 'unknown').length,
    hasFailure: alerts.some(({ kind, detail, resolution = '' }) =>
      lane === 'resolved'
        ? resolution.startsWith('failed')
        : kind === 'failed' || (kind === 'sessionEnded' && / failed/.test(detail)),
    ),
    groups: groups.map((group) => ({
      count: group.length,
      sinceAt: Math.min(...group.map(({ sinceAt }) => sinceAt)),
      alerts: group.slice(0, MOST_ITEMS),
    })),
  };
  for (const { kind } of alerts) told.counts[kind] = (told.counts[kind] ?? 0) + 1;
  return describeAlerts(lane, told);
}

const onOne = { agentId: 'a1', agentName: 'one' };
const outage = Array.from({ length: 500 }, (_, n) =>
  alert('unknown', `task ${n}`, {
    ...onOne,
    taskId: `t${n}`,
    detail: 'was running; its agent cannot be reached',
  }),
);

test('one failure is named in the title and leads to its task', () => {
  const message = describeAll('ended', [
    alert('failed', 'build', { ...onOne, detail: 'exit code 3', taskId: 't1', lasting: false }),
  ]);
  expect(message).toMatchObject({
    kind: 'alert',
    tone: 'bad',
    title: 'Failed: build',
    text: 'Failed: build, exit code 3 (one)',
    count: 1,
    path: '/tasks/t1',
  });
});

test('several ends are counted, the worst first, and lead to the failed ones', () => {
  const message = describeAll('ended', [
    alert('completed', 'a'),
    alert('failed', 'b'),
    alert('completed', 'c'),
  ]);
  expect(message).toMatchObject({
    title: '1 task failed, 2 tasks completed',
    tone: 'bad',
    path: '/?status=failed',
  });
  expect(message.text.split('\n')).toEqual(['Failed: b', 'Completed: a', 'Completed: c']);
});

test('what ended well is good news', () => {
  expect(describeAll('ended', [alert('completed', 'a')]).tone).toBe('good');
  expect(describeAll('ended', [alert('sessionEnded', 's', { detail: '3 completed' })]).tone).toBe('good');
  expect(describeAll('ended', [alert('sessionEnded', 's', { detail: '2 completed, 1 failed' })]).tone).toBe(
    'bad',
  );
});

test('an outage is one sentence for each agent and reason, whatever the number of tasks', () => {
  const message = describeAll('trouble', [
    alert('agentLost', 'one', { ...onOne, detail: 'it is silent' }),
    ...outage,
  ]);
  expect(message).toMatchObject({
    title: '500 tasks unknown, 1 agent lost',
    count: 501,
    path: '/?status=unknown',
  });
  expect(message.items).toHaveLength(20);
  expect(message.text.split('\n')).toEqual([
    'Agent lost: one, it is silent, since 2026-11-21 12:00 UTC',
    'Unknown: 500 tasks (task 0, task 1, task 2, …), were running; their agent cannot be reached (one), since 2026-11-21 12:00 UTC. They may still run.',
  ]);
});

test('the end of an outage says how each doubt was resolved, most of them first', () => {
  const resolved = outage.map((one, n) => ({
    ...one,
    resolvedAt: NOON + 40_000,
    resolution: n === 7 ? 'failed: exit code 3' : 'running',
  }));
  const message = describeAll('resolved', resolved);
  expect(message).toMatchObject({ kind: 'resolved', title: '500 tasks known again', tone: 'bad' });
  expect(message.text.split('\n')).toEqual([
    '499 tasks (task 0, task 1, task 2, …) were unknown for 40 s: running (one)',
    'task 7 was unknown for 40 s: failed: exit code 3 (one)',
  ]);
  expect(describeAll('resolved', resolved.slice(0, 5)).tone).toBe('good');
});

test('a single resolution names what it is about', () => {
  const back = alert('agentLost', 'one', { ...onOne, resolvedAt: NOON + 180_000, resolution: 'back' });
  expect(describeAll('resolved', [back])).toMatchObject({
    title: 'Back: one',
    text: 'Agent lost: one, for 3 min; now: back',
  });
  const known = alert('unknown', 'build', { resolvedAt: NOON + 1000, resolution: 'completed' });
  expect(describeAll('resolved', [known]).title).toBe('Resolved: build');
  expect(describeAll('resolved', [known, back]).title).toBe('1 task known again, 1 other resolved');
});

test('a long message is cut and says by how much', () => {
  const message = describeAll(
    'ended',
    Array.from({ length: 37 }, (_, n) => alert('failed', `task ${n}`)),
  );
  const lines = message.text.split('\n');
  expect(lines).toHaveLength(10);
  expect(lines.at(-1)).toBe('… and 28 more');
});

test('a test says which channel it came by', () => {
  expect(describeTest('phone')).toMatchObject({
    kind: 'test',
    text: 'If you can read this, the channel "phone" works.',
  });
});
