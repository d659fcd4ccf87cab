import { expect, test } from 'vitest';
import { shortIds } from './task-ref.ts';

test('short ids tell each other apart, hold the whole time, and never end in a hyphen', () => {
  const ids = [
    '019a9f0e-7c00-7000-8000-000000000001',
    '019a9f0e-7c00-7000-8000-000000000002',
    '019a9f0e-7c00-7001-8000-000000000001',
    '019a9f0e-7c01-7000-8000-000000000001',
  ];
  const short = shortIds(ids);
  expect(ids.map((id) => short.get(id))).toEqual([ids[0], ids[1], '019a9f0e-7c00-7001', '019a9f0e-7c01']);
  for (const [id, prefix] of short) expect(ids.filter((one) => one.startsWith(prefix))).toEqual([id]);
});

test('a single id is as short as its time', () => {
  expect(shortIds(['019a9f0e-7c00-7000-8000-000000000001']).get('019a9f0e-7c00-7000-8000-000000000001')).toBe(
    '019a9f0e-7c00',
  );
});
