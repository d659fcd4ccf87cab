import { expect, test } from 'vitest';
import { Alerts, alertTexts } from './alerts.ts';
import { anAgent, aTask } from './samples.ts';

const BEGAN = 1_000_000;
const unknown = aTask({ status: 'unknown', lastStatus: 'running', unknownSince: BEGAN + 5, title: 'build' });

test('an unknown task is told once and retracted when the truth arrives', () => {
  const alerts = new Alerts(BEGAN);
  alerts.takeTask(unknown, BEGAN + 6);
  expect(alerts.tell().raised).toMatchObject([{ kind: 'unknown', name: 'build' }]);
  alerts.takeTask({ ...unknown, updatedAt: BEGAN + 9 }, BEGAN + 9);
  expect(alerts.tell()).toEqual({ raised: [], retracted: [] });
  expect(alerts.openIds).toEqual([unknown.id]);
  alerts.takeTask({ ...unknown, status: 'completed', endedAt: BEGAN + 7 }, BEGAN + 10);
  expect(alerts.tell()).toEqual({
    raised: [],
    retracted: [{ id: unknown.id, kind: 'unknown', name: 'build', now: 'completed' }],
  });
});

test('a doubt that is over before it was told is not told', () => {
  const alerts = new Alerts(BEGAN);
  alerts.takeTask(unknown, BEGAN + 6);
  alerts.takeTask({ ...unknown, status: 'running' }, BEGAN + 7);
  expect(alerts.tell()).toEqual({ raised: [], retracted: [] });
});

test('what was so before the telling began is not news', () => {
  const alerts = new Alerts(BEGAN);
  alerts.takeTask({ ...unknown, unknownSince: BEGAN - 1 }, BEGAN + 1);
  alerts.takeTask(aTask({ id: 'f', status: 'failed', endedAt: BEGAN - 1 }), BEGAN + 1);
  expect(alerts.tell().raised).toEqual([]);
});

test('what an agent dates by a clock of its own is news, or none, by web’s', () => {
  const alerts = new Alerts(BEGAN);
  const claim = { worker: 'w', leaseExpiresAt: BEGAN + 10, lastHeartbeatAt: BEGAN };
  // Its agent's clock is a minute behind: the lease is not over.
  alerts.takeTask(aTask({ id: 'held', claim }), BEGAN + 20, -60_000);
  alerts.takeTask(aTask({ id: 'fresh', status: 'failed', endedAt: BEGAN - 50_000 }), BEGAN + 20, -60_000);
  alerts.takeTask(aTask({ id: 'old', status: 'failed', endedAt: BEGAN + 50_000 }), BEGAN + 20, 60_000);
  expect(alerts.tell().raised).toMatchObject([{ id: 'fresh', kind: 'failed', at: BEGAN + 10_000 }]);
  alerts.takeTask(aTask({ id: 'held', claim }), BEGAN + 60_010, -60_000);
  expect(alerts.tell().raised).toMatchObject([{ id: 'held', kind: 'needsYou', at: BEGAN + 60_010 }]);
  const attention = [{ code: 'disk_slow', message: 'm', sinceAt: BEGAN - 60_000 }];
  alerts.takeTask(aTask({ id: 'slow', attention }), BEGAN + 60_020, -60_000);
  expect(alerts.tell().raised).toMatchObject([{ id: 'slow', at: BEGAN }]);
});

test('an unknown task that failed is retracted and told as failed; a failure is never retracted', () => {
  const alerts = new Alerts(BEGAN);
  alerts.takeTask(unknown, BEGAN + 6);
  alerts.tell();
  const failed = { ...unknown, status: 'failed' as const, endedAt: BEGAN + 8 };
  alerts.takeTask(failed, BEGAN + 9);
  const { raised, retracted } = alerts.tell();
  expect(raised).toMatchObject([{ kind: 'failed' }]);
  expect(retracted).toMatchObject([{ kind: 'unknown', now: 'failed' }]);
  expect(alertTexts(raised, retracted)).toEqual([
    { kind: 'unknown', title: 'Known again', body: 'build: failed', isRetraction: true },
    { kind: 'failed', title: 'A task failed', body: 'build', isRetraction: false },
  ]);
});

test('an agent that asks for attention is told, and retracted when it is well', () => {
  const alerts = new Alerts(BEGAN);
  const pool = { slots: 1, running: 0, queued: 0, paused: true, draining: false };
  const attention = [{ code: 'low_disk', message: 'Disk is nearly full.', sinceAt: BEGAN + 1 }];
  alerts.takeAgent(anAgent({ pool: { ...pool, attention } }), BEGAN + 2);
  expect(alerts.tell().raised).toMatchObject([{ kind: 'needsYou', name: 'build-2' }]);
  alerts.takeAgent(anAgent({ pool }), BEGAN + 3);
  expect(alerts.tell().retracted).toMatchObject([{ kind: 'needsYou', now: 'well' }]);
});

test('many of a kind are one text', () => {
  const raised = ['a', 'b', 'c', 'd', 'e'].map((name) => ({
    id: name,
    kind: 'unknown' as const,
    name,
    at: 1,
  }));
  expect(alertTexts(raised, [])).toEqual([
    { kind: 'unknown', title: '5 tasks are unknown', body: 'a\nb\nc\nand 2 more', isRetraction: false },
  ]);
});
