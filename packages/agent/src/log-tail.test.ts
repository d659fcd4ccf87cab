import { expect, test } from 'vitest';
import { LogTail } from './log-tail.ts';

const MOST_BYTES = 4 * 1024 * 1024;

test('a chunk is found by exactly the position that it follows', () => {
  const tail = new LogTail();
  const bytes = new Uint8Array(10);
  tail.push(5, bytes, 8);
  expect(tail.get(5)).toEqual({ bytes, position: 8 });
  for (const position of [4, 6, 8]) expect(tail.get(position)).toBeUndefined();
});

test('P11: its size is bounded by bytes, whatever the readers do; the oldest go first', () => {
  const tail = new LogTail();
  const chunk = new Uint8Array(MOST_BYTES / 4);
  for (let position = 0; position < 100; position += 1) tail.push(position, chunk, position + 1);
  const held = Array.from({ length: 100 }, (_, position) => position).filter((position) =>
    tail.get(position),
  );
  expect(held).toEqual([96, 97, 98, 99]);
});

test('the newest chunk is kept even if it alone is larger than the bound', () => {
  const tail = new LogTail();
  tail.push(0, new Uint8Array(10), 1);
  tail.push(1, new Uint8Array(MOST_BYTES + 1), 2);
  expect([tail.get(0), tail.get(1)?.position]).toEqual([undefined, 2]);
});

test('who reads the database reads up to the next chunk, or a page', () => {
  const tail = new LogTail();
  tail.push(50, new Uint8Array(1), 60);
  expect(tail.reach(40)).toBe(10);
  expect(tail.reach(49)).toBe(1);
  expect(tail.reach(50)).toBe(200);
});
