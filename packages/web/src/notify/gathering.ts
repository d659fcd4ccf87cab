/**
 * What one message gathers, page by page, until it is put into words: how much of what, and which alerts its words
 * name. Pure; it is stored as JSON with the message, so that a restart in between goes on from there.
 */
import type { AlertKind } from '@holdfast/shared';
import type { Alert, Lane } from './rules.ts';
import type { PageGroup } from './telling-statements.ts';
import { MOST_ITEMS, type Told } from './wording.ts';

export interface Gathering {
  count: number;
  /** The id of the last alert; the next page begins behind it. */
  after: number;
  hasFailure: boolean;
  groups: GatheredGroup[];
}

/** All alerts of one kind; of doubts, those of one agent with the same words. */
interface GatheredGroup {
  kind: AlertKind;
  together: string | null;
  count: number;
  sinceAt: number;
  /** The ids of the first `MOST_ITEMS`, in order; at least one. */
  first: number[];
}

/** Alerts that are read for the words: some twenty groups of doubts, and the first alerts of every other kind. */
const MOST_READ = 600;

export const nothingGathered: Gathering = { count: 0, after: 0, hasFailure: false, groups: [] };

/** With another page: alerts behind the last one. */
export function gather(gathering: Gathering, page: readonly PageGroup[]): Gathering {
  const groups = new Map(gathering.groups.map((group) => [keyOf(group), group]));
  let { count, after, hasFailure } = gathering;
  for (const one of page) {
    const ids = idsOf(one).toSorted((a, b) => a - b);
    const { kind, together, sinceAt } = one;
    const known = groups.get(keyOf(one)) ?? { kind, together, count: 0, sinceAt, first: [] };
    groups.set(keyOf(one), {
      ...known,
      count: known.count + one.count,
      sinceAt: Math.min(known.sinceAt, sinceAt),
      first: [...known.first, ...ids.slice(0, MOST_ITEMS - known.first.length)],
    });
    count += one.count;
    after = Math.max(after, ids.at(-1)!);
    hasFailure ||= one.failed === 1;
  }
  return { count, after, hasFailure, groups: [...groups.values()] };
}

export function idsOf({ ids }: PageGroup): number[] {
  const parsed: number[] = JSON.parse(ids);
  return parsed;
}

/** The groups that the words of this lane can name. Of doubts the first ones, or when resolved the largest. */
export function namedGroups(lane: Lane, { groups }: Gathering): GatheredGroup[] {
  const doubts = groups
    .filter(({ kind }) => kind === 'unknown')
    .toSorted((a, b) => (lane === 'resolved' ? b.count - a.count : 0) || a.first[0]! - b.first[0]!);
  const named = groups.filter(({ kind }) => kind !== 'unknown');
  let read = named.reduce((sum, { first }) => sum + first.length, 0);
  for (const group of doubts) {
    read += group.first.length;
    if (read > MOST_READ) break;
    named.push(group);
  }
  return named;
}

/** What the message tells. `alertOf`: the alerts of the named groups; one that is gone meanwhile is only counted. */
export function toldOf(
  gathering: Gathering,
  named: readonly GatheredGroup[],
  alertOf: (id: number) => Alert | undefined,
): Told {
  const counts: Told['counts'] = {};
  for (const { kind, count } of gathering.groups) counts[kind] = (counts[kind] ?? 0) + count;
  return {
    counts,
    doubts: gathering.groups.filter(({ kind }) => kind === 'unknown').length,
    hasFailure: gathering.hasFailure,
    groups: named
      .map(({ count, sinceAt, first }) => ({
        count,
        sinceAt,
        alerts: first.map(alertOf).filter((alert) => alert !== undefined),
      }))
      .filter(({ alerts }) => alerts.length > 0),
  };
}

function keyOf({ kind, together }: { kind: AlertKind; together: string | null }): string {
  return `${kind}\n${together ?? ''}`;
}
