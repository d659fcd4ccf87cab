/** Where a text stands in styled segments. Guarantees: pure; the segments say the same as before, in the same looks. */
import type { Segment } from './ansi.ts';

export interface MarkedSegment extends Segment {
  isMatch?: boolean;
}

/** The segments, cut so that each occurrence of `text` (whatever the case) stands in segments of its own. */
export function highlight(segments: readonly Segment[], text: string): MarkedSegment[] {
  if (text === '') return [...segments];
  const said = segments
    .map((segment) => segment.text)
    .join('')
    .toLowerCase();
  const needle = text.toLowerCase();
  const marked: MarkedSegment[] = [];
  let from = said.indexOf(needle);
  let at = 0;
  for (const segment of segments) {
    let rest = segment.text;
    while (rest !== '') {
      const isMatch = from >= 0 && at >= from;
      const border = from < 0 ? Number.POSITIVE_INFINITY : isMatch ? from + needle.length : from;
      const part = rest.slice(0, border - at);
      marked.push(isMatch ? { ...segment, text: part, isMatch } : { ...segment, text: part });
      at += part.length;
      rest = rest.slice(part.length);
      if (isMatch && at >= from + needle.length) from = said.indexOf(needle, at);
    }
  }
  return marked;
}
