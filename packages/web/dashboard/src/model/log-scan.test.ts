import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { countNewlines, LogScan } from './log-scan.ts';

const encoder = new TextEncoder();
const beginning = { at: 0, number: 1 };

function scan(options: { line?: number; text?: string }, ...chunks: string[]): LogScan {
  const made = new LogScan({ from: beginning, ...options });
  for (const chunk of chunks) made.feed(encoder.encode(chunk));
  made.finish();
  return made;
}

test('a line is found by its number, at its byte', () => {
  expect(scan({ line: 3 }, 'grün\nb', '\nc\nd').found).toEqual({ at: 8, number: 3 });
  expect(scan({ line: 1 }, '').found).toEqual(beginning);
  expect(scan({ line: 9 }, 'a\nb\n').found).toBeUndefined();
});

test('lines that contain the text are found whatever the case, through colours and however the bytes are cut', () => {
  const bytes = encoder.encode('one\nTh\x1b[31mREE\x1b[0m\n\nthird and three\nlast thr\x1b[1mee');
  const whole = new LogScan({ from: beginning, text: 'Three' });
  whole.feed(bytes);
  whole.finish();
  expect(whole.matches).toEqual([
    { at: 4, number: 2 },
    { at: 20, number: 4 },
    { at: 36, number: 5 },
  ]);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: bytes.length }),
      fc.integer({ min: 0, max: bytes.length }),
      (a, b) => {
        const cut = new LogScan({ from: beginning, text: 'Three' });
        const points = [0, Math.min(a, b), Math.max(a, b), bytes.length];
        for (let i = 0; i < 3; i += 1) cut.feed(bytes.subarray(points[i], points[i + 1]));
        cut.finish();
        expect(cut.matches).toEqual(whole.matches);
        expect(cut.current).toEqual(whole.current);
      },
    ),
  );
});

test('what overwrote itself on the way is searched too: it was printed', () => {
  expect(scan({ text: 'warning' }, 'warning 1\r100%\n').matchCount).toBe(1);
});

test('of very many matches only their number is kept', () => {
  const found = scan({ text: 'x' }, 'x\n'.repeat(20_000));
  expect([found.matchCount, found.matches.length]).toEqual([20_000, 10_000]);
});

test('places on the way are remembered, so that lines near them can be numbered', () => {
  const found = scan({}, 'aaaaaaaaa\n'.repeat(120_000));
  expect(found.landmarkBefore(600_000)).toEqual({ at: 500_000, number: 50_001 });
  expect(found.landmarkBefore(499_999)).toEqual(beginning);
  expect(countNewlines(encoder.encode('a\n\nb\nc'))).toBe(3);
});
