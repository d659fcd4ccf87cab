/**
 * What of a row is news, and what resolves it. Pure.
 *
 * A task that ended is news if its agent stated the end behind the place where web began to follow the journal
 * (`isPastBase`): what a first snapshot, or another journal, brings along is history.
 */
import type { DoubtReason, Outcome, ShownStatus, Task, TaskStatus } from '@holdfast/shared';
import { isEnded, isTerminal } from '@holdfast/shared';
import type { SeenAgent } from './alert-store.ts';
import type { Alert } from './rules.ts';

/** A task's row, as far as it can be news. */
export interface NewsRow {
  task: Task;
  /** What people are shown. */
  status: ShownStatus;
  /** What the agent stated. */
  statedStatus: TaskStatus;
  isPastBase: boolean;
  unknownSince?: number;
  doubtReason?: DoubtReason;
  lastStatus?: TaskStatus;
  /** The agent never took the submit. */
  refused?: { message: string; at: number };
}

export type News = Pick<Alert, 'kind' | 'subject' | 'detail' | 'lasting' | 'sinceAt'> & {
  /** Of what happened; the same news has the same. */
  key: string;
  code?: string;
};

const MOST_SUBJECT_CHARACTERS = 120;
const MOST_DETAIL_CHARACTERS = 240;
/** As long as what was noted is remembered: a row that ended before could not be told from a new one. */
export const REMEMBERED_MS = 7 * 24 * 3600 * 1000;

/** `since`: when web began to look at all. */
export function newsOfTask(row: NewsRow, since: number, now: number): News[] {
  const { task } = row;
  const subject = nameOf(task);
  const news: News[] = [];
  if (row.refused !== undefined && row.status === 'failed' && row.refused.at >= since) {
    const detail = `refused: ${cut(row.refused.message, MOST_DETAIL_CHARACTERS)}`;
    const sinceAt = row.refused.at;
    news.push({ key: `ended:${task.id}`, kind: 'failed', subject, detail, lasting: false, sinceAt });
  }
  if (row.isPastBase) news.push(...statedNews(row, subject, now));
  if (row.status === 'unknown' && row.unknownSince !== undefined && row.unknownSince >= since) {
    const was = row.lastStatus ?? row.statedStatus;
    news.push({
      key: `unknown:${task.id}:${row.unknownSince}`,
      kind: 'unknown',
      subject,
      detail: `was ${was}; ${doubtTexts[row.doubtReason ?? 'agent_unreachable']}`,
      lasting: true,
      sinceAt: row.unknownSince,
    });
  }
  return news;
}

/** What the agent stated. */
function statedNews({ task, statedStatus }: NewsRow, subject: string, now: number): News[] {
  if (!isTerminal(statedStatus)) {
    return (task.attention ?? []).map(({ code, message, sinceAt }) => ({
      key: `attention:${task.id}:${code}:${sinceAt}`,
      kind: 'attention',
      subject,
      detail: cut(message, MOST_DETAIL_CHARACTERS),
      lasting: true,
      sinceAt,
      code,
    }));
  }
  const sinceAt = task.endedAt ?? now;
  if (sinceAt <= now - REMEMBERED_MS) return [];
  const detail = outcomeText(task.outcome);
  return [{ key: `ended:${task.id}`, kind: statedStatus, subject, detail, lasting: false, sinceAt }];
}

/** How an open alert about a task was resolved; undefined while it was not. */
export function resolutionOfTask(
  alert: { kind: string; code?: string },
  row: Pick<NewsRow, 'task' | 'status'>,
): string | undefined {
  const { task, status } = row;
  if (alert.kind === 'unknown') {
    if (status === 'unknown') return undefined;
    if (status === 'lost') return 'given up as lost by a person';
    return isTerminal(status) ? endText(status, task.outcome) : status;
  }
  if (isTerminal(task.status)) return endText(task.status, task.outcome);
  if (isEnded(status)) return 'given up as lost by a person';
  const isThere = task.attention?.some(({ code }) => code === alert.code) === true;
  return isThere ? undefined : 'cleared';
}

