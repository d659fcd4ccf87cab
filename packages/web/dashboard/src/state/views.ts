/**
 * Counts that the feed does not carry: what needs a person, what failed today, and the labels in use. Guarantees: read
 * again soon after something changed, at most once in a few seconds, and each half minute, because leases and days
 * end by themselves; a count that could not be read is not shown as another one.
 */
import { computed, effect, signal } from '@preact/signals';
import type { ShownAgent } from '@holdfast/shared';
import { shownStatuses } from '@holdfast/shared/status';
import { failedTodayView, filterToQuery, needsYouView, type Filter } from '../model/filter.ts';
import { troubleOf } from '../model/agent-trouble.ts';
import { readLabels, readTasks } from '../transport/api.ts';
import { agents, counts } from './agents.ts';
import { linkNow, webNow } from './clock.ts';
import { failingChannels } from './failing-channels.ts';

/** Every status but `unknown`: the feed counts those that are at once. */
const notUnknown: Filter = {
  ...needsYouView.filter,
  statuses: shownStatuses.filter((status) => status !== 'unknown'),
};
/** Tasks that need a person for another reason than that they are unknown. */
const needyBeside = signal<number | undefined>(undefined);
export const failedToday = signal<number | undefined>(undefined);
export const labels = signal<readonly { label: string; tasks: number }[]>([]);

export const needyAgents = computed<readonly ShownAgent[]>(() =>
  agents.value.filter((agent) => troubleOf(agent) !== undefined),
);
/** Tasks, agents and notification channels together; undefined until it was read. */
export const needsYou = computed(() =>
  needyBeside.value === undefined
    ? undefined
    : needyBeside.value +
      (counts.value.unknown ?? 0) +
      needyAgents.value.length +
      failingChannels.value.length,
);

const SOON_MS = 3000;
/** A tab that nobody sees is in no hurry. */
const SOON_UNSEEN_MS = 15_000;
const AGAIN_MS = 30_000;
/** The wait is at least so many times what the last read took: a web that is busy counts less often. */
const PART_OF_TIME = 20;
let timer: number | undefined;
let readAt = Number.NEGATIVE_INFINITY;
let tookMs = 0;
let isReading = false;
/** Something changed while a read was under way. */
let isChanged = false;

/** Something changed that may be counted here. */
export function recountViews(): void {
  const soonMs = document.visibilityState === 'visible' ? SOON_MS : SOON_UNSEEN_MS;
  const restMs = Math.min(AGAIN_MS, Math.max(soonMs, PART_OF_TIME * tookMs));
  timer ??= window.setTimeout(
    () => {
      timer = undefined;
      if (isReading) isChanged = true;
      else void read();
    },
    Math.max(0, readAt + restMs - performance.now()),
  );
}

async function read(): Promise<void> {
  if (linkNow.peek().state === 'signedOut') return;
  isReading = true;
  const beganAt = performance.now();
  const query = (filter: Filter): URLSearchParams => {
    const params = filterToQuery(filter, webNow.peek());
    params.set('limit', '1');
    return params;
  };
  const [needy, failed, known] = await Promise.all([
    readTasks(query(notUnknown)),
    readTasks(query(failedTodayView.filter)),
    readLabels(),
  ]);
  isReading = false;
  readAt = performance.now();
  tookMs = readAt - beganAt;
  if (needy.ok) needyBeside.value = needy.value.total;
  if (failed.ok) failedToday.value = failed.value.total;
  if (known.ok) labels.value = known.value.items;
  if (!isChanged) return;
  isChanged = false;
  recountViews();
}

export function startViews(): void {
  effect(() => {
    // Read for their changes alone: web counts.
    void counts.value;
    recountViews();
  });
  window.setInterval(recountViews, AGAIN_MS);
}
