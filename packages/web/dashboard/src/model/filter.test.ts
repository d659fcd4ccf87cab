import { expect, test } from 'vitest';
import {
  commandText,
  filterFromParams,
  filterToParams,
  filterToQuery,
  isEmptyFilter,
  matches,
  noFilter,
  taskName,
  type Filter,
} from './filter.ts';
import { anAgent, aTask } from './samples.ts';

const agents = [anAgent()];
const accepts = (
  filter: Partial<Filter>,
  task = aTask({ labels: { team: 'core' }, title: 'Build it' }),
): boolean => matches(task, { ...noFilter, ...filter }, agents);

test('an empty filter takes every task', () => {
  expect(accepts({})).toBe(true);
});

test('several statuses are alternatives', () => {
  expect(accepts({ statuses: ['failed', 'running'] })).toBe(true);
  expect(accepts({ statuses: ['failed'] })).toBe(false);
});

test('an agent is meant by id or by name', () => {
  expect(accepts({ agent: 'a1' })).toBe(true);
  expect(accepts({ agent: 'build-2' })).toBe(true);
  expect(accepts({ agent: 'build' })).toBe(false);
});

test('a label is meant by key and value, or by key alone', () => {
  expect(accepts({ label: 'team=core' })).toBe(true);
  expect(accepts({ label: 'team' })).toBe(true);
  expect(accepts({ label: 'team=other' })).toBe(false);
  expect(accepts({ label: 'toString' })).toBe(false);
});

test('text is looked for in title, command, id and session, in either case', () => {
  for (const text of ['BUILD', 'npm TEST', '019a9f0e', 'Harbor']) expect(accepts({ text })).toBe(true);
  expect(accepts({ text: 'nowhere' })).toBe(false);
});

test('all parts of a filter must hold', () => {
  expect(accepts({ statuses: ['running'], sessionId: 'calm-harbor', text: 'npm' })).toBe(true);
  expect(accepts({ statuses: ['running'], sessionId: 'other', text: 'npm' })).toBe(false);
});

test('a filter survives the way through the URL', () => {
  const filter: Filter = {
    statuses: ['failed', 'unknown'],
    sessionId: 's 1',
    agent: 'a&b',
    label: 'k=v',
    text: 'x y',
  };
  expect(filterFromParams(new URLSearchParams(filterToParams(filter).toString()))).toEqual(filter);
});

test('what a URL says wrongly restricts nothing', () => {
  expect(isEmptyFilter(filterFromParams(new URLSearchParams('status=nonsense&session=&q=')))).toBe(true);
});

test('the API is asked for sessionId, the page’s own URL for session', () => {
  expect(filterToQuery({ ...noFilter, sessionId: 's1' }).toString()).toBe('sessionId=s1');
});

test('a task is called by its title, else by the first line of its command, else by its id', () => {
  expect(taskName(aTask({ title: 'Nightly' }))).toBe('Nightly');
  expect(taskName(aTask({ spec: { shell: 'one\ntwo' } }))).toBe('one');
  expect(taskName(aTask({ spec: { command: ['git', 'status'] } }))).toBe('git status');
  expect(commandText(aTask({ spec: { runner: 'claude', prompt: 'fix it' } }))).toBe('claude: fix it');
  expect(taskName(aTask({ spec: { payload: 1 } }))).toBe(aTask().id);
});
