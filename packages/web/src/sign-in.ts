/**
 * Who is signed in: the token itself, or a cookie that was given for it or for a one-time code.
 *
 * - A cookie says until when it holds and proves it by an HMAC under a key derived from the token: nothing is
 *   stored, sign-ins survive a restart, and a new token ends them all.
 * - A one-time code is good for one sign-in within five minutes; it lives in memory only.
 * - A cookie counts only in requests that the browser itself calls same-origin (`Sec-Fetch-Site`): for
 *   `SameSite`, pages on other ports of localhost are the same site.
 */
import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { secretsEqual } from '@holdfast/shared';

export const SIGN_IN_MS = 30 * 24 * 3600 * 1000;
export const CODE_MS = 5 * 60 * 1000;
const MOST_CODES = 100;

export interface SignInOptions {
  /** The content of `web.token`. */
  token: string;
  now?: () => number;
}

export class SignIn {
  readonly #token: string;
  readonly #key: Uint8Array;
  readonly #now: () => number;
  /** SHA-256 of each code that waits for its use → when it expires. */
  readonly #codes = new Map<string, number>();

  constructor(options: SignInOptions) {
    this.#token = options.token;
    this.#now = options.now ?? Date.now;
    this.#key = new Uint8Array(hkdfSync('sha256', options.token, '', 'holdfast sign-in cookie 1', 32));
  }

  isToken(given: string): boolean {
    return secretsEqual(given, this.#token);
  }

  /** A new one-time code. Of more than a hundred that wait, the oldest are forgotten. */
  issueCode(): { code: string; expiresAt: number } {
    const now = this.#now();
    for (const [hash, expiresAt] of this.#codes) if (expiresAt <= now) this.#codes.delete(hash);
    const oldest = this.#codes.keys().next().value;
    if (this.#codes.size >= MOST_CODES && oldest !== undefined) this.#codes.delete(oldest);
    const code = randomBytes(24).toString('base64url');
    const expiresAt = now + CODE_MS;
    this.#codes.set(hashOf(code), expiresAt);
    return { code, expiresAt };
  }

  /** True once for each code, before it expires. Looked up by hash, so that timing says nothing of the code. */
  redeemCode(code: string): boolean {
    const hash = hashOf(code);
    const expiresAt = this.#codes.get(hash);
    if (expiresAt === undefined) return false;
    this.#codes.delete(hash);
    return expiresAt > this.#now();
  }

  /** The value of a new cookie, and until when it holds. */
  issueCookie(): { value: string; expiresAt: number } {
    const expiresAt = this.#now() + SIGN_IN_MS;
    const claim = `${expiresAt.toString(36)}.${randomBytes(9).toString('base64url')}`;
    return { value: `${claim}.${this.#sign(claim)}`, expiresAt };
  }

  isCookie(value: string): boolean {
    const match = /^(([0-9a-z]{1,12})\.[A-Za-z0-9_-]{12})\.([A-Za-z0-9_-]{43})$/.exec(value);
    if (match === null) return false;
    const [, claim, expiry, proof] = match;
    return secretsEqual(proof!, this.#sign(claim!)) && Number.parseInt(expiry!, 36) > this.#now();
  }

  #sign(claim: string): string {
    return createHmac('sha256', this.#key).update(claim).digest('base64url');
  }
}

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('base64url');
}

/** The cookie's name holds the port: a browser sends cookies to every port of a host. */
export function cookieName(port: number): string {
  return `holdfast_${port}`;
}

/**
 * Whether a request may be let in by its cookie. Browsers send `Sec-Fetch-Site` and no page can set it; a client
 * that sends none is no browser page.
 */
export function isOwnPage(secFetchSite: string | undefined): boolean {
  return secFetchSite === undefined || secFetchSite === 'same-origin' || secFetchSite === 'none';
}
