/** A task as the command that would submit it again. Guarantees: every word is quoted for a POSIX shell. */
import type { ShownTask } from '@holdfast/shared';

export function cliText(
  task: Pick<ShownTask, 'sessionId' | 'title' | 'labels' | 'spec'>,
  agent?: string,
): string {
  const words = ['holdfast', 'run', '--session', task.sessionId];
  if (agent !== undefined) words.push('--agent', agent);
  if (task.title !== undefined) words.push('--title', task.title);
  for (const [key, value] of Object.entries(task.labels)) words.push('--label', `${key}=${value}`);
  const { spec } = task;
  if (spec.cwd !== undefined) words.push('--cwd', spec.cwd);
  if (spec.command !== undefined) words.push('--', ...spec.command);
  else if (spec.shell !== undefined) words.push('--', 'sh', '-c', spec.shell);
  else if (spec.runner !== undefined) words.push('--runner', spec.runner, '--', spec.prompt ?? '');
  return words.map(quoteWord).join(' ');
}

export function quoteWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
