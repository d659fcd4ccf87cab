/** What the routes' descriptions and answers are made of. */
import { z } from '@hono/zod-openapi';
import { ProblemSchema } from '@holdfast/shared';
import type { Context } from 'hono';

export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema } },
});

export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { 'application/json': { schema } },
});

export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: ProblemSchema } },
});

export const stream = (description: string) => ({
  description,
  content: { 'text/event-stream': { schema: z.string() } },
});

/** Any text: an id that does not exist is answered 404, whatever it looks like. */
export const IdParamSchema = z.object({ id: z.string().min(1).max(256) });

/** Each is a condition of its own, and SQLite takes a thousand of them at most. */
const MOST_REPEATED = 50;

/** A list in the query: `a,b`, or repeated. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',') : value),
    z.array(item).max(MOST_REPEATED).optional(),
  );

/** A query that may be repeated: one value is a list of one. */
export const repeatable = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? [value] : value),
    z.array(item).max(MOST_REPEATED).optional(),
  );

const MOST_LISTED = 500;
const DEFAULT_LISTED = 100;

/** What every list's query holds. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(MOST_LISTED).default(DEFAULT_LISTED),
  after: z.string().min(1).max(1024).optional().openapi({ description: 'the `next` of the page before' }),
};

export const notModified = { description: 'Nothing has changed since the given ETag' };

const opaque = (tag: string) => tag.trim().replace(/^W\//, '');

/** True if the client holds what `etag` names (RFC 9110 §13.1.2, weak comparison). */
export function holds(context: Context, etag: string): boolean {
  const header = context.req.header('if-none-match');
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((tag) => opaque(tag) === opaque(etag));
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without the keys that are undefined. */
export function definedOnly<T extends object>(value: T): Partial<Defined<T>> & Pick<T, RequiredKeys<T>> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never;
}

type RequiredKeys<T> = { [K in keyof T]-?: undefined extends T[K] ? never : K }[keyof T];
