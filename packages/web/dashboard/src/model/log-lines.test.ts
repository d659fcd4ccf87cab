import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainOf } from './ansi.ts';
import { LOG_BEGINNING, LogLines, type LogBounds } from './log-lines.ts';

const encoder = new TextEncoder();
const textOf = (log: LogLines): string[] => log.lines.map((line) => plainOf(line.text));
const logOf = (...chunks: string[]): LogLines => {
  const log = new LogLines();
  for (const chunk of chunks) log.append(encoder.encode(chunk));
  return log;
};
const few: LogBounds = { maxLines: 3, maxBytes: 1000 };

test('a line may arrive in pieces', () => {
  expect(textOf(logOf('one\ntw', 'o\nthree'))).toEqual(['one', 'two', 'three']);
});

test('empty lines are lines', () => {
  expect(textOf(logOf('a\n\n\nb\n'))).toEqual(['a', '', '', 'b']);
});

test('a line begins where its first byte is in the file', () => {
  const log = logOf('grün\n', 'b', 'c\nd');
  expect(log.lines.map((line) => line.at)).toEqual([0, 6, 9]);
  expect([log.start, log.end, log.firstNumber]).toEqual([0, 10, 1]);
});

const output = encoder.encode(
  'grün\n\x1b[31mröt\nstill\x1b[0m 日本 🎉\r\n\n10%\r\x1b[1m20%\rbar\n\x1b[0mlast \x1b]8;;https://x.org\x07l\x1b]8;;\x07',
);

test('however bytes are cut, the lines are the same', () => {
  const whole = new LogLines();
  whole.append(output);
  expect(textOf(whole)).toEqual(['grün', 'röt', 'still 日本 🎉', '', 'bar', 'last l']);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: output.length }), { maxLength: 8 }), (cuts) => {
      const log = new LogLines();
      const points = [0, ...cuts.toSorted((a, b) => a - b), output.length];
      for (let i = 0; i + 1 < points.length; i += 1) log.append(output.subarray(points[i], points[i + 1]));
      expect(log.lines).toEqual(whole.lines);
      expect(log.end).toBe(output.length);
    }),
    { numRuns: 300 },
  );
});

test('read backwards in any pieces from any place, it becomes the same lines', () => {
  const whole = new LogLines();
  whole.append(output);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: output.length - 1 }),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }),
      (offset, sizes) => {
        const log = new LogLines({ offset, begin: offset === 0 ? 'line' : 'skip' });
        log.append(output.subarray(offset));
        fc.pre(log.lines.length > 0);
        for (let i = 0; log.start > 0; i += 1) {
          // Twice as much each time, as a reader does who got nothing: else no line would ever be whole.
          const size = sizes[i % sizes.length]! + i;
          log.prepend(output.subarray(Math.max(0, log.start - size), log.start));
        }
        expect(log.lines.map((line) => line.at)).toEqual(whole.lines.map((line) => line.at));
        expect(log.firstNumber).toBe(1);
        expect(log.lines.at(-1)?.text).toEqual(whole.lines.at(-1)?.text);
      },
    ),
    { numRuns: 500 },
  );
});

test('lines that are read in front count backwards, and their colours go on behind them', () => {
  const bytes = encoder.encode('a\n\x1b[31mb\nc\nd\x1b[0m\ne\n');
  const log = new LogLines({ offset: 9, number: 3, begin: 'line' });
  log.append(bytes.subarray(9));
  expect(textOf(log)).toEqual(['c', 'd', 'e']);
  expect(log.prepend(bytes.subarray(1, 9))).toBe(1);
  expect([textOf(log)[0], log.start, log.firstNumber]).toEqual(['b', 2, 2]);
  expect(log.lines.map((line) => line.style)).toEqual(['', '\x1b[31m', '\x1b[31m', '']);
});

test('a line longer than what is read in front of it is one line, cut', () => {
  const log = new LogLines({ offset: 26, number: 3, begin: 'line' });
  log.append(encoder.encode('end\n'));
  expect(log.prepend(encoder.encode('xxxxxx\n'))).toBe(1);
  expect(log.prepend(encoder.encode('xxxxxxx'))).toBe(0);
  expect(log.lines[0]).toMatchObject({ at: 12, text: 'xxxxxx', omittedBytes: 7 });
  expect(log.prepend(encoder.encode('first\nxxxxxx'))).toBe(1);
  expect(textOf(log)).toEqual(['first', 'xxxxxx', 'end']);
  expect(log.firstNumber).toBe(1);
});

