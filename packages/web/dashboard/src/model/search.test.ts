import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { shownStatuses } from '@holdfast/shared/status';
import { marks, orders } from './filter.ts';
import { fixedValues, formatSearch, parseSearch, readSearch, suggest, type Known } from './search.ts';

const known: Known = {
  ...fixedValues,
  status: shownStatuses.map((value) => ({ value, hint: `help of ${value}` })),
  queue: [{ value: 'default' }, { value: 'ci' }],
  agent: [{ value: 'build-2' }, { value: 'laptop' }],
  session: [{ value: 'calm harbor', hint: 'Repair the checkout' }],
  label: [{ value: 'team=core' }],
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

test('a qualifier that cannot be understood is told and restricts nothing; other colons, and quotes, are text', () => {
  expect(readSearch('flaky status:nonsense http://x "is:odd" status:')).toEqual({
    filter: { statuses: [], text: 'flaky http://x is:odd' },
    problems: [
      'status:nonsense is not understood (status: running, failed, unknown …).',
      'status: needs a value (status: running, failed, unknown …).',
    ],
  });
});

test('an agent that nobody knows is told, once agents are known', () => {
  expect(readSearch('agent:lap is:stale', known)).toEqual({
    filter: { statuses: [], is: ['stale'] },
    problems: ['No agent is called “lap”.'],
  });
  expect(readSearch('agent:lap').filter).toEqual({ statuses: [], agent: 'lap' });
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
  const several = fc.uniqueArray(text, { minLength: 1, maxLength: 3 });
  const not = fc
    .record(
      {
        is: fc.uniqueArray(fc.constantFrom(...marks), { minLength: 1 }),
        sessionId: several,
        agent: several,
        queue: several,
        label: several,
        attempt: fc.uniqueArray(fc.constantFrom('2', '>1'), { minLength: 1 }),
        exit: fc.constant('!0').map((value) => [value]),
        since: fc.constant('today').map((value) => [value]),
      },
      { requiredKeys: [] },
    )
    .filter((one) => Object.keys(one).length > 0);
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
      order: fc.constantFrom(...orders),
      not,
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
  });
  expect(readSearch('is:odd attempt:many exit:- since:soon sort:size').problems).toHaveLength(5);
});

test('a minus before status: means all others, and is written so', () => {
  const filter = parseSearch('-status:completed,cancelled');
  expect(filter.statuses).toEqual(
    shownStatuses.filter((status) => status !== 'completed' && status !== 'cancelled'),
  );
  expect(formatSearch(filter)).toBe('-status:completed,cancelled');
  expect(readSearch('status:failed -status:failed').problems).toHaveLength(1);
});

test('a minus before any other qualifier leaves out what it finds; an order has no opposite', () => {
  expect(
    parseSearch('-agent:build-2 -agent:laptop -label:team=core -is:stale,failed -exit:0 deploy'),
  ).toEqual({
    statuses: shownStatuses.filter((status) => status !== 'failed'),
    not: { agent: ['build-2', 'laptop'], label: ['team=core'], is: ['stale'], exit: ['0'] },
    text: 'deploy',
  });
  expect(readSearch('-sort:oldest').problems).toHaveLength(1);
});

test('values that everybody has are suggested with what they mean', () => {
  expect(suggest('is:stal', known)).toEqual([
    { text: 'is:stale ', label: 'stale', hint: 'nobody seems to work on it' },
  ]);
  expect(suggest('-agent:lap', known)).toEqual([
    { text: '-agent:laptop ', label: 'laptop', hint: 'all others: tasks on this agent' },
  ]);
  expect(suggest('-la', known)).toMatchObject([{ text: '-label:', label: '-label:' }]);
  expect(suggest('-so', known)).toEqual([]);
  for (const { hint } of suggest('exit:', known)) expect(hint).not.toBe('exit');
  expect(suggest('-status:comp', known).map(({ text }) => text)).toEqual(['-status:completed ']);
});

test('a session is found by its title as well', () => {
  expect(suggest('session:checkout', known)).toMatchObject([
    { text: 'session:"calm harbor" ', hint: 'Repair the checkout' },
  ]);
});

test('a qualifier that is being typed changes nothing until it is whole', () => {
  const typing = (input: string) => readSearch(input, known, true);
  for (const word of [
    'status:',
    'is:',
    'is:run',
    '-status:comp',
    'exit:>',
    'agent:lap',
    '-agent:lap',
    '-',
    '-ag',
  ]) {
    expect([word, typing(`deploy ${word}`)]).toEqual([
      word,
      { filter: { statuses: [], text: 'deploy' }, problems: [] },
    ]);
  }
  expect(typing('session:not-on-this-page')).toEqual({ filter: { statuses: [] }, problems: [] });
  expect(typing('session:not-on-this-page ').filter.sessionId).toBe('not-on-this-page');
  expect(typing('agent:laptop').filter.agent).toBe('laptop');
  expect(typing('status:running').filter.statuses).toEqual(['running']);
  expect(typing('note:').filter.text).toBe('note:');
});

test('what no suggestion can complete is told while it is typed', () => {
  expect(readSearch('agent:zz', known, true).problems).toEqual(['No agent is called “zz”.']);
  expect(readSearch('status:zz', known, true).problems).toHaveLength(1);
});

test('a quote that is still open holds its words together, typed or left so', () => {
  expect(readSearch('label:"kind=two wo', known, true)).toEqual({ filter: { statuses: [] }, problems: [] });
  expect(parseSearch('label:"kind=two wo')).toEqual({ statuses: [], label: 'kind=two wo' });
  expect(parseSearch('agent:laptop "load te')).toEqual({ statuses: [], agent: 'laptop', text: 'load te' });
  expect(parseSearch('"whole " more')).toEqual({ statuses: [], text: 'whole  more' });
});

test('of two values where one can hold the last counts, and that is told', () => {
  expect(readSearch('exit:0 exit:1 -agent:a -agent:b is:stale is:pending')).toEqual({
    filter: { statuses: [], exit: '1', is: ['stale', 'pending'], not: { agent: ['a', 'b'] } },
    problems: ['exit: has one value, and exit:1 counts, not exit:0.'],
  });
});

test('words of the grammar, agents and titles of sessions are understood in either case', () => {
  const named: Known = { ...known, session: [{ value: 's1', hint: 'Checkout', name: 'Checkout' }] };
  expect(readSearch('status:Failed sort:Oldest agent:LAPTOP session:checkout since:Today', named)).toEqual({
    filter: { statuses: ['failed'], order: 'oldest', agent: 'laptop', sessionId: 's1', since: 'today' },
    problems: [],
  });
});

test('another word for a value is suggested only to who began it', () => {
  const twice: Known = { agent: [{ value: 'laptop' }, { value: '01a1', hint: 'laptop', isAlias: true }] };
  expect(suggest('agent:', twice).map(({ label }) => label)).toEqual(['laptop']);
  expect(suggest('agent:01', twice).map(({ label }) => label)).toEqual(['01a1']);
});
