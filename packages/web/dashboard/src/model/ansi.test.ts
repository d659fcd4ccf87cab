import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainOf, segmentsOf, styleAfter, type Segment } from './ansi.ts';

const read = segmentsOf;
const text = (segments: Segment[]): string => segments.map((segment) => segment.text).join('');

const link = (url: string): Segment[] => read(`\x1b]8;;${url}\x07here\x1b]8;;\x07`);

test('markup that a task prints stays text', () => {
  const hostile = `<script>alert(1)</script> &amp; "quoted" 'single' <span style="color:red">x</span>`;
  expect(read(hostile)).toEqual([{ text: hostile }]);
  expect(text(read(`\x1b[31m${hostile}\x1b[0m`))).toBe(hostile);
});

test('named colours are classes, others are values', () => {
  expect(read('\x1b[31mred\x1b[0m \x1b[1;38;2;1;2;3mrgb')).toEqual([
    { text: 'red', classes: 'ansi-red-fg' },
    { text: ' ' },
    { text: 'rgb', isBold: true, colour: 'rgb(1,2,3)' },
  ]);
});

test('colours carry on into the lines below, until they are reset', () => {
  const style = styleAfter('', 'a \x1b[1m\x1b[32mgreen');
  expect(segmentsOf('still', style)).toEqual([{ text: 'still', classes: 'ansi-green-fg', isBold: true }]);
  expect(styleAfter(style, 'and \x1b[0mplain')).toBe('');
  expect(styleAfter(style, 'and \x1b[mplain')).toBe('');
  expect(styleAfter(style, 'nothing')).toBe(style);
});

test('reverse video is known until it is ended, in the lines below too', () => {
  expect(read('a\x1b[7mb\x1b[31mc\x1b[27md\x1b[1;7me\x1b[mf')).toEqual([
    { text: 'a' },
    { text: 'b', isReversed: true },
    { text: 'c', classes: 'ansi-red-fg', isReversed: true },
    { text: 'd', classes: 'ansi-red-fg' },
    { text: 'e', classes: 'ansi-red-fg', isBold: true, isReversed: true },
    { text: 'f' },
  ]);
  expect(segmentsOf('still', styleAfter('', 'a \x1b[7mb'))).toEqual([{ text: 'still', isReversed: true }]);
  // The sevens of a colour are not reverse video.
  for (const colour of ['38;5;7', '48;5;7', '38;2;7;7;7', '38;5;27', '37']) {
    expect(read(`\x1b[${colour}mx`)[0]).not.toHaveProperty('isReversed');
    expect(read(`\x1b[7m\x1b[${colour}mx`)[0]).toHaveProperty('isReversed');
  }
  expect(read('\x1b[38;5;1;7mx')[0]).toHaveProperty('isReversed');
});

test('a program that resets only what it set does not make the style grow', () => {
  let style = '';
  for (let i = 0; i < 1000; i += 1) style = styleAfter(style, '\x1b[32mok\x1b[39m \x1b[1mname\x1b[22m');
  expect(style.length).toBeLessThan(40);
  expect(segmentsOf('plain', style)).toEqual([{ text: 'plain' }]);
  for (let i = 0; i < 1000; i += 1) style = styleAfter(style, `\x1b[38;5;${i % 256}mx`);
  expect(style.length).toBeLessThan(300);
});

test('what a line says is what its segments say', () => {
  const pieces = [
    '\x1b[1;31m',
    '\x1b[0m',
    '\x1b[2K',
    '\x1b[38;2;1;2;3m',
    'word',
    ' <b> & ',
    'ü日',
    '\t',
    '\x07',
    '\x1b]0;title\x07',
    '\x1b]8;;https://x.org/a\x07link\x1b]8;;\x07',
    '\x1b[',
    '\x1b[3',
  ];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...pieces.slice(0, -2)), { maxLength: 12 }),
      fc.constantFrom('', ...pieces.slice(-2)),
      (words, end) => {
        const line = words.join('') + end;
        expect(plainOf(line)).toBe(text(segmentsOf(line)));
      },
    ),
    { numRuns: 300 },
  );
});

test('only http and https become links; the text of any other is kept', () => {
  expect(link('https://example.org/a?b=1&c=2')).toEqual([
    { text: 'here', href: 'https://example.org/a?b=1&c=2' },
  ]);
  expect(link('javascript:alert(1)')).toEqual([{ text: 'here' }]);
  expect(link('file:///etc/passwd')).toEqual([{ text: 'here' }]);
});

test('window titles and other commands to the terminal are not shown, even when split', () => {
  expect(text(read('\x1b]0;title\x07a\x1b]9;4;1;50\x1b\\b'))).toBe('ab');
  expect(text(read('a\x1b]0;ti'))).toBe('a');
});

test('a command that never ends does not swallow the log', () => {
  expect(text(read(`\x1b]0;${'x'.repeat(5000)}`)).length).toBeGreaterThan(4000);
});

test('control characters are dropped, tabs stay', () => {
  expect(text(read('a\x07\x08\tb\x00'))).toBe('a\tb');
});

test('a link may hold colours, have no end, or be cut short: its text and all that follows is there', () => {
  const coloured = segmentsOf('a \x1b]8;;https://x.example\x07one \x1b[31mred\x1b[0m\x1b]8;;\x07 tail');
  expect(coloured.map(({ text, href }) => [text, href])).toEqual([
    ['a ', undefined],
    ['one ', 'https://x.example'],
    ['red', 'https://x.example'],
    [' tail', undefined],
  ]);
  expect(coloured[2]).toHaveProperty('classes');
  expect(segmentsOf('\x1b]8;;https://x.example\x1b\\never closed')).toEqual([
    { text: 'never closed', href: 'https://x.example' },
  ]);
  const broken = segmentsOf('a\x1b]8;;javascript:alert(1)\x1b[1mbold\x1b[0m after');
  expect(broken.map(({ text }) => text).join('')).toBe('abold after');
  expect(segmentsOf('\x1b]8;;javascript:alert(1)\x07text\x1b]8;;\x07')).toEqual([{ text: 'text' }]);
});

test('characters that turn the direction of text are shown as such, plain, coloured and in what is searched and copied', () => {
  const text = 'a\u202Eb\u2066c';
  const shown = 'a\u{fffd}b\u{fffd}c';
  for (const printed of [text, `\x1b[31m${text}\x1b[0m`]) {
    expect(segmentsOf(printed).map((segment) => segment.text)).toEqual([shown]);
    expect(plainOf(printed)).toBe(shown);
  }
});
