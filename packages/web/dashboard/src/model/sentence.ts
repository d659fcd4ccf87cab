/**
 * What is known, in one plain sentence. Guarantees: pure; a doubt is said before what is doubted; no sentence
 * asserts more than its row's certainty; reasons are words, never codes.
 */
import type { ShownStatus } from '@holdfast/shared/status';
import type { Outcome, ShownAgent, ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { clockHint } from './agent-clock.ts';
import { assertedStatus, byTasksClock, type Certainty } from './certainty.ts';
import type { LinkState } from './link.ts';
import { staleOf } from './stale.ts';
import { waitReasons, waitText } from './waiting.ts';
import { ageText, capitalized, plural, secondText, spanText, timeText, withoutStop } from './words.ts';

/** A word and a sentence for each status. */
export const statusHelp: Record<ShownStatus, { word: string; help: string }> = {
  submitted: { word: 'Submitted', help: 'Web has promised to deliver it; no agent has acknowledged it yet.' },
  queued: { word: 'Queued', help: 'The agent has it and waits for a free slot.' },
  starting: { word: 'Starting', help: 'The agent took it and is starting its process.' },
  running: { word: 'Running', help: 'Its agent vouches for the process.' },
  completed: { word: 'Completed', help: 'It ended with exit code 0. Final.' },
  failed: { word: 'Failed', help: 'It ended without success. Final; retry makes a new task.' },
  cancelled: { word: 'Cancelled', help: 'It was stopped on request. Final.' },
  unknown: { word: 'Unknown', help: 'What happens to it cannot be seen now; the truth will replace this.' },
  lost: { word: 'Lost', help: 'A person gave it up. An agent’s word would still replace this.' },
};

export interface SentenceInput {
  task: ShownTask;
  agent: ShownAgent | undefined;
  certainty: Certainty;
  /** Web's clock. */
  now: number;
}

export function taskSentence({ task, agent, certainty, now }: SentenceInput): string {
  const name = agent?.name ?? 'its agent';
  const hint = clockHint(name, certainty.aheadMs);
  const clocks = hint === undefined ? '' : ` ${capitalized(hint)}.`;
  if (isEnded(task.status)) {
    const said = endSentence(task, agent, byTasksClock(now, certainty));
    return `${said}${overruledText(task, now)}${clocks}`;
  }
  if (certainty.state === 'unknown') {
    return `Unknown: ${doubtText(certainty, name, now)}; it was ${wasText(task)}${possibility(task)}.`;
  }
  const stale = staleOf(task, certainty, now);
  const doubt = stale === undefined ? '' : ` Stale: ${stale.text}`;
  const said = `${liveSentence(task, agent, certainty, now)}${doubt}${overruledText(task, now)}${clocks}`;
  if (certainty.state === 'live') return said;
  return `${said} That is ${ageText(now - certainty.asOf)} old: ${sinceText(certainty, name, now)}.`;
}

/** A person gave it up, and its agent knew better: the truth that replaced a verdict says so. */
function overruledText({ status, verdict }: ShownTask, now: number): string {
  if (verdict === undefined || status === 'lost' || status === 'unknown') return '';
  return ` It had been given up as lost at ${timeText(verdict.at, now)}; its agent’s word replaced that.`;
}

function liveSentence(
  task: ShownTask,
  agent: ShownAgent | undefined,
  certainty: Certainty,
  webNow: number,
): string {
  const isLive = certainty.state === 'live';
  const now = byTasksClock(webNow, certainty);
  const on = agent === undefined ? '' : ` on ${agent.name}`;
  switch (task.status) {
    case 'submitted':
      return task.agentId === undefined
        ? 'Submitted; it waits for an agent to be live.'
        : `Submitted; it will be delivered to ${agent?.name ?? 'its agent'} as soon as that answers.`;
    case 'queued': {
      const again =
        task.attempt > 0 ? ` again after attempt ${task.attempt}${outcomeClause(task.outcome)}` : '';
      const since = task.attempt > 0 ? '' : ` since ${timeText(task.createdAt, now)}`;
      return `Queued${on}${again}${since}.${waitText(waitReasons(task, agent, certainty, webNow))}`;
    }
    case 'starting':
      return task.stopRequested === undefined ? `Starting${on}.` : `Starting${on}; ${stopText(task, now)}.`;
    case 'running': {
      const since = task.startedAt === undefined ? '' : ` since ${timeText(task.startedAt, now)}`;
      const worker = task.claim === undefined ? '' : `, by worker ${task.claim.worker}`;
      const last = lastOutput(task, now, isLive);
      return `Running${on}${since}${worker}${task.stopRequested === undefined ? last : `; ${stopText(task, now)}`}.`;
    }
    case 'completed':
    case 'failed':
    case 'cancelled':
    case 'unknown':
    case 'lost':
      return `${statusHelp[task.status].word}.`;
    default:
      return task.status satisfies never;
  }
}

function lastOutput(task: ShownTask, now: number, isLive: boolean): string {
  if (task.lastOutputAt === undefined)
    return task.claim !== undefined ? '' : isLive ? '; no output yet' : '; no output seen';
  // An age that nobody vouches for would go on growing: a time of day does not.
  return isLive
    ? `; last output ${ageText(now - task.lastOutputAt)} ago`
    : `; last output seen at ${timeText(task.lastOutputAt, now)}`;
}

function stopText(task: ShownTask, now: number): string {
  const { cause = 'cancel', at, message = 'it printed too much' } = task.stopRequested ?? {};
  const since = at === undefined ? '' : ` since ${timeText(at, now)}`;
  switch (cause) {
    case 'reclaim':
      return `its attempt is being stopped for a new one${since}`;
    case 'timeout':
      return `its time is over, it is being stopped${since}`;
    case 'idle_timeout':
      return `it was silent for too long, it is being stopped${since}`;
    case 'output_limit':
      return `${message}, it is being stopped${since}`;
    case 'cancel':
      return `the cancel is acknowledged, its processes are being stopped${since}`;
    default:
      return cause satisfies never;
  }
}

function endSentence(task: ShownTask, agent: ShownAgent | undefined, now: number): string {
  const on = agent === undefined ? '' : ` on ${agent.name}`;
  const at = task.endedAt === undefined ? '' : ` at ${timeText(task.endedAt, now)}`;
  const took =
    task.startedAt !== undefined && task.endedAt !== undefined
      ? ` after ${spanText(task.endedAt - task.startedAt)}`
      : '';
  switch (task.status) {
    case 'completed':
      return `Completed${on}${at}${took}${task.outcome?.exitCode === undefined ? '' : `, exit ${task.outcome.exitCode}`}.`;
    case 'failed': {
      if (task.refused !== undefined && task.attempt === 0 && task.outcome === undefined) {
        return `Refused by ${agent?.name ?? 'its agent'}${at}: it never ran.`;
      }
      const text = outcomeText(task.outcome);
      const more = task.outcome?.message?.replace(/^stopped because /, '');
      return `Failed${on}${at}${took}${text === '' ? '' : `: ${text}`}${more === undefined || text.includes(more) ? '' : ` (${more})`}.`;
    }
    case 'cancelled':
      return `Cancelled${on}${at}${task.startedAt === undefined ? ', before it started' : took}${killText(task)}.`;
    case 'lost': {
      const was =
        task.lastStatus === undefined ? '' : `it was ${wasText(task)} when web stopped hearing of it; `;
      const when = task.verdict === undefined ? '' : ` at ${timeText(task.verdict.at, now)}`;
      const note = task.verdict?.note === undefined ? '' : `: “${task.verdict.note}”`;
      return `Lost: ${was}given up by a person${when}${note}.`;
    }
    case 'submitted':
    case 'queued':
    case 'starting':
    case 'running':
    case 'unknown':
      return `${statusHelp[task.status].word}.`;
    default:
      return task.status satisfies never;
  }
}

/** A stop that needed more than a request: its exit says so, in the shell's way of naming a signal. */
function killText({ outcome, stopRequested, endedAt }: ShownTask): string {
  const wasKilled = outcome?.signal === 'SIGKILL' && stopRequested?.cause === 'cancel';
  if (!wasKilled || endedAt === undefined) return '';
  return `: SIGTERM was ignored, SIGKILL after ${spanText(endedAt - stopRequested.at)}`;
}

/** What has been missing since the last proof: of both links, if neither is heard. */
function sinceText(certainty: Certainty, agent: string, now: number): string {
  const { reason, heardAt } = certainty;
  const missing = missingText(certainty, agent, now);
  if (heardAt === undefined || reason === 'web_unreachable') return missing;
  return `${missing}, and the web service has been silent for ${ageText(now - heardAt)}`;
}

function missingText({ reason, heardAt }: Certainty, agent: string, now: number): string {
  switch (reason) {
    case 'agent_unreachable':
    case undefined:
      return `${agent} has not been heard since`;
    case 'agent_stopped':
      return `${agent} was stopped`;
    case 'agent_degraded':
      return `${agent} has not vouched for it since`;
    case 'not_on_agent':
      return `${agent} does not know this task`;
    case 'agent_removed':
      return 'its agent is not followed';
    case 'web_down':
      return `web was down, and has not heard ${agent} since`;
    case 'web_unreachable':
      return heardAt === undefined
        ? 'the web service has not been heard since'
        : `the web service has been silent for ${ageText(now - heardAt)}`;
    default:
      return reason satisfies never;
  }
}

/**
 * Why web, or this browser, cannot vouch, each age that of its own link. What web knew of an agent is told as of when web
 * was last heard.
 */
function doubtText({ reason, asOf, heardAt }: Certainty, agent: string, now: number): string {
  const webSilent = `the web service has been silent for ${ageText(now - (heardAt ?? asOf))}`;
  const silentMs = (heardAt ?? now) - asOf;
  const before = heardAt === undefined ? '' : `${webSilent}, before that `;
  switch (reason) {
    case 'agent_unreachable':
    case undefined:
      return `${before}${agent} ${heardAt === undefined ? 'has' : 'had'} been silent for ${ageText(silentMs)}`;
    case 'agent_stopped':
      return `${before}${agent} was stopped ${ageText(now - asOf)} ago`;
    case 'agent_degraded':
      return `${before}${agent} ${heardAt === undefined ? 'answers but cannot' : 'answered but could not'} vouch for its tasks (its journal cannot be written, or its sweep is late)`;
    case 'not_on_agent':
      return `${before}${agent} no longer ${heardAt === undefined ? 'knows' : 'knew'} this task`;
    case 'agent_removed':
      return `${before}its agent was removed`;
    case 'web_down':
      return `${before}web was down, and has not heard ${agent} since`;
    case 'web_unreachable':
      return webSilent;
    default:
      return reason satisfies never;
  }
}

function wasText(task: ShownTask): string {
  const status = task.status === 'lost' ? (task.lastStatus ?? 'lost') : assertedStatus(task);
  return status === 'unknown' || status === 'lost'
    ? 'last seen in a status that is not known'
    : statusHelp[status].word.toLowerCase();
}

function possibility(task: ShownTask): string {
  const status = assertedStatus(task);
  return status === 'running' || status === 'starting' ? '; the process may still run' : '';
}

/** `exit 7`, `killed by SIGKILL`, `time limit`: why it ended, or '' when there is nothing to say. */
export function outcomeText(outcome: Outcome | undefined): string {
  if (outcome === undefined) return '';
  const { exitCode, signal, message } = outcome;
  switch (outcome.reason) {
    case 'exit':
      return exitCode === undefined
        ? ''
        : `exit ${exitCode}${signal === undefined ? '' : ` (perhaps ${signal})`}`;
    case 'signal':
      return `killed by ${signal ?? 'a signal'}`;
    case 'spawn_failed':
      return `could not be started${message === undefined ? '' : `: ${message}`}`;
    case 'workspace_failed':
      return `its workspace could not be made${message === undefined ? '' : `: ${message}`}`;
    case 'dispatch_interrupted':
      return 'interrupted before it began';
    case 'process_vanished':
      return 'its process vanished without a word';
    case 'host_rebooted':
      return 'its machine was rebooted';
    case 'lease_expired':
      return 'its worker went silent';
    case 'reclaimed':
      return 'reclaimed';
    case 'released':
      return 'given back by its worker';
    case 'timeout':
      return 'over its time limit';
    case 'idle_timeout':
      return 'silent for too long';
    case 'output_limit':
      return 'printed too much';
    case 'worker_completed':
      return 'its worker completed it';
    case 'worker_failed':
      return message ?? 'its worker said that it failed';
    case 'cancelled_by_user':
      return 'cancelled';
    case 'attempts_exhausted':
      return message ?? 'no attempt is left';
    default:
      return outcome.reason satisfies never;
  }
}

function outcomeClause(outcome: Outcome | undefined): string {
  const text = outcomeText(outcome);
  return text === '' ? '' : ` (${text})`;
}

/**
 * What a person asked for and web has not delivered yet. `heardAt`: when web was last heard, while it is not; what it does
 * for them now is not known then.
 */
export function pendingText(
  task: ShownTask,
  agent: ShownAgent | undefined,
  heardAt?: number,
): string | undefined {
  const asked = task.pending?.filter((intent) => intent.action !== 'submit') ?? [];
  if (asked.length === 0) return undefined;
  const actions = asked.map((intent) => intent.action).join(' and ');
  const name = agent?.name ?? 'its agent';
  const error = asked.at(-1)?.lastError;
  const tried = error === undefined ? '' : ` (last try: ${error})`;
  const isLive = agent?.state === 'live';
  if (heardAt !== undefined) {
    const when = isLive ? `was being delivered to ${name}` : `was to be delivered when ${name} returns`;
    const at = secondText(heardAt);
    return `${capitalized(actions)} ${when}${tried} as of ${at}, when web was last heard. What became of it since is not known.`;
  }
  const when = isLive ? `is being delivered to ${name}` : `will be delivered when ${name} returns`;
  return `${capitalized(actions)} ${when}${tried}.`;
}

/** Follows what web hears of an agent while web itself is not heard. */
export const NOT_HEARD = ' That is what web said last: it is not heard now.';

/** What web hears of an agent, in a word: one that answers and cannot vouch is not silent. */
export function agentWord({ state, reason }: Pick<ShownAgent, 'state' | 'reason'>): string {
  if (state !== 'lost') return state;
  return reason === 'agent_degraded' ? 'degraded' : 'silent';
}

/** What web hears of an agent. */
export function agentSentence(agent: ShownAgent, now: number): string {
  const silent = agent.asOf === 0 ? 'never heard' : `last vouched ${ageText(now - agent.asOf)} ago`;
  const detail = agent.detail === undefined ? '' : ` ${capitalized(withoutStop(agent.detail))}.`;
  switch (agent.state) {
    case 'live':
      return `Live, ${silent}.${poolText(agent)}`;
    case 'late':
      return `A heartbeat is late; ${silent}.${detail}`;
    case 'lost':
      return agent.reason === 'agent_degraded'
        ? `It answers, but cannot vouch for its tasks; ${silent}.${detail}`
        : `Silent; ${silent}. Its tasks are unknown until it returns.${detail}`;
    case 'stopped':
      return `Stopped; ${silent}. Its tasks may still run.${detail}`;
    case 'connecting':
      return `Connecting; ${silent}.${detail}`;
    case 'resyncing':
      return `Resyncing${
        agent.progress === undefined ? '' : `, ${agent.progress.done} of ${agent.progress.of} events`
      }; ${silent}.`;
    case 'refused':
      return `Refused.${detail === '' ? ' Check its token and its version.' : detail}`;
    default:
      return agent.state satisfies never;
  }
}

function poolText(agent: ShownAgent): string {
  if (agent.pool === undefined) return '';
  const { running, slots, queued, paused, draining, attention = [] } = agent.pool;
  const brake = draining ? ' Draining: it starts nothing.' : paused ? ' Paused: it starts nothing.' : '';
  const why = attention.map(({ message }) => ` ${withoutStop(message)}.`).join('');
  return ` ${running} of ${plural(slots, 'slot')} in use, ${queued} queued.${brake}${why}`;
}

function effortText({ isTrying, retryInMs }: { isTrying?: boolean; retryInMs?: number }): string {
  if (isTrying === true) return ' · connecting …';
  return retryInMs === undefined ? '' : ` · retry in ${Math.ceil(retryInMs / 1000)} s`;
}

/** The link in the words of the truth bar. */
export function linkText(link: LinkState, isResyncing: boolean): string {
  switch (link.state) {
    case 'live':
      return isResyncing ? 'Resyncing' : `Live · proof ${ageText(link.ageMs)} ago`;
    case 'stale':
    case 'blind':
      return `Stale ${ageText(link.ageMs)}${effortText(link)}`;
    case 'connecting':
      return link.retryInMs === undefined ? 'Connecting …' : `No answer${effortText(link)}`;
    case 'signedOut':
      return 'Signed out';
    default:
      return link satisfies never;
  }
}
