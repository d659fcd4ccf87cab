import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { shownStatuses } from '@holdfast/shared/status';
import { formatSearch, parseSearch, suggest } from './search.ts';

const known = {
  status: shownStatuses,
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
