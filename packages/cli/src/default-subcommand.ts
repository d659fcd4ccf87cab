/**
 * `holdfast sessions` means `holdfast sessions list`. Guarantees: only where nothing that could be a subcommand
 * follows: to commander a mistyped one would be an argument of the default, and not be recognised as a mistake.
 */
import type { Invocation } from './invocation.ts';

/** What to give the default subcommand of `name` as its options. */
export function defaultOf(invocation: Invocation, name: string): { isDefault: boolean } {
  const { argv } = invocation.io;
  const next = argv[argv.indexOf(name) + 1];
  return { isDefault: next === undefined || (next.startsWith('-') && next !== '-h' && next !== '--help') };
}
