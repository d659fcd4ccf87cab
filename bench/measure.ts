/**
 * How figures are taken on a machine that does other things too: contestants take turns (A B C, A B C …), so that
 * a slow minute meets all of them, and the median counts. Ratios are taken within a round, where both sides met the
 * same minute, and the median of those is the ratio.
 */

export interface Contestant {
  name: string;
  /** One measurement. */
  measure: () => Promise<number>;
}

export type Samples = ReadonlyMap<string, readonly number[]>;

/** `rounds` measurements of each contestant, taking turns. */
export async function takeTurns(contestants: readonly Contestant[], rounds: number): Promise<Samples> {
  const samples = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, measure } of contestants) samples.get(name)!.push(await measure());
  }
  return samples;
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export interface Ratio {
  value: number;
  /** `0.91 (0.85 – 0.95)`: the median of the rounds, and their range. */
  text: string;
}

/** What `name` reached of `baseline`, round by round. */
export function ratioOf(samples: Samples, name: string, baseline: string): Ratio {
  const base = samples.get(baseline)!;
  const ratios = samples.get(name)!.map((value, round) => value / base[round]!);
  const value = median(ratios);
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
  return {
    value,
    text: `${formatRatio(value)} × ${baseline} (${formatRatio(least)} – ${formatRatio(most)})`,
  };
}

function formatRatio(value: number): string {
  return value >= 10 ? value.toFixed(0) : value >= 3 ? value.toFixed(1) : value.toFixed(2);
}

/** `1.23 M/s`, `45.1 k/s`, `312/s`. */
export function formatRate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)} M/s`;
  if (perSecond >= 1e4) return `${(perSecond / 1e3).toFixed(1)} k/s`;
  return `${perSecond.toFixed(0)}/s`;
}
