import { expect, test } from 'vitest';
import {
  commandText,
  filterToFields,
  hasMark,
  sinceTime,
  type Mark,
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

const NOW = 1_100_000;
const agents = [anAgent()];
const accepts = (
  filter: Partial<Filter>,
  task = aTask({ labels: { team: 'core' }, title: 'Build it' }),
): boolean => matches(task, { ...noFilter, ...filter }, agents, NOW);

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
    is: ['needs-you', 'stale'],
    queue: 'ci',
    attempt: '>1',
    exit: '!0',
    since: '2h',
    order: 'longest',
    not: { agent: ['a', 'b&c'], label: ['k=v,w'], is: ['stale'], exit: ['0'], since: ['2h'] },
  };
  expect(filterFromParams(new URLSearchParams(filterToParams(filter).toString()))).toEqual(filter);
});

test('what a URL says wrongly restricts nothing', () => {
  expect(
    isEmptyFilter(
      filterFromParams(
        new URLSearchParams(
          'status=nonsense&session=&q=&is=odd&attempt=x&exit=&since=soon&order=odd&-agent=&-is=odd&-exit=x',
        ),
      ),
    ),
  ).toBe(true);
});

test('the API is asked for sessionId, the page’s own URL for session', () => {
  expect(filterToQuery({ ...noFilter, sessionId: 's1' }, NOW).toString()).toBe('sessionId=s1');
  expect(
    filterToQuery(
      { ...noFilter, is: ['needs-you'], since: '1m', text: 'x', order: 'oldest' },
      NOW,
    ).toString(),
  ).toBe(`is=needsYou&since=${NOW - 60_000}&q=x&order=oldest`);
});

test('a task is called by its title, else by the first line of its command, else by its id', () => {
  expect(taskName(aTask({ title: 'Nightly' }))).toBe('Nightly');
  expect(taskName(aTask({ title: ' \u200b', spec: { shell: 'one' } }))).toBe('one');
  expect(taskName(aTask({ title: '🚀' }))).toBe('🚀');
  expect(taskName(aTask({ spec: { shell: 'one\ntwo' } }))).toBe('one');
  expect(taskName(aTask({ spec: { command: ['git', 'status'] } }))).toBe('git status');
  expect(commandText(aTask({ spec: { runner: 'claude', prompt: 'fix it' } }))).toBe('claude: fix it');
  expect(taskName(aTask({ spec: { payload: 1 } }))).toBe(aTask().id);
});

test('what needs a person: doubt, a lease that is over, attention, a refusal, and nothing that is over', () => {
  const needs = (task: Parameters<typeof aTask>[0], at = NOW): boolean =>
    hasMark(aTask(task), 'needs-you', at);
  const entry = [{ code: 'disk_slow', message: 'm', sinceAt: 1 }];
  const refused = { action: 'cancel' as const, message: 'no', at: NOW };
  const claim = { worker: 'w', leaseExpiresAt: NOW, lastHeartbeatAt: 1 };
  expect(needs({})).toBe(false);
  expect(needs({ status: 'unknown' })).toBe(true);
  expect(needs({ attention: entry })).toBe(true);
  expect(needs({ attention: [] })).toBe(false);
  expect(needs({ attention: entry, status: 'completed' })).toBe(false);
  expect(needs({ refused })).toBe(true);
  expect(needs({ refused, status: 'completed' })).toBe(false);
  expect(needs({ refused, status: 'failed' })).toBe(true);
  expect(needs({ refused, status: 'failed' }, NOW + 24 * 3_600_000)).toBe(false);
  expect(needs({ claim })).toBe(true);
  expect(needs({ claim }, NOW - 1)).toBe(false);
  expect(needs({ claim, status: 'queued' })).toBe(false);
  // The lease is by the clock of its agent.
  expect(hasMark(aTask({ claim }), 'needs-you', NOW, -1)).toBe(false);
  expect(hasMark(aTask({ claim }), 'stale', NOW - 1, 1)).toBe(true);
  const stale = { ...noFilter, is: ['stale' as const] };
  const behind = [anAgent({ id: aTask().agentId!, clockAheadMs: -90_000 })];
  expect(matches(aTask({ claim }), stale, behind, NOW + 89_999)).toBe(false);
  expect(matches(aTask({ claim }), stale, behind, NOW + 90_000)).toBe(true);
});

