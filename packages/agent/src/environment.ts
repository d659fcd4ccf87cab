/**
 * The environment of a task: the agent's own as its user knows it, then `spec.env`, then the marker by which the
 * task's processes are known. The marker comes last: a task cannot hide behind another's.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { errnoOf, isMissing, StartError, startErrorOf } from './start-error.ts';

/**
 * What npm and pnpm add when they run a script. `PNPM_HOME` is not theirs but the user's: pnpm's installer writes
 * it into the shell's profile.
 */
const INJECTED = /^(npm_|PNPM_(?!HOME$)|(NODE|INIT_CWD|COREPACK_ROOT)$)/;
/** The agent's own settings and secrets are not the task's. */
const OWN = /^HOLDFAST_/;
/** Of the shell that started the agent, about a directory and a command that are not the task's. */
const STALE = /^(OLDPWD|_)$/;
const PACKAGE_BIN = /\/node_modules\/\.bin\/?$|\/node-gyp-bin\/?$/;

/** Where a shell looks when it has no PATH. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';
const MOST_PATH_SHOWN = 300;

export interface Marker {
  taskId: string;
  attempt: number;
  sessionId: string;
  /** The absolute run directory. */
  run: string;
}

/** `base` without what was injected; computed once, as the agent's environment does not change. */
export function cleanEnvironment(base: NodeJS.ProcessEnv): Record<string, string> {
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(base)) {
    if (value === undefined || INJECTED.test(name) || OWN.test(name) || STALE.test(name)) continue;
    clean[name] = name === 'PATH' ? withoutPackageBins(value) : value;
  }
  return clean;
}

function withoutPackageBins(path: string): string {
  return path
    .split(delimiter)
    .filter((entry) => !PACKAGE_BIN.test(entry))
    .join(delimiter);
}

/** What a task has besides the common environment: its own values, and the marker, which nothing overrides. */
export function ownEnvironment(
  own: Readonly<Record<string, string>> | undefined,
  marker: Marker,
): Record<string, string> {
  return {
    ...own,
    HOLDFAST_TASK: marker.taskId,
    HOLDFAST_ATTEMPT: String(marker.attempt),
    HOLDFAST_SESSION: marker.sessionId,
    HOLDFAST_RUN: marker.run,
  };
}

/**
 * The absolute path of a command, looked up as a shell would: a name with a slash from `cwd`, any other in the
 * task's PATH. Throws a final `StartError` that says what is wrong. Synchronous: for each entry of PATH one call
 * that costs less than handing it to another thread.
 */
export function resolveExecutable(command: string, cwd: string, searchPath = DEFAULT_PATH): string {
  if (command.includes('/')) {
    const path = isAbsolute(command) ? command : resolve(cwd, command);
    const found = lookAt(path);
    if (found.is === 'executable') return path;
    throw refusal(command, found);
  }
  const entries = searchPath.split(delimiter);
  let refused: StartError | undefined;
  // An empty entry of PATH is the current directory (POSIX, "Environment Variables").
  for (const entry of command === '' ? [] : entries) {
    const path = join(resolve(cwd, entry), command);
    const found = lookAt(path);
    if (found.is === 'executable') return path;
    // Like a shell: a file that may not be executed is told only if no other is found.
    if (found.is !== 'missing') refused ??= refusal(path, found);
  }
  if (refused !== undefined) throw refused;
  const looked = entries.join(', ');
  const where = looked.length > MOST_PATH_SHOWN ? `${looked.slice(0, MOST_PATH_SHOWN)}…` : looked;
  throw new StartError('spawn_failed', `command not found: ${command} (looked in ${where})`, {
    passing: false,
  });
}

type Found =
  | { is: 'executable' }
  | { is: 'missing' }
  | { is: 'refused'; why: string }
  | { is: 'failed'; cause: unknown };

function lookAt(path: string): Found {
  try {
    // Most directories of PATH lack any given command: no error is made for each.
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return { is: 'missing' };
    if (!stats.isFile()) return { is: 'refused', why: 'it is not a file' };
  } catch (error) {
    return isMissing(error) ? { is: 'missing' } : { is: 'failed', cause: error };
  }
  try {
    accessSync(path, constants.X_OK);
    return { is: 'executable' };
  } catch (error) {
    return errnoOf(error) === 'EACCES'
      ? { is: 'refused', why: 'it is not executable' }
      : { is: 'failed', cause: error };
  }
}

function refusal(command: string, found: Exclude<Found, { is: 'executable' }>): StartError {
  switch (found.is) {
    case 'missing':
      return new StartError('spawn_failed', `command not found: ${command}`, { passing: false });
    case 'refused':
      return new StartError('spawn_failed', `${command} cannot be run: ${found.why}`, { passing: false });
    case 'failed':
      return startErrorOf('spawn_failed', `${command} cannot be run`, found.cause);
    default:
      return found satisfies never;
  }
}
