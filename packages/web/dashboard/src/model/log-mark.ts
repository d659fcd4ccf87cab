/**
 * A place in a log as the end of an address: `#L120`, `#L120-L140`, and, where lines are not numbered because what is
 * before them was not read, `#B1048576`. Guarantees: pure; `markFromHash(markToHash(m))` is `m`.
 */
export type LogMark = { kind: 'lines'; from: number; to: number } | { kind: 'byte'; offset: number };

export function markFromHash(hash: string): LogMark | undefined {
  const [, first, last, offset] = /^#(?:L(\d{1,10})(?:-L?(\d{1,10}))?|B(\d{1,15}))$/.exec(hash) ?? [];
  if (offset !== undefined) return { kind: 'byte', offset: Number(offset) };
  if (first === undefined || Number(first) === 0) return undefined;
  const ends = [Number(first), Math.max(1, Number(last ?? first))];
  return { kind: 'lines', from: Math.min(...ends), to: Math.max(...ends) };
}

export function markToHash(mark: LogMark): string {
  if (mark.kind === 'byte') return `#B${mark.offset}`;
  return mark.from === mark.to ? `#L${mark.from}` : `#L${mark.from}-L${mark.to}`;
}

/** The mark grown to `line`, as shift-click does. */
export function extendMark(mark: LogMark | undefined, line: number): LogMark {
  const from = mark?.kind === 'lines' ? mark.from : line;
  return { kind: 'lines', from: Math.min(from, line), to: Math.max(from, line) };
}

/** `line 7`, `lines 7 to 9`, `byte 1048576`. */
export function markText(mark: LogMark): string {
  if (mark.kind === 'byte') return `byte ${mark.offset}`;
  return mark.from === mark.to ? `line ${mark.from}` : `lines ${mark.from} to ${mark.to}`;
}
