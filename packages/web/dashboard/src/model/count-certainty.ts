/**
 * How certain a count of work in hand may look. Guarantees: pure; the one rule for counts, sessions and slots: never more
 * certain than the rows that are counted, as far as the rows that are loaded can tell.
 */
import type { ShownAgent, ShownTask } from '@holdfast/shared';
import { isEnded, shownStatuses, type ShownStatus } from '@holdfast/shared/status';
import { isOpenEnded, type Filter } from './filter.ts';
import type { LinkState } from './link.ts';

/** What is loaded of some work in hand. */
export interface Work {
  tasks: number;
  agentIds: ReadonlySet<string>;
}

type Heard = Pick<ShownAgent, 'id' | 'state' | 'asOf'>;

/** The work in hand among `tasks`, by what `keyOf` says of each. */
export function workBy<K>(tasks: Iterable<ShownTask>, keyOf: (task: ShownTask) => K): Map<K, Work> {
  const found = new Map<K, { tasks: number; agentIds: Set<string> }>();
  for (const task of tasks) {
    const { status, agentId } = task;
    if (isEnded(status)) continue;
    const key = keyOf(task);
    const work = found.get(key) ?? { tasks: 0, agentIds: new Set() };
    work.tasks += 1;
    // What is submitted and not delivered is web's own word: no agent vouches for it yet.
    if (agentId !== undefined && status !== 'submitted') work.agentIds.add(agentId);
    found.set(key, work);
  }
  return found;
}

/** Whether every agent vouches for what it has of `count` tasks in hand, of which `works` are loaded. */
export function isVouched(
  count: number,
  works: readonly (Work | undefined)[],
  agents: readonly Heard[],
): boolean {
  const isLive = (id: string): boolean => agents.some((agent) => agent.id === id && agent.state === 'live');
  let loaded = 0;
  for (const work of works) {
    if (work === undefined) continue;
    if (![...work.agentIds].every(isLive)) return false;
    loaded += work.tasks;
  }
  // Where not all of it is loaded: the tasks of an agent that web has given up on are counted as unknown, those of one
  // that is merely late are not yet.
  return loaded >= count || agents.every(isToldByCounts);
}

function isToldByCounts({ state, asOf }: Heard): boolean {
  return state === 'live' || state === 'lost' || state === 'stopped' || asOf === 0;
}

export interface CountInput {
  filter: Filter;
  count: number;
  /** What is loaded, by status. */
  work: ReadonlyMap<ShownStatus, Work>;
  agents: readonly Heard[];
  link: LinkState['state'];
}

/** Whether a count of what `filter` finds is marked with `?`. That a task is unknown is web's own word. */
export function isCountDoubtful({ filter, count, work, agents, link }: CountInput): boolean {
  if (!isOpenEnded(filter)) return false;
  if (link !== 'live') return true;
  const asked = filter.statuses.length === 0 ? shownStatuses : filter.statuses;
  const vouched = asked.filter((status) => !isEnded(status) && status !== 'unknown');
  if (vouched.length === 0) return false;
  return !isVouched(
    count,
    vouched.map((status) => work.get(status)),
    agents,
  );
}

/** Whether an agent's slots in use are told as they stand. */
export function isPoolVouched({ state }: Pick<ShownAgent, 'state'>, link: LinkState['state']): boolean {
  return state === 'live' && link === 'live';
}
