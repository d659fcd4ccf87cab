/**
 * What both services are made of: an app whose every refusal is a problem (RFC 9457), its published description,
 * health and metrics, and an HTTP server that stops cleanly although streams are open.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { getRequestListener, type HttpBindings, RequestError } from '@hono/node-server';
import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { matchedRoutes } from 'hono/route';
import { type Logger, pino } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { messageOf, type Problem, ProblemError } from './errors.ts';

export type { Logger } from 'pino';

const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')));
/** The version of Holdfast that is running. */
export const VERSION: string = version;

const MOST_BODY_BYTES = 1024 * 1024;
/** Of a body that is too large, so much is read and thrown away; then its connection is given up. */
const MOST_DISCARDED_BYTES = 16 * MOST_BODY_BYTES;

const SECRETS = ['token', 'authorization', 'cookie', 'env', 'spec', 'code'];

/**
 * JSON lines on stderr. What is named like a secret is left out, down to the fourth level. The `code` of an error
 * is no secret and goes by the name of `errorCode`.
 */
export function createLogger(name: string, level: string): Logger {
  return pino(
    {
      name,
      level,
      base: { name, pid: process.pid },
      serializers: {
        // Anything can be thrown; what is no error is logged as it is.
        err: (error: unknown) =>
          error instanceof Error
            ? { ...pino.stdSerializers.err(error), errorCode: 'code' in error ? error.code : undefined }
            : error,
      },
      redact: {
        paths: SECRETS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`, `*.*.*.${key}`]),
        remove: true,
      },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

export interface AppOptions {
  title: string;
  description: string;
  logger: Logger;
  guard: MiddlewareHandler;
}

/**
 * An app with the error answers of PROTOCOL.md §6. Routes are added with `app.openapi(...)`; a body or a query
 * that does not fit its schema is answered 422 with a pointer for each fault.
 */
export function createApp(options: AppOptions): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw invalid(result.error, result.target);
    },
  });
  app.use(securityHeaders);
  app.use(options.guard);
  app.use(requireJson);
  app.use(limitBody);
  app.onError((error, context) => {
    // Else hono mixes the headers of an answer that was begun into this one, its content-length among them.
    context.res = undefined;
    return answerError(error, context, options.logger);
  });
  app.notFound((context) => answerProblem(context, notFoundProblem(app, context)));
  addDocs(app, options);
  return app;
}

function invalid(error: z.ZodError, target: string): ProblemError {
  const errors = error.issues.flatMap((issue) => faultsOf(issue, []));
  const where = target === 'json' ? 'body' : target;
  const first = errors[0];
  return new ProblemError(
    'invalid',
    first === undefined
      ? `The ${where} is not valid.`
      : `The ${where} is not valid: ${first.pointer} ${first.detail}`,
    { errors },
  );
}

type Issue = z.ZodError['issues'][number];

/** The faults behind an issue, each at the place (RFC 6901) where the caller can mend it. */
function faultsOf(issue: Issue, above: PropertyKey[]): { pointer: string; detail: string }[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => ({ pointer: pointerTo(path), detail: `its name ${inner.message}` }));
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ pointer: pointerTo([...path, key]), detail: 'is not known here' }));
  }
  if (issue.code === 'invalid_union') {
    // The form that was most likely meant: the one with the fewest faults.
    const [nearest] = issue.errors.toSorted((a, b) => a.length - b.length);
    if (nearest !== undefined) return nearest.flatMap((inner) => faultsOf(inner, path));
  }
  return [{ pointer: pointerTo(path), detail: issue.message }];
}

function pointerTo(path: PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "worker-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const securityHeaders: MiddlewareHandler = async (context, next) => {
  await next();
  const { body, status, headers: given } = context.res;
  // A copy: the headers of an answer that comes from `fetch` cannot be changed.
  const headers = new Headers(given);
  headers.set('x-content-type-options', 'nosniff');
  headers.set('referrer-policy', 'no-referrer');
  headers.set('x-frame-options', 'DENY');
  if (!headers.has('content-security-policy')) headers.set('content-security-policy', POLICY);
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
  context.res = undefined;
  context.res = new Response(body, { status, headers });
};

/** A body that is not JSON is refused before it is read; a request without a body needs no media type. */
const requireJson: MiddlewareHandler = (context, next) => {
  const { method } = context.req;
  const length = context.req.header('content-length');
  const hasBody =
    context.req.header('transfer-encoding') !== undefined || (length !== undefined && length !== '0');
  if (method !== 'GET' && method !== 'HEAD' && hasBody) {
    const type = context.req.header('content-type') ?? '';
    if (!/^application\/json\s*(;|$)/i.test(type)) {
      throw new ProblemError(
        'unsupported_media_type',
        'Send the body with "content-type: application/json".',
      );
    }
  }
  return next();
};

/**
 * Refuses a body over the limit, announced or not, before a route sees it. hono's own `bodyLimit` builds the
 * request anew from node-server's, which Node's `Request` does not take: every body without a length became 500.
 */
const limitBody: MiddlewareHandler = async (context, next) => {
  const { req } = context;
  if (Number(req.header('content-length') ?? 0) > MOST_BODY_BYTES) throw tooLarge();
  // Without a length a body comes in chunks, or there is none (RFC 9112 §6.3).
  if (req.header('transfer-encoding') === undefined || req.raw.body === null) return next();
  const { url, method, headers, signal } = req.raw;
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Read to its end, so that the connection can be used again; and not by `for await`, whose leaving cancels the
  // body and with it the connection under the answer.
  const reader = req.raw.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.byteLength;
    if (length <= MOST_BODY_BYTES) chunks.push(part.value);
    else if (length > MOST_DISCARDED_BYTES) throw tooLarge();
  }
  if (length > MOST_BODY_BYTES) throw tooLarge();
  req.raw = new Request(url, { method, headers, body: Buffer.concat(chunks), signal });
  return next();
};

function tooLarge(): ProblemError {
  return new ProblemError('too_large', 'Send at most 1 MiB.');
}

function answerProblem(context: Context, problem: ProblemError): Response {
  return problemResponse(problem, context.req.path);
}

function problemResponse(problem: ProblemError, path: string): Response {
  const body: Problem = problem.toProblem(path);
  const headers = new Headers({ 'content-type': 'application/problem+json' });
  const { allow, retryAfterSeconds } = problem.options;
  if (allow !== undefined) headers.set('allow', allow.join(', '));
  if (retryAfterSeconds !== undefined) headers.set('retry-after', String(retryAfterSeconds));
  if (problem.code === 'unauthorized') headers.set('www-authenticate', 'Bearer');
  return new Response(JSON.stringify(body), { status: problem.status, headers });
}

function answerError(error: Error, context: Context, logger: Logger): Response {
  if (error instanceof ProblemError) {
    // It was foreseen: where in the code it came up tells nobody anything, why it did is its cause.
    if (error.status >= 500) {
      const { code: problem, message: detail, cause } = error;
      const why = cause === undefined ? undefined : messageOf(cause);
      logger.warn({ problem, detail, why, route: routeOf(context) }, 'request answered with a problem');
    }
    return answerProblem(context, error);
  }
  if (error instanceof HTTPException && error.status === 400) {
    return answerProblem(
      context,
      new ProblemError('malformed_json', 'The body must be one JSON value.', { cause: error }),
    );
  }
  logger.error({ err: error, route: routeOf(context) }, 'request failed');
  return answerProblem(
    context,
    new ProblemError('internal', 'The service could not do that; its log says why.'),
  );
}

/** The pattern of the route, for a log: the path itself may hold the token of a claim. */
function routeOf(context: Context): string {
  return `${context.req.method} ${matchedRoutes(context).at(-1)?.path ?? ''}`;
}

const METHODS = ['GET', 'POST', 'PATCH', 'DELETE', 'PUT'];

function notFoundProblem(app: OpenAPIHono, context: Context): ProblemError {
  const others = METHODS.filter((method) => {
    if (method === context.req.method) return false;
    const [handlers] = app.router.match(method, context.req.path);
    return handlers.some(([[, route]]) => route.method === method);
  });
  return others.length === 0
    ? new ProblemError(
        'no_such_route',
        `There is nothing at ${context.req.path}; /openapi.json lists what there is.`,
      )
    : new ProblemError('method_not_allowed', `${context.req.path} takes ${others.join(', ')}.`, {
        allow: others,
      });
}

const swaggerFiles: Record<string, string> = {
  'swagger-ui.css': 'text/css',
  'swagger-ui-bundle.js': 'text/javascript',
};

const DOCS_PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Holdfast API</title>
<link rel="stylesheet" href="./docs/swagger-ui.css"><div id="docs"></div>
<script src="./docs/swagger-ui-bundle.js"></script><script src="./docs/start.js"></script></html>`;
const DOCS_START = "SwaggerUIBundle({ url: './openapi.json', dom_id: '#docs', validatorUrl: null });";
// Swagger UI writes style attributes; it runs no inline script.
const DOCS_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; frame-ancestors 'none'";

function addDocs(app: OpenAPIHono, options: AppOptions): void {
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: options.title,
      description: options.description,
      version: VERSION,
      license: { name: 'Apache-2.0' },
    },
  });
  app.get('/docs', (context) => context.html(DOCS_PAGE, 200, { 'content-security-policy': DOCS_POLICY }));
  app.get('/docs/start.js', (context) =>
    context.body(DOCS_START, 200, { 'content-type': 'text/javascript' }),
  );
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  for (const [file, type] of Object.entries(swaggerFiles)) {
    app.get(`/docs/${file}`, (context) =>
      context.body(readFileSync(join(folder, file)), 200, { 'content-type': type }),
    );
  }
}

/** A metrics registry of its own for each service, with the process's figures in it. */
export function createMetrics(prefix: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service: prefix });
  collectDefaultMetrics({ register: registry });
  return registry;
}

