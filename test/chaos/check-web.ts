/** Web's copy, its doubts, and what a browser was sent of it. */
import type { ShownTask } from '@holdfast/shared';
import { type Findings, sameJson } from './findings.ts';
import type { Violation } from './ledger.ts';

/** P6: web has exactly the agent's events, and its rows are the agent's rows. */
export function checkCopies({ agent, web }: Findings): Violation[] {
  const found: Violation[] = [];
  if (web.generations.length > 1) {
    const what = `web saw ${web.generations.length} generations of a journal that was never replaced`;
    found.push({ promise: 'P6', what });
  }
  const onWeb = new Map(web.log.map((entry) => [entry.seq, entry]));
  for (const { seq, json, taskId } of agent.log) {
    const copy = onWeb.get(seq);
    onWeb.delete(seq);
    if (copy?.json === json) continue;
    found.push({
      promise: 'P6',
      what: `event ${seq} is ${copy === undefined ? 'missing' : 'another'} on web`,
      taskId,
    });
  }
  for (const { seq, taskId } of onWeb.values())
    found.push({ promise: 'P6', what: `web has an event ${seq} that the agent does not have`, taskId });
  for (const row of agent.tasks.values()) {
    const copy = web.tasks.get(row.id);
    if (copy === undefined) {
      found.push({ promise: 'P6', what: 'web does not know it', taskId: row.id });
    } else if (copy.json !== row.json && !sameJson(copy.json, row.json)) {
      found.push({
        promise: 'P6',
        what: `web states it as ${copy.json}, the agent as ${row.json}`,
        taskId: row.id,
      });
    } else if (copy.status !== row.status) {
      found.push({
        promise: 'P2',
        what: `web shows ${copy.status}, the agent says ${row.status}`,
        taskId: row.id,
      });
    }
  }
  return found;
}

/** P9: each doubt that was shown is on record with its times, and none is left. */
export function checkDoubts({ web, unknown }: Findings): Violation[] {
  const found: Violation[] = [];
  const doubts = Map.groupBy(web.doubts, (doubt) => doubt.taskId);
  for (const [taskId, at] of unknown) {
    if (doubts.has(taskId)) continue;
    found.push({
      promise: 'P9',
      what: `it was shown as unknown at ${at}, and no doubt is on record`,
      taskId,
    });
  }
  for (const doubt of web.doubts) {
    const { taskId, since, resolvedAt } = doubt;
    if (resolvedAt === null)
      found.push({ promise: 'P9', what: `the doubt since ${since} is not resolved`, taskId });
    else if (resolvedAt < since)
      found.push({ promise: 'P9', what: `the doubt ended before it began`, taskId });
  }
  for (const row of web.tasks.values()) {
    if (row.status === 'unknown')
      found.push({ promise: 'P9', what: 'unknown while the link is live', taskId: row.id });
    if (row.status === 'submitted') found.push({ promise: 'P1', what: 'never delivered', taskId: row.id });
  }
  for (const { taskId, action, lastError } of web.openIntents)
    found.push({ promise: 'P1', what: `the ${action} is not delivered: ${lastError}`, taskId });
  return found;
}

/** The feed sends state: a browser that followed it through everything holds exactly the rows that web lists. */
export function checkBrowser({ browser }: Pick<Findings, 'browser'>): Violation[] {
  const found: Violation[] = [];
  const view = ({ status, seq, attempt, outcome, unknownSince }: ShownTask) =>
    JSON.stringify({ status, seq, attempt, outcome, unknownSince });
  const left = new Set(browser.rows.keys());
  for (const task of browser.listed) {
    left.delete(task.id);
    const row = browser.rows.get(task.id);
    if (row !== undefined && view(row) === view(task)) continue;
    const what = `a browser shows ${row === undefined ? 'nothing' : view(row)}, web ${view(task)}`;
    found.push({ promise: 'P6', what, taskId: task.id });
  }
  for (const taskId of left) found.push({ promise: 'P6', what: 'a browser shows it, web does not', taskId });
  return found;
}
