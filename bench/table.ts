/** What a question of the benchmarks answers, and how it is printed. */

interface Row {
  contestant: string;
  /** With its unit, e.g. `1.2 M/s`. */
  figure: string;
  /** What is compared, in words: the ratio or the figure that the goal speaks of. */
  compared?: string;
  /** Absent for a baseline. */
  goal?: { text: string; reached: boolean };
}

export interface Table {
  question: string;
  rows: Row[];
  /** What a reader must know to judge the figures. */
  notes: string[];
}

const HEADER = ['contestant', 'figure', 'compared', 'goal', 'reached'];

/** The table as text, in columns. */
export function formatTable(table: Table): string {
  const cells = table.rows.map((row) => [
    row.contestant,
    row.figure,
    row.compared ?? '',
    row.goal?.text ?? '',
    row.goal === undefined ? '' : row.goal.reached ? 'yes' : 'no',
  ]);
  const lines = [HEADER, ...cells];
  const widths = HEADER.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const format = (line: string[]) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [
    table.question,
    '',
    format(HEADER),
    rule,
    ...cells.map(format),
    ...table.notes.map((note) => `· ${note}`),
    '',
  ].join('\n');
}
