/**
 * Labels in rows and in the rail. Guarantees: pure; in a row the title comes first: a label is shown only if all of the title
 * is, as far as the widths of letters can be guessed.
 */

export interface LabelCount {
  /** `key=value`. */
  label: string;
  tasks: number;
}

export function labelsOf(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}

/** As many of the most frequent are read. */
export const MOST_LABELS = 30;

/**
 * The counts with those of further tasks; each label keeps its place, new ones come last. Where not all labels were read,
 * how many tasks have one that was not is not known.
 */
export function raisedLabels(
  read: readonly LabelCount[],
  further: Iterable<readonly string[]>,
): readonly LabelCount[] {
  const counts = new Map(read.map(({ label, tasks }) => [label, tasks]));
  for (const label of Array.from(further).flat()) {
    const known = counts.get(label) ?? (read.length < MOST_LABELS ? 0 : undefined);
    if (known !== undefined) counts.set(label, known + 1);
  }
  return Array.from(counts, ([label, tasks]) => ({ label, tasks }));
}

/** About the width of a letter (px) of a title, of a command line, and of a label. */
const TITLE_PX = 7.2;
const MONO_PX = 7.4;
const LABEL_PX = 6.2;
const LABEL_EDGE_PX = 20;
const MOST_LABEL_PX = 146;
/** The chip that says how many more there are. */
const MORE_PX = 36;

export interface LabelRoom {
  name: string;
  isMono: boolean;
  labels: readonly string[];
  /** Badges, which are always shown. */
  badges: readonly string[];
  /** Of the whole cell. */
  roomPx: number;
}

/** How many of `labels`, from the first on, stand in the row. */
export function countFitting({ name, isMono, labels, badges, roomPx }: LabelRoom): number {
  const badgesPx = badges.reduce((sum, text) => sum + text.length * LABEL_PX + LABEL_EDGE_PX, 0);
  let leftPx = roomPx - name.length * (isMono ? MONO_PX : TITLE_PX) - badgesPx;
  let fitting = 0;
  for (const label of labels) {
    leftPx -= Math.min(MOST_LABEL_PX, label.length * LABEL_PX + LABEL_EDGE_PX);
    const isLast = fitting === labels.length - 1;
    if (leftPx < (isLast ? 0 : MORE_PX)) break;
    fitting += 1;
  }
  return fitting;
}
