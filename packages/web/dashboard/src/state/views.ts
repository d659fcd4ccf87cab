/**
 * Counts that the feed does not carry: what needs a person, what failed today, and the labels in use. Guarantees: read
 * again soon after something changed, at most once in a few seconds, and each half minute, because leases and days
 * end by themselves; what the feed tells meanwhile raises them at once, as it does the others; a count that could not be
 * read is not shown as another one.
 */
import { batch, computed, effect, signal } from '@preact/signals';
import type { ShownAgent, ShownTask } from '@holdfast/shared';
import { shownStatuses, type ShownStatus } from '@holdfast/shared/status';
import { failedTodayView, filterToQuery, needsYouView, type Filter } from '../model/filter.ts';
import { troubleOf } from '../model/agent-trouble.ts';
import { worstAgentsFirst } from '../model/certainty.ts';
import { isCountDoubtful } from '../model/count-certainty.ts';
import { parseCursor } from '../model/link.ts';
import { labelsOf, raisedLabels, type LabelCount } from '../model/labels.ts';
import { countText } from '../model/words.ts';
import { readLabels, readTasks } from '../transport/api.ts';
import { agents, counts, countsAsOf } from './agents.ts';
import { linkNow, webNow } from './clock.ts';
import { failingChannels } from './failing-channels.ts';
import { statusWork } from './tasks.ts';

/** Every status but `unknown`: the feed counts those that are at once. */
const notUnknown: Filter = {
  ...needsYouView.filter,
  statuses: shownStatuses.filter((status) => status !== 'unknown'),
};
/** Tasks that need a person for another reason than that they are unknown. */
const needyBeside = signal<number | undefined>(undefined);
/** `failed`: how many had ever failed by then; undefined until the feed has come so far. */
const failedTodayRead = signal<{ count: number; version: number; failed?: number } | undefined>(undefined);
/** What failed since it was read failed today: the feed counts it at once. */
export const failedToday = computed(() => {
  const read = failedTodayRead.value;
  if (read === undefined) return undefined;
  const failed = counts.value?.failed ?? 0;
  return read.count + Math.max(0, failed - (read.failed ?? failed));
});

/** At once: what fails after the read is told by the feed from here on. */
function takeFailed(answer: Awaited<ReturnType<typeof readTasks>>): void {
  if (!answer.ok) return;
  const { total, cursor } = answer.value;
  batch(() => {
    failedTodayRead.value = { count: total, version: parseCursor(cursor)?.version ?? 0 };
    noteFailed();
  });
}

function noteFailed(): void {
  const read = failedTodayRead.peek();
  if (read === undefined || read.failed !== undefined || countsAsOf() < read.version) return;
  failedTodayRead.value = { ...read, failed: counts.peek()?.failed ?? 0 };
}

const labelsRead = signal<readonly LabelCount[]>([]);
/** Labels of tasks that the feed has brought since the labels were read, by task. */
const newLabels = signal<ReadonlyMap<string, readonly string[]>>(new Map());
export const labels = computed(() => raisedLabels(labelsRead.value, newLabels.value.values()));
/** When the labels were asked for (web's clock, ms). */
let labelsAskedAt = Number.POSITIVE_INFINITY;

/** A frame of the feed: of these tasks nothing was known here before. */
export function takeNewTasks(tasks: readonly ShownTask[]): void {
  const made = tasks.filter(
    ({ createdAt, labels }) => createdAt >= labelsAskedAt && Object.keys(labels).length > 0,
  );
  if (made.length === 0) return;
  newLabels.value = new Map([
    ...newLabels.peek(),
    ...made.map(({ id, labels }) => [id, labelsOf(labels)] as const),
  ]);
}

export const needyAgents = computed<readonly ShownAgent[]>(() =>
  worstAgentsFirst(agents.value.filter((agent) => troubleOf(agent) !== undefined)),
);

/** How many tasks have one of these statuses, or any where none is named; undefined while it is not known. */
export function countOf(statuses: readonly ShownStatus[]): number | undefined {
  const known = counts.value;
  const of = statuses.length > 0 ? statuses : shownStatuses;
  return known && of.reduce((sum, status) => sum + (known[status] ?? 0), 0);
}

/** A count of what `filter` finds, and whether it is as doubtful as its rows; undefined while it is not known. */
export function shownCount(filter: Filter, count: number | undefined): { text: string; className: string } {
  if (count === undefined) return { text: '…', className: '' };
  const link = linkNow.value.state;
  // With nobody in doubt no row has to be looked at.
  const isCertain = link === 'live' && agents.value.every(({ state }) => state === 'live');
  const isDoubtful =
    !isCertain && isCountDoubtful({ filter, count, work: statusWork.value, agents: agents.value, link });
  return {
    text: `${countText(count)}${isDoubtful ? '?' : ''}`,
    className: `${count === 0 ? ' is-zero' : ''}${isDoubtful ? ' is-doubtful' : ''}`,
  };
}
/** Tasks, agents and notification channels together; undefined until it was read. */
export const needsYou = computed(() =>
  needyBeside.value === undefined || counts.value === undefined
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
  const askedAt = webNow.peek();
  const beganAt = performance.now();
  const query = (filter: Filter): URLSearchParams => {
    const params = filterToQuery(filter, webNow.peek());
    params.set('limit', '1');
    return params;
  };
  const [needy, , known] = await Promise.all([
    readTasks(query(notUnknown)),
    readTasks(query(failedTodayView.filter)).then(takeFailed),
    readLabels(),
  ]);
  isReading = false;
  readAt = performance.now();
  tookMs = readAt - beganAt;
  if (needy.ok) needyBeside.value = needy.value.total;
  batch(() => {
    if (!known.ok) return;
    labelsAskedAt = askedAt;
    labelsRead.value = known.value.items;
    newLabels.value = new Map();
  });
  if (!isChanged) return;
  isChanged = false;
  recountViews();
}

export function startViews(): void {
  effect(() => {
    // Read for their changes alone: web counts.
    void counts.value;
    noteFailed();
    recountViews();
  });
  window.setInterval(recountViews, AGAIN_MS);
}
