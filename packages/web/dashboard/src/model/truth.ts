/**
 * What the truth bar says in a few words. Guarantees: pure; the weaker link is said first: what this browser does not hear
 * hides what web does not have.
 */
import type { ShownAgent } from '@holdfast/shared';
import type { LinkState } from './link.ts';
import { linkText } from './sentence.ts';
import { countText, plural } from './words.ts';

/** How far a read that takes a while has come. */
export interface Progress {
  done: number;
  of: number;
}

export interface TruthInput {
  link: LinkState;
  /** This page reads everything anew. */
  isReading: boolean;
  /** The feed brings what this browser missed. */
  catchUp: Progress | undefined;
  agents: readonly Pick<ShownAgent, 'name' | 'state' | 'progress'>[];
}

/** The words, and whether they tell of a resync. */
export function truthText({ link, isReading, catchUp, agents }: TruthInput): {
  text: string;
  isResyncing: boolean;
} {
  if (link.state !== 'live') return { text: linkText(link, false), isResyncing: false };
  if (catchUp !== undefined) return { text: `Resyncing ${figures(catchUp)}`, isResyncing: true };
  if (isReading) return { text: 'Resyncing', isResyncing: true };
  const behind = agents.filter(({ state }) => state === 'resyncing');
  const [first, ...others] = behind;
  if (first === undefined) return { text: linkText(link, false), isResyncing: false };
  const name = others.length === 0 ? first.name : plural(behind.length, 'agent');
  // A sum over some of them would say that the others have nothing to read.
  const known = behind.flatMap(({ progress }) => progress ?? []);
  if (known.length < behind.length) return { text: `Resyncing ${name}`, isResyncing: true };
  const sum = known.reduce((a, b) => ({ done: a.done + b.done, of: a.of + b.of }));
  // The figures first: where there is little room, a name is cut off and a number is not.
  return { text: `Resyncing ${figures(sum)} · ${name}`, isResyncing: true };
}

function figures({ done, of }: Progress): string {
  return `${countText(done)} of ${countText(of)}`;
}

/** As many changes come in one frame: what is less far away is there at once. */
const PAGE = 200;

/** What is to be caught up by a reader at `from` when the stream begins at `head`; undefined for no more than a frame. */
export function catchUpFrom(
  from: number,
  head: number | undefined,
): { from: number; head: number } | undefined {
  return head !== undefined && head - from > PAGE ? { from, head } : undefined;
}