test('a progress bar shows its newest drawing, and the colour that an older one set', () => {
  expect(textOf(logOf('10%\r20%\r', '30%'))).toEqual(['30%']);
  expect(textOf(logOf('10%\r', '\ndone'))).toEqual(['10%', 'done']);
  expect(logOf('\x1b[32m10%\r20%\n').lines[0]).toMatchObject({ text: '20%', style: '\x1b[32m' });
});

test('a progress bar that never ends its line takes no more memory than one drawing', () => {
  const log = new LogLines();
  for (let i = 0; i < 10_000; i += 1) log.append(encoder.encode(`\r${i} of 10000`));
  expect(log.lines).toEqual([{ at: 0, text: '9999 of 10000', style: '' }]);
});

test('a line that is unchanged is the same object, one that grew is another', () => {
  const log = logOf('one\ntwo');
  const [first, second] = log.lines;
  log.append(encoder.encode(' more'));
  expect(log.lines[0]).toBe(first);
  expect(log.lines[1]).not.toBe(second);
});

test('old lines are given up; the numbers of the others stay', () => {
  const log = new LogLines(LOG_BEGINNING, few);
  log.append(encoder.encode('1\n2\n3\n4\n5\n'));
  expect(log.isFull).toBe(true);
  expect(log.trimHead()).toBe(2);
  expect(textOf(log)).toEqual(['3', '4', '5']);
  expect([log.start, log.firstNumber]).toEqual([4, 3]);
  expect(log.trimHead()).toBe(0);
});

test('new lines are given up when older ones are wanted, and can be read again from where they began', () => {
  const log = new LogLines({ offset: 4, number: 3, begin: 'line' }, few);
  log.append(encoder.encode('3\n4\n5'));
  log.prepend(encoder.encode('1\n2\n'));
  expect(log.trimTail()).toBe(2);
  expect([textOf(log), log.end]).toEqual([['1', '2', '3'], 6]);
  log.append(encoder.encode('4\n'));
  expect(textOf(log)).toEqual(['1', '2', '3', '4']);
});

test('memory is bounded by bytes too', () => {
  const log = new LogLines(LOG_BEGINNING, { maxLines: 1000, maxBytes: 25 });
  log.append(encoder.encode('aaaaaaaaaa\nbbbbbbbbbb\ncccccccccc\n'));
  log.trimHead();
  expect(textOf(log)).toEqual(['bbbbbbbbbb', 'cccccccccc']);
});

test('where reading begins within a line, the rest of that line is left out and no line has a number', () => {
  const log = new LogLines({ offset: 4, begin: 'skip' });
  log.append(encoder.encode('tail of a line'));
  log.append(encoder.encode(' still\nwhole\n'));
  expect(textOf(log)).toEqual(['whole']);
  expect([log.start, log.firstNumber]).toEqual([25, undefined]);
});

test('a line without end is cut, and says by how much', () => {
  const log = logOf('x'.repeat(30_000), 'y'.repeat(10));
  expect(textOf(log)[0]?.length).toBe(20_000);
  expect(log.lines[0]?.omittedBytes).toBe(10_010);
});

test('a line that is longer than all that was read is shown from where reading began', () => {
  const log = new LogLines({ offset: 100, begin: 'cut' });
  log.append(encoder.encode('yyyy'));
  expect(log.prepend(encoder.encode('first\nxxxx'))).toBe(1);
  expect(textOf(log)).toEqual(['first', 'yyyy']);
  expect(log.lines[1]).toMatchObject({ at: 96, omittedBytes: 4 });
});

test('a place in the file is found by its line, and a number that is learned later numbers all', () => {
  const log = new LogLines({ offset: 50, begin: 'line' });
  log.append(encoder.encode('ab\ncd\nef'));
  expect([49, 50, 52, 53, 57, 58].map((offset) => log.indexAt(offset))).toEqual([
    undefined,
    0,
    0,
    1,
    2,
    undefined,
  ]);
  log.setNumber(53, 7);
  expect(log.firstNumber).toBe(6);
  log.setNumber(54, 1);
  expect(log.firstNumber).toBe(6);
});
