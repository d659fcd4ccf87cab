/**
 * When this page could not hear web. Guarantees: from the last frame that arrived to the first one after, in web's clock;
 * bounded, the newest kept. What happened meanwhile was learned later, but nobody here could have seen it.
 */
import { effect, signal } from '@preact/signals';
import { linkNow, webNow } from './clock.ts';

export interface OwnGap {
  fromAt: number;
  /** Absent while it lasts. */
  toAt?: number;
}

export const ownGaps = signal<readonly OwnGap[]>([]);
const GAPS_KEPT = 50;

export function startOwnGaps(): void {
  effect(() => {
    const link = linkNow.value;
    const now = webNow.peek();
    const last = ownGaps.peek().at(-1);
    const isOpen = last !== undefined && last.toAt === undefined;
    if (link.state === 'live') {
      if (isOpen) ownGaps.value = [...ownGaps.peek().slice(0, -1), { ...last, toAt: now - link.ageMs }];
    } else if ('ageMs' in link && !isOpen) {
      ownGaps.value = [...ownGaps.peek(), { fromAt: now - link.ageMs }].slice(-GAPS_KEPT);
    }
  });
}
