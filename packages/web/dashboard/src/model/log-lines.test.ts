import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LogLines } from './log-lines.ts';

const encoder = new TextEncoder();
const textOf = (log: LogLines): string[] =>
  log.lines.map((line) => line.segments.map((segment) => segment.text).join(''));
const logOf = (...chunks: string[]): LogLines => {
  const log = new LogLines();
  for (const chunk of chunks) log.append(encoder.encode(chunk));
  return log;
};

test('a line may arrive in pieces', () => {
  expect(textOf(logOf('one\ntw', 'o\nthree'))).toEqual(['one', 'two', 'three']);
});

test('empty lines are lines', () => {
  expect(textOf(logOf('a\n\n\nb\n'))).toEqual(['a', '', '', 'b']);
});

test('however bytes are cut, the lines are the same', () => {
  const output = encoder.encode(
    'grün\n\x1b[31mröt\x1b[0m 日本 🎉\r\nlast \x1b]8;;https://x.org\x07l\x1b]8;;\x07',
  );
  const whole = new LogLines();
  whole.append(output);
  expect(textOf(whole)).toEqual(['grün', 'röt 日本 🎉', 'last l']);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: output.length }), { maxLength: 8 }), (cuts) => {
      const log = new LogLines();
      const points = [0, ...cuts.toSorted((a, b) => a - b), output.length];
      for (let i = 0; i + 1 < points.length; i += 1) log.append(output.subarray(points[i], points[i + 1]));
      expect(textOf(log)).toEqual(textOf(whole));
      expect(log.offset).toBe(output.length);
    }),
    { numRuns: 300 },
  );
});

test('a progress bar shows its newest drawing', () => {
  expect(textOf(logOf('10%\r20%\r', '30%'))).toEqual(['30%']);
  expect(textOf(logOf('10%\r', '\ndone'))).toEqual(['10%', 'done']);
});

test('a line that is unchanged is the same object, one that grew is another', () => {
  const log = logOf('one\ntwo');
  const [first, second] = log.lines;
  log.append(encoder.encode(' more'));
  expect(log.lines[0]).toBe(first);
  expect(log.lines[1]).not.toBe(second);
});

test('old lines are let go and counted; the numbers of the others stay', () => {
  const log = new LogLines(0, { maxLines: 3, maxChars: 1000 });
  log.append(encoder.encode('1\n2\n3\n4\n5\n'));
  expect(textOf(log)).toEqual(['3', '4', '5']);
  expect(log.skipped).toBe(2);
  expect(log.lines.map((line) => line.number)).toEqual([3, 4, 5]);
});

test('memory is bounded by characters too', () => {
  const log = new LogLines(0, { maxLines: 1000, maxChars: 25 });
  log.append(encoder.encode('aaaaaaaaaa\nbbbbbbbbbb\ncccccccccc\n'));
  expect(textOf(log)).toEqual(['bbbbbbbbbb', 'cccccccccc']);
  expect(log.skipped).toBe(1);
});

test('when the head was left out, the rest of the line that it cut is left out too', () => {
  const log = new LogLines(4);
  log.append(encoder.encode('tail of a line'));
  log.append(encoder.encode(' still\nwhole\n'));
  expect(textOf(log)).toEqual(['whole']);
});

test('a line without end is cut', () => {
  const log = logOf('x'.repeat(30_000), 'y'.repeat(10));
  expect(textOf(log)[0]?.length).toBeLessThan(21_000);
});
