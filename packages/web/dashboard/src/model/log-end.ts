/**
 * What the last line of a log says. Guarantees: pure; "end of output" only when the agent said that no byte will
 * follow; who is not heard (the agent, or web) and until when this was read is said in words; silence is not an end.
 */
import type { ShownTask } from '@holdfast/shared';
import { isEnded, isTerminal } from '@holdfast/shared/status';
import { byTasksClock, type Certainty } from './certainty.ts';
import type { LinkState } from './link.ts';
import type { Problem } from './problem.ts';
import { outcomeText, statusHelp } from './sentence.ts';
import { ageText, bytesText, plural, secondText } from './words.ts';

export interface LogEnd {
  /** `elsewhere`: nothing is printed here, whatever its worker prints. */
  kind: 'reading' | 'following' | 'complete' | 'stopped' | 'elsewhere';
  /** Who is not heard, when it is `stopped`. */
  who?: 'agent' | 'web';
  text: string;
}

export interface LogEndInput {
  state: 'loading' | 'following' | 'ended' | 'stopped';
  problem?: Problem | undefined;
  /** When the agent last answered for the log (web's clock). */
  readAt?: number | undefined;
  totalBytes: number;
  /** What is on its way to somebody who follows. */
  behindBytes?: number | undefined;
  /** Known only when the log was counted from its beginning. */
  lineCount?: number | undefined;
  task: ShownTask;
  attempt: number;
  agentName: string;
  certainty: Certainty;
  link: LinkState['state'];
  now: number;
}

export function logEnd(input: LogEndInput): LogEnd {
  const { state, problem, task, totalBytes, certainty, link, agentName, now } = input;
  if (isWorkersTask(task) && totalBytes === 0) return { kind: 'elsewhere', text: workersText(task) };
  const until =
    input.readAt === undefined
      ? 'nothing was read yet'
      : `this is what was read until ${secondText(input.readAt)}`;
  switch (state) {
    case 'loading':
      return { kind: 'reading', text: 'Reading …' };
    case 'ended':
      return { kind: 'complete', text: completeText(input) };
    case 'stopped':
      if (problem?.code === 'agent_unreachable') {
        return {
          kind: 'stopped',
          who: 'agent',
          text: `${agentName} cannot be reached: ${until}. ${more(task)}`,
        };
      }
      if (problem === undefined || problem.status === 0) {
        return {
          kind: 'stopped',
          who: 'web',
          text: `The web service does not answer: ${until}. ${more(task)}`,
        };
      }
      return {
        kind: 'stopped',
        text: `Stream stopped, not ended: ${problem.detail} It is tried again by itself; ${until}.`,
      };
    case 'following': {
      if (certainty.reason === 'not_on_agent' && link === 'live') {
        return {
          kind: 'stopped',
          who: 'agent',
          text: `Stream stopped, not ended: ${agentName} no longer knows this task; ${until}. ${more(task)}`,
        };
      }
      if (certainty.state !== 'live') {
        const isWeb = link !== 'live';
        const name = isWeb ? 'the web service' : agentName;
        return {
          kind: 'stopped',
          who: isWeb ? 'web' : 'agent',
          text: `Stream stopped, not ended: ${name} is not heard; ${until}. ${more(task)}`,
        };
      }
      // It prints nothing more: what is missing here is on its way.
      if (task.status === 'lost') {
        return { kind: 'stopped', text: `Given up, not ended: ${until}. It may have printed more since.` };
      }
      if (isEnded(task.status)) return { kind: 'reading', text: 'Reading to the end …' };
      if (totalBytes === 0) return { kind: 'following', text: 'Nothing printed yet' };
      const age =
        task.lastOutputAt === undefined
          ? ''
          : ` · last output ${ageText(byTasksClock(now, certainty) - task.lastOutputAt)} ago`;
      const behind = input.behindBytes ?? 0;
      return {
        kind: 'following',
        text: `Following${behind > 0 ? `, ${bytesText(behind)} behind` : ''}${age}`,
      };
    }
    default:
      return state satisfies never;
  }
}

/** Such a task is claimed by a worker that runs elsewhere, whatever its spec says: its agent starts nothing of it. */
function isWorkersTask({ claim, queue }: Pick<ShownTask, 'claim' | 'queue'>): boolean {
  return claim !== undefined || queue !== 'default';
}

function workersText({ claim }: ShownTask): string {
  const worker = claim === undefined ? 'Its worker' : `Worker ${claim.worker}`;
  return `${worker} keeps its output: no log of it is kept here.`;
}

function completeText({ task, attempt, totalBytes, lineCount }: LogEndInput): string {
  const isNewest = attempt === task.attempt;
  const how = isNewest
    ? outcomeText(task.outcome) || (isEnded(task.status) ? statusHelp[task.status].word.toLowerCase() : '')
    : `of attempt ${attempt}`;
  const lost = isNewest ? task.outputBytes - totalBytes : 0;
  if (totalBytes === 0 && lost > 0) {
    return ['Its log is gone', how, `${bytesText(lost)} were printed, none of it is left`]
      .filter((part) => part !== '')
      .join(' · ');
  }
  const size =
    totalBytes === 0
      ? 'nothing was printed'
      : lineCount === undefined
        ? bytesText(totalBytes)
        : plural(lineCount, 'line');
  return ['End of output', how, size, lost > 0 ? `${bytesText(lost)} that were counted are missing` : '']
    .filter((part) => part !== '')
    .join(' · ');
}

/** What may be behind the last line that was read. */
function more(task: ShownTask): string {
  return isTerminal(task.status)
    ? 'The task has ended; the rest of its log is still at its agent.'
    : 'It may have printed more since.';
}
