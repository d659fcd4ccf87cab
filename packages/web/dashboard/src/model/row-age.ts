/**
 * The time that a row of the list tells beside its last line. Guarantees: pure; what has ended tells how long ago, what goes
 * on how old its last output is, at the last proof where it is in doubt; where the list is ordered by changes, each row
 * tells the one that it is ordered by.
 */
import type { ShownTask } from '@holdfast/shared';
import { changedAt, isEnded } from '@holdfast/shared/status';
import { byTasksClock, type Certainty } from './certainty.ts';
import { endOf } from './filter.ts';
import { absoluteText, ageText } from './words.ts';

export interface RowAge {
  kind: 'output' | 'ended' | 'changed';
  text: string;
  /** With the absolute time, to be shown on request. */
  title: string;
}

/** Undefined where there is nothing to tell. `now`: web's clock. */
export function rowAge(
  task: ShownTask,
  certainty: Certainty,
  now: number,
  isByChange: boolean,
): RowAge | undefined {
  const { status, lastOutputAt, verdict } = task;
  if (isEnded(status) || isByChange) {
    const at = isByChange ? changedAt({ ...task, verdictAt: verdict?.at }) : (endOf(task) ?? task.updatedAt);
    // What web or a person found is by web's clock, what the agent states by its own.
    const isWebs = status === 'unknown' || status === 'lost';
    const ago = ageText((isWebs ? now : byTasksClock(now, certainty)) - at);
    const kind = isEnded(status) ? 'ended' : 'changed';
    const what = kind === 'ended' ? 'Ended' : 'Came to its status';
    return { kind, text: `${ago} ago`, title: `${what} ${absoluteText(at)}` };
  }
  if (lastOutputAt === undefined) return undefined;
  // Doubt: the age at the last proof is all that is known.
  const isLive = certainty.state === 'live';
  const age = ageText(byTasksClock(isLive ? now : certainty.asOf, certainty) - lastOutputAt);
  return {
    kind: 'output',
    text: `${age}${isLive ? '' : '+'}`,
    title: `Last output ${absoluteText(lastOutputAt)}`,
  };
}