test('each mark takes its own tasks', () => {
  const has = (mark: Mark, task: Parameters<typeof aTask>[0]): boolean => hasMark(aTask(task), mark, NOW);
  const silent = [{ code: 'claim_silent', message: 'm', sinceAt: 1 }];
  const pending = [{ intent: 'i', action: 'cancel' as const, sinceAt: 1 }];
  expect(has('stale', { attention: silent })).toBe(true);
  expect(has('stale', { attention: silent, status: 'queued' })).toBe(false);
  expect(has('attention', { attention: silent, status: 'queued' })).toBe(true);
  expect(has('pending', { pending })).toBe(true);
  expect(has('pending', { pending, status: 'submitted' })).toBe(false);
  expect(has('refused', { refused: { action: 'cancel', message: 'no', at: 1 }, status: 'failed' })).toBe(
    true,
  );
});

test('queue, attempt and exit code restrict, and since lets go of what ended before', () => {
  const over = aTask({ status: 'failed', endedAt: NOW - 60_000, outcome: { reason: 'exit', exitCode: 7 } });
  expect(accepts({ queue: 'default' }, over)).toBe(true);
  expect(accepts({ queue: 'ci' }, over)).toBe(false);
  for (const exit of ['7', '>6', '<8', '!0']) expect(accepts({ exit }, over)).toBe(true);
  for (const exit of ['0', '>7', '<7', '!7']) expect(accepts({ exit }, over)).toBe(false);
  expect(accepts({ exit: '!0' }, aTask({ status: 'failed', outcome: { reason: 'timeout' } }))).toBe(false);
  expect(accepts({ attempt: '>1' }, aTask({ attempt: 2 }))).toBe(true);
  expect(accepts({ attempt: '>1' })).toBe(false);
  expect(accepts({ since: '1m' }, over)).toBe(true);
  expect(accepts({ since: '1m' }, { ...over, endedAt: NOW - 60_001 })).toBe(false);
  expect(accepts({ since: '1m' }, aTask({ createdAt: 0 }))).toBe(true);
});

test('what is excluded is exactly what the same part takes', () => {
  const over = aTask({ status: 'failed', endedAt: NOW - 60_000, outcome: { reason: 'exit', exitCode: 7 } });
  const { agentId: _, ...nobodys } = aTask({ labels: { team: 'core' } });
  const tasks = [over, nobodys, aTask({ attempt: 2, queue: 'ci', sessionId: 'other' })];
  const parts = [
    ['agent', 'build-2'],
    ['label', 'team=core'],
    ['label', 'team'],
    ['queue', 'ci'],
    ['sessionId', 'other'],
    ['attempt', '>1'],
    ['exit', '!0'],
    ['since', '1m'],
  ] as const;
  for (const [part, value] of parts) {
    for (const task of tasks) {
      expect(accepts({ not: { [part]: [value] } }, task)).toBe(!accepts({ [part]: value }, task));
    }
  }
  expect(accepts({ not: { is: ['attention'] } })).toBe(true);
  const asking = aTask({ attention: [{ code: 'disk_slow', message: 'm', sinceAt: 1 }] });
  expect(accepts({ not: { is: ['attention'] } }, asking)).toBe(false);
  expect(accepts({ not: { agent: ['other', 'a1'] } })).toBe(false);
});

test('the API is asked for exclusions by its own names, each value apart', () => {
  const not = { agent: ['a', 'b'], label: ['k=v,w'], is: ['needs-you' as const], since: ['1m'] };
  expect([...filterToQuery({ ...noFilter, not }, NOW)]).toEqual([
    ['notIs', 'needsYou'],
    ['notAgent', 'a'],
    ['notAgent', 'b'],
    ['notLabel', 'k=v,w'],
    ['notSince', String(NOW - 60_000)],
  ]);
});

test('a time is today, a span, or a day', () => {
  const noon = new Date('2026-11-21T12:00').getTime();
  expect(sinceTime('today', noon)).toBe(new Date('2026-11-21T00:00').getTime());
  expect(sinceTime('90m', noon)).toBe(noon - 90 * 60_000);
  expect(sinceTime('2026-11-20', noon)).toBe(new Date('2026-11-20T00:00').getTime());
  expect(sinceTime('2026-11-20T14:00', noon)).toBe(new Date('2026-11-20T14:00').getTime());
  for (const wrong of ['soon', '2026-13-40', '5', '-1h', '']) expect(sinceTime(wrong, noon)).toBeUndefined();
});

test('a bulk action is sent the filter in web’s own fields, without the order', () => {
  expect(
    filterToFields(
      { statuses: ['failed'], is: ['needs-you'], label: 'a=b,c', since: '1m', text: 'x', order: 'oldest' },
      NOW,
    ),
  ).toEqual({ status: ['failed'], is: ['needsYou'], label: ['a=b,c'], since: NOW - 60_000, q: 'x' });
});
