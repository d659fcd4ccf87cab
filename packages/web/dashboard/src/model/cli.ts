/**
 * A task as the command that would submit it again. Guarantees: every word is quoted for a POSIX shell, so that pasting
 * it submits exactly what is shown; what the command line cannot say is named, never silently left out.
 */
import type { ShownTask } from '@holdfast/shared';

export interface Cli {
  line: string;
  /** What the line does not carry over, a sentence each. */
  leftOut: string[];
}

type CliTask = Pick<ShownTask, 'sessionId' | 'title' | 'labels' | 'spec' | 'queue' | 'priority'>;

export function cliOf(task: CliTask, agent?: string): Cli {
  const { spec } = task;
  const words = ['holdfast', 'run', '--session', task.sessionId];
  if (agent !== undefined) words.push('--agent', agent);
  if (task.title !== undefined) words.push('--title', task.title);
  for (const [key, value] of Object.entries(task.labels)) words.push('--label', `${key}=${value}`);
  if (task.queue !== 'default') words.push('--queue', task.queue);
  if (task.priority !== 0) words.push('--priority', String(task.priority));
  if (spec.cwd !== undefined) words.push('--cwd', spec.cwd);
  if (spec.timeoutMs !== undefined) words.push('--timeout', durationText(spec.timeoutMs));
  const retries = retriesOf(spec.retry);
  if (retries !== undefined) words.push('--retries', String(retries));
  if (spec.shell !== undefined) words.push('--shell', spec.shell);
  else if (spec.runner !== undefined) words.push('--runner', spec.runner, '--prompt', spec.prompt ?? '');
  else if (spec.command !== undefined) words.push('--', ...spec.command);
  return { line: words.map(quoteWord).join(' '), leftOut: leftOutOf(task) };
}

function leftOutOf({ spec }: CliTask): string[] {
  const said: string[] = [];
  if (spec.cwd === undefined) said.push('It named no directory; the line runs in the one that you are in.');
  if (spec.env !== undefined && spec.env.length > 0) {
    said.push(
      `The values of ${spec.env.join(', ')} never leave the agent: add ${spec.env.map((name) => `--env ${name}=…`).join(' ')}.`,
    );
  }
  if (spec.workspace !== undefined) said.push('Its workspace: there is no option for that.');
  if (spec.retry !== undefined && retriesOf(spec.retry) === undefined) {
    said.push('Its retry policy: --retries covers lost and failed attempts alike, with a number.');
  }
  if (spec.idleTimeoutMs !== undefined)
    said.push('Its limit on silence (idleTimeoutMs): there is no option for that.');
  if (spec.concurrencyKey !== undefined) said.push('Its concurrency key: there is no option for that.');
  if (spec.keepLeftovers === true)
    said.push('That leftover processes are kept: there is no option for that.');
  if (spec.payload !== undefined) said.push('Its payload: there is no option for that.');
  return said;
}

/** As `--retries` means it; undefined when that cannot say it. */
function retriesOf(retry: ShownTask['spec']['retry']): number | undefined {
  if (retry?.maxAttempts === undefined) return undefined;
  const on = new Set(retry.on);
  return on.has('lost') && on.has('failed') ? retry.maxAttempts - 1 : undefined;
}

/** `90s`, `30m`, `1500ms`: in the largest unit that is exact. */
function durationText(ms: number): string {
  for (const [unit, size] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

export function quoteWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
