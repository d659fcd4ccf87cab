/**
 * Tables. Guarantees: on a terminal a table gives way to its width (columns are cut; where even their least does not fit,
 * the least wanted are left out first), and says more with shape and word than with colour; elsewhere columns are plain,
 * whole and aligned by spaces. Widths are of columns on screen, not of code units.
 */
import { styleText } from 'node:util';
import type { Output } from './io.ts';

export type Style = 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'dim' | 'bold';
export type Paint = (style: Style, text: string) => string;

/** Colours are for terminals that want them (https://no-color.org). */
export function canColor(output: Output, env: NodeJS.ProcessEnv, wanted: boolean): boolean {
  return output.isTTY === true && wanted && !env.NO_COLOR && env.TERM !== 'dumb';
}

export function painter(isColored: boolean): Paint {
  return isColored
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text;
}

export interface Column {
  head: string;
  /** Numbers are aligned to the right. */
  align?: 'right';
  /** May be cut to this many columns on a terminal that is too narrow; absent: never. */
  least?: number;
  /** Gives only when no other may, and after all have gone that may be left out. */
  givesLast?: boolean;
  /** Is left out of a terminal on which even the least does not fit: the lowest number goes first. */
  dropAt?: number;
}

/** A cell's text, and how it is painted. */
export type Cell = string | { text: string; style: Style };

export interface TableOptions {
  columns: readonly Column[];
  rows: readonly (readonly Cell[])[];
  paint: Paint;
  /** Columns of the terminal; absent: nothing is cut. */
  width?: number | undefined;
}

const GAP = '  ';

/** Lines without a newline at the end. The last column is not padded. */
export function renderTable({ columns, rows, paint, width }: TableOptions): string {
  const all = [columns.map((column): Cell => ({ text: column.head, style: 'dim' })), ...rows];
  const widths = columns.map((_, index) => Math.max(...all.map((row) => textWidth(cellText(row[index])))));
  if (width === undefined) return all.map((row) => renderRow(row, columns, widths, paint)).join('\n');
  const kept = chooseColumns(columns, widths, width);
  const shown = kept.map((index) => columns[index]!);
  const shownWidths = kept.map((index) => widths[index]!);
  shrink(shownWidths, shown, width);
  return all
    .map((row) => kept.map((index) => row[index] ?? ''))
    .map((row) => renderRow(row, shown, shownWidths, paint))
    .join('\n');
}

/** The columns, by index, that fit at their least; or all that must not be left out. */
function chooseColumns(columns: readonly Column[], widths: readonly number[], width: number): number[] {
  let kept = columns.map((_, index) => index);
  const leastOf = (index: number): number => {
    const { head, least, givesLast } = columns[index]!;
    return least === undefined || givesLast === true
      ? widths[index]!
      : Math.min(widths[index]!, Math.max(least, textWidth(head)));
  };
  const leastWidth = (): number =>
    kept.reduce((sum, index) => sum + leastOf(index), 0) + GAP.length * (kept.length - 1);
  const droppable = kept
    .filter((index) => columns[index]!.dropAt !== undefined)
    .toSorted((a, b) => columns[a]!.dropAt! - columns[b]!.dropAt!);
  for (const index of droppable) {
    if (leastWidth() <= width) break;
    kept = kept.filter((one) => one !== index);
  }
  return kept;
}

function renderRow(row: readonly Cell[], columns: readonly Column[], widths: number[], paint: Paint): string {
  const cells = columns.map((column, index) => {
    const cell = row[index] ?? '';
    const text = cutText(cellText(cell), widths[index]!);
    const space = ' '.repeat(widths[index]! - textWidth(text));
    const painted = typeof cell === 'string' || text === '' ? text : paint(cell.style, text);
    if (column.align === 'right') return space + painted;
    return index === columns.length - 1 ? painted : painted + space;
  });
  return cells.join(GAP).trimEnd();
}

/** Takes from the widest column that may give, one at a time, until the row fits or nobody may give. */
function shrink(widths: number[], columns: readonly Column[], width: number): void {
  let excess = widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1) - width;
  for (; excess > 0; excess -= 1) {
    let widest = -1;
    const may = givers(widths, columns);
    for (const index of may) if (widest < 0 || widths[index]! > widths[widest]!) widest = index;
    if (widest < 0) return;
    widths[widest]! -= 1;
  }
}

/** The columns that may be cut further, those that give last only if there are no others. */
function givers(widths: readonly number[], columns: readonly Column[]): number[] {
  const may = [...columns.keys()].filter((index) => {
    const { least, head } = columns[index]!;
    return least !== undefined && widths[index]! > Math.max(least, textWidth(head));
  });
  const first = may.filter((index) => columns[index]!.givesLast !== true);
  return first.length > 0 ? first : may;
}

/** `name  value` lines, names aligned. Values are printed whole. */
export function renderFields(
  fields: readonly (readonly [name: string, value: string])[],
  paint: Paint,
): string {
  const width = Math.max(...fields.map(([name]) => textWidth(name)));
  return fields
    .map(([name, value]) =>
      `${paint('dim', name)}${' '.repeat(width - textWidth(name))}${GAP}${value}`.trimEnd(),
    )
    .join('\n');
}

/** Lines of at most `width` columns, broken at spaces; a word that is longer stands alone, whole. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && textWidth(line) + 1 + textWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function cellText(cell: Cell | undefined): string {
  return typeof cell === 'object' ? cell.text : (cell ?? '');
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
const wide =
  /\p{Emoji_Presentation}|\u{FE0F}|[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]/u;
const invisible = /^[\p{M}\p{Cf}]+$/u;
const ascii = /^[\x20-\x7e]*$/;

/** How many columns a terminal needs for a line without escape sequences. */
export function textWidth(text: string): number {
  if (ascii.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += graphemeWidth(segment);
  return width;
}

function graphemeWidth(segment: string): number {
  if (invisible.test(segment)) return 0;
  return wide.test(segment) ? 2 : 1;
}

/** At most `width` columns of the text; what was cut is marked. */
export function cutText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let kept = '';
  let used = 1;
  for (const { segment } of segmenter.segment(text)) {
    used += graphemeWidth(segment);
    if (used > width) break;
    kept += segment;
  }
  return `${kept}…`;
}
