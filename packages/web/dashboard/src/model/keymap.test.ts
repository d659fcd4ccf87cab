import { expect, test } from 'vitest';
import { bindings, meaningOf } from './keymap.ts';

test('a single key is a command', () => {
  expect(meaningOf([], 'j')).toEqual({ kind: 'command', command: 'next' });
  expect(meaningOf([], 'z')).toEqual({ kind: 'nothing' });
});

test('a sequence waits for its second key, which may be any or none of its commands', () => {
  expect(meaningOf([], 'g')).toEqual({ kind: 'prefix' });
  expect(meaningOf(['g'], 'n')).toEqual({ kind: 'command', command: 'goNeedsYou' });
  expect(meaningOf(['g'], 'z')).toEqual({ kind: 'nothing' });
});

test('no key means two things', () => {
  const keys = bindings.flatMap(({ of }) => of.map((binding) => binding.keys.join(' '))).filter(Boolean);
  expect(new Set(keys).size).toBe(keys.length);
});
