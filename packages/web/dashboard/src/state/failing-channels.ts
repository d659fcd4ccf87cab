/** Notification channels whose newest message was not delivered, as of web's last heartbeat. */
import { signal } from '@preact/signals';

export const failingChannels = signal<readonly string[]>([]);

/** An absent list is one of a web that has no channels. */
export function takeFailingChannels(names: readonly string[] = []): void {
  // The same names make no change: nothing is drawn anew for them.
  if (names.join('\n') !== failingChannels.peek().join('\n')) failingChannels.value = names;
}
