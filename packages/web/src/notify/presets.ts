/**
 * One mechanism for every channel: a JSON template whose strings are filled in. Slack, Discord and ntfy are templates
 * with the escapes and bounds of each. Pure.
 *
 * Filled in after parsing, so no text can break the JSON. What a task is called is a stranger's text to the chat:
 * it can neither ping anybody nor pose as a link.
 */
import type { NotificationChannel } from '@holdfast/shared';
import type { OutgoingMessage } from './alert-store.ts';
import type { Message } from './wording.ts';

export interface RenderedRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What a template may name as `{{name}}`. A string that is one name alone becomes its value, list or number. */
type Values = Record<string, Json>;

/** Slack takes 40,000 characters and recommends 4,000 (docs.slack.dev, chat.postMessage). */
const SLACK_CHARACTERS = 4000;
/** Discord's `content` takes 2,000 characters. */
const DISCORD_CHARACTERS = 2000;
/** ntfy turns a longer message into an attachment. */
const NTFY_BYTES = 4096;

const webhookTemplate: Json = {
  id: '{{id}}',
  kind: '{{kind}}',
  title: '{{title}}',
  text: '{{text}}',
  at: '{{at}}',
  url: '{{url}}',
  count: '{{count}}',
  items: '{{items}}',
};
const slackTemplate: Json = { text: '{{body}}' };
// `parse: []`: no name in the text pings anybody. 4: no previews of links.
const discordTemplate: Json = { content: '{{body}}', allowed_mentions: { parse: [] }, flags: 4 };
const ntfyTemplate: Json = {
  topic: '{{topic}}',
  title: '{{title}}',
  message: '{{body}}',
  tags: ['{{tag}}'],
  priority: '{{priority}}',
  click: '{{url}}',
  // A repeated message replaces the first one (ntfy 2.16; older servers pass it over).
  sequence_id: '{{id}}',
};

export function renderRequest(
  channel: NotificationChannel,
  outgoing: Pick<OutgoingMessage, 'id' | 'message' | 'createdAt'>,
  dashboardUrl: string,
): RenderedRequest {
  const { id, message, createdAt } = outgoing;
  const url = `${dashboardUrl}${message.path}`;
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    // The header that payment APIs made common: a target that knows it takes a repeated message once.
    'idempotency-key': id,
    'user-agent': 'holdfast',
  };
  if (channel.type === 'ntfy') {
    const target = new URL(channel.url.reveal());
    if (channel.token !== undefined) headers.authorization = `Bearer ${channel.token.reveal()}`;
    // Its topic is told in the body, which goes to the server's root (docs.ntfy.sh, "Publish as JSON").
    const body = ntfyBody(outgoing, target.pathname.slice(1), url);
    return { url: target.origin, headers, body };
  }
  const target = channel.url.reveal();
  if (channel.type === 'slack') return { url: target, headers, body: slackBody(message, url) };
  if (channel.type === 'discord') return { url: target, headers, body: discordBody(message, url) };
  for (const [name, value] of Object.entries(channel.headers ?? {})) {
    headers[name.toLowerCase()] = value.reveal();
  }
  const { kind, tone, title, text, count } = message;
  const items = itemsOf(message);
  const values = { id, kind, tone, title, text, at: createdAt, url, count, items };
  return { url: target, headers, body: fill(channel.template ?? webhookTemplate, values) };
}

function slackBody({ title, text }: Message, url: string): string {
  const most = SLACK_CHARACTERS - url.length - 16;
  const body = fit(`*${escapeSlack(title)}*\n${escapeSlack(text)}`, most);
  return fill(slackTemplate, { body: `${body}\n<${url}|Open>` });
}

function discordBody({ title, text }: Message, url: string): string {
  const most = DISCORD_CHARACTERS - url.length - 4;
  const body = fit(`**${escapeMarkdown(title)}**\n${escapeMarkdown(text)}`, most);
  return fill(discordTemplate, { body: `${body}\n<${url}>` });
}

function ntfyBody(
  { id, message }: Pick<OutgoingMessage, 'id' | 'message'>,
  topic: string,
  url: string,
): string {
  const isBad = message.tone === 'bad';
  return fill(ntfyTemplate, {
    id,
    topic,
    title: message.title,
    body: fitBytes(message.text, NTFY_BYTES),
    tag: isBad ? 'warning' : 'white_check_mark',
    priority: isBad ? 4 : 3,
    url,
  });
}

function itemsOf(message: Message): Json {
  return message.items.map((item) =>
    Object.fromEntries(
      Object.entries(item).filter((entry): entry is [string, string | number] => entry[1] !== undefined),
    ),
  );
}

/** The template with its names filled in. A name that is not known stays as it is, so that a mistake is seen. */
export function fill(template: Json, values: Values): string {
  return JSON.stringify(fillOne(template, values));
}

function fillOne(template: Json, values: Values): Json {
  if (typeof template === 'string') {
    const [, alone] = /^\{\{(\w+)\}\}$/.exec(template) ?? [];
    if (alone !== undefined && Object.hasOwn(values, alone)) return values[alone]!;
    return template.replaceAll(/\{\{(\w+)\}\}/g, (whole, name: string) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      if (value === undefined) return whole;
      return typeof value === 'string' ? value : JSON.stringify(value);
    });
  }
  if (Array.isArray(template)) return template.map((one) => fillOne(one, values));
  if (typeof template === 'object' && template !== null) {
    return Object.fromEntries(Object.entries(template).map(([key, one]) => [key, fillOne(one, values)]));
  }
  return template;
}

/** The three characters that Slack's markup gives a meaning: mentions and links need them. */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\*_~`|<>[\]()#]/g, '\\$&');
}

function fit(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 2).replace(/[\ud800-\udbff\\]$/, '')}…`;
}

function fitBytes(text: string, mostBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= mostBytes) return text;
  // A character that the cut went through becomes U+FFFD: it goes.
  return `${bytes
    .subarray(0, mostBytes - 8)
    .toString('utf8')
    .replace(/\ufffd+$/, '')}…`;
}
