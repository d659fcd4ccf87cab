import { type NotificationChannel, Secret } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { NOON } from '../test-kit.ts';
import { fill, renderRequest } from './presets.ts';
import type { Message } from './wording.ts';

const rules = { on: ['failed' as const], unknownAfterMs: 0, cooldownMs: 0 };
const message: Message = {
  kind: 'alert',
  lane: 'ended',
  tone: 'bad',
  title: 'Failed: <build> & "test" *now*',
  text: 'exit code 3\nsecond line @everyone <!channel>',
  count: 1,
  items: [{ kind: 'failed', subject: 'build', detail: 'exit code 3', taskId: 't1', sinceAt: NOON }],
  path: '/tasks/t1',
};

function render(channel: NotificationChannel, change: Partial<Message> = {}) {
  const outgoing = { id: 'id-1', message: { ...message, ...change }, createdAt: NOON };
  const { body, ...rest } = renderRequest(channel, outgoing, 'https://holdfast.test');
  return { ...rest, text: body, body: JSON.parse(body) as Record<string, unknown> };
}

const secret = (url: string) => new Secret(url, new URL(url).host);

test('a webhook gets everything, with its own headers and a key that makes repeats harmless', () => {
  const { url, headers, body } = render({
    type: 'webhook',
    url: secret('https://hooks.test/in?key=s3cret'),
    headers: { 'X-Key': new Secret('v'), Authorization: new Secret('Bearer t') },
    ...rules,
  });
  expect(url).toBe('https://hooks.test/in?key=s3cret');
  expect(headers).toEqual({
    'content-type': 'application/json',
    'idempotency-key': 'id-1',
    'user-agent': 'holdfast',
    'x-key': 'v',
    authorization: 'Bearer t',
  });
  expect(body).toEqual({
    id: 'id-1',
    kind: 'alert',
    title: message.title,
    text: message.text,
    at: NOON,
    url: 'https://holdfast.test/tasks/t1',
    count: 1,
    items: message.items,
  });
});

test('a template of one’s own is filled in wherever it holds a name', () => {
  const template = {
    summary: '[{{tone}}] {{title}}',
    nested: [{ n: '{{count}}', all: '{{items}}' }],
    keep: '{{other}}',
    on: true,
  };
  const { body } = render({ type: 'webhook', url: secret('https://h.test'), template, ...rules });
  expect(body).toEqual({
    summary: `[bad] ${message.title}`,
    nested: [{ n: 1, all: message.items }],
    keep: '{{other}}',
    on: true,
  });
});

test('what is filled in is never filled in again, and no name of the language is a name', () => {
  expect(fill('{{a}} {{constructor}}', { a: '{{b}}', b: 'no' })).toBe('"{{b}} {{constructor}}"');
  expect(fill('{{toString}}', {})).toBe('"{{toString}}"');
  expect(fill('{{n}}/{{list}}', { n: 3, list: ['x'] })).toBe('"3/[\\"x\\"]"');
});

test('Slack gets text in which nothing pings and nothing links but the dashboard', () => {
  const { body, url } = render({ type: 'slack', url: secret('https://hooks.slack.test/T/B/x'), ...rules });
  expect(url).toBe('https://hooks.slack.test/T/B/x');
  expect(body).toEqual({
    text: '*Failed: &lt;build&gt; &amp; "test" *now**\nexit code 3\nsecond line @everyone &lt;!channel&gt;\n<https://holdfast.test/tasks/t1|Open>',
  });
});

test('Discord may ping nobody, and gets no more than it takes', () => {
  const { body } = render(
    { type: 'discord', url: secret('https://discord.test/api/webhooks/1/x'), ...rules },
    { text: '*'.repeat(5000) },
  );
  expect(body.allowed_mentions).toEqual({ parse: [] });
  const content = String(body.content);
  expect(content.length).toBeLessThanOrEqual(2000);
  expect(content).toMatch(/^\*\*Failed: \\<build\\> & "test" \\\*now\\\*\*\*\n/);
  expect(content).toMatch(/(\\\*)…\n<https:\/\/holdfast\.test\/tasks\/t1>$/);
});

test('ntfy gets its topic in the body, its token in a header, and a priority', () => {
  const channel = {
    type: 'ntfy' as const,
    url: secret('https://ntfy.test/my-topic'),
    token: new Secret('tk_1'),
    ...rules,
  };
  const { url, headers, body } = render(channel);
  expect(url).toBe('https://ntfy.test');
  expect(headers.authorization).toBe('Bearer tk_1');
  expect(body).toEqual({
    topic: 'my-topic',
    title: message.title,
    message: message.text,
    tags: ['warning'],
    priority: 4,
    click: 'https://holdfast.test/tasks/t1',
    sequence_id: 'id-1',
  });
  expect(render(channel, { tone: 'good' }).body).toMatchObject({ tags: ['white_check_mark'], priority: 3 });
  const long = String(render(channel, { text: '…ü'.repeat(3000) }).body.message);
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(4096);
  expect(long).not.toContain('\ufffd');
});
