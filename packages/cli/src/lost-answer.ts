/**
 * Requests that may have arrived and whose answer did not. Guarantees: what became of one is said to be unknown (exit
 * code 75), with what to do; an error that tells what became of it is left as it is.
 */
import { CliError } from './cli-error.ts';
import { type Client, UnreachableError } from './client.ts';
import { exitCodes } from './exit-codes.ts';

/** What to throw instead of `error`. `whether`: what is not known, as in "whether … is not known". */
export function afterLostAnswer(
  client: Client,
  error: unknown,
  { whether, hint }: { whether: string; hint: string },
): unknown {
  if (!(error instanceof UnreachableError) || !error.wasSent) return error;
  return new CliError(`${client.name} did not answer (${error.why}): whether ${whether} is not known`, {
    exitCode: exitCodes.unknown,
    hint,
    cause: error,
  });
}
