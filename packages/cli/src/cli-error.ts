/**
 * An error that ends a command: what happened, what to do about it, and the exit code. Both texts are for people,
 * one line each.
 */
import { exitCodes } from './exit-codes.ts';

export interface CliErrorOptions {
  /** What to do next. */
  hint?: string;
  exitCode?: number;
  cause?: unknown;
}

export class CliError extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, options: CliErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? exitCodes.failed;
  }
}

/** The command line cannot be meant: exit code 2. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError(message, { exitCode: exitCodes.usage, ...(hint === undefined ? {} : { hint }) });
}

/** Where the configuration is not valid `config show` itself cannot go on. */
export const CONFIG_HINT =
  'Correct it there, or unset it. What each setting takes: holdfast config show --help';

/** The text of anything thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The literal code of an error of Node's, e.g. `ENOENT`; empty if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
