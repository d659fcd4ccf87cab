/**
 * `holdfast run`: submits a task, and waits for it if asked.
 *
 * Guarantees: the words after `--` reach the task as they are; on standard output stands the id alone (with
 * `--follow` the task's output alone, with `--json` one document); a submit whose answer was lost is exit code 75
 * with the command that repeats it harmlessly.
 */
import { isAbsolute, resolve } from 'node:path';
import type { Command } from 'commander';
import type { TaskSpec } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { usageError } from '../cli-error.ts';
import type { Client, SeenTask } from '../client.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { afterLostAnswer } from '../lost-answer.ts';
import { endText } from '../task-text.ts';
import { concludeWait, DEFAULT_PATIENCE, waitForTask } from '../wait.ts';
import { parseDuration, parseWhole } from '../words.ts';

interface RunOptions {
  session?: string;
  label?: string[];
  agent?: string;
  title?: string;
  cwd?: string;
  worktree?: string | true;
  ref?: string;
  env?: string[];
  priority?: string;
  queue?: string;
  timeout?: string;
  retries?: string;
  runner?: string;
  prompt?: string;
  shell?: string;
  id?: string;
  wait?: boolean;
  follow?: boolean;
  patience: string;
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

export function defineRun(command: Command, invocation: Invocation): void {
  command
    .usage('[options] -- command …')
    .argument('[words...]', 'the command and its arguments, after --')
    .option('--session <id>', 'session that the task belongs to; default: a new one')
    .option('--label <key=value>', 'a label; may be repeated', collect)
    .option('--agent <name>', 'agent that is to run it, by name or id; default: the one with most free slots')
    .option('--title <text>', 'what to call it')
    .option('--cwd <dir>', 'directory to run in; default: the current one')
    .option(
      '--worktree [repo]',
      'in a git worktree of its own, of this repository; kept while it holds changes',
    )
    .option('--ref <ref>', 'with --worktree: what to check out; default: HEAD')
    .option('--env <name=value>', 'a variable of its environment; may be repeated', collect)
    .option('--priority <n>', 'higher goes first, from -1000 to 1000; default: 0')
    .option('--queue <name>', 'a queue whose tasks are claimed by workers instead of being run by the agent')
    .option('--timeout <duration>', 'stop it after that time: 90s, 30m, 2h')
    .option('--retries <n>', 'start it again up to n times when it fails or is lost')
    .option('--runner <name>', 'run the prompt by this runner; `holdfast runners` lists them')
    .option('--prompt <text>', 'what to give the runner')
    .option('--shell <line>', 'a line for sh, instead of a command')
    .option('--id <uuid>', 'the task’s id, a UUIDv7: repeating a submit with the same id is harmless')
    .option('--wait', 'wait until it has ended; exit with its exit code')
    .option('--follow', 'print its output as it comes, then as --wait')
    .option('--patience <duration>', 'with --wait: how long the outcome may be unknown', DEFAULT_PATIENCE)
    .addHelpText(
      'after',
      `
With --wait the exit code is the task’s own; 128+n if signal n ended it, 1 if it was cancelled or failed without a
code, 75 if its outcome is unknown for longer than --patience. Ctrl-C detaches; the task goes on.

Examples:
  holdfast run -- make test
  holdfast run --wait --follow --session nightly -- ./build.sh --release
  holdfast run --shell 'npm ci && npm test' --timeout 30m --label branch=main
  holdfast run --runner claude --prompt "fix the failing test" --worktree --agent build-2`,
    )
    .action(async (words: string[], options: RunOptions) => {
      invocation.exitCode = await runTask(invocation, words, options);
    });
}

async function runTask(invocation: Invocation, words: string[], options: RunOptions): Promise<number> {
  if (options.follow === true && invocation.isJson) {
    throw usageError(
      '--follow and --json both need standard output',
      'Use --wait --json, then: holdfast logs ID',
    );
  }
  if (options.agent !== undefined && invocation.options.agentUrl !== undefined) {
    throw usageError('--agent chooses among web’s agents, --agent-url goes round web', 'Give one of them.');
  }
  const patienceMs = parseDuration(options.patience, '--patience');
  const body = submitBody(invocation, words, options);
  const client = invocation.openClient();
  const task = await submit(client, body, options.id === undefined);
  const isWaiting = options.wait === true || options.follow === true;
  if (!isWaiting) {
    await (invocation.isJson ? invocation.printJson(task) : invocation.print(task.id));
    if (task.status !== 'failed' || task.attempt > 0) return exitCodes.ok;
    // It failed without an attempt: its agent refused it.
    invocation.say(`holdfast: task ${task.id} ${endText(task)}`);
    return exitCodes.refused;
  }
  if (options.follow === true) invocation.say(task.id);
  else if (!invocation.isJson) await invocation.print(task.id);
  const end = await waitForTask(invocation, {
    client,
    id: task.id,
    patienceMs,
    until: 'task',
    ...(options.follow === true ? { follow: {} } : {}),
  });
  if (invocation.isJson) await invocation.printJson('task' in end ? (end.task ?? task) : task);
  return concludeWait(invocation, task.id, end, patienceMs);
}

interface SubmitBody {
  id: string;
  sessionId: string;
  title?: string;
  spec: TaskSpec;
  queue?: string;
  priority?: number;
  labels?: Record<string, string>;
  agent?: string;
}

function submitBody(invocation: Invocation, words: string[], options: RunOptions): SubmitBody {
  const { io } = invocation;
  const { session, title, queue, priority, label, agent } = options;
  return {
    id: options.id ?? uuidv7(),
    sessionId: session ?? newSessionId(io.now(), io.random),
    ...(title === undefined ? {} : { title }),
    spec: taskSpec(io.cwd, words, options),
    ...(queue === undefined ? {} : { queue }),
    ...(priority === undefined ? {} : { priority: parseWhole(priority, '--priority', -1000, 1000) }),
    ...(label === undefined ? {} : { labels: parsePairs(label, '--label') }),
    ...(agent === undefined ? {} : { agent }),
  };
}

function taskSpec(here: string, words: string[], options: RunOptions): TaskSpec {
  const { env, timeout, retries } = options;
  return {
    ...work(words, options),
    ...place(here, options),
    ...(env === undefined ? {} : { env: parsePairs(env, '--env') }),
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout, '--timeout') }),
    ...(retries === undefined
      ? {}
      : { retry: { maxAttempts: parseWhole(retries, '--retries', 0, 99) + 1, on: ['lost', 'failed'] } }),
  };
}

/** Where it is to be done. In a worktree `cwd` is a directory of that, so that nothing runs beside it. */
function place(here: string, { cwd, worktree, ref }: RunOptions): Pick<TaskSpec, 'cwd' | 'workspace'> {
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
  options: RunOptions,
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

async function submit(client: Client, body: SubmitBody, isNewId: boolean): Promise<SeenTask> {
  try {
    return (await client.call<SeenTask>('POST', '/tasks', { body })).value;
  } catch (error) {
    throw afterLostAnswer(client, error, {
      whether: 'the task was accepted',
      hint: isNewId
        ? `Repeat the command with: --id ${body.id} --session ${body.sessionId}. If it was accepted, nothing runs twice.`
        : 'Repeat the command. If the task was accepted, nothing runs twice.',
    });
  }
}
