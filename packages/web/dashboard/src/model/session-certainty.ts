/**
 * How certain a session may look in the rail. Guarantees: pure; never more certain than the agents that its work is known
 * to be on; an agent that has none of its work does not weaken it, as far as the rows that are loaded can tell.
 */
import type { ShownAgent, ShownSession } from '@holdfast/shared';
import { isEnded, shownStatuses } from '@holdfast/shared/status';
import type { Certainty } from './certainty.ts';
import { isVouched, type Work } from './count-certainty.ts';
import type { LinkState } from './link.ts';

/** `work`: what is loaded of its tasks that have not ended. */
export function sessionCertainty(
  session: Pick<ShownSession, 'status' | 'counts'>,
  work: Work | undefined,
  agents: readonly Pick<ShownAgent, 'id' | 'state' | 'asOf'>[],
  link: LinkState['state'],
): Certainty['state'] {
  if (session.status === 'empty' || isEnded(session.status)) return 'live';
  if (session.status === 'unknown' || link === 'blind') return 'unknown';
  if (link !== 'live') return 'stale';
  return isVouched(inHand(session.counts), [work], agents) ? 'live' : 'stale';
}

function inHand(counts: ShownSession['counts']): number {
  return shownStatuses.reduce((sum, status) => sum + (isEnded(status) ? 0 : (counts[status] ?? 0)), 0);
}
