import { expect, test } from 'vitest';
import { extendMark, markFromHash, markToHash, type LogMark, markText } from './log-mark.ts';

test('each mark has one hash and comes back from it', () => {
  const marks: LogMark[] = [
    { kind: 'lines', from: 120, to: 120 },
    { kind: 'lines', from: 3, to: 9 },
    { kind: 'byte', offset: 1_048_576 },
    { kind: 'byte', offset: 0 },
  ];
  for (const mark of marks) expect(markFromHash(markToHash(mark))).toEqual(mark);
});

test('a range may be written the wrong way round, and GitHub’s way', () => {
  expect(markFromHash('#L9-3')).toEqual({ kind: 'lines', from: 3, to: 9 });
});

test('what marks nothing is no mark', () => {
  for (const hash of ['', '#', '#L0', '#Lx', '#code=L1', '#L1x', '#B'])
    expect(markFromHash(hash)).toBeUndefined();
});

test('a second line makes it a range, in either direction', () => {
  const first = extendMark(undefined, 5);
  expect(extendMark(first, 9)).toEqual({ kind: 'lines', from: 5, to: 9 });
  expect(extendMark(first, 2)).toEqual({ kind: 'lines', from: 2, to: 5 });
});

test('a mark is named as a person would', () => {
  expect(markText({ kind: 'lines', from: 7, to: 7 })).toBe('line 7');
  expect(markText({ kind: 'lines', from: 7, to: 9 })).toBe('lines 7 to 9');
  expect(markText({ kind: 'byte', offset: 12 })).toBe('byte 12');
});
