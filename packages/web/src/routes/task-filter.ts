/** Which tasks are meant: the same fields in the list's query and in a bulk action's body. */
import { z } from '@hono/zod-openapi';
import { ProblemError, SessionIdSchema, shownStatuses } from '@holdfast/shared';
import type { Agents } from '../agents.ts';
import { type NumberTest, type TaskFilter, taskMarks } from '../session-store.ts';
import { definedOnly, listOf, repeatable } from './answers.ts';

const plainFields = {
  status: listOf(z.enum(shownStatuses)).openapi({ description: 'one or more, comma-separated' }),
  sessionId: SessionIdSchema.optional(),
  agent: z.string().min(1).max(256).optional().openapi({ description: 'id or name' }),
  queue: z.string().min(1).max(64).optional(),
  label: repeatable(z.string().min(1).max(320)).openapi({
    description: '`key` or `key=value`; repeat it for several',
  }),
  q: z
    .string()
    .max(500)
    .optional()
    .openapi({ description: 'anywhere in title, command, id or session, whatever the case' }),
};

const numberTest = (what: string) =>
  z
    .union([
      z.number().int(),
      z.string().regex(/^[<>!]?\d{1,9}$/, 'must be a number, or <, > or ! and a number'),
    ])
    .optional()
    .openapi({ type: 'string', description: what, example: '>1' });

export const filterFields = {
  ...plainFields,
  is: listOf(z.enum(taskMarks)).openapi({
    description:
      'all of them: `needsYou` (unknown, or one of the next three), `stale` (nobody seems to work on it), `attention`, ' +
      '`refused`, `pending`',
  }),
  // Not coerced: null, false and nothing at all would mean every time there was.
  since: z
    .union([
      z.int().min(0),
      z
        .string()
        .regex(/^\d{1,15}$/, 'must be a time in ms')
        .transform(Number),
    ])
    .optional()
    .openapi({ type: 'integer', description: 'not ended, or ended at this time (ms) or later' }),
  attempt: numberTest('its number'),
  exit: numberTest('the exit code'),
};

export type FilterFields = z.infer<z.ZodObject<typeof filterFields>>;

/**
 * The store's filter, its marks as of `now`. An agent that nobody has finds nothing; a name that several have is
 * refused (`ProblemError` `invalid`), as it could mean any of them.
 */
export function toFilter(agents: Pick<Agents, 'find'>, fields: FilterFields, now: number): TaskFilter {
  const { agent, label, is, attempt, exit, ...rest } = fields;
  const found = agent === undefined ? undefined : agents.find(agent);
  if (found?.outcome === 'ambiguous') throw invalidAgent('filter', manyCalled(agent!));
  return definedOnly({
    ...rest,
    agentId: found?.outcome === 'found' ? found.view.id : agent,
    labels: label,
    marks: is === undefined ? undefined : { is, at: now },
    attempt: toNumberTest(attempt),
    exitCode: toNumberTest(exit),
  });
}

function toNumberTest(asked: string | number | undefined): NumberTest | undefined {
  if (asked === undefined) return undefined;
  const text = String(asked);
  const op = text[0] === '<' || text[0] === '>' || text[0] === '!' ? text[0] : '=';
  return { op, value: Number(op === '=' ? text : text.slice(1)) };
}

/** The id of the agent that a request's body names at `/agent`. Throws `ProblemError` `invalid`. */
export function namedAgent(agents: Pick<Agents, 'find'>, reference: string): string {
  const found = agents.find(reference);
  if (found.outcome === 'found') return found.view.id;
  if (found.outcome === 'none') throw noSuchAgent(reference, '/agent');
  throw invalidAgent('body', manyCalled(reference));
}

/** Nobody has the id or name that stands at `pointer` of a body. */
export function noSuchAgent(reference: string, pointer: string): ProblemError {
  return invalidAgent('body', `no agent has the id or name "${reference}"`, pointer);
}

function manyCalled(name: string): string {
  return `more than one agent is called "${name}"; give its id`;
}

function invalidAgent(what: 'body' | 'filter', detail: string, pointer = '/agent'): ProblemError {
  return new ProblemError('invalid', `The ${what} is not valid: ${pointer} ${detail}`, {
    errors: [{ pointer, detail }],
  });
}
