/**
 * Notification channels, tests of them, and the newest alerts. Guarantees: what a test shows is web's own answer; an
 * older read never replaces a newer one.
 */
import { signal } from '@preact/signals';
import { testOf, type Channel, type ChannelTest, type Notifications } from '../model/channels.ts';
import type { Problem } from '../model/problem.ts';
import { readNotifications, testChannel } from '../transport/api.ts';
import { takeFailingChannels } from './failing-channels.ts';

/** Undefined until it was read once. */
export const notifications = signal<Notifications | undefined>(undefined);
/** Why the newest read failed. */
export const notificationsProblem = signal<Problem | undefined>(undefined);
/** The newest test of each channel, by its name. */
export const channelTests = signal<ReadonlyMap<string, ChannelTest>>(new Map());

let reads = 0;
let isLoading = false;

/** One at a time: were a slow answer replaced by the next question, none would ever be shown. */
export async function loadNotifications(): Promise<void> {
  if (isLoading) return;
  reads += 1;
  const mine = reads;
  isLoading = true;
  const answer = await readNotifications();
  isLoading = false;
  if (mine !== reads) return;
  notificationsProblem.value = answer.ok ? undefined : answer.problem;
  if (answer.ok) take(answer.value);
}

function take(said: Notifications): void {
  notifications.value = said;
  const failing = said.channels.filter(({ state }) => state === 'failing').map(({ name }) => name);
  takeFailingChannels(failing.toSorted());
}

/** For a click; a second one while the first is under way does nothing. */
export async function askTest(name: string): Promise<void> {
  if (channelTests.peek().get(name)?.stage === 'asked') return;
  noteTest(name, { stage: 'asked' });
  const answer = await testChannel(name);
  // A read that began before the test ended knows nothing of it.
  reads += 1;
  if (answer.ok) takeChannel(answer.value);
  noteTest(name, answer.ok ? testOf(answer.value) : { stage: 'unanswered', detail: answer.problem.detail });
}

function takeChannel(channel: Channel): void {
  const known = notifications.peek();
  if (known === undefined) return;
  const channels = known.channels.map((other) => (other.name === channel.name ? channel : other));
  take({ ...known, channels });
}

function noteTest(name: string, test: ChannelTest): void {
  channelTests.value = new Map([...channelTests.peek(), [name, test]]);
}

/** What was tried is said while the dialog is open: later it is no news. */
export function forgetTests(): void {
  channelTests.value = new Map([...channelTests.peek()].filter(([, { stage }]) => stage === 'asked'));
}