export interface RunningServer {
  /** Where it listens, e.g. `http://127.0.0.1:7401`. */
  url: string;
  port: number;
  /** Ends idle connections at once and the rest after 5 s. Streams must have been ended before. */
  stop: () => Promise<void>;
}

const CLOSE_ALL_AFTER_MS = 5000;

/** Listens; rejects if the address is taken. Port 0 takes any free port. */
export async function serveApp(app: OpenAPIHono, host: string, port: number): Promise<RunningServer> {
  const answer = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    errorHandler: answerUnroutable,
  });
  const server = createServer((request, response) => void answer(request, response));
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(port, host, () => listening.resolve());
  await listening.promise;
  server.off('error', listening.reject);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error(`${host} is no network address`);
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${address.port}`,
    port: address.port,
    stop: () => stopServer(server),
  };
}

/** What never reached the app: a `Host` that is none, or a throw that is no `Error`. */
function answerUnroutable(error: unknown): Response {
  return error instanceof RequestError
    ? problemResponse(
        new ProblemError('bad_request', 'The Host header or the request target is not valid.'),
        '/',
      )
    : problemResponse(new ProblemError('internal', 'The service could not do that.'), '/');
}

async function stopServer(server: Server): Promise<void> {
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  server.closeIdleConnections();
  const last = setTimeout(() => server.closeAllConnections(), CLOSE_ALL_AFTER_MS);
  // A connection becomes idle only after its last answer has drained.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  await closed.promise;
  clearTimeout(last);
  clearInterval(idle);
}

/** How to end the connection underneath a request without waiting for it to drain, where there is one. */
export function destroyerOf(context: Context): (() => void) | undefined {
  const env: Partial<HttpBindings> | undefined = context.env;
  const outgoing = env?.outgoing;
  return outgoing === undefined ? undefined : () => outgoing.destroy();
}
