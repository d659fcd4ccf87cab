/**
 * The search field's grammar: `qualifier:value` words and free text. Guarantees: `parseSearch(formatSearch(f))` is
 * `f` for every filter; a word that cannot be understood is searched for as text, never dropped.
 *
 * Values with spaces are quoted: `session:"my session"`. Several statuses: `status:failed,unknown`; all others:
 * `-status:completed`. `is:` takes a mark or a status. Numbers: `exit:7`, `exit:!0`, `attempt:>1`.
 */
import { shownStatuses, type ShownStatus } from '@holdfast/shared/status';
import { isMark, isNumberTest, isStatus, sinceTime, type Filter } from './filter.ts';

const qualifiers = [
  'status',
  'is',
  'session',
  'agent',
  'queue',
  'label',
  'attempt',
  'exit',
  'since',
  'sort',
] as const;
export type Qualifier = (typeof qualifiers)[number];

export function parseSearch(input: string): Filter {
  const filter: Filter = { statuses: [] };
  const text: string[] = [];
  for (const word of splitWords(input)) {
    const read = readQualifier(word);
    if (read.qualifier === undefined || read.value === '' || !take(filter, read.qualifier, read)) {
      text.push(unquote(word));
    }
  }
  if (text.length > 0) filter.text = text.join(' ');
  return filter;
}

/** `input` without the qualifier at its end while that is being typed: `status:` or `is:run` is no text to look for yet. */
export function withoutUnfinished(input: string): string {
  const word = /\S*$/.exec(input)?.[0] ?? '';
  const read = readQualifier(word);
  if (read.qualifier === undefined) return input;
  const isWhole = read.value !== '' && take({ statuses: [] }, read.qualifier, read);
  return isWhole ? input : input.slice(0, input.length - word.length);
}

interface Word {
  qualifier?: Qualifier;
  value: string;
  isNegated: boolean;
}

/** Returns whether the value was understood. */
function take(filter: Filter, qualifier: Qualifier, { value, isNegated }: Word): boolean {
  if (isNegated && qualifier !== 'status') return false;
  switch (qualifier) {
    case 'status': {
      const named = value.split(',');
      if (!named.every(isStatus)) return false;
      addStatuses(filter, isNegated ? shownStatuses.filter((status) => !named.includes(status)) : named);
      return true;
    }
    case 'is': {
      const named = value.split(',');
      if (!named.every((one) => isMark(one) || isStatus(one))) return false;
      addStatuses(filter, named.filter(isStatus));
      const is = new Set([...(filter.is ?? []), ...named.filter(isMark)]);
      if (is.size > 0) filter.is = [...is];
      return true;
    }
    case 'session':
      filter.sessionId = value;
      return true;
    case 'agent':
    case 'queue':
    case 'label':
      filter[qualifier] = value;
      return true;
    case 'attempt':
    case 'exit':
      if (!isNumberTest(value)) return false;
      filter[qualifier] = value;
      return true;
    case 'since':
      if (sinceTime(value, 0) === undefined) return false;
      filter.since = value;
      return true;
    case 'sort':
      if (value === 'oldest') filter.order = 'oldest';
      else if (value === 'newest') delete filter.order;
      else return false;
      return true;
    default:
      return qualifier satisfies never;
  }
}

function addStatuses(filter: Filter, named: readonly ShownStatus[]): void {
  for (const status of named) if (!filter.statuses.includes(status)) filter.statuses.push(status);
}

export function formatSearch(filter: Filter): string {
  const words: string[] = [];
  if (filter.statuses.length > 0) words.push(formatStatuses(filter.statuses));
  if (filter.is !== undefined) words.push(`is:${filter.is.join(',')}`);
  if (filter.sessionId !== undefined) words.push(`session:${quote(filter.sessionId)}`);
  if (filter.agent !== undefined) words.push(`agent:${quote(filter.agent)}`);
  if (filter.queue !== undefined) words.push(`queue:${quote(filter.queue)}`);
  if (filter.label !== undefined) words.push(`label:${quote(filter.label)}`);
  if (filter.attempt !== undefined) words.push(`attempt:${filter.attempt}`);
  if (filter.exit !== undefined) words.push(`exit:${filter.exit}`);
  if (filter.since !== undefined) words.push(`since:${filter.since}`);
  if (filter.order !== undefined) words.push(`sort:${filter.order}`);
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

/** All but a few, in their usual order, is shorter said by what is left out. */
function formatStatuses(statuses: readonly ShownStatus[]): string {
  const left = shownStatuses.filter((status) => !statuses.includes(status));
  const said = parseSearch(`-status:${left.join(',')}`).statuses;
  return left.length > 0 && left.length < 4 && said.join() === statuses.join()
    ? `-status:${left.join(',')}`
    : `status:${statuses.join(',')}`;
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
  const { qualifier, value, isNegated } = readQualifier(word);
  const sign = isNegated ? '-' : '';
  if (qualifier === undefined) {
    return qualifiers
      .filter((name) => name.startsWith(word.toLowerCase()) && word !== '')
      .map((name) => ({ text: `${head}${name}:`, label: `${name}:`, hint: hints[name] }));
  }
  const comma = qualifier === 'status' || qualifier === 'is' ? value.lastIndexOf(',') + 1 : 0;
  const last = value.slice(comma).toLowerCase();
  return values[qualifier]
    .filter((candidate) => candidate.toLowerCase().includes(last) && candidate.toLowerCase() !== last)
    .slice(0, MOST_SUGGESTED)
    .map((candidate) => ({
      text: `${head}${sign}${qualifier}:${value.slice(0, comma)}${quote(candidate)} `,
      label: candidate,
      hint: valueHints[`${qualifier}:${candidate}`] ?? qualifier,
    }));
}

const MOST_SUGGESTED = 8;

/** What each qualifier is for: suggestions and the sheet of keys show it. */
export const hints: Record<Qualifier, string> = {
  status: 'running, failed, unknown …',
  is: 'needs-you, stale, pending …',
  session: 'tasks that belong together',
  agent: 'by name or id',
  queue: 'default, or one that workers claim from',
  label: 'key=value',
  attempt: '2, or >1',
  exit: '7, or !0',
  since: 'today, 2h, 7d, 2026-11-20',
  sort: 'newest or oldest first',
};

/** Values that are the same for everybody. */
export const fixedValues = {
  status: shownStatuses,
  is: ['needs-you', 'stale', 'attention', 'refused', 'pending', ...shownStatuses],
  attempt: ['>1', '1', '2', '3'],
  exit: ['!0', '0', '1', '>128'],
  since: ['today', '1h', '24h', '7d'],
  sort: ['oldest', 'newest'],
} as const;

const valueHints: Record<string, string> = {
  'is:needs-you': 'nothing goes on by itself',
  'is:stale': 'nobody seems to work on it',
  'is:unknown': 'cannot be seen now',
  'is:attention': 'its agent says so',
  'is:refused': 'what was asked was refused',
  'is:pending': 'asked, not delivered yet',
  'attempt:>1': 'was tried again',
  'exit:!0': 'not zero',
  'exit:>128': 'perhaps killed by a signal',
  'since:today': 'not ended before midnight',
};

function readQualifier(word: string): Word {
  const colon = word.indexOf(':');
  const isNegated = word.startsWith('-');
  const name = colon < 0 ? '' : word.slice(isNegated ? 1 : 0, colon).toLowerCase();
  const qualifier = qualifiers.find((candidate) => candidate === name);
  return qualifier === undefined
    ? { value: word, isNegated: false }
    : { qualifier, value: unquote(word.slice(colon + 1)), isNegated };
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
