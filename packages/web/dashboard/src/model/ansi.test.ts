import { expect, test } from 'vitest';
import { AnsiReader, type Segment } from './ansi.ts';

const read = (...chunks: string[]): Segment[] => {
  const reader = new AnsiReader();
  return chunks.flatMap((chunk) => reader.read(chunk));
};
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

test('colours carry on, and a sequence that is split over chunks is kept whole', () => {
  expect(read('\x1b[3', '2mgreen', ' still')).toEqual([
    { text: 'green', classes: 'ansi-green-fg' },
    { text: ' still', classes: 'ansi-green-fg' },
  ]);
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
  expect(text(read('a\x1b]0;ti', 'tle\x07b'))).toBe('ab');
});

test('a command that never ends does not swallow the log', () => {
  expect(text(read(`\x1b]0;${'x'.repeat(5000)}`)).length).toBeGreaterThan(4000);
});

test('control characters are dropped, tabs stay', () => {
  expect(text(read('a\x07\x08\tb\x00'))).toBe('a\tb');
});
