import { expect, test } from 'vitest';
import { tallyText, titleText } from './tally.ts';

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

test('the title says what needs a look, and marks what is not vouched for', () => {
  expect(titleText({ running: 2, starting: 1, unknown: 1 }, true)).toBe('1 unknown, 3 running · Holdfast');
  expect(titleText({ running: 2 }, false)).toBe('2? running · Holdfast');
  expect(titleText({}, true)).toBe('Holdfast');
  expect(titleText({ running: 2 }, true, 1)).toBe('1 needs you, 2 running · Holdfast');
  expect(titleText({ unknown: 1 }, true, 4)).toBe('1 unknown · Holdfast');
  expect(titleText({}, true, 2)).toBe('2 need you · Holdfast');
});
