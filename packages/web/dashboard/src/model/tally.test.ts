import { expect, test } from 'vitest';
import { tallyText, titleText, worstOf } from './tally.ts';

test('what happened is one sentence, doubt first', () => {
  expect(tallyText({ running: 3, completed: 5 }, { running: 1, completed: 6, failed: 1, unknown: 1 })).toBe(
    '1 unknown, 1 more failed, 1 more completed, 1 running',
  );
});

test('nothing happened: nothing is said', () => {
  expect(tallyText({ running: 3 }, { running: 3 })).toBe('');
});

test('tasks that retention removed are not news', () => {
  expect(tallyText({ completed: 100 }, { completed: 60 })).toBe('');
});

test('what is unknown is worse than what needs a person', () => {
  expect(worstOf({ unknown: 2, running: 1 }, 5)).toEqual({ count: 2, words: 'unknown' });
  expect(worstOf({ running: 1 }, 1)).toEqual({ count: 1, words: 'needs you' });
  expect(worstOf({ running: 1 }, 2)).toEqual({ count: 2, words: 'need you' });
  expect(worstOf({ running: 1 }, 0)).toBeUndefined();
});

test('the title says what needs a look, then what is shown, and marks what is not vouched for', () => {
  const worst = { count: 2, words: 'unknown' };
  expect(titleText({ worst, isLive: true, page: 'deploy' })).toBe('2 unknown · deploy · Holdfast');
  expect(titleText({ worst, isLive: false, page: 'deploy' })).toBe('2? unknown · deploy · Holdfast');
  expect(titleText({ worst: undefined, isLive: true, page: 'Tasks' })).toBe('Tasks · Holdfast');
});
