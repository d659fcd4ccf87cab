import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  firstChain,
  formatCursor,
  formatFeedCursor,
  nextChain,
  parseCursor,
  parseFeedCursor,
} from './cursor.ts';

const hex = fc.stringMatching(/^[0-9a-f]{16}$/);
const seqs = fc.oneof(fc.nat(), fc.maxSafeNat());

test('a cursor survives being written and read', () => {
  fc.assert(
    fc.property(hex, seqs, hex, (epoch, seq, chain) => {
      expect(parseCursor(formatCursor({ epoch, seq, chain }))).toEqual({ epoch, seq, chain });
      expect(parseFeedCursor(formatFeedCursor({ epoch, version: seq }))).toEqual({ epoch, version: seq });
    }),
  );
});

test('any text is a cursor or none, and what is one is written exactly so', () => {
  const near = fc
    .array(fc.constantFrom('0', '1', '9', 'a', 'f', '.', 'A', '-', ' ', '\n', '0123456789abcdef'), {
      maxLength: 60,
    })
    .map((parts) => parts.join(''));
  expect(() =>
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), near), (text) => {
        const cursor = parseCursor(text);
        const feed = parseFeedCursor(text);
        return (
          (cursor === undefined || formatCursor(cursor) === text) &&
          (feed === undefined || formatFeedCursor(feed) === text)
        );
      }),
      { numRuns: 1000 },
    ),
  ).not.toThrow();
});

const epoch = '0123456789abcdef';
test.each([
  '',
  epoch,
  `${epoch}.1`,
  `${epoch}.1.`,
  `${epoch}.01.${epoch}`,
  `${epoch}.-1.${epoch}`,
  `${epoch}.1e3.${epoch}`,
  `${epoch}.9007199254740992.${epoch}`,
  `${epoch}.99999999999999999.${epoch}`,
  `${epoch.toUpperCase()}.1.${epoch}`,
  `${epoch}.1.${epoch}\n`,
  ` ${epoch}.1.${epoch}`,
  `${epoch}.1.${epoch}.1`,
])('%j is no cursor', (text) => {
  expect(parseCursor(text)).toBeUndefined();
});

test.each(['', epoch, `${epoch}.01`, `${epoch}.9007199254740992`, `${epoch}.1\n`, `${epoch}.1.${epoch}`])(
  '%j is no cursor of the feed',
  (text) => {
    expect(parseFeedCursor(text)).toBeUndefined();
  },
);

test('the chain is the SHA-256 of the chain before and the UTF-8 text, as anyone can recompute it', () => {
  fc.assert(
    fc.property(hex, fc.string({ unit: 'grapheme' }), (chain, value) => {
      const json = JSON.stringify({ value });
      const bytes = Buffer.from(chain + json, 'utf8');
      expect(nextChain(chain, json)).toBe(createHash('sha256').update(bytes).digest('hex').slice(0, 16));
    }),
  );
  expect(firstChain(epoch)).toBe(epoch);
  expect(nextChain('0000000000000000', '{"seq":1}')).toBe('1694dd977feb332c');
});

const chainOf = (events: readonly string[]) =>
  events.reduce((chain, event) => nextChain(chain, JSON.stringify(event)), firstChain(epoch));

test('a changed, dropped, repeated or swapped event changes the chain', () => {
  const logs = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 12 });
  fc.assert(
    fc.property(logs, fc.nat(), (events, number) => {
      const at = number % (events.length - 1);
      const here = events[at]!;
      const whole = chainOf(events);
      expect(chainOf(events.with(at, `${here}!`))).not.toBe(whole);
      expect(chainOf(events.toSpliced(at, 1))).not.toBe(whole);
      expect(chainOf(events.toSpliced(at, 0, here))).not.toBe(whole);
      expect(chainOf(events.with(at, events[at + 1]!).with(at + 1, here))).not.toBe(whole);
      expect(chainOf(events)).toBe(whole);
    }),
  );
});
