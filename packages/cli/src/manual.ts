/**
 * The part of a command's help that commander does not know: what is guaranteed, what each exit code says, examples.
 * Guarantees: text fits the terminal; examples are printed as they are, to be copied.
 */
import type { Command } from 'commander';
import { exitCodes } from './exit-codes.ts';
import { wrapText } from './render.ts';

export interface Manual {
  /** Paragraphs. */
  guarantees: readonly string[];
  /** What the exit codes say of this command; absent for one that only has subcommands. */
  exits?: Exits;
  /** Each line as it would be typed, remarks included. */
  examples: readonly [string, string, ...string[]];
}

interface Exits {
  ok: string;
  /** Default: that the service could not be reached, or is in trouble. */
  failed?: string;
  /** 4. Absent: the command asks nobody who could refuse. */
  refused?: string;
  /** 75. Absent: nothing is left in doubt. */
  unknown?: string;
  /** The rest, e.g. those of a task. */
  more?: readonly (readonly [code: string, says: string])[];
}

const MOST_WIDTH = 100;
const INDENT = '  ';
const CODE_WIDTH = 7;

export function addManual(command: Command, manual: Manual): void {
  command.addHelpText('after', (context) => {
    const width = context.command.configureOutput().getOutHelpWidth?.() ?? MOST_WIDTH;
    return manualText(manual, Math.min(width, MOST_WIDTH));
  });
}

function manualText({ guarantees, exits, examples }: Manual, width: number): string {
  const lines = ['', 'Guarantees:'];
  for (const paragraph of guarantees) lines.push(...indented(paragraph, width));
  if (exits !== undefined) {
    lines.push('', 'Exit codes:');
    for (const [code, says] of exitLines(exits)) {
      const [first = '', ...others] = wrapText(says, width - INDENT.length - CODE_WIDTH);
      lines.push(INDENT + code.padEnd(CODE_WIDTH) + first);
      lines.push(...others.map((line) => ' '.repeat(INDENT.length + CODE_WIDTH) + line));
    }
  }
  lines.push('', 'Examples:', ...examples.map((line) => INDENT + line));
  return lines.join('\n');
}

function indented(paragraph: string, width: number): string[] {
  return wrapText(paragraph, width - INDENT.length).map((line) => INDENT + line);
}

function exitLines({ ok, failed, refused, unknown, more = [] }: Exits): (readonly [string, string])[] {
  const known = [
    [exitCodes.ok, ok],
    [exitCodes.failed, failed ?? 'failed: the service cannot be reached, or is in trouble'],
    [exitCodes.usage, 'the command line or the configuration is wrong; nothing was asked of anyone'],
    [exitCodes.refused, refused],
    [exitCodes.unknown, unknown],
  ] as const;
  const told = known.flatMap(([code, says]) => (says === undefined ? [] : [[String(code), says] as const]));
  return [...told, ...more];
}
