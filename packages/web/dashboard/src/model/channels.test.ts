import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@holdfast/shared';
import { expect, test } from 'vitest';
import {
  backlogText,
  type Channel,
  configExample,
  lastTryText,
  type NotedAlert,
  resolutionText,
  testOf,
  testText,
  toldText,
} from './channels.ts';

const NOW = 10_000_000;
const channel: Channel = {
  name: 'ops',
  type: 'webhook',
  host: 'hooks.example',
  on: ['failed'],
  unknownAfterMs: 120_000,
  state: 'untried',
  waiting: 0,
  dropped: 0,
};
const alert: NotedAlert = {
  id: 1,
  kind: 'unknown',
  subject: 'deploy',
  detail: 'was running',
  lasting: true,
  sinceAt: NOW - 60_000,
};

test('the last try says when it was and, if it failed, why', () => {
  expect(lastTryText({}, NOW)).toBe('Nothing has been sent to it so far.');
  expect(lastTryText({ lastTry: { at: NOW - 5000, delivered: true } }, NOW)).toBe(
    'The last message was delivered 5 s ago.',
  );
  expect(lastTryText({ lastTry: { at: NOW + 40, delivered: true } }, NOW)).toBe(
    'The last message was delivered just now.',
  );
  const failed = { at: NOW - 180_000, delivered: false, error: 'it answered 500' };
  expect(lastTryText({ lastTry: failed }, NOW)).toBe('The last try, 3 min ago, failed: it answered 500.');
});

test('waiting and given up messages are told only when there are some', () => {
  expect(backlogText(channel)).toBeUndefined();
  expect(backlogText({ waiting: 1, dropped: 0 })).toBe('1 message waits for delivery.');
  expect(backlogText({ waiting: 2, dropped: 3 })).toBe(
    '2 messages wait for delivery. 3 messages of the last 7 days were given up.',
  );
});

test('what a channel is told of names its patience and its labels', () => {
  expect(toldText(channel)).toBe('Told of failed tasks.');
  expect(toldText({ ...channel, on: ['failed', 'unknown', 'agentLost'], labels: ['branch=main'] })).toBe(
    'Told of failed tasks, unknown tasks (after 2:00) and silent agents (after 2:00); only of tasks labelled branch=main.',
  );
  expect(toldText({ ...channel, on: ['unknown'], unknownAfterMs: 0 })).toBe('Told of unknown tasks.');
});

test('a test is asked, then delivered or failed with the reason', () => {
  const said = (lastTry: Channel['lastTry']) =>
    testText(testOf(lastTry === undefined ? {} : { lastTry }), 'hooks.example');
  expect(testText({ stage: 'asked' }, 'hooks.example')).toBe('Asked: web sends a test to hooks.example …');
  expect(said({ at: NOW, delivered: true })).toBe('Delivered: hooks.example took the test.');
  expect(said({ at: NOW, delivered: false, error: 'nothing listens there' })).toBe(
    'Failed: nothing listens there.',
  );
  expect(testText({ stage: 'unanswered', detail: 'No answer came.' }, 'hooks.example')).toBe(
    'No answer came.',
  );
});

test('only what lasts has a resolution', () => {
  expect(resolutionText({ ...alert, lasting: false })).toBeUndefined();
  expect(resolutionText(alert)).toBe('Not resolved yet');
  expect(resolutionText({ ...alert, resolvedAt: NOW, resolution: 'completed' })).toBe(
    'Resolved after 1:00: completed',
  );
});

test('the example is a configuration that web takes', () => {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-example-'));
  try {
    writeFileSync(join(home, 'config.json'), configExample);
    const { config } = loadConfig({ flags: { home }, env: {} });
    expect(Object.keys(config.notifications.channels)).toEqual(['team']);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
