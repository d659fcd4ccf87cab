import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { highlight } from './highlight.ts';

test('an occurrence stands by itself, also across colours', () => {
  expect(
    highlight([{ text: 'an Err' }, { text: 'or here', classes: 'red' }, { text: ' error' }], 'ERROR'),
  ).toEqual([
    { text: 'an ' },
    { text: 'Err', isMatch: true },
    { text: 'or', classes: 'red', isMatch: true },
    { text: ' here', classes: 'red' },
    { text: ' ' },
    { text: 'error', isMatch: true },
  ]);
});

test('nothing is added and nothing lost', () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[ab]{1,4}$/), { maxLength: 6 }),
      fc.stringMatching(/^[ab]{0,3}$/),
      (texts, needle) => {
        const marked = highlight(
          texts.map((text) => ({ text })),
          needle,
        );
        expect(marked.map((segment) => segment.text).join('')).toBe(texts.join(''));
        const count = needle === '' ? 0 : texts.join('').split(needle).length - 1;
        const matched = marked
          .filter((segment) => segment.isMatch)
          .reduce((sum, { text }) => sum + text.length, 0);
        expect(matched).toBe(count * needle.length);
      },
    ),
  );
});
