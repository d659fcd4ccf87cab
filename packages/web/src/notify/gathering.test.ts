import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { gather, type Gathering, namedGroups, nothingGathered, toldOf } from './gathering.ts';
import type { Alert } from './rules.ts';
import type { PageGroup } from './telling-statements.ts';
import { MOST_ITEMS } from './wording.ts';

interface Waiting {
  id: number;
  kind: 'unknown' | 'attention';
  together: string | null;
  sinceAt: number;
  failed: number;
}

/** A page as the database answers it: its groups in any order, with their ids in any order. */
function pageOf(waiting: readonly Waiting[]): PageGroup[] {
  const groups = Map.groupBy(waiting, ({ kind, together }) => `${kind} ${together}`);
  return [...groups.values()]
    .map((group) => ({
      kind: group[0]!.kind,
      together: group[0]!.together,
      count: group.length,
      sinceAt: Math.min(...group.map(({ sinceAt }) => sinceAt)),
      failed: Math.max(...group.map(({ failed }) => failed)),
      ids: JSON.stringify(group.map(({ id }) => id).toReversed()),
    }))
    .toReversed();
}

const alertOf = (id: number): Alert => ({
  id,
  kind: 'unknown',
  subject: `task ${id}`,
  detail: '',
  lasting: true,
  sinceAt: 0,
  notedAt: 0,
});

const toldIn = (lane: 'trouble' | 'resolved', gathering: Gathering) =>
  toldOf(gathering, namedGroups(lane, gathering), alertOf);

test('what is gathered page by page, and stored in between, is told as if it had come at once', () => {
  const one = fc.record({
    doubt: fc.option(fc.constantFrom('a', 'b', 'c')),
    sinceAt: fc.nat(1000),
    failed: fc.constantFrom(0, 1),
  });
  fc.assert(
    fc.property(
      fc.array(one, { minLength: 1, maxLength: 120 }),
      fc.integer({ min: 1, max: 50 }),
      (all, size) => {
        const waiting = all.map(({ doubt, sinceAt, failed }, index): Waiting => ({
          id: index + 1,
          kind: doubt === null ? 'attention' : 'unknown',
          together: doubt,
          sinceAt,
          failed,
        }));
        let paged = nothingGathered;
        for (let from = 0; from < waiting.length; from += size) {
          const stored: Gathering = JSON.parse(JSON.stringify(paged));
          paged = gather(stored, pageOf(waiting.slice(from, from + size)));
        }
        const whole = gather(nothingGathered, pageOf(waiting));
        expect([paged.count, paged.after]).toEqual([waiting.length, waiting.length]);
        for (const lane of ['trouble', 'resolved'] as const) {
          const [told, expected] = [toldIn(lane, paged), toldIn(lane, whole)];
          const ofAlerts = ({ groups }: typeof told) =>
            new Map(groups.map((group) => [group.alerts[0]!.id, group]));
          expect({ ...told, groups: undefined }).toEqual({ ...expected, groups: undefined });
          expect(ofAlerts(told)).toEqual(ofAlerts(expected));
        }
      },
    ),
  );
});

test('of many groups the first are named, or when resolved the largest; all are counted', () => {
  const sizes = Array.from({ length: 60 }, (_, n) => n + 1);
  let id = 0;
  const waiting = sizes.flatMap((size) =>
    Array.from({ length: size }, (): Waiting => ({
      id: (id += 1),
      kind: 'unknown',
      together: `agent ${size}`,
      sinceAt: 0,
      failed: 0,
    })),
  );
  const gathering = gather(nothingGathered, pageOf(waiting));
  const raised = toldIn('trouble', gathering);
  const resolved = toldIn('resolved', gathering);
  expect([raised.counts, raised.doubts]).toEqual([{ unknown: waiting.length }, 60]);
  expect(raised.groups.slice(0, 10).map(({ count }) => count)).toEqual(sizes.slice(0, 10));
  expect(resolved.groups.slice(0, 10).map(({ count }) => count)).toEqual(sizes.toReversed().slice(0, 10));
  for (const { groups } of [raised, resolved]) {
    expect(groups.every(({ alerts }) => alerts.length <= MOST_ITEMS)).toBe(true);
    expect(groups.flatMap(({ alerts }) => alerts).length).toBeLessThanOrEqual(600);
  }
});

test('an alert that is gone by the time of the words is counted and not named', () => {
  const page = [
    { kind: 'attention', together: null, count: 2, sinceAt: 5, failed: 0, ids: '[1,2]' },
  ] as const;
  const gathering = gather(nothingGathered, page);
  const named = namedGroups('trouble', gathering);
  const told = toldOf(gathering, named, (id) => (id === 1 ? undefined : alertOf(id)));
  expect(told).toMatchObject({ counts: { attention: 2 }, groups: [{ count: 2, alerts: [{ id: 2 }] }] });
  expect(toldOf(gathering, named, () => undefined).groups).toEqual([]);
});
