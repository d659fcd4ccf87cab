/**
 * Runners: named commands from config.json that a task asks for by `runner` and `prompt`.
 *
 * Placeholders are filled into argv, never into a shell string, so a prompt is always one argument.
 */
import type { Runner, Task } from '@holdfast/shared';

/** The argv of a task, before its executable is looked up; undefined if its spec names an unknown runner. */
export function argvOf(task: Task, runners: Readonly<Record<string, Runner>>): string[] | undefined {
  const { command, shell, runner, prompt } = task.spec;
  if (command !== undefined) return command;
  if (shell !== undefined) return ['/bin/sh', '-c', shell];
  const known = runner === undefined ? undefined : runners[runner];
  if (known === undefined) return undefined;
  const resumed = task.externalId === undefined ? undefined : known.resume;
  const values: Record<string, string> = {
    prompt: prompt ?? '',
    uuid: task.id,
    externalId: task.externalId ?? '',
    sessionId: task.sessionId,
  };
  return (resumed ?? known.command).map((part) =>
    part.replaceAll(/\{(prompt|uuid|externalId|sessionId)\}/g, (_, name: string) => values[name]!),
  );
}
