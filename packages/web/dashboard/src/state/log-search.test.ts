import { signal } from '@preact/signals';
import { expect, test } from 'vitest';
import type { LogLine } from '../model/log-lines.ts';
import type { LinePlace } from '../model/log-scan.ts';
import type { LogFollower, LogView, Matches } from './log-follower.ts';
import { LogSearch } from './log-search.ts';

/** A follower that holds `texts` of ten bytes each from `start` on, and knows of `matches` in the whole. */
function aFollower(texts: string[], start = 0, matches: LinePlace[] = []) {
  const lines: LogLine[] = texts.map((text, i) => ({ at: start + 10 * i, text, style: '' }));
  const view = signal<LogView>({
    lines,
    start,
    end: start + 10 * texts.length,
    totalBytes: start + 10 * texts.length,
    state: 'following',
    gaps: [],
    revision: 1,
  });
  const sought: number[] = [];
  const follower = {
    view,
    stopScan: () => undefined,
    seekPlace: async ({ at }: { at: number }) => {
      sought.push(at);
    },
    searchAll: async (text: string): Promise<Matches> => ({
      text,
      lines: matches,
      count: matches.length,
      toOffset: view.value.end,
    }),
  };
  const partial: Partial<LogFollower> = follower;
  return { search: new LogSearch(partial as LogFollower), view, sought };
}

test('lines are found whatever the case and the colours, and it is said whether that is all of the log', () => {
  const whole = aFollower(['an \x1b[31mER\x1b[0mror', 'fine', 'ERROR 2']);
  whole.search.setText('error');
  expect(whole.search.found.value).toEqual({ places: [0, 20], count: 2, isWhole: true });
  const part = aFollower(['error'], 500);
  part.search.setText('error');
  expect(part.search.found.value).toEqual({ places: [500], count: 1, isWhole: false });
  part.search.setText('');
  expect(part.search.found.value.count).toBe(0);
});

test('what is printed later is found too', () => {
  const { search, view } = aFollower(['error']);
  search.setText('error');
  expect(search.found.value.count).toBe(1);
  view.value = { ...view.value, lines: [...view.value.lines, { at: 10, text: 'error', style: '' }] };
  expect(search.found.value.count).toBe(2);
});

test('next and previous begin at what is in sight and go round', async () => {
  const { search } = aFollower(['x', 'error', 'x', 'error', 'x', 'error']);
  search.setText('error');
  expect(await search.step(1, 20)).toBe(30);
  expect(await search.step(1, 0)).toBe(50);
  expect(await search.step(1, 0)).toBe(10);
  expect(await search.step(-1, 0)).toBe(50);
  search.setText('nothing');
  expect(await search.step(1, 0)).toBeUndefined();
});

test('a match of the whole log that is not loaded is loaded when it is gone to', async () => {
  const { search, view, sought } = aFollower(['error'], 500, [
    { at: 70, number: 8 },
    { at: 500, number: 51 },
  ]);
  search.setText('error');
  await search.searchAll();
  expect(search.found.value).toEqual({ places: [70, 500], count: 2, isWhole: true });
  expect(await search.step(-1, 500)).toBe(70);
  expect(sought).toEqual([70]);
  // Beyond what was searched, what is loaded goes on being searched.
  view.value = { ...view.value, lines: [...view.value.lines, { at: 510, text: 'error', style: '' }] };
  expect(search.found.value.places).toEqual([70, 500, 510]);
});
