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

/** The window's title: what needs a look first, then what is in hand. `?` marks what is not vouched for. */
export function titleText(counts: Counts, isLive: boolean): string {
  const unknown = counts.unknown ?? 0;
  const busy = (counts.running ?? 0) + (counts.starting ?? 0);
  const parts: string[] = [];
  if (unknown > 0) parts.push(`${unknown} unknown`);
  if (busy > 0) parts.push(`${busy}${isLive ? '' : '?'} running`);
  return `${parts.length === 0 ? '' : `${parts.join(', ')} · `}Holdfast`;
}
