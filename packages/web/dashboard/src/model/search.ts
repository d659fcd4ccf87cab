/**
 * The search field's grammar: `qualifier:value` words and free text. Guarantees: `parseSearch(formatSearch(f))` is
 * `f` for every filter; a qualifier whose value cannot be understood is told, never guessed at and never looked for
 * as text; a word that is still being typed changes nothing until it is whole.
 *
 * Values with spaces are quoted: `session:"my session"`. Several statuses: `status:failed,unknown`. A minus before a
 * qualifier means all others: `-agent:laptop`. `is:` takes a mark or a status. Numbers: `exit:7`, `exit:!0`,
 * `attempt:>1`. Text that looks like a qualifier is quoted: `"status:odd"`.
 */
import { shownStatuses, type ShownStatus } from '@holdfast/shared/status';
import { isMark, isOrder, isStatus, isValueOf, type Filter, type Mark } from './filter.ts';

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

/** Values that the page knows of a qualifier, with what each means. */
export type Known = Partial<Record<Qualifier, readonly KnownValue[]>>;

interface KnownValue {
  value: string;
  hint?: string;
  /** A name that a person gave it: it stands for the value. */
  name?: string;
  /** Another word for one that is in the list: suggested only to who has begun it. */
  isAlias?: true;
}

export interface Reading {
  filter: Filter;
  /** A sentence for each word that is in no part of the filter because nobody can say what it means. */
  problems: string[];
}

/**
 * Reads what stands in the field. While `isTyping`, the qualifier at the end counts only once it is whole: its value is
 * one of `known`, or one that no further letter is needed for. An agent that nobody knows is told, as its tasks cannot
 * be known either.
 */
export function readSearch(input: string, known: Known = {}, isTyping = false): Reading {
  const filter: Filter = { statuses: [] };
  const text: string[] = [];
  const problems: string[] = [];
  const words = splitWords(closeQuote(input));
  const single = new Map<Qualifier, string>();
  const isOpen = isTyping && !/\s$/.test(input);
  for (const [index, word] of words.entries()) {
    const isLast = isOpen && index === words.length - 1;
    const read = readQualifier(word);
    const { qualifier } = read;
    if (qualifier === undefined) {
      if (!(isLast && /^-[a-z]*$/.test(word))) text.push(unquote(word));
      continue;
    }
    const value = meantBy(qualifier, read.value, known);
    const isKnown = known[qualifier]?.some((one) => one.value === value) === true;
    const isNobodys = qualifier === 'agent' && known.agent !== undefined && !isKnown && value !== '';
    // With the next letter it may become another one.
    const isPart = isLast && isFree(qualifier) && !isKnown;
    if (!isNobodys && !isPart && value !== '' && take(filter, qualifier, { ...read, value })) {
      if (read.isNegated || isList(qualifier)) continue;
      const before = single.get(qualifier);
      if (before !== undefined && before !== value) {
        problems.push(`${qualifier}: has one value, and ${word} counts, not ${qualifier}:${quote(before)}.`);
      }
      single.set(qualifier, value);
      continue;
    }
    // A list of suggestions says what may follow.
    if (isLast && (suggest(input, known).length > 0 || (isPart && !isNobodys))) continue;
    problems.push(
      isNobodys
        ? `No agent is called “${value}”.`
        : `${word} ${value === '' ? 'needs a value' : 'is not understood'} (${qualifier}: ${hints[qualifier]}).`,
    );
  }
  if (text.length > 0) filter.text = text.join(' ');
  return { filter, problems };
}

export function parseSearch(input: string): Filter {
  return readSearch(input).filter;
}

/** Several values of it add up. */
function isList(qualifier: Qualifier): boolean {
  return qualifier === 'status' || qualifier === 'is';
}

/** The value as it is known: of words in either case, and of names that people gave. */
function meantBy(qualifier: Qualifier, value: string, known: Known): string {
  const folded = value.toLowerCase();
  if (isList(qualifier) || qualifier === 'sort' || folded === 'today') return folded;
  const values = known[qualifier] ?? [];
  if (values.some((one) => one.value === value)) return value;
  const isMeant = (one: KnownValue): boolean =>
    (qualifier === 'agent' && one.value.toLowerCase() === folded) || one.name?.toLowerCase() === folded;
  const [meant, ...others] = values.filter(isMeant);
  return meant !== undefined && others.length === 0 ? meant.value : value;
}

/** Any text may be its value. */
function isFree(qualifier: Qualifier): boolean {
  return qualifier === 'session' || qualifier === 'agent' || qualifier === 'queue' || qualifier === 'label';
}

interface Word {
  qualifier?: Qualifier;
  value: string;
  isNegated: boolean;
}

/** Returns whether the value was understood. */
function take(filter: Filter, qualifier: Qualifier, { value, isNegated }: Word): boolean {
  switch (qualifier) {
    case 'status':
    case 'is': {
      const named = value.split(',');
      if (!named.every((one) => isStatus(one) || (qualifier === 'is' && isMark(one)))) return false;
      const statuses = named.filter(isStatus);
      const marks = named.filter(isMark);
      if (statuses.length > 0 && !addStatuses(filter, statuses, isNegated)) return false;
      if (marks.length > 0) addMarks(isNegated ? (filter.not ??= {}) : filter, marks);
      return true;
    }
    case 'session':
    case 'agent':
    case 'queue':
    case 'label':
    case 'attempt':
    case 'exit':
    case 'since': {
      const part = qualifier === 'session' ? 'sessionId' : qualifier;
      if (!isValueOf(part, value)) return false;
      if (!isNegated) filter[part] = value;
      else (filter.not ??= {})[part] = [...new Set([...(filter.not[part] ?? []), value])];
      return true;
    }
    case 'sort':
      if (isNegated) return false;
      if (isOrder(value)) filter.order = value;
      else if (value === 'newest') delete filter.order;
      else return false;
      return true;
    default:
      return qualifier satisfies never;
  }
}

