/** Which tasks are meant: the same fields in the list's query and in a bulk action's body. */
import { z } from '@hono/zod-openapi';
import { ProblemError, SessionIdSchema, type ShownAgent, shownStatuses } from '@holdfast/shared';
import type { Agents } from '../agents.ts';
import {
  type MarkTest,
  type NumberTest,
  type TaskExclusions,
  type TaskFilter,
  type TaskMark,
  taskMarks,
} from '../session-store.ts';
import { definedOnly, listOf, repeatable } from './answers.ts';

const plainFields = {
  status: listOf(z.enum(shownStatuses)).openapi({ description: 'one or more, comma-separated' }),
  sessionId: SessionIdSchema.optional(),
  agent: z.string().min(1).max(256).optional().openapi({ description: 'id or name' }),
  queue: z.string().min(1).max(64).optional(),
  retryOf: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .openapi({ description: 'made by a retry of the task with this id' }),
  label: repeatable(z.string().min(1).max(320)).openapi({
    description: '`key` or `key=value`; repeat it for several',
  }),
  q: z
    .string()
    .max(500)
    .optional()
    .openapi({ description: 'anywhere in title, command, id or session, whatever the case' }),
};

const numberText = z.string().regex(/^[<>!]?\d{1,9}$/, 'must be a number, or <, > or ! and a number');
const numberTest = (what: string) =>
  z
    .union([z.number().int(), numberText])
    .optional()
    .openapi({ type: 'string', description: what, example: '>1' });

// Not coerced: null, false and nothing at all would mean every time there was.
const timeOf = (description: string) =>
  z
    .union([
      z.int().min(0),
      z
        .string()
        .regex(/^\d{1,15}$/, 'must be a time in ms')
        .transform(Number),
    ])
    .optional()
    .openapi({ type: 'integer', description });

/** Each is the opposite of the field that it is named after; repeat it for several, none of which may hold. */
const exclusionFields = {
  notStatus: listOf(z.enum(shownStatuses)).openapi({ description: 'none of them' }),
  notSessionId: repeatable(SessionIdSchema),
  notAgent: repeatable(z.string().min(1).max(256)).openapi({ description: 'id or name' }),
  notQueue: repeatable(z.string().min(1).max(64)),
  notLabel: repeatable(z.string().min(1).max(320)).openapi({ description: '`key` or `key=value`' }),
  notIs: listOf(z.enum(taskMarks)).openapi({ description: 'none of them' }),
  notSince: timeOf('ended before this time (ms)'),
  notAttempt: repeatable(numberText),
  notExit: repeatable(numberText).openapi({ description: 'has no exit code, or another one' }),
};

export const filterFields = {
  ...plainFields,
  is: listOf(z.enum(taskMarks)).openapi({
    description:
      'all of them: `needsYou` (unknown, or one of the next three), `stale` (nobody seems to work on it), `attention`, ' +
      '`refused`, `pending`',
  }),
  since: timeOf('not ended, or ended at this time (ms) or later'),
  attempt: numberTest('its number'),
  exit: numberTest('the exit code'),
  ...exclusionFields,
};

export type FilterFields = z.infer<z.ZodObject<typeof filterFields>>;

/**
 * The store's filter, its marks as of `now`. An agent that nobody has finds nothing; a name that several have is
 * refused (`ProblemError` `invalid`), as it could mean any of them.
 */
export function toFilter(
  agents: Pick<Agents, 'find' | 'views'>,
  fields: FilterFields,
  now: number,
): TaskFilter {
  const { agent, label, is, attempt, exit, status, sessionId, queue, retryOf, q, since, notStatus } = fields;
  const marksOf = (is: TaskMark[] | undefined): MarkTest | undefined =>
    is === undefined ? undefined : definedOnly({ is, at: now, aheadMs: aheadOf(agents.views()) });
  const idOf = (name: string, pointer?: string): string => {
    const found = agents.find(name);
    if (found.outcome === 'ambiguous') throw invalidAgent('filter', manyCalled(name), pointer);
    return found.outcome === 'found' ? found.view.id : name;
  };
  const not: TaskExclusions = definedOnly({
    sessionIds: fields.notSessionId,
    agentIds: fields.notAgent?.map((name) => idOf(name, '/notAgent')),
    queues: fields.notQueue,
    labels: fields.notLabel,
    marks: marksOf(fields.notIs),
    since: fields.notSince,
    attempts: fields.notAttempt?.map(toNumberTest),
    exitCodes: fields.notExit?.map(toNumberTest),
  });
  return definedOnly({
    status:
      notStatus === undefined ? status : (status ?? shownStatuses).filter((one) => !notStatus.includes(one)),
    sessionId,
    queue,
    retryOf,
    q,
    since,
    not: Object.keys(not).length === 0 ? undefined : not,
    agentId: agent === undefined ? undefined : idOf(agent),
    labels: label,
    marks: marksOf(is),
    attempt: attempt === undefined ? undefined : toNumberTest(attempt),
    exitCode: exit === undefined ? undefined : toNumberTest(exit),
  });
}

/** Undefined where every clock agrees. */
function aheadOf(views: readonly ShownAgent[]): MarkTest['aheadMs'] {
  const ahead = views.flatMap(({ id, clockAheadMs }) =>
    clockAheadMs === undefined ? [] : [[id, clockAheadMs]],
  );
  return ahead.length === 0 ? undefined : Object.fromEntries(ahead);
}

function toNumberTest(asked: string | number): NumberTest {
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
