/**
 * Requests that may have been carried out and whose answer did not arrive. Guarantees: what became of one is said to
 * be unknown (exit code 75), with what to do; an error that tells what became of it is left as it is.
 */
import type { Client } from './client.ts';
import { LostAnswerError, RefusedError, UnreachableError } from './service-error.ts';

export interface LostAnswer {
  /** What is not known, as in "whether … is not known". */
  whether: string;
  /** What to do. */
  hint: string;
  /** Web passes the request on to an agent: the answer may be lost between these two as well. */
  isPassedOn?: boolean;
}

/** What to throw instead of `error`. */
export function afterLostAnswer(
  client: Client,
  error: unknown,
  { whether, hint, isPassedOn = false }: LostAnswer,
): unknown {
  const why = whyLost(client, error, isPassedOn);
  if (why === undefined) return error;
  return new LostAnswerError(`${why}: whether ${whether} is not known`, { hint, cause: error });
}

/** A service that failed inside cannot say how far it had come. */
const inDoubt = new Set(['internal']);
const inDoubtBehindWeb = new Set(['internal', 'agent_unreachable', 'bad_agent']);

function whyLost(client: Client, error: unknown, isPassedOn: boolean): string | undefined {
  if (error instanceof UnreachableError)
    return error.wasSent ? `${client.name} did not answer (${error.why})` : undefined;
  if (!(error instanceof RefusedError)) return undefined;
  const codes = isPassedOn && client.kind === 'web' ? inDoubtBehindWeb : inDoubt;
  return codes.has(error.problem.code) ? error.message.replace(/\.$/, '') : undefined;
}

/** `act`, whose lost answer is told as `lost` says. */
export async function askOnce<T>(client: Client, lost: LostAnswer, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw afterLostAnswer(client, error, lost);
  }
}