function addMarks(to: { is?: Mark[] }, marks: readonly Mark[]): void {
  to.is = [...new Set([...(to.is ?? []), ...marks])];
}

/** False where no status would be left: that is no filter. */
function addStatuses(filter: Filter, named: readonly ShownStatus[], isNegated: boolean): boolean {
  const { statuses } = filter;
  if (!isNegated) {
    filter.statuses = [...new Set([...statuses, ...named])];
    return true;
  }
  const left = (statuses.length === 0 ? shownStatuses : statuses).filter((status) => !named.includes(status));
  if (left.length > 0) filter.statuses = left;
  return left.length > 0;
}

export function formatSearch(filter: Filter): string {
  const words: string[] = [];
  const { not = {} } = filter;
  if (filter.statuses.length > 0) words.push(formatStatuses(filter.statuses));
  if (filter.is !== undefined) words.push(`is:${filter.is.join(',')}`);
  if (not.is !== undefined) words.push(`-is:${not.is.join(',')}`);
  for (const qualifier of ['session', 'agent', 'queue', 'label', 'attempt', 'exit', 'since'] as const) {
    const part = qualifier === 'session' ? 'sessionId' : qualifier;
    const wanted = filter[part];
    if (wanted !== undefined) words.push(`${qualifier}:${quote(wanted)}`);
    for (const value of not[part] ?? []) words.push(`-${qualifier}:${quote(value)}`);
  }
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

/** Up to eight completions of the word at the end of `input`. `known` is what the page knows of each qualifier. */
export function suggest(input: string, known: Known): Suggestion[] {
  const word = /(?:[^\s"]|"[^"]*"?)*$/.exec(input)?.[0] ?? '';
  const head = input.slice(0, input.length - word.length);
  const { qualifier, value, isNegated } = readQualifier(word);
  if (qualifier === undefined) {
    const sign = word.startsWith('-') ? '-' : '';
    const name = word.slice(sign.length).toLowerCase();
    return qualifiers
      .filter((one) => word !== '' && one.startsWith(name) && (sign === '' || one !== 'sort'))
      .map((one) => ({
        text: `${head}${sign}${one}:`,
        label: `${sign}${one}:`,
        hint: sign === '' ? hints[one] : `all others: ${hints[one]}`,
      }));
  }
  const sign = isNegated ? '-' : '';
  const comma = qualifier === 'status' || qualifier === 'is' ? value.lastIndexOf(',') + 1 : 0;
  const last = value.slice(comma).replace(/^"/, '').toLowerCase();
  const values = known[qualifier] ?? [];
  return (qualifier === 'is' ? [...values, ...(known.status ?? [])] : values)
    .filter(
      ({ value: one, hint = '', isAlias }) =>
        one.toLowerCase() !== last &&
        (isAlias !== true || (last !== '' && one.toLowerCase().startsWith(last))) &&
        (one.toLowerCase().includes(last) || (isFree(qualifier) && hint.toLowerCase().includes(last))),
    )
    .slice(0, MOST_SUGGESTED)
    .map(({ value: one, hint = nouns[qualifier] ?? hints[qualifier] }) => ({
      text: `${head}${sign}${qualifier}:${value.slice(0, comma)}${quote(one)} `,
      label: one,
      hint: isNegated ? `all others: ${hint}` : hint,
    }));
}

const MOST_SUGGESTED = 8;

const nouns: Partial<Record<Qualifier, string>> = {
  session: 'tasks of this session',
  agent: 'tasks on this agent',
  queue: 'tasks of this queue',
  label: 'tasks with this label',
  attempt: 'tasks at this attempt',
  exit: 'ended with this code',
  since: 'not ended before that',
};

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
  sort: 'newest, oldest, changed or longest first',
};

const said = (words: Record<string, string>): { value: string; hint: string }[] =>
  Object.entries(words).map(([value, hint]) => ({ value, hint }));

/** Values that are the same for everybody; those of `status` are the caller's, with its words for them. */
export const fixedValues: Known = {
  is: said({
    'needs-you': 'nothing goes on by itself',
    stale: 'nobody seems to work on it',
    attention: 'its agent says so',
    refused: 'what was asked was refused',
    pending: 'asked, not delivered yet',
  }),
  attempt: [
    { value: '>1', hint: 'was tried again' },
    { value: '1', hint: 'the first attempt' },
    { value: '2' },
    { value: '3' },
  ],
  exit: [
    { value: '!0', hint: 'not zero' },
    { value: '0', hint: 'success' },
    { value: '1' },
    { value: '>128', hint: 'perhaps killed by a signal' },
  ],
  since: said({
    today: 'not ended before midnight',
    '1h': 'not ended before the last hour',
    '24h': 'not ended before the last day',
    '7d': 'not ended before the last week',
  }),
  sort: said({
    oldest: 'oldest first',
    newest: 'newest first',
    changed: 'the newest change of a status first',
    longest: 'what runs or took longest first',
  }),
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

/** A quote that is still open is meant to the end of what is there. */
function closeQuote(input: string): string {
  const left = input.replaceAll(/[^\s"]*"(?:\\.|[^"\\])*"/g, '');
  return /(?:^|\s)(?:-?[a-z]+:)?"/i.test(left) ? `${input.replace(/\\$/, '')}"` : input;
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
