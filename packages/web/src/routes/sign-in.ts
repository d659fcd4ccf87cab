/** Signing in and out: `/api/sign-in`, `/api/sign-out`, `/api/login-codes`. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type FailureLimiter, ProblemError, refusal } from '@holdfast/shared';
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { cookieName, isOwnPage, SIGN_IN_MS, type SignIn } from '../sign-in.ts';
import { json, jsonBody, problem } from './answers.ts';

export interface SignInRoutesOptions {
  signIn: SignIn;
  limiter: FailureLimiter;
  /** The port that web listens on. */
  port: () => number;
}

const time = z.number().int();

const enter = createRoute({
  method: 'post',
  path: '/api/sign-in',
  summary: 'Sign in with the token, or with a one-time code, and get a cookie',
  request: {
    body: jsonBody(
      z.union([
        z.strictObject({ token: z.string().min(1).max(1024) }),
        z.strictObject({ code: z.string().min(1).max(256) }),
      ]),
    ),
  },
  responses: {
    200: json(z.object({ expiresAt: time }), 'Signed in, until then'),
    401: problem('unauthorized'),
    422: problem('invalid'),
    429: problem('rate_limited'),
  },
});

const leave = createRoute({
  method: 'post',
  path: '/api/sign-out',
  summary: 'Forget the cookie',
  responses: { 204: { description: 'Signed out' } },
});

const issueCode = createRoute({
  method: 'post',
  path: '/api/login-codes',
  summary: 'Make a one-time code for signing in; needs the token itself',
  responses: {
    201: json(z.object({ code: z.string(), expiresAt: time }), 'Good for one sign-in within five minutes'),
    401: problem('unauthorized'),
  },
});

export function addSignInRoutes(app: OpenAPIHono, options: SignInRoutesOptions): void {
  const { signIn, limiter, port } = options;

  app.openapi(enter, (context) => {
    const given = context.req.valid('json');
    const valid = 'token' in given ? signIn.isToken(given.token) : signIn.redeemCode(given.code);
    if (!valid) throw refusal(context, limiter, true);
    const { value, expiresAt } = signIn.issueCookie();
    setCookie(context, cookieName(port()), value, { ...attributesFor(context), maxAge: SIGN_IN_MS / 1000 });
    return context.json({ expiresAt }, 200);
  });

  app.openapi(leave, (context) => {
    deleteCookie(context, cookieName(port()), attributesFor(context));
    return context.body(null, 204);
  });

  app.openapi(issueCode, (context) => {
    const bearer = /^Bearer +(\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
    if (bearer === undefined || !signIn.isToken(bearer)) {
      throw new ProblemError(
        'unauthorized',
        'A one-time code is made for the token itself, not for a cookie.',
      );
    }
    return context.json(signIn.issueCode(), 201);
  });
}

/**
 * `Secure` when the page itself says, by its `Origin`, that it came over https: no forwarded header needs to be
 * believed, and a cookie without it would be lost on plain http.
 */
function attributesFor(context: Context) {
  const secure = context.req.header('origin')?.startsWith('https://') === true;
  return { httpOnly: true, sameSite: 'Strict', path: '/', secure } as const;
}

/** Whether a request carries a valid cookie and comes from web's own page. */
export function acceptsCookie(context: Context, signIn: SignIn, port: number): boolean {
  const cookie = getCookie(context, cookieName(port));
  return cookie !== undefined && isOwnPage(context.req.header('sec-fetch-site')) && signIn.isCookie(cookie);
}
