/**
 * How many labels a row has room for. Guarantees: pure; the title comes first: a label is shown only if all of the title
 * is, as far as the widths of letters can be guessed.
 */

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
