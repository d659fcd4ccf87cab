import { expect, test } from 'vitest';
import { jsonValueSchema } from './json-value.ts';

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

test('a value is nested at most 64 deep, and a deeper one is refused, not walked', () => {
  const schema = jsonValueSchema();
  expect(schema.safeParse(nested(64)).success).toBe(true);
  expect(schema.safeParse({ a: [nested(62)] }).success).toBe(true);
  for (const depth of [65, 1200, 50_000]) {
    expect(schema.safeParse(nested(depth)).error?.issues).toMatchObject([
      { message: 'must be nested at most 64 deep' },
    ]);
  }
});

test('where its size is bounded, that of its text counts', () => {
  const schema = jsonValueSchema(10);
  expect(schema.safeParse('12345678').success).toBe(true);
  expect(schema.safeParse('1234567é').success).toBe(false);
  expect(schema.safeParse(undefined).success).toBe(true);
});
