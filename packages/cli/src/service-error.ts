/**
 * What a service, or the lack of an answer from it, means for a command.
 *
 * Guarantees: a refusal is told in the service's own words; where no usable answer came, the error says whether the
 * request may have been carried out all the same.
 */
import { CliError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import { isObject, parseObject } from './json.ts';
import { mayHaveArrived, type NoAnswer } from '@holdfast/shared/no-answer';
import { plainText } from './words.ts';

/** A refusal as the service worded it (RFC 9457). */
export interface ProblemBody {
  status: number;
  code: string;
  detail: string;
  errors: Fault[];
}

interface Fault {
  pointer: string;
  detail: string;
}

/** The service answered with a problem. 4xx: nothing was changed, exit code 4; else it is in trouble, exit code 1. */
export class RefusedError extends CliError {
  readonly problem: ProblemBody;

  /** `message`: instead of the service's own words. */
  constructor(problem: ProblemBody, options: { message?: string; hint?: string | undefined } = {}) {
    super(options.message ?? refusalText(problem), {
      exitCode: problem.status < 500 ? exitCodes.refused : exitCodes.failed,
      ...(options.hint === undefined ? {} : { hint: options.hint }),
    });
    this.name = 'RefusedError';
    this.problem = problem;
  }
}

/** No usable answer. `wasSent`: the request may have arrived, and may have been carried out. */
export class UnreachableError extends CliError {
  readonly wasSent: boolean;
  readonly why: string;

  constructor(service: string, { kind, text }: NoAnswer, options: { hint: string; cause: unknown }) {
    super(`${service} ${kind === 'silent' ? 'does not answer' : 'cannot be reached'}: ${text}`, options);
    this.name = 'UnreachableError';
    this.wasSent = mayHaveArrived(kind);
    this.why = text;
  }
}

/** What became of a request is not known: exit code 75. */
export class LostAnswerError extends CliError {
  constructor(message: string, options: { hint: string; cause: unknown }) {
    super(message, { ...options, exitCode: exitCodes.unknown });
    this.name = 'LostAnswerError';
  }
}

/**
 * An error of one of several, as `--json` tells it. `code` is the service's own, or says that no answer came:
 * `answer_lost` (the request may have arrived), `unreachable` (it was not sent).
 */
export interface ProblemReport {
  code?: string;
  status?: number;
  detail: string;
}

export function reportOf(error: CliError): ProblemReport {
  if (error instanceof LostAnswerError) return { code: 'answer_lost', detail: error.message };
  if (error instanceof UnreachableError)
    return { code: error.wasSent ? 'answer_lost' : 'unreachable', detail: error.message };
  if (!(error instanceof RefusedError)) return { detail: error.message };
  const { code, status } = error.problem;
  return { code, status, detail: error.message };
}

/** The problem in an answer's body; undefined for an answer that is not the service's own. */
export function readProblem(status: number, text: string): ProblemBody | undefined {
  const { code, detail, errors } = parseObject(text) ?? {};
  if (typeof code !== 'string' || typeof detail !== 'string') return undefined;
  return { status, code, detail, errors: Array.isArray(errors) ? errors.filter(isFault) : [] };
}

function isFault(value: unknown): value is Fault {
  return isObject(value) && typeof value.pointer === 'string' && typeof value.detail === 'string';
}

function refusalText({ detail, errors }: ProblemBody): string {
  // The first fault is in the detail already.
  const others = errors.slice(1).map((error) => `${error.pointer} ${error.detail}`);
  return plainText([detail, ...others].join('; '));
}
