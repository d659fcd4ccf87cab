import { expect, test } from 'vitest';
import { nearestWord, unknownWord } from './suggest.ts';

test('a slip of the fingers leads to the word that was meant, anything else to none', () => {
  const statuses = ['queued', 'running', 'failed'];
  for (const [word, meant] of [
    ['runing', 'running'],
    ['faield', 'failed'],
    ['QUEUED', 'queued'],
    ['done', undefined],
    ['', undefined],
  ] as const)
    expect([word, nearestWord(word, statuses)]).toEqual([word, meant]);
});

test('a word of another program stands for what there is of it here', () => {
  expect(unknownWord('verb', 'kill', ['cancel', 'fill']).message).toContain('(Did you mean cancel?)');
  expect(unknownWord('verb', 'start', ['up', 'run', 'stat']).message).toContain('(Did you mean up or run?)');
  // Nothing of what it means is here: the letters decide.
  expect(unknownWord('verb', 'kill', ['fill']).message).toContain('(Did you mean fill?)');
  expect(unknownWord('shell', 'tcsh', ['bash', 'zsh']).message).toBe('there is no shell "tcsh"');
  expect(unknownWord('verb', 'constructor', ['list']).message).toBe('there is no verb "constructor"');
});

test('the error names the word that was meant, and those that there are', () => {
  const error = unknownWord('status', 'runing', ['queued', 'running']);
  expect([error.message, error.hint, error.exitCode]).toEqual([
    'there is no status "runing"\n(Did you mean running?)',
    'There are: queued, running',
    2,
  ]);
});