/** `heard`: it was live at least once since web began to look. */
export function newsOfAgent(agent: SeenAgent, heard: boolean, now: number): News[] {
  const { id, name, state } = agent;
  const news: News[] = [];
  if (isAway(state) && heard) {
    const sinceAt = agent.asOf === 0 ? now : agent.asOf;
    const detail =
      state === 'stopped' ? 'it was stopped' : state === 'refused' ? 'it refuses web' : 'it is silent';
    news.push({
      key: `agent:${id}:${sinceAt}`,
      kind: 'agentLost',
      subject: name,
      detail,
      lasting: true,
      sinceAt,
    });
  }
  for (const { code, message, sinceAt } of agent.attention ?? []) {
    const detail = cut(message, MOST_DETAIL_CHARACTERS);
    const key = `pool:${id}:${code}:${sinceAt}`;
    news.push({ key, kind: 'attention', subject: name, detail, lasting: true, sinceAt, code });
  }
  return news;
}

/** `agent` is undefined once it was removed. */
export function resolutionOfAgent(
  alert: { kind: string; code?: string },
  agent: SeenAgent | undefined,
): string | undefined {
  if (agent === undefined) return 'the agent was removed';
  if (agent.state !== 'live') return undefined;
  if (alert.kind === 'agentLost') return 'back';
  return agent.attention?.some(({ code }) => code === alert.code) === true ? undefined : 'cleared';
}

function isAway(state: SeenAgent['state']): boolean {
  return state === 'lost' || state === 'stopped' || state === 'refused';
}

/** A session in which nothing is left to do. */
export function newsOfSession(
  session: { id: string; title?: string; counts: Partial<Record<ShownStatus, number>> },
  newestRow: number,
  now: number,
): News {
  const parts = Object.entries(session.counts).map(([status, count]) => `${count} ${status}`);
  return {
    key: `session:${session.id}:${newestRow}`,
    kind: 'sessionEnded',
    subject: cut(session.title ?? session.id, MOST_SUBJECT_CHARACTERS),
    detail: parts.join(', '),
    lasting: false,
    sinceAt: now,
  };
}

/** A task's title, else the first line of what it runs, else its id. */
function nameOf(task: Task): string {
  const { command, shell, runner, prompt } = task.spec;
  const run = command?.join(' ') ?? shell ?? (runner === undefined ? '' : `${runner}: ${prompt ?? ''}`);
  const [line = ''] = (task.title ?? run).trim().split('\n', 1);
  return cut(line === '' ? task.id : line, MOST_SUBJECT_CHARACTERS);
}

function endText(status: TaskStatus, outcome: Outcome | undefined): string {
  const why = outcomeText(outcome);
  return status === 'completed' || why === '' ? status : `${status}: ${why}`;
}

function outcomeText(outcome: Outcome | undefined): string {
  if (outcome === undefined) return '';
  const { reason, exitCode, signal, message } = outcome;
  const what =
    exitCode !== undefined
      ? `exit code ${exitCode}`
      : signal !== undefined
        ? `signal ${signal}`
        : reason.replaceAll('_', ' ');
  const beside =
    reason === 'exit' || reason === 'signal' || exitCode === undefined
      ? ''
      : ` (${reason.replaceAll('_', ' ')})`;
  return cut(`${what}${beside}${message === undefined ? '' : `; ${message}`}`, MOST_DETAIL_CHARACTERS);
}

const doubtTexts: Record<DoubtReason, string> = {
  agent_unreachable: 'its agent cannot be reached',
  agent_stopped: 'its agent was stopped',
  agent_degraded: 'its agent cannot vouch for it',
  not_on_agent: 'its agent does not know it any more',
  agent_removed: 'its agent was removed',
  web_down: 'web was down',
};

function cut(text: string, most: number): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length <= most ? line : `${line.slice(0, most - 1).trimEnd()}…`;
}
