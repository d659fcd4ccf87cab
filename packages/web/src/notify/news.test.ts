import type { Task } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { NOON, submitOf, taskOf } from '../test-kit.ts';
import type { SeenAgent } from './alert-store.ts';
import {
  newsOfAgent,
  newsOfSession,
  newsOfTask,
  type NewsRow,
  resolutionOfAgent,
  resolutionOfTask,
} from './news.ts';

const DAY_MS = 24 * 3600 * 1000;

function row(task: Partial<Task>, change: Partial<NewsRow> = {}): NewsRow {
  const whole = taskOf(submitOf(), { title: 'build', ...task });
  return { task: whole, status: whole.status, statedStatus: whole.status, isPastBase: true, ...change };
}

const told = (one: NewsRow) =>
  newsOfTask(one, NOON - 1000, NOON).map(({ kind, subject, detail }) => `${kind}|${subject}|${detail}`);

const attention = [{ code: 'claim_silent', message: 'no word\nsince noon', sinceAt: NOON }];
const rows: [string, NewsRow, string[]][] = [
  ['a task that runs', row({ status: 'running' }), []],
  [
    'an end',
    row({ status: 'completed', outcome: { reason: 'exit', exitCode: 0 } }),
    ['completed|build|exit code 0'],
  ],
  [
    'a failure',
    row({ status: 'failed', outcome: { reason: 'exit', exitCode: 3 } }),
    ['failed|build|exit code 3'],
  ],
  [
    'a signal',
    row({ status: 'failed', outcome: { reason: 'signal', signal: 'SIGSEGV' } }),
    ['failed|build|signal SIGSEGV'],
  ],
  [
    'a failure with its cause',
    row({ status: 'failed', outcome: { reason: 'attempts_exhausted', message: 'process_vanished' } }),
    ['failed|build|attempts exhausted; process_vanished'],
  ],
  [
    'a limit with the code of its end',
    row({ status: 'failed', outcome: { reason: 'timeout', exitCode: 143 } }),
    ['failed|build|exit code 143 (timeout)'],
  ],
  ['history', row({ status: 'failed', endedAt: NOON }, { isPastBase: false }), []],
  ['an end that nobody would remember', row({ status: 'failed', endedAt: NOON - 8 * DAY_MS }), []],
  ['what to see', row({ status: 'running', attention }), ['attention|build|no word since noon']],
  ['what to see of history', row({ status: 'running', attention }, { isPastBase: false }), []],
  [
    'a doubt, whatever of its journal is history',
    row(
      { status: 'running' },
      { status: 'unknown', unknownSince: NOON, isPastBase: false, doubtReason: 'agent_stopped' },
    ),
    ['unknown|build|was running; its agent was stopped'],
  ],
  ['a doubt of before', row({ status: 'running' }, { status: 'unknown', unknownSince: NOON - 2000 }), []],
  [
    'a refusal',
    row({}, { status: 'failed', refused: { message: 'no runner', at: NOON }, isPastBase: false }),
    ['failed|build|refused: no runner'],
  ],
  ['a refused cancel', row({ status: 'running' }, { refused: { message: 'ended', at: NOON } }), []],
  [
    'a name of several lines',
    row({ title: `${'x'.repeat(300)}\nsecond`, status: 'failed' }),
    [`failed|${'x'.repeat(119)}…|`],
  ],
];

test.each(rows)('of %s the news is what it should be', (_name, one, expected) => {
  expect(told(one)).toEqual(expected);
});

test('a task without a title is called by what it runs, or by its id', () => {
  const untitled = (spec: Task['spec']): NewsRow => {
    const one = row({ spec, status: 'failed' });
    delete one.task.title;
    return one;
  };
  const nameOf = (spec: Task['spec']) => told(untitled(spec))[0];
  expect(nameOf({ shell: 'make all\nmake test' })).toBe('failed|make all|');
  expect(nameOf({ command: ['npm', 'test'] })).toBe('failed|npm test|');
  expect(nameOf({ runner: 'claude', prompt: 'fix it' })).toBe('failed|claude: fix it|');
  const bare = untitled({});
  expect(told(bare)).toEqual([`failed|${bare.task.id}|`]);
});

