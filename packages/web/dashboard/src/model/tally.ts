/**
 * What has happened since the last word, in one sentence for the announcer. Guarantees: one sentence however much has
 * happened; doubt is said first.
 */
import type { Counts } from '@holdfast/shared';
import type { ShownStatus } from '@holdfast/shared/status';

const order: readonly [ShownStatus, string][] = [
  ['unknown', 'unknown'],
  ['failed', 'failed'],
  ['completed', 'completed'],
  ['cancelled', 'cancelled'],
  ['running', 'running'],
];

/** '' when there is nothing to say. Of `running` and `unknown` the new number is said, of the others the increase. */
export function tallyText(before: Counts, after: Counts): string {
  const parts: string[] = [];
  for (const [status, word] of order) {
    const was = before[status] ?? 0;
    const is = after[status] ?? 0;
    if (is === was) continue;
    if (status === 'running' || status === 'unknown') parts.push(`${is} ${word}`);
    else if (is > was) parts.push(`${is - was} more ${word}`);
  }
  return parts.join(', ');
}

/** What is worst: the unknown, else what needs a person. */
export function worstOf(counts: Counts, needsYou: number): { count: number; words: string } | undefined {
  const unknown = counts.unknown ?? 0;
  if (unknown > 0) return { count: unknown, words: 'unknown' };
  if (needsYou > 0) return { count: needsYou, words: needsYou === 1 ? 'needs you' : 'need you' };
  return undefined;
}

export interface TitleInput {
  worst: { count: number; words: string } | undefined;
  /** The browser hears web; else a count is marked with `?`. */
  isLive: boolean;
  /** The task or the view that is shown. */
  page: string;
}

/** The window's title: the worst first, then what is shown. */
export function titleText({ worst, isLive, page }: TitleInput): string {
  const counted = worst === undefined ? [] : [`${worst.count}${isLive ? '' : '?'} ${worst.words}`];
  return [...counted, page, 'Holdfast'].join(' · ');
}
