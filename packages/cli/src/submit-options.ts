/**
 * What `holdfast run` submits. Guarantees: every field of a submit and of its spec can be given (a test compares the
 * options with the schemas); the words after `--` reach the task as they are; what contradicts itself is refused
 * before anybody is asked.
 */
import { isAbsolute, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Submit, TaskSpec } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { usageError } from './cli-error.ts';
import type { Io } from './io.ts';
import { collect } from './pages.ts';
import { unknownWord } from './suggest.ts';
import { parseDuration, parseWhole } from './words.ts';

export interface SubmitOptions {
  shell?: string;
  runner?: string;
  prompt?: string;
  queue?: string;
  payload?: string;
  agent?: string;
  cwd?: string;
  worktree?: string | true;
  ref?: string;
  env?: string[];
  session?: string;
  title?: string;
  label?: string[];
  externalId?: string;
  id?: string;
  priority?: string;
  concurrencyKey?: string;
  timeout?: string;
  idleTimeout?: string;
  retries?: string;
  maxAttempts?: string;
  retryOn?: string;
  keepLeftovers?: boolean;
}

/** The body of a submit; `agent` is web's alone. */
export type SubmitBody = Submit & { agent?: string };

const MOST_ATTEMPTS = 100;
const causes = ['lost', 'failed'] as const;
type Cause = (typeof causes)[number];

export function addSubmitOptions(command: Command): void {
  command
    .optionsGroup('What to run:')
    .option('--shell <line>', 'a line for sh, instead of a command')
    .option('--runner <name>', 'run the prompt by this runner; `holdfast runners` lists them')
    .option('--prompt <text>', 'what to give the runner; or the words after --')
    .option('--queue <name>', 'leave it to workers that claim tasks of this queue; the agent does not run it')
    .option('--payload <json>', 'any JSON, for the worker (`payload`)')
    .optionsGroup('Where:')
    .option('--agent <name>', 'agent that is to run it, by name or id; default: the one with most free slots')
    .option('--cwd <dir>', 'directory to run in; default: the current one')
    .option(
      '--worktree [repo]',
      'in a git worktree of its own, of this repository; kept while it holds changes',
    )
    .option('--ref <ref>', 'with --worktree: what to check out; default: HEAD')
    .option('--env <name=value>', 'a variable of its environment; may be repeated', collect)
    .optionsGroup('What to call it:')
    .option('--session <id>', 'session that it belongs to; default: a new one')
    .option('--title <text>', 'what people are shown; default: the command')
    .option('--label <key=value>', 'a label; may be repeated', collect)
    .option('--external-id <id>', 'what it is called elsewhere; a runner goes on with the work of this id')
    .option('--id <uuid>', 'its id, a UUIDv7: repeating a submit with the same id is harmless')
    .optionsGroup('When, and how long:')
    .option('--priority <n>', 'higher goes first, from -1000 to 1000; default: 0')
    .option('--concurrency-key <key>', 'of the tasks with the same key one runs at a time')
    .option('--timeout <duration>', 'stop it after that time: 90s, 30m, 2h')
    .option('--idle-timeout <duration>', 'stop it when it has written nothing for that long')
    .optionsGroup('If it does not succeed:')
    .option('--retries <n>', 'start it again up to n times when it fails or is lost')
    .option('--max-attempts <n>', 'start it at most n times in all; default: HOLDFAST_MAX_ATTEMPTS, 3')
    .option('--retry-on <causes>', 'for which cause: lost, failed, or both (lost,failed); default: lost')
    .option('--keep-leftovers', 'leave processes alone that outlive its command; default: stop them');
}

/** Throws usage errors. What a schema alone can tell is left to the service. */
export function submitBody(io: Io, words: string[], options: SubmitOptions): SubmitBody {
  const { session, title, queue, priority, label, externalId, agent } = options;
  return {
    id: options.id ?? uuidv7(),
    sessionId: session ?? newSessionId(io.now(), io.random),
    ...(title === undefined ? {} : { title }),
    spec: taskSpec(io.cwd, words, options),
    ...(queue === undefined ? {} : { queue }),
    ...(priority === undefined ? {} : { priority: parseWhole(priority, '--priority', -1000, 1000) }),
    ...(label === undefined ? {} : { labels: parsePairs(label, '--label') }),
    ...(externalId === undefined ? {} : { externalId }),
    ...(agent === undefined ? {} : { agent }),
  };
}

