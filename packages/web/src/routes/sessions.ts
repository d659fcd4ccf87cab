/** Sessions: `/api/sessions`. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { ProblemError, SessionIdSchema, ShownSessionSchema, TitleSchema } from '@holdfast/shared';
import { pageOf, type Reads } from '../reads.ts';
import type { SessionStore } from '../session-store.ts';
import {
  definedOnly,
  holds,
  IdParamSchema,
  json,
  jsonBody,
  listOf,
  notModified,
  pageQuery,
  problem,
} from './answers.ts';

export interface SessionRoutesOptions {
  store: SessionStore;
  reads: Reads;
  now: () => number;
}

const ListQuerySchema = z.strictObject({
  archived: z
    .enum(['true', 'false'])
    .optional()
    .transform((value) => (value === undefined ? undefined : value === 'true')),
  q: z.string().max(500).optional().openapi({ description: 'anywhere in title or id, whatever the case' }),
  ids: listOf(SessionIdSchema).openapi({
    description:
      'only these, comma-separated, at most 50; with it nothing else restricts, and there is one page',
  }),
  ...pageQuery,
});

const list = createRoute({
  method: 'get',
  path: '/api/sessions',
  summary: 'Sessions, newest activity first',
  request: { query: ListQuerySchema },
  responses: {
    200: json(
      z.object({ items: z.array(ShownSessionSchema), next: z.string().optional(), cursor: z.string() }),
      'One page, and the cursor from which the feed goes on',
    ),
    304: notModified,
    422: problem('invalid'),
  },
});

const read = createRoute({
  method: 'get',
  path: '/api/sessions/{id}',
  summary: 'One session',
  request: { params: IdParamSchema },
  responses: {
    200: json(ShownSessionSchema, 'The session'),
    304: notModified,
    404: problem('no_such_session'),
  },
});

const change = createRoute({
  method: 'patch',
  path: '/api/sessions/{id}',
  summary: 'Rename, archive or unarchive a session',
  request: {
    params: IdParamSchema,
    body: jsonBody(
      z
        .strictObject({ title: TitleSchema.optional(), archived: z.boolean().optional() })
        .refine((body) => Object.keys(body).length > 0, 'give title, archived or both'),
    ),
  },
  responses: {
    200: json(ShownSessionSchema, 'The session'),
    404: problem('no_such_session'),
    422: problem('invalid'),
  },
});

export function addSessionRoutes(app: OpenAPIHono, { store, reads, now }: SessionRoutesOptions): void {
  app.openapi(list, async (context) => {
    const etag = reads.etag();
    if (holds(context, etag)) return context.body(null, 304, { etag });
    const { limit, after, ids, ...filter } = context.req.valid('query');
    if (ids !== undefined) {
      const cursor = reads.cursor();
      const named = await Promise.all([...new Set(ids)].map((id) => store.session(id)));
      return context.json({ items: named.filter((session) => session !== undefined), cursor }, 200, { etag });
    }
    const page = await pageOf(store.sessions(definedOnly(filter), definedOnly({ limit, after })));
    return context.json(page, 200, { etag });
  });

  app.openapi(read, async (context) => {
    const etag = reads.etag();
    const { id } = context.req.valid('param');
    const session = (await store.session(id)) ?? noSuchSession(id);
    if (holds(context, etag)) return context.body(null, 304, { etag });
    return context.json(session, 200, { etag });
  });

  app.openapi(change, async (context) => {
    const { id } = context.req.valid('param');
    const session = await store.renameSession(id, definedOnly(context.req.valid('json')), now());
    return context.json(session ?? noSuchSession(id), 200);
  });
}

function noSuchSession(id: string): never {
  throw new ProblemError('no_such_session', `There is no session ${id}.`);
}
