import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DigestEntry, LiveDigest } from './digest.ts';
import { isTerminal, taskStatuses } from './status.ts';

const NOTHING = '0000000000000000';

/** The definition of the protocol, by big integers and from scratch. */
function digestOf(entries: Iterable<DigestEntry>): string {
  let sum = 0n;
  for (const { id, attempt, status } of entries) {
    if (isTerminal(status)) continue;
    const bytes = createHash('sha256').update(`${id}|${attempt}|${status}`).digest();
    sum ^= bytes.readBigUInt64BE(0);
  }
  return sum.toString(16).padStart(16, '0');
}

const entries = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  attempt: fc.integer({ min: 0, max: 5 }),
  status: fc.constantFrom(...taskStatuses),
});

test('after any walk the digest equals the one computed from scratch, and is zero when nothing lives', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(entries, fc.boolean()), { maxLength: 50 }), (steps) => {
      const digest = new LiveDigest();
      const tasks = new Map<string, DigestEntry>();
      for (const [entry, removed] of steps) {
        const after = removed ? undefined : entry;
        digest.move(tasks.get(entry.id), after);
        if (after === undefined) tasks.delete(entry.id);
        else tasks.set(entry.id, after);
        expect(digest.toString()).toBe(digestOf(tasks.values()));
      }
      for (const task of tasks.values()) digest.move(task, { ...task, status: 'completed' });
      expect(digest.toString()).toBe(NOTHING);
    }),
  );
});

test('the digest has its first bit and its leading zeros', () => {
  const digests = Array.from({ length: 300 }, (_, attempt) => {
    const digest = new LiveDigest();
    const entry = { id: 'x', attempt, status: 'running' } as const;
    digest.move(undefined, entry);
    expect(digest.toString()).toBe(digestOf([entry]));
    return digest.toString();
  });
  expect(digests.some((text) => /^[89a-f]/.test(text))).toBe(true);
  expect(digests.some((text) => text.startsWith('0') || text[8] === '0')).toBe(true);
});

test('a copy goes its own way', () => {
  const first = new LiveDigest();
  const entry = { id: 'x', attempt: 1, status: 'running' } as const;
  first.move(undefined, entry);
  const copy = new LiveDigest(first);
  expect(copy.toString()).toBe(first.toString());
  copy.move(entry, undefined);
  expect(copy.toString()).toBe(NOTHING);
  expect(first.toString()).toBe(digestOf([entry]));
});

test('a task that becomes another one replaces it', () => {
  const digest = new LiveDigest();
  const one = { id: 'x', attempt: 1, status: 'running' } as const;
  const other = { id: 'y', attempt: 1, status: 'running' } as const;
  digest.move(undefined, one);
  digest.move(one, other);
  expect(digest.toString()).toBe(digestOf([other]));
});
