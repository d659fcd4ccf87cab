import { expect, test } from 'vitest';
import { CODE_MS, isOwnPage, SIGN_IN_MS, SignIn } from './sign-in.ts';
import { HeldClock } from './test-kit.ts';

const TOKEN = 'a-token-of-web-0123456789';

test('a code is good once', () => {
  const signIn = new SignIn({ token: TOKEN });
  const { code } = signIn.issueCode();
  expect(signIn.redeemCode(code)).toBe(true);
  expect(signIn.redeemCode(code)).toBe(false);
  expect(signIn.redeemCode('')).toBe(false);
});

test('a code is good for five minutes', () => {
  const clock = new HeldClock();
  const signIn = new SignIn({ token: TOKEN, now: clock.now });
  const early = signIn.issueCode();
  const late = signIn.issueCode();
  expect(early.expiresAt).toBe(clock.now() + CODE_MS);
  clock.advance(CODE_MS - 1);
  expect(signIn.redeemCode(early.code)).toBe(true);
  clock.advance(1);
  expect(signIn.redeemCode(late.code)).toBe(false);
});

test('codes that nobody uses take bounded memory: the oldest are forgotten', () => {
  const signIn = new SignIn({ token: TOKEN });
  const first = signIn.issueCode();
  const others = Array.from({ length: 100 }, () => signIn.issueCode());
  expect(signIn.redeemCode(first.code)).toBe(false);
  expect(others.every(({ code }) => signIn.redeemCode(code))).toBe(true);
});

test('a cookie survives a restart, and ends with a new token', () => {
  const { value } = new SignIn({ token: TOKEN }).issueCookie();
  expect(new SignIn({ token: TOKEN }).isCookie(value)).toBe(true);
  expect(new SignIn({ token: 'another-token-0123456789' }).isCookie(value)).toBe(false);
});

test('a cookie holds for 30 days, and no longer for being changed', () => {
  const clock = new HeldClock();
  const signIn = new SignIn({ token: TOKEN, now: clock.now });
  const { value, expiresAt } = signIn.issueCookie();
  expect(expiresAt).toBe(clock.now() + SIGN_IN_MS);
  const [expiry, nonce, proof] = value.split('.') as [string, string, string];
  const later = (expiresAt + SIGN_IN_MS).toString(36);
  clock.advance(SIGN_IN_MS - 1);
  expect(signIn.isCookie(value)).toBe(true);
  for (const forged of [
    `${later}.${nonce}.${proof}`,
    `${expiry}.AAAAAAAAAAAA.${proof}`,
    `${expiry}.${nonce}.${'A'.repeat(43)}`,
    `${expiry}.${nonce}`,
    `${value}x`,
    '',
    TOKEN,
  ]) {
    expect(signIn.isCookie(forged)).toBe(false);
  }
  clock.advance(1);
  expect(signIn.isCookie(value)).toBe(false);
});

test('only web’s own pages, and clients that are no browser, may use a cookie', () => {
  expect(['same-origin', 'none', undefined].every(isOwnPage)).toBe(true);
  expect(['same-site', 'cross-site', ''].some(isOwnPage)).toBe(false);
});
