/**
 * Runners: named commands that a task asks for by `runner` and `prompt`. Three coding agents are ready to use;
 * config.json adds others and replaces these by name.
 *
 * Placeholders are filled into argv, never into a shell string, so a prompt is always one argument. `{uuid}` is new
 * for each attempt: a session id that an earlier attempt has used is refused.
 */
import { randomUUID } from 'node:crypto';
import type { Runner, RunnerInfo, Task } from '@holdfast/shared';
import { resolveExecutable } from './environment.ts';
import { StartError } from './start-error.ts';

/**
 * How the three are told to work without a person and to stream JSON lines. All of them take `--` as the end of the
 * options, so that a prompt that begins with `-` stays a prompt; all of them read stdin to its end, which is at once
 * (`/dev/null`). None is given a right that its user has not given it: what it may do unasked is for its own settings.
 *
 * - Claude Code: `stream-json` needs `--verbose`; `--session-id` makes a session and refuses one that exists, which
 *   `--resume` goes on with (code.claude.com/docs/en/cli-reference).
 * - Codex: `thread.started` is its first event (openai/codex, codex-rs/exec/src/cli.rs and exec_events.rs).
 * - opencode: each event names its session (anomalyco/opencode, packages/opencode/src/cli/cmd/run.ts).
 */
export const builtinRunners: Readonly<Record<string, Runner>> = {
  claude: {
    command: claude('--session-id', '{uuid}'),
    resume: claude('--resume', '{externalId}'),
    externalIdPattern: '"session_id":"([0-9A-Fa-f-]{36})"',
  },
  codex: {
    command: ['codex', 'exec', '--json', '--', '{prompt}'],
    resume: ['codex', 'exec', '--json', 'resume', '--', '{externalId}', '{prompt}'],
    externalIdPattern: String.raw`"type":"thread\.started","thread_id":"([0-9A-Za-z-]+)"`,
  },
  opencode: {
    command: ['opencode', 'run', '--format', 'json', '--', '{prompt}'],
    resume: ['opencode', 'run', '--format', 'json', '--session', '{externalId}', '--', '{prompt}'],
    externalIdPattern: '"sessionID":"(ses_[0-9A-Za-z]+)"',
  },
};

function claude(...session: string[]): string[] {
  return ['claude', '-p', '--output-format', 'stream-json', '--verbose', ...session, '--', '{prompt}'];
}

/** The built-in runners and the configured ones, which win by name. */
export function knownRunners(configured: Readonly<Record<string, Runner>>): Record<string, Runner> {
  return { ...builtinRunners, ...configured };
}

/** Every known runner, and where its program is found now in the PATH that tasks get. */
export function listRunners(
  configured: Readonly<Record<string, Runner>>,
  searchPath: string | undefined,
): RunnerInfo[] {
  return Object.entries(knownRunners(configured))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { command, resume }]) => {
      const executable = findProgram(command[0]!, searchPath);
      return {
        name,
        command,
        ...(resume === undefined ? {} : { resume }),
        ...(executable === undefined ? {} : { executable }),
        source: Object.hasOwn(configured, name) ? 'config' : 'builtin',
      };
    });
}

function findProgram(program: string, searchPath: string | undefined): string | undefined {
  // Where a relative path leads depends on the directory of each task.
  if (program.includes('/') && !program.startsWith('/')) return undefined;
  try {
    return resolveExecutable(program, '/', searchPath);
  } catch (error) {
    if (error instanceof StartError) return undefined;
    throw error;
  }
}

/**
 * The argv of a task, before its executable is looked up; undefined if its spec names an unknown runner. Throws a
 * final `StartError` for an external id that the program would read as an option.
 */
export function argvOf(
  task: Task,
  runners: Readonly<Record<string, Runner>>,
  newUuid: () => string = randomUUID,
): string[] | undefined {
  const { command, shell, runner, prompt } = task.spec;
  if (command !== undefined) return command;
  if (shell !== undefined) return ['/bin/sh', '-c', shell];
  if (runner === undefined || !Object.hasOwn(runners, runner)) return undefined;
  const known = runners[runner]!;
  const { externalId } = task;
  const template = (externalId === undefined ? undefined : known.resume) ?? known.command;
  const place = template.indexOf('{externalId}');
  if (externalId?.startsWith('-') === true && place !== -1 && !template.slice(0, place).includes('--')) {
    const message = `"${externalId}" cannot be resumed: ${template[0]} would read it as an option`;
    throw new StartError('spawn_failed', message, { passing: false });
  }
  const values: Record<string, string> = {
    prompt: prompt ?? '',
    uuid: newUuid(),
    externalId: externalId ?? '',
    sessionId: task.sessionId,
  };
  return template.map((part) =>
    part.replaceAll(/\{(prompt|uuid|externalId|sessionId)\}/g, (_, name: string) => values[name]!),
  );
}
