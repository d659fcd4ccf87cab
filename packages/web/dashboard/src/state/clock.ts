/**
 * The link to web and the time, as signals. Guarantees: `linkNow` is recomputed as time passes, so that silence shows
 * without anything arriving; `webNow` is web's clock, so that ages do not depend on this machine's.
 */
import { computed, signal } from '@preact/signals';
import { linkState, newLink, type LinkFacts } from '../model/link.ts';

export const link = signal<LinkFacts>(newLink());
const tick = signal(Date.now());
/** Not a signal: a frame alone redraws nothing, the next tick does. */
let lastFrameAt = 0;
let skewMs = 0;

export const linkNow = computed(() => linkState({ ...link.value, lastFrameAt }, tick.value));
/** Web's clock (ms). */
export const webNow = computed(() => tick.value + skewMs);

/** A frame arrived; `webAt` is web's time in it, if it says one. */
export function noteFrame(webAt?: number): void {
  const now = Date.now();
  lastFrameAt = now;
  if (webAt === undefined) return;
  skewMs = webAt - now;
  tick.value = now;
}

export function takeLink(facts: LinkFacts): void {
  lastFrameAt = Math.max(lastFrameAt, facts.lastFrameAt);
  link.value = facts;
  tick.value = Date.now();
}

function advance(): void {
  tick.value = Date.now();
}

export function startClock(): void {
  window.setInterval(advance, 1000);
  document.addEventListener('visibilitychange', advance);
}
