/**
 * The `notifications` section of `config.json`: where web sends alerts, and which.
 *
 * URLs, headers and tokens are secrets (a webhook's URL is its password): they become `Secret`, which shows the host
 * at most, and no message of a refused section repeats them.
 */
import { z } from 'zod';
import { Secret } from './secret.ts';

/** What an alert can be about. */
export const alertKinds = [
  'completed',
  'failed',
  'cancelled',
  'sessionEnded',
  'unknown',
  'attention',
  'agentLost',
] as const;
export type AlertKind = (typeof alertKinds)[number];

/** What a channel is told unless it says otherwise. */
export const DEFAULT_ALERTS: readonly AlertKind[] = ['failed', 'unknown', 'attention'];

const DAY_MS = 24 * 3600 * 1000;

const UrlSchema = z.string().transform((value, context) => {
  const url = URL.parse(value);
  const fault =
    url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')
      ? 'must be an http or https URL'
      : url.username !== '' || url.password !== ''
        ? 'must not hold a user name or password; give a header or a token instead'
        : undefined;
  if (url === null || fault !== undefined) {
    context.addIssue({ code: 'custom', message: fault ?? 'must be a URL' });
    return z.NEVER;
  }
  return new Secret(url.href, url.host);
});

/** The topic is the last part of the path: `https://ntfy.sh/my-topic`. */
const TopicUrlSchema = UrlSchema.refine(
  (url) => /^\/[-_A-Za-z0-9]{1,64}$/.test(new URL(url.reveal()).pathname),
  'must be a server and a topic, as in https://ntfy.sh/my-topic',
);

const SecretSchema = z
  .string()
  .min(1)
  .regex(/^[\t\x20-\x7e]+$/, 'must be printable ASCII')
  .transform((value) => new Secret(value));

const AlertsSchema = z
  .array(z.enum([...alertKinds, 'ended']))
  .min(1)
  .transform((kinds): AlertKind[] => [
    ...new Set(
      kinds.flatMap((kind): AlertKind[] =>
        kind === 'ended' ? ['completed', 'failed', 'cancelled'] : [kind],
      ),
    ),
  ]);

const rules = {
  /** `ended` stands for completed, failed and cancelled. */
  on: AlertsSchema.default([...DEFAULT_ALERTS]),
  /** How long a task must have been unknown, or an agent silent, before anybody is told. */
  unknownAfterMs: z.int().min(0).max(DAY_MS).default(120_000),
  /** What happens within this time after a message is gathered into the next one. */
  cooldownMs: z.int().min(0).max(DAY_MS).default(60_000),
  /** Only tasks that carry all of these, `key` or `key=value`. */
  labels: z.array(z.string().min(1)).optional(),
};

const HeaderNameSchema = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be the name of a header');

const ChannelSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('webhook'),
    url: UrlSchema,
    headers: z.record(HeaderNameSchema, SecretSchema).optional(),
    /** Any JSON; `{{title}}` and its like in its strings are filled in. */
    template: z.json().optional(),
    ...rules,
  }),
  z.strictObject({ type: z.literal('slack'), url: UrlSchema, ...rules }),
  z.strictObject({ type: z.literal('discord'), url: UrlSchema, ...rules }),
  z.strictObject({ type: z.literal('ntfy'), url: TopicUrlSchema, token: SecretSchema.optional(), ...rules }),
]);
export type NotificationChannel = z.output<typeof ChannelSchema>;

const ChannelNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 of A–Z a–z 0–9 . _ -');

export const NotificationsSchema = z.strictObject({
  channels: z.record(ChannelNameSchema, ChannelSchema).default({}),
  /** Where people reach the dashboard; for the links in messages. Web's own address without it. */
  dashboardUrl: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional(),
});
export type NotificationsConfig = z.output<typeof NotificationsSchema>;
