/** What a run says at its end: a table of what was done, and for each violation the whole history of its task. */
import { uptime } from 'node:os';
import { eventsByTask } from './findings.ts';
import type { Violation } from './ledger.ts';
import type { ChaosResult } from './run.ts';

/** Faults of the services and the network within this much of a task's life are part of its history. */
const NEAR_MS = 1000;
const MOST_FAULTS = 60;
const MOST_HISTORIES = 5;

/** Services, processes and workers: how often each kind of thing happened. */
export function formatSummary({
  findings,
  ledger,
  samples,
  reads,
  readsBeyondDeadline,
  workers,
}: ChaosResult): string {
  const { agent, web, evidence, words } = findings;
  const ends = agent.events.filter(({ data }) => data?.outcome !== undefined);
  const sections: [string, Record<string, number>][] = [
    [`faults (${ledger.faults.length})`, ledger.counts()],
    [
      'requests',
      countBy(ledger.answers, ({ via, verb, status }) => `${verb} by ${via}: ${status || 'no answer'}`),
    ],
    [
      `tasks (${agent.tasks.size}, in ${agent.attempts.length} attempts)`,
      countBy(
        ends.filter(({ kind }) => kind !== 'requeued'),
        ({ kind, data }) => `${kind}: ${data!.outcome!.reason}`,
      ),
    ],
    [
      'requeued',
      countBy(
        ends.filter(({ kind }) => kind === 'requeued'),
        ({ data }) => `${data!.outcome!.reason} (${data!.charged === true ? 'charged' : 'not charged'})`,
      ),
    ],
    ['events', countBy(agent.events, ({ kind }) => kind)],
    ['evidence', countBy(evidence, ({ word }) => word)],
    ['doubts', countBy(web.doubts, ({ reason }) => reason)],
    [
      `words of workers${workers ? '' : ' (this agent hands out no claims)'}`,
      countBy(
        words,
        ({ word, late, status }) =>
          `${word}${late ? ', late' : ''}: ${word === 'grant' ? 'given' : status || 'no answer'}`,
      ),
    ],
    [
      'looks',
      {
        'at the process table': samples,
        'at what the services say': reads,
        'at web beyond the deadline': readsBeyondDeadline,
      },
    ],
  ];
  return sections.map(([title, counts]) => formatSection(title, counts)).join('\n');
}

function formatSection(title: string, counts: Record<string, number>): string {
  const entries = Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const lines = entries.map(([name, count]) => `  ${String(count).padStart(6)}  ${name}`);
  return [title, ...lines].join('\n');
}

function countBy<T>(items: readonly T[], nameOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[nameOf(item)] = (counts[nameOf(item)] ?? 0) + 1;
  return counts;
}

export function formatViolations(result: ChaosResult): string {
  const { ledger } = result;
  const lines = ledger.violations.map(formatViolation);
  const tasks = [...new Set(ledger.violations.map(({ taskId }) => taskId).filter((id) => id !== undefined))];
  const histories = tasks.slice(0, MOST_HISTORIES).map((taskId) => formatHistory(result, taskId));
  const rest = tasks.length > MOST_HISTORIES ? [`(${tasks.length - MOST_HISTORIES} more tasks)`] : [];
  return [...lines, ...histories, ...rest].join('\n');
}

function formatViolation({ promise, what, taskId }: Violation): string {
  return `VIOLATION of ${promise}: ${what}${taskId === undefined ? '' : ` [task ${taskId}]`}`;
}

/** Everything that is known of a task, in the order of time. */
function formatHistory({ findings, ledger }: ChaosResult, taskId: string): string {
  const bootAt = Date.now() - uptime() * 1000;
  const entries: [at: number, text: string][] = [];
  const events = eventsByTask(findings.agent).get(taskId) ?? [];
  for (const event of events) {
    const { at, seq, kind, attempt, from, to, reason, data } = event;
    const more = data === undefined || kind === 'submitted' ? '' : ` ${JSON.stringify(data)}`;
    entries.push([
      at,
      `event ${seq} ${kind} attempt ${attempt}: ${from ?? '–'} → ${to} ${reason ?? ''}${more}`,
    ]);
  }
  for (const line of findings.evidence) {
    if (line.taskId !== taskId) continue;
    const at = bootAt + line.uptime * 1000;
    entries.push([at, `evidence: ${line.word} attempt ${line.attempt} pid ${line.pid} (${line.detail})`]);
  }
  for (const word of findings.words) {
    if (word.taskId !== taskId) continue;
    entries.push([word.at, `${word.worker}: ${word.word} attempt ${word.attempt} → ${word.status}`]);
  }
  for (const { at, doneAt, via, verb, status } of ledger.answers.filter((one) => one.taskId === taskId)) {
    entries.push([at, `${verb} asked of ${via}, answered ${status || 'never'} after ${doneAt - at} ms`]);
  }
  for (const doubt of findings.web.doubts) {
    if (doubt.taskId !== taskId) continue;
    entries.push([
      doubt.since,
      `web doubts (${doubt.reason}) until ${doubt.resolvedAt}: ${doubt.resolvedTo}`,
    ]);
  }
  const times = entries.map(([at]) => at);
  const [first, last] = [Math.min(...times) - NEAR_MS, Math.max(...times) + NEAR_MS];
  const near = ledger.faults
    .filter(
      (fault) =>
        fault.taskId === taskId || (fault.taskId === undefined && fault.at > first && fault.at < last),
    )
    .slice(0, MOST_FAULTS);
  for (const { at, kind, detail, attempt } of near)
    entries.push([at, `FAULT ${kind} ${detail}${attempt === undefined ? '' : ` (attempt ${attempt})`}`]);
  const submitted = events[0] as { data?: { task?: { spec?: unknown } } } | undefined;
  const title = `\nHistory of ${taskId}: ${JSON.stringify(submitted?.data?.task?.spec ?? 'not on the agent')}`;
  const lines = entries
    .toSorted(([a], [b]) => a - b)
    .map(([at, text]) => `  ${new Date(at).toISOString().slice(11)} ${text}`);
  return [title, ...lines].join('\n');
}
