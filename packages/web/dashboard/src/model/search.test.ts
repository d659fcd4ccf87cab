import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { shownStatuses } from '@holdfast/shared/status';
import { marks } from './filter.ts';
import { fixedValues, formatSearch, parseSearch, suggest, withoutUnfinished } from './search.ts';

const known = {
  ...fixedValues,
  queue: ['default', 'ci'],
  agent: ['build-2', 'laptop'],
  session: ['calm harbor'],
  label: ['team=core'],
};

test('qualifiers and free text make a filter', () => {
  expect(parseSearch('status:failed,unknown agent:build-2 session:s1 label:team=core flaky test')).toEqual({
    statuses: ['failed', 'unknown'],
    agent: 'build-2',
    sessionId: 's1',
    label: 'team=core',
    text: 'flaky test',
  });
});

test('a word that cannot be understood is searched for as text', () => {
  expect(parseSearch('status:nonsense http://x status:')).toEqual({
    statuses: [],
    text: 'status:nonsense http://x status:',
  });
});

test('a quoted value keeps its spaces', () => {
  expect(parseSearch(String.raw`session:"my \"own\" session" x`)).toEqual({
    statuses: [],
    sessionId: 'my "own" session',
    text: 'x',
  });
});

test('every filter survives being written and read', () => {
  const text = fc.string({ minLength: 1, maxLength: 20 }).filter((value) => value.trim() !== '');
  const filter = fc.record(
    {
      statuses: fc.uniqueArray(fc.constantFrom(...shownStatuses), { maxLength: 3 }),
      sessionId: text,
      agent: text,
      label: text,
      text,
      is: fc.uniqueArray(fc.constantFrom(...marks), { minLength: 1 }),
      queue: text,
      attempt: fc.constantFrom('2', '>1', '<3', '!0'),
      exit: fc.constantFrom('0', '!0'),
      since: fc.constantFrom('today', '2h', '2026-11-20', '2026-11-20T14:00'),
      order: fc.constant('oldest' as const),
    },
    { requiredKeys: ['statuses'] },
  );
  fc.assert(
    fc.property(filter, (given) => {
      expect(parseSearch(formatSearch(given))).toEqual(given);
    }),
    { numRuns: 500 },
  );
});

test('the word at the end is completed, the words before it stay', () => {
  expect(suggest('flaky ag', known)).toMatchObject([{ text: 'flaky agent:', label: 'agent:' }]);
  expect(suggest('flaky agent:lap', known)).toMatchObject([{ text: 'flaky agent:laptop ', label: 'laptop' }]);
});

test('the last of several statuses is completed', () => {
  expect(suggest('status:failed,unk', known)[0]?.text).toBe('status:failed,unknown ');
});

test('a value with spaces is completed in quotes', () => {
  expect(suggest('session:calm', known)[0]?.text).toBe('session:"calm harbor" ');
});

test('nothing is suggested for nothing', () => {
  expect(suggest('', known)).toEqual([]);
  expect(suggest('flaky ', known)).toEqual([]);
});

test('is: takes marks and statuses, numbers and times are checked, and the order is part of the view', () => {
  expect(parseSearch('is:needs-you,unknown attempt:>1 exit:!0 since:2h queue:ci sort:oldest')).toEqual({
    statuses: ['unknown'],
    is: ['needs-you'],
    attempt: '>1',
    exit: '!0',
    since: '2h',
    queue: 'ci',
    order: 'oldest',
  });
  expect(parseSearch('is:odd attempt:many exit:- since:soon sort:size')).toEqual({
    statuses: [],
    text: 'is:odd attempt:many exit:- since:soon sort:size',
  });
});

test('a minus before status: means all others, and is written so', () => {
  const filter = parseSearch('-status:completed,cancelled');
  expect(filter.statuses).toEqual(
    shownStatuses.filter((status) => status !== 'completed' && status !== 'cancelled'),
  );
  expect(formatSearch(filter)).toBe('-status:completed,cancelled');
  expect(parseSearch('-agent:build-2').text).toBe('-agent:build-2');
});

test('values that everybody has are suggested with what they mean', () => {
  expect(suggest('is:stal', known)).toEqual([
    { text: 'is:stale ', label: 'stale', hint: 'nobody seems to work on it' },
  ]);
  expect(suggest('-status:comp', known).map(({ text }) => text)).toEqual(['-status:completed ']);
});

test('a qualifier that is being typed is not looked for as text', () => {
  for (const input of ['deploy status:', 'deploy is:run', 'deploy -status:comp', 'deploy exit:>']) {
    expect(withoutUnfinished(input)).toBe('deploy ');
  }
  for (const input of ['deploy', 'status:running', 'agent:lap', 'exit:>1', 'note:', 'status: deploy', '']) {
    expect(withoutUnfinished(input)).toBe(input);
  }
});
