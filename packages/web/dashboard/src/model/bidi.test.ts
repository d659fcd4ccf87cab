import { expect, test } from 'vitest';
import { withoutBidi } from './bidi.ts';
import { taskName } from './filter.ts';
import { aTask } from './samples.ts';

test('text that turns its own direction around shows that it does, character for character', () => {
  const turning = '\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069';
  expect(withoutBidi(`a${turning}b`)).toBe(`a${'\u{fffd}'.repeat(turning.length)}b`);
  expect(withoutBidi('שלום, عالم \u200f')).toBe('שלום, عالم \u200f');
});

test('a task is called what it says, by its title and by its command', () => {
  expect(taskName(aTask({ title: 'report \u202Efdp.exe' }))).toBe('report \u{fffd}fdp.exe');
  expect(taskName(aTask({ spec: { shell: 'rm \u2066-rf' } }))).toBe('rm \u{fffd}-rf');
});
