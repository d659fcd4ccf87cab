/**
 * Who may come in. A service that runs commands for whoever reaches it is remote code execution, so:
 *
 * - a token, made at first start, kept 0600, compared in constant time, never logged;
 * - `Host` and `Origin` against an allow-list on every route: a page elsewhere that rebinds its name to
 *   127.0.0.1 (DNS rebinding) sends its own name in both;
 * - ten failures from one address: for a minute further failures are answered 429, while a valid credential
 *   always passes, so that nobody can lock out anybody else (P11).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { dirname } from 'node:path';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context, MiddlewareHandler } from 'hono';
import { hasCode, ProblemError } from './errors.ts';

/** The token in `path`; makes it (32 random bytes, mode 0600) if there is none. */
export function loadToken(path: string): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const token = readToken(path) ?? makeToken(path);
  chmodSync(path, 0o600);
  if (token.length < 16) throw new Error(`${path} holds no usable token: delete it, and a new one is made`);
  return token;
}

function readToken(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * The file appears under its name whole and on the disk, by a link that fails if the name is taken: of two
 * services that start at once one makes the token and both read it, and no crash leaves an empty one.
 */
function makeToken(path: string): string {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    const token = randomBytes(32).toString('base64url');
    writeFileSync(draft, `${token}\n`, { mode: 0o600, flag: 'wx', flush: true });
    linkSync(draft, path);
    return token;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return readFileSync(path, 'utf8').trim();
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Compares in a time that does not depend on where the two differ. */
export function secretsEqual(given: string, expected: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(expected));
}

function digestOf(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}

/** Whether `host` can only ever mean this machine: `localhost`, 127.0.0.0/8 and ::1. */
export function isLoopbackAddress(host: string): boolean {
  return (
    host === 'localhost' || host === '::1' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'))
  );
}

/**
 * Whether `host` (a `Host` header: name, and port when given) may be used. `allowed` holds names, which pass on
 * any port, or `name:port`, in any spelling that a browser would take for the same host.
 */
export function isAllowedHost(host: string | undefined, allowed: readonly string[]): boolean {
  const given = host === undefined ? undefined : parseHost(host);
  if (given === undefined) return false;
  if (isLoopbackAddress(given.name)) return true;
  return allowed.some((text) => {
    const entry = parseHost(isIPv6(text) ? `[${text}]` : text);
    return entry?.name === given.name && (entry.port === undefined || entry.port === (given.port ?? '80'));
  });
}

/** Name and port of a `Host` header in canonical form (lower case, punycode, plain IP), by the URL parser. */
function parseHost(host: string): { name: string; port: string | undefined } | undefined {
  if (host === '' || /[/?#@\\\s]/.test(host)) return undefined;
  const url = URL.parse(`http://${host}`);
  if (url === null) return undefined;
  // The parser leaves out the port that is http's default.
  const port = url.port === '' && /:0*80$/.test(host) ? '80' : url.port;
  return { name: url.hostname, port: port === '' ? undefined : port };
}

/** Whether a request with this `Origin` header may be made. None at all is no browser page. */
export function isAllowedOrigin(origin: string | undefined, allowed: readonly string[]): boolean {
  if (origin === undefined) return true;
  const url = URL.parse(origin);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return isAllowedHost(`${url.hostname}:${port}`, allowed);
}

export interface FailureLimiterOptions {
  /** Monotonic clock, ms. */
  now?: () => number;
}

const MOST_FAILURES = 10;
const WINDOW_MS = 60_000;
const MOST_ADDRESSES = 10_000;

/** Counts failed sign-ins by address. */
export class FailureLimiter {
  readonly #failures = new Map<string, { count: number; until: number }>();
  readonly #now: () => number;

  constructor(options: FailureLimiterOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
  }

  /** Records a failure. Returns how long further failures of this address are refused, in seconds; 0: not yet. */
  fail(address: string): number {
    const now = this.#now();
    let entry = this.#failures.get(address);
    if (entry !== undefined && now >= entry.until) {
      this.#failures.delete(address);
      entry = undefined;
    }
    if (entry === undefined) {
      if (this.#failures.size >= MOST_ADDRESSES) this.#forgetOldest();
      entry = { count: 0, until: now + WINDOW_MS };
      this.#failures.set(address, entry);
    }
    entry.count += 1;
    if (entry.count === MOST_FAILURES) entry.until = now + WINDOW_MS;
    if (entry.count <= MOST_FAILURES) return 0;
    return Math.ceil((entry.until - now) / 1000);
  }

  /** How many addresses it remembers. */
  get size(): number {
    return this.#failures.size;
  }

  #forgetOldest(): void {
    for (const address of this.#failures.keys()) {
      this.#failures.delete(address);
      return;
    }
  }
}

export interface GuardOptions {
  token: string;
  allowedHosts: readonly string[];
  limiter: FailureLimiter;
  /** Routes that need no credential. Host and Origin are checked on them all the same. */
  isPublic: (path: string) => boolean;
  /** Another credential than the bearer token: web's sign-in cookie. */
  accepts?: (context: Context) => boolean;
}

/** The middleware in front of every route. Refuses with 403 `foreign_host`/`foreign_origin`, 401, or 429. */
export function guard(options: GuardOptions): MiddlewareHandler {
  return async (context, next) => {
    if (!isAllowedHost(context.req.header('host'), options.allowedHosts)) {
      throw new ProblemError(
        'foreign_host',
        'This service does not answer under that host name. Start it with --allowed-host to allow it.',
      );
    }
    if (!isAllowedOrigin(context.req.header('origin'), options.allowedHosts)) {
      throw new ProblemError(
        'foreign_origin',
        'This service does not answer pages of that origin. Start it with --allowed-host to allow it.',
      );
    }
    if (options.isPublic(context.req.path)) return next();
    const bearer = /^Bearer +(\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
    if (bearer !== undefined && secretsEqual(bearer, options.token)) return next();
    if (options.accepts?.(context) === true) return next();
    throw refusal(context, options.limiter, bearer !== undefined);
  };
}

/** Counts a failed credential and says how to answer it. A request without any is not a guess and is not counted. */
export function refusal(context: Context, limiter: FailureLimiter, guessed: boolean): ProblemError {
  const waitSeconds = guessed ? limiter.fail(addressOf(context)) : 0;
  if (waitSeconds > 0) {
    return new ProblemError('rate_limited', `Too many failed attempts. Wait ${waitSeconds} s.`, {
      retryAfterSeconds: waitSeconds,
    });
  }
  return new ProblemError(
    'unauthorized',
    guessed ? 'That credential is not valid.' : 'Send the token as "Authorization: Bearer …".',
  );
}

function addressOf(context: Context): string {
  return getConnInfo(context).remote.address ?? 'unknown';
}