test('the same news has the same key, another one another', () => {
  const task = { status: 'failed' as const };
  const one = row(task);
  expect(newsOfTask(one, 0, NOON)[0]?.key).toBe(newsOfTask(one, 0, NOON + 5)[0]?.key);
  expect(newsOfTask(one, 0, NOON)[0]?.key).not.toBe(newsOfTask(row(task), 0, NOON)[0]?.key);
  const doubted = (unknownSince: number) =>
    newsOfTask({ ...one, isPastBase: false, status: 'unknown', unknownSince }, 0, NOON)[0]?.key;
  expect(doubted(1)).not.toBe(doubted(2));
});

const resolutions: [string, string | undefined, NewsRow, string | undefined][] = [
  ['unknown', undefined, row({ status: 'running' }, { status: 'unknown' }), undefined],
  ['unknown', undefined, row({ status: 'running' }), 'running'],
  ['unknown', undefined, row({ status: 'queued' }), 'queued'],
  ['unknown', undefined, row({ status: 'completed' }), 'completed'],
  [
    'unknown',
    undefined,
    row({ status: 'failed', outcome: { reason: 'exit', exitCode: 7 } }),
    'failed: exit code 7',
  ],
  ['unknown', undefined, row({ status: 'running' }, { status: 'lost' }), 'given up as lost by a person'],
  ['attention', 'claim_silent', row({ status: 'running', attention }), undefined],
  ['attention', 'other', row({ status: 'running', attention }), 'cleared'],
  ['attention', 'claim_silent', row({ status: 'running', attention }, { status: 'unknown' }), undefined],
  ['attention', 'claim_silent', row({ status: 'cancelled' }), 'cancelled'],
  [
    'attention',
    'claim_silent',
    row({ status: 'running', attention }, { status: 'lost' }),
    'given up as lost by a person',
  ],
];

test.each(resolutions)('%s (%s) is resolved by its row, case %#', (kind, code, one, expected) => {
  expect(resolutionOfTask(code === undefined ? { kind } : { kind, code }, one)).toBe(expected);
});

const agent = (state: SeenAgent['state'], change: Partial<SeenAgent> = {}): SeenAgent => ({
  id: 'a1',
  name: 'one',
  state,
  asOf: NOON - 9,
  ...change,
});

const states: [SeenAgent['state'], string | undefined][] = [
  ['connecting', undefined],
  ['resyncing', undefined],
  ['live', undefined],
  ['late', undefined],
  ['lost', 'it is silent'],
  ['stopped', 'it was stopped'],
  ['refused', 'it refuses web'],
];

test.each(states)('of an agent that is %s the news is: %s', (state, detail) => {
  expect(newsOfAgent(agent(state), true, NOON)[0]?.detail).toBe(detail);
  expect(newsOfAgent(agent(state), false, NOON)).toEqual([]);
  const back = state === 'live' ? 'back' : undefined;
  expect(resolutionOfAgent({ kind: 'agentLost' }, agent(state))).toBe(back);
});

test('what an agent says of itself holds until it says so no more, and while it is silent', () => {
  const low = { code: 'low_disk', message: 'full', sinceAt: NOON };
  const about = { kind: 'attention', code: 'low_disk' };
  expect(newsOfAgent(agent('live', { attention: [low] }), true, NOON)).toMatchObject([
    { kind: 'attention', subject: 'one', code: 'low_disk' },
  ]);
  expect(resolutionOfAgent(about, agent('live', { attention: [low] }))).toBeUndefined();
  expect(resolutionOfAgent(about, agent('lost', { attention: [] }))).toBeUndefined();
  expect(resolutionOfAgent(about, agent('live', { attention: [] }))).toBe('cleared');
  expect(resolutionOfAgent(about, undefined)).toBe('the agent was removed');
});

test('a session that ended says how its tasks did', () => {
  const session = { id: 's1', title: 'nightly', counts: { completed: 5, failed: 1 } };
  expect(newsOfSession(session, 12, NOON)).toMatchObject({
    key: 'session:s1:12',
    subject: 'nightly',
    detail: '5 completed, 1 failed',
  });
});
