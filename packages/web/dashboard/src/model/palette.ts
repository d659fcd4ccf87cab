/**
 * Finding a command by a few letters. Guarantees: pure; an entry is found exactly if all words of the query occur in it,
 * whatever the case; better matches come first, equal ones stay in their order.
 */

export interface PaletteEntry {
  id: string;
  /** What it does or where it goes. */
  name: string;
  /** The group, in a word: `View`, `Session`, `Action`. */
  kind: string;
  /** Beside the name: an id, a count, a key. */
  detail?: string;
}

export function findEntries<T extends PaletteEntry>(entries: readonly T[], query: string, most: number): T[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return entries.slice(0, most);
  const found = entries
    .map((entry) => ({ entry, score: scoreOf(entry, words) }))
    .filter(({ score }) => score > 0);
  return found
    .toSorted((a, b) => b.score - a.score)
    .slice(0, most)
    .map(({ entry }) => entry);
}

/** 0 for no match. The beginning of the name counts most, the beginning of a word more than its middle. */
function scoreOf({ name, kind, detail = '' }: PaletteEntry, words: readonly string[]): number {
  const inName = name.toLowerCase();
  const inAll = `${inName} ${kind.toLowerCase()} ${detail.toLowerCase()}`;
  let score = 0;
  for (const word of words) {
    if (!inAll.includes(word)) return 0;
    if (inName.startsWith(word)) score += 8;
    else if (inName.includes(` ${word}`)) score += 4;
    else if (inName.includes(word)) score += 2;
    else score += 1;
  }
  return score;
}