function taskSpec(here: string, words: string[], options: SubmitOptions): TaskSpec {
  const { env, timeout, idleTimeout, concurrencyKey, keepLeftovers, payload } = options;
  return {
    ...work(words, options),
    ...place(here, options),
    ...(env === undefined ? {} : { env: parsePairs(env, '--env') }),
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout, '--timeout') }),
    ...(idleTimeout === undefined ? {} : { idleTimeoutMs: parseDuration(idleTimeout, '--idle-timeout') }),
    ...retry(options),
    ...(concurrencyKey === undefined ? {} : { concurrencyKey }),
    ...(keepLeftovers === undefined ? {} : { keepLeftovers }),
    ...(payload === undefined ? {} : { payload: parsePayload(payload) }),
  };
}

function retry({ retries, maxAttempts, retryOn }: SubmitOptions): Pick<TaskSpec, 'retry'> {
  if (retries !== undefined) {
    if (maxAttempts !== undefined || retryOn !== undefined)
      throw usageError(
        '--retries is short for --max-attempts and --retry-on',
        'Give --retries alone, or the other two.',
      );
    const attempts = parseWhole(retries, '--retries', 0, MOST_ATTEMPTS - 1) + 1;
    return { retry: { maxAttempts: attempts, on: [...causes] } };
  }
  if (maxAttempts === undefined && retryOn === undefined) return {};
  return {
    retry: {
      ...(maxAttempts === undefined
        ? {}
        : { maxAttempts: parseWhole(maxAttempts, '--max-attempts', 1, MOST_ATTEMPTS) }),
      ...(retryOn === undefined ? {} : { on: retryOn.split(',').map(parseCause) }),
    },
  };
}

function parseCause(text: string): Cause {
  const cause = causes.find((one) => one === text.trim());
  if (cause === undefined) throw unknownWord('cause', text, causes);
  return cause;
}

function parsePayload(text: string): Exclude<TaskSpec['payload'], undefined> {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw usageError('--payload is no JSON', `Quote it for the shell: --payload '{"pages": [1, 2]}'`);
  }
}

/** Where it is to be done. In a worktree `cwd` is a directory of that, so that nothing runs beside it. */
function place(here: string, { cwd, worktree, ref }: SubmitOptions): Pick<TaskSpec, 'cwd' | 'workspace'> {
  if (worktree === undefined) {
    if (ref !== undefined) throw usageError('--ref says what a worktree is made of', 'Give --worktree too.');
    return { cwd: resolve(here, cwd ?? '.') };
  }
  if (cwd !== undefined && isAbsolute(cwd)) {
    throw usageError(
      '--cwd is a directory inside the worktree',
      'Give it relative to the root of the repository.',
    );
  }
  const repo = resolve(here, worktree === true ? '.' : worktree);
  const workspace = { worktree: { repo, ref: ref ?? 'HEAD' } };
  return cwd === undefined ? { workspace } : { workspace, cwd };
}

/** What is to be done: exactly one of a command, a shell line, or a runner with its prompt. */
function work(
  words: string[],
  options: SubmitOptions,
): Pick<TaskSpec, 'command' | 'shell' | 'runner' | 'prompt'> {
  const { shell, runner, queue } = options;
  if (shell !== undefined && runner !== undefined)
    throw usageError('--shell and --runner exclude each other');
  if (shell !== undefined) {
    if (words.length > 0) throw usageError('--shell takes the whole line; nothing may stand after --');
    return { shell };
  }
  if (runner !== undefined) {
    if ((options.prompt === undefined) === (words.length === 0)) {
      throw usageError('--runner needs one prompt', 'Give it by --prompt, or after --.');
    }
    return { runner, prompt: options.prompt ?? words.join(' ') };
  }
  if (options.prompt !== undefined) throw usageError('--prompt goes with --runner');
  if (words.length > 0) return { command: words };
  if (queue !== undefined && queue !== 'default') return {};
  throw usageError('there is nothing to run', 'Write the command after --, e.g.: holdfast run -- make test');
}

function parsePairs(pairs: string[], option: string): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      if (equals <= 0) throw usageError(`${option} is "${pair}"`, 'Write a name, =, and a value.');
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

/** `cli-20261121-4f9a2c`: of today, and of nobody else. */
function newSessionId(now: number, random: () => number): string {
  const day = new Date(now).toISOString().slice(0, 10).replaceAll('-', '');
  const part = Math.floor(random() * 0x1000000);
  return `cli-${day}-${part.toString(16).padStart(6, '0')}`;
}
