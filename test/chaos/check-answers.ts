/** P1: what was answered 2xx, to whomever and by whichever service, is on record. */
import { eventsByTask, type Findings, TERMINAL } from './findings.ts';
import type { Violation } from './ledger.ts';

/** An answer that was cut off behind its status says the least: that the cancel is promised. */
const UNREAD = { pending: [{ action: 'cancel' }] };

/** P1: what was accepted is there, on both sides. */
export function checkAccepted({ agent, web, ledger }: Findings): Violation[] {
  const found: Violation[] = [];
  for (const verb of ['submit', 'retry'] as const) {
    for (const { taskId, via, status } of ledger.accepted(verb)) {
      const shown = web.tasks.get(taskId);
      const what = (side: string) => `${verb} was answered ${status} by ${via}, and ${side} does not have it`;
      // A cancel that came before the delivery ended it on web: it must never have reached the agent.
      const isLocal = shown?.status === 'cancelled' && shown.seq === 0;
      // A retry that web promised may have been refused by the agent: web says so.
      const isRefused = shown?.status === 'failed' && shown.seq === 0 && shown.refusedAction !== null;
      if (shown === undefined) found.push({ promise: 'P1', what: what('web'), taskId });
      if (!agent.tasks.has(taskId) && !isLocal && !isRefused)
        found.push({ promise: 'P1', what: what('the agent'), taskId });
    }
  }
  return found;
}

/** A cancel that was accepted is on record, and no attempt begins after it. */
export function checkCancels({ agent, web, ledger }: Findings): Violation[] {
  const found: Violation[] = [];
  const byTask = eventsByTask(agent);
  for (const [taskId, events] of byTask) {
    const asked = events.findIndex(({ kind, data }) => kind === 'stopRequested' && data?.cause === 'cancel');
    const claimed = asked === -1 ? undefined : events.slice(asked).find(({ kind }) => kind === 'claimed');
    if (claimed !== undefined) {
      const what = `attempt ${claimed.attempt} began (seq ${claimed.seq}) after a cancel was on record (seq ${events[asked]!.seq})`;
      found.push({ promise: 'P1', what, taskId });
    }
  }
  for (const { taskId, via, body } of ledger.accepted('cancel')) {
    const events = byTask.get(taskId) ?? [];
    const onRecord = events.some(
      ({ kind, data }) => kind === 'cancelled' || (kind === 'stopRequested' && data?.cause === 'cancel'),
    );
    // While web only promises to deliver it, the task may end by itself.
    const { pending = [], seq } = (body ?? UNREAD) as { pending?: { action: string }[]; seq?: number };
    const isPromised = via === 'web' && pending.some(({ action }) => action === 'cancel');
    const last = events.at(-1);
    const endedFirst = isPromised && last !== undefined && TERMINAL.has(last.kind);
    // A cancel before the delivery is web's alone, and yields to an agent that got the task from somebody else.
    const isLocal = via === 'web' && (seq === 0 || web.tasks.get(taskId)?.seq === 0);
    if (!onRecord && !endedFirst && !isLocal) {
      found.push({ promise: 'P1', what: `a cancel was accepted by ${via} and is not in the log`, taskId });
    }
  }
  return found;
}

/** A reclaim that the agent accepted is on record for exactly that attempt. */
export function checkReclaims({ agent, ledger }: Findings): Violation[] {
  const found: Violation[] = [];
  const byTask = eventsByTask(agent);
  for (const { taskId, via, sent } of ledger.accepted('reclaim')) {
    // Web promises to ask; the agent may find that the attempt is another one by then.
    if (via !== 'agent') continue;
    const { attempt } = sent as { attempt: number };
    const events = (byTask.get(taskId) ?? []).filter((event) => event.attempt === attempt);
    // A claim that was being cancelled already ends so, at once.
    const onRecord = events.some(
      ({ kind, data }) => (kind === 'stopRequested' && data?.cause === 'reclaim') || kind === 'cancelled',
    );
    if (!onRecord) {
      found.push({
        promise: 'P1',
        what: `a reclaim of attempt ${attempt} was accepted and is not in the log`,
        taskId,
      });
    }
  }
  return found;
}
