/**
 * Notification channels whose newest message was not delivered. Guarantees: as of the last read of web's state, at most
 * half a minute ago while web answers: the feed does not carry them.
 */
import { signal } from '@preact/signals';
import { readState } from '../transport/api.ts';
import { linkNow } from './clock.ts';

export const failingChannels = signal<readonly string[]>([]);

const AGAIN_MS = 30_000;

/** An absent list is one of a web that has no channels. */
export function takeFailingChannels(names: readonly string[] = []): void {
  // The same names make no change: nothing is drawn anew for them.
  if (names.join('\n') !== failingChannels.peek().join('\n')) failingChannels.value = names;
}

export function startFailingChannels(): void {
  window.setInterval(() => {
    if (linkNow.peek().state !== 'live') return;
    void readState().then((answer) => {
      if (answer.ok) takeFailingChannels(answer.value.failingChannels);
    });
  }, AGAIN_MS);
}
