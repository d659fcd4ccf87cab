/**
 * The word that was meant. Guarantees: what other programs call it, else one that is near enough to be a slip of the
 * fingers, or none.
 */
import { type CliError, usageError } from './cli-error.ts';

/** Commander's bounds for its own words: at most three slips, and more than 40 % alike. */
const MOST_SLIPS = 3;
const LEAST_ALIKE = 0.4;

/**
 * Words of other programs, where the nearest letters would lead elsewhere. Of those meant, the ones that there are
 * stand to choice; none at all: no letters are near to what has no counterpart.
 */
const synonyms: Readonly<Record<string, readonly string[]>> = {
  ps: ['list', 'status'],
  ls: ['list', 'status', 'show'],
  kill: ['cancel'],
  stop: ['cancel', 'pause'],
  rm: ['remove', 'cancel'],
  delete: ['remove', 'cancel', 'archive'],
  start: ['up', 'run', 'resume'],
  exec: ['run'],
  submit: ['run'],
  log: ['logs'],
  tail: ['logs'],
  history: ['events'],
  status: ['list', 'stats', 'show'],
  top: ['watch'],
  // Ctrl-C is what ends it; its help says so.
  down: ['help up'],
  version: ['--version'],
  tcsh: [],
  csh: [],
  ksh: [],
};

export function nearestWord(word: string, choices: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let fewest = MOST_SLIPS + 1;
  for (const choice of choices) {
    const slips = countSlips(word.toLowerCase(), choice.toLowerCase());
    const alike = 1 - slips / Math.max(word.length, choice.length);
    if (slips < fewest && alike > LEAST_ALIKE) [nearest, fewest] = [choice, slips];
  }
  return nearest;
}

/** A usage error: there is no such `what`, with the word that was meant and those that there are. */
export function unknownWord(what: string, word: string, choices: readonly string[]): CliError {
  return usageError(
    `there is no ${what} "${word}"${meantText(word, choices)}`,
    `There are: ${choices.join(', ')}`,
  );
}

/** A line to be put behind an error, as commander puts it; empty where no word is near. */
export function meantText(word: string, choices: readonly string[]): string {
  const meant = meantWords(word, choices);
  return meant.length === 0 ? '' : `\n(Did you mean ${meant.join(' or ')}?)`;
}

function meantWords(word: string, choices: readonly string[]): string[] {
  const known = Object.hasOwn(synonyms, word) ? synonyms[word]! : undefined;
  const there = known?.filter((one) => choices.includes(one)) ?? [];
  if (there.length > 0) return there;
  if (known?.length === 0) return [];
  const nearest = nearestWord(word, choices);
  return nearest === undefined ? [] : [nearest];
}

/** Letters put in, left out, changed or swapped with their neighbour (Damerau 1964, optimal string alignment). */
function countSlips(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let slips = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) slips = Math.min(slips, rows[i - 2]![j - 2]! + 1);
      row.push(slips);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
