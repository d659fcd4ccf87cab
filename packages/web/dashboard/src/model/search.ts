/**
 * The search field's grammar: `qualifier:value` words and free text. Guarantees: `parseSearch(formatSearch(f))` is
 * `f` for every filter; a word that cannot be understood is searched for as text, never dropped.
 *
 * Values with spaces are quoted: `session:"my session"`. Several statuses: `status:failed,unknown`.
 */
import { isStatus, type Filter } from './filter.ts';

const qualifiers = ['status', 'session', 'agent', 'label'] as const;
export type Qualifier = (typeof qualifiers)[number];

export function parseSearch(input: string): Filter {
  const filter: Filter = { statuses: [] };
  const text: string[] = [];
  for (const word of splitWords(input)) {
    const { qualifier, value } = readQualifier(word);
    if (qualifier === undefined || value === '') {
      text.push(unquote(word));
      continue;
    }
    switch (qualifier) {
      case 'status': {
        const named = value.split(',');
        if (!named.every(isStatus)) {
          text.push(word);
          break;
        }
        for (const status of named) if (!filter.statuses.includes(status)) filter.statuses.push(status);
        break;
      }
      case 'session':
        filter.sessionId = value;
        break;
      case 'agent':
        filter.agent = value;
        break;
      case 'label':
        filter.label = value;
        break;
      default:
        qualifier satisfies never;
    }
  }
  if (text.length > 0) filter.text = text.join(' ');
  return filter;
}

export function formatSearch(filter: Filter): string {
  const words: string[] = [];
  if (filter.statuses.length > 0) words.push(`status:${filter.statuses.join(',')}`);
  if (filter.sessionId !== undefined) words.push(`session:${quote(filter.sessionId)}`);
  if (filter.agent !== undefined) words.push(`agent:${quote(filter.agent)}`);
  if (filter.label !== undefined) words.push(`label:${quote(filter.label)}`);
  // Text that would read as a qualifier, or whose spaces matter, stays text by its quotes.
  if (filter.text !== undefined) {
    const isPlain = splitWords(filter.text).every((word) => readQualifier(word).qualifier === undefined);
    words.push(
      isPlain && filter.text === parseSearch(filter.text).text
        ? filter.text
        : `"${escapeQuotes(filter.text)}"`,
    );
  }
  return words.join(' ');
}

export interface Suggestion {
  /** The whole field's text after it is taken. */
  text: string;
  label: string;
  hint: string;
}

/** Up to eight completions of the word at the end of `input`. `values` are what the page knows of each qualifier. */
export function suggest(input: string, values: Record<Qualifier, readonly string[]>): Suggestion[] {
  const word = /\S*$/.exec(input)?.[0] ?? '';
  const head = input.slice(0, input.length - word.length);
  const { qualifier, value } = readQualifier(word);
  if (qualifier === undefined) {
    return qualifiers
      .filter((name) => name.startsWith(word.toLowerCase()) && word !== '')
      .map((name) => ({ text: `${head}${name}:`, label: `${name}:`, hint: hints[name] }));
  }
  const comma = qualifier === 'status' ? value.lastIndexOf(',') + 1 : 0;
  const last = value.slice(comma).toLowerCase();
  return values[qualifier]
    .filter((candidate) => candidate.toLowerCase().includes(last) && candidate.toLowerCase() !== last)
    .slice(0, 8)
    .map((candidate) => ({
      text: `${head}${qualifier}:${value.slice(0, comma)}${quote(candidate)} `,
      label: candidate,
      hint: qualifier,
    }));
}

const hints: Record<Qualifier, string> = {
  status: 'running, failed, unknown …',
  session: 'tasks that belong together',
  agent: 'by name or id',
  label: 'key=value',
};

function readQualifier(word: string): { qualifier?: Qualifier; value: string } {
  const colon = word.indexOf(':');
  const name = colon < 0 ? '' : word.slice(0, colon).toLowerCase();
  const qualifier = qualifiers.find((candidate) => candidate === name);
  return qualifier === undefined ? { value: word } : { qualifier, value: unquote(word.slice(colon + 1)) };
}

function splitWords(input: string): string[] {
  return input.match(/[^\s"]*"(?:\\.|[^"\\])*"|\S+/g) ?? [];
}

function quote(value: string): string {
  return /^[^\s"\\]+$/.test(value) ? value : `"${escapeQuotes(value)}"`;
}

function escapeQuotes(value: string): string {
  return value.replaceAll(/["\\]/g, '\\$&');
}

function unquote(value: string): string {
  const inner = /^"((?:\\.|[^"\\])*)"$/.exec(value)?.[1];
  return inner === undefined ? value : inner.replaceAll(/\\(.)/g, '$1');
}
