/**
 * A task as people are shown it: the store's row with the state of its agent's link laid over it (P2).
 *
 * Pure. The link is passed in, so that a list and the feed say the same of a row at the same instant.
 */
import { type Knowledge, knowledgeOf, type ShownAgent, type ShownTask } from '@holdfast/shared';
import type { TaskRow } from './session-store.ts';

/** What is shown of an agent's link by id; undefined for one that is not followed (any more). */
export type ViewOf = (agentId: string) => ShownAgent | undefined;

/** What is known of a row's status. */
function knowledgeOfRow(row: TaskRow, viewOf: ViewOf): Knowledge {
  const agent = row.agentId === undefined ? undefined : viewOf(row.agentId);
  return knowledgeOf(
    { status: row.status, endedAt: row.task.endedAt, updatedAt: row.updatedAt, doubt: row.doubt },
    agent,
  );
}

export function showTask(row: TaskRow, viewOf: ViewOf): ShownTask {
  const { status: _stated, agentId: _agent, ...task } = row.task;
  return {
    ...task,
    ...(row.agentId === undefined ? {} : { agentId: row.agentId }),
    status: row.status,
    updatedAt: row.updatedAt,
    knowledge: knowledgeOfRow(row, viewOf),
    ...(row.pending.length === 0 ? {} : { pending: row.pending }),
    ...(row.lastStatus === undefined ? {} : { lastStatus: row.lastStatus }),
    ...(row.unknownSince === undefined ? {} : { unknownSince: row.unknownSince }),
    ...(row.refused === undefined ? {} : { refused: row.refused }),
    ...(row.verdict === undefined ? {} : { verdict: row.verdict }),
  };
}
