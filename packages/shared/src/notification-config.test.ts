import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { NotificationsSchema } from './notification-config.ts';

const SECRET = 'T000-B000-s3cret';
const slack = { type: 'slack', url: `https://hooks.slack.test/services/${SECRET}` };

const parse = (channel: object) => NotificationsSchema.safeParse({ channels: { ops: channel } });

test('a channel needs a type and an address; the rest has defaults', () => {
  const { channels } = NotificationsSchema.parse({ channels: { ops: slack } });
  expect(channels.ops).toMatchObject({
    type: 'slack',
    on: ['failed', 'unknown', 'attention'],
    unknownAfterMs: 120_000,
    cooldownMs: 60_000,
  });
  expect(channels.ops?.url.reveal()).toBe(slack.url);
  expect(NotificationsSchema.parse({})).toEqual({ channels: {} });
});

test('“ended” stands for each way to end, once', () => {
  const parsed = NotificationsSchema.parse({ channels: { ops: { ...slack, on: ['failed', 'ended'] } } });
  expect(parsed.channels.ops?.on).toEqual(['failed', 'completed', 'cancelled']);
});

test('a secret is shown nowhere, but for the host of an address', () => {
  const config = NotificationsSchema.parse({
    channels: {
      a: slack,
      b: { type: 'webhook', url: `http://w.test:8080/${SECRET}`, headers: { authorization: SECRET } },
      c: { type: 'ntfy', url: `https://ntfy.test/${SECRET}`, token: SECRET },
    },
  });
  const shown = [
    JSON.stringify(config),
    inspect(config, { depth: 9, showHidden: true }),
    String(config.channels.a!.url),
  ];
  for (const text of shown) expect(text).not.toContain(SECRET);
  expect(JSON.parse(JSON.stringify(config))).toMatchObject({
    channels: {
      a: { url: 'hooks.slack.test' },
      b: { url: 'w.test:8080', headers: { authorization: '(secret)' } },
      c: { url: 'ntfy.test', token: '(secret)' },
    },
  });
});

test.each([
  ['no type', { url: slack.url }],
  ['an unknown type', { ...slack, type: SECRET }],
  ['no address', { type: 'slack' }],
  ['another scheme', { ...slack, url: `ftp://h.test/${SECRET}` }],
  ['no address at all', { ...slack, url: SECRET }],
  ['a password in the address', { ...slack, url: `https://u:${SECRET}@h.test/` }],
  ['a mistyped field', { ...slack, unknownAfter: 5 }],
  ['an unknown alert', { ...slack, on: ['fails'] }],
  ['no alert', { ...slack, on: [] }],
  ['a time that is none', { ...slack, cooldownMs: -1 }],
  ['ntfy without a topic', { type: 'ntfy', url: 'https://ntfy.test/' }],
  ['ntfy with a path', { type: 'ntfy', url: `https://ntfy.test/a/${SECRET}` }],
  ['a header that is none', { type: 'webhook', url: slack.url, headers: { 'a b': 'c' } }],
  ['a header with a line break', { type: 'webhook', url: slack.url, headers: { a: `${SECRET}\r\nb: c` } }],
])('%s is refused, by a message without the secret', (_what, channel) => {
  const result = parse(channel);
  expect(result.success).toBe(false);
  expect(JSON.stringify(result.error?.issues)).not.toContain(SECRET);
});
