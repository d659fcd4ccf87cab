/**
 * Errors as both services answer them: `application/problem+json` (RFC 9457) with a literal `code`.
 *
 * A refused request changes nothing, and a problem never carries a stack trace, a path of the service or a
 * secret: what is not a `ProblemError` is answered as a bare `internal`.
 */
import { z } from '@hono/zod-openapi';

/** Every code that a service answers, with its status and title. */
export const problemTypes = {
  malformed_json: [400, 'The body is not valid JSON'],
  bad_request: [400, 'The request cannot be understood'],
  unauthorized: [401, 'A valid token is needed'],
  foreign_host: [403, 'This host name is not allowed'],
  foreign_origin: [403, 'This origin is not allowed'],
  no_such_route: [404, 'There is no such route'],
  no_such_task: [404, 'There is no such task'],
  no_such_session: [404, 'There is no such session'],
  no_such_agent: [404, 'There is no such agent'],
  no_such_channel: [404, 'There is no such notification channel'],
  no_such_attempt: [404, 'There is no such attempt'],
  method_not_allowed: [405, 'This route does not take this method'],
  task_conflict: [409, 'This id belongs to another task'],
  already_ended: [409, 'The task has already ended'],
  not_ended: [409, 'The task has not ended yet'],
  not_unknown: [409, 'The task is not unknown'],
  attempt_changed: [409, 'Another attempt is the current one'],
  not_claimable: [409, 'The task is not being worked on'],
  claim_lost: [409, 'This claim is no longer the current one'],
  agent_conflict: [409, 'An agent of this name or id is already known'],
  too_large: [413, 'The body is larger than 1 MiB'],
  unsupported_media_type: [415, 'The body must be application/json'],
  range_not_satisfiable: [416, 'The output has no such offset'],
  invalid: [422, 'The request is not valid'],
  rate_limited: [429, 'Too many failed attempts'],
  internal: [500, 'Something went wrong inside'],
  bad_agent: [502, 'The agent gave an answer that cannot be used'],
  queue_full: [503, 'The queue is full'],
  agent_unreachable: [503, 'The agent cannot be reached'],
  stopping: [503, 'The service is stopping'],
  journal_full: [507, 'The journal cannot be written'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof problemTypes;

export const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string(),
    code: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
    taskStatus: z.string().optional().openapi({ description: 'with already_ended: how the task ended' }),
  })
  .openapi('Problem');
export type Problem = z.infer<typeof ProblemSchema>;

export interface ProblemOptions {
  /** The methods that the route takes, for `Allow` (RFC 9110 §15.5.6). */
  allow?: readonly string[];
  errors?: Problem['errors'];
  /** Further members of the problem (RFC 9457 §3.2), e.g. the status of an ended task. */
  extra?: { taskStatus?: string };
  /** `Retry-After`, in seconds. */
  retryAfterSeconds?: number;
  cause?: unknown;
}

/** A refusal that may be told to the caller: `detail` says what is wrong and what to do. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly options: ProblemOptions;

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ProblemError';
    this.code = code;
    this.status = problemTypes[code][0];
    this.options = options;
  }

  /** The body of the answer to a request for `instance` (its path). */
  toProblem(instance: string): Problem {
    const [status, title] = problemTypes[this.code];
    const { errors, extra } = this.options;
    return {
      type: `urn:holdfast:problem:${this.code}`,
      title,
      status,
      detail: this.message,
      instance,
      code: this.code,
      ...(errors === undefined ? {} : { errors }),
      ...extra,
    };
  }
}

/** Whether `error` carries this literal code, as the errors of Node and of SQLite do. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** The text of anything thrown, for a log or an `attention`; never for a client that is not signed in. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
