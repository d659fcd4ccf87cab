/**
 * `holdfast run`: submits a task, and waits for it if asked.
 *
 * Guarantees: the words after `--` reach the task as they are; on standard output stands the id alone (with
 * `--follow` the task's output alone, with `--json` one document); a submit whose answer was lost is exit code 75
 * with the command that repeats it harmlessly.
 */
import type { Command } from 'commander';
import { usageError } from '../cli-error.ts';
import type { Client, SeenTask } from '../client.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { askOnce } from '../lost-answer.ts';
import { addManual } from '../manual.ts';
import { addSubmitOptions, type SubmitBody, submitBody, type SubmitOptions } from '../submit-options.ts';
import { endText } from '../task-text.ts';
import { concludeWait, DEFAULT_PATIENCE, waitForTask } from '../wait.ts';
import { parseDuration, plainText, quoteWord } from '../words.ts';

interface RunOptions extends SubmitOptions {
  wait?: boolean;
  follow?: boolean;
  patience: string;
}

export function defineRun(command: Command, invocation: Invocation): void {
  command.usage('[options] -- command …').argument('[words...]', 'the command and its arguments, after --');
  addSubmitOptions(command);
  command
    .optionsGroup('Waiting for it:')
    .option('--wait', 'wait until it has ended; exit with its exit code')
    .option('--follow', 'print its output as it comes, then as --wait')
    .option('--patience <duration>', 'with --wait: how long the outcome may be unknown', DEFAULT_PATIENCE)
    .action(async (words: string[], options: RunOptions) => {
      invocation.exitCode = await runTask(invocation, words, options);
    });
  addManual(command, {
    guarantees: [
      'A task whose id was printed is never lost: it was on the disk before the answer. The words after -- reach it as they are; a shell sees none of them but with --shell. A start that fails leaves nothing behind.',
      'Standard output holds the id alone; with --follow the output of the task alone, byte for byte; with --json one document. Ctrl-C ends the wait; the task goes on.',
      'A link that is lost while it waits is taken up again. A submit whose answer was lost says how to repeat it so that nothing runs twice.',
    ],
    exits: {
      ok: 'it was accepted; with --wait: it completed',
      failed: 'the service cannot be reached; with --wait: it failed without a code, or was cancelled',
      refused: 'web or the agent refused it: nothing runs',
      unknown:
        'whether it was accepted is not known; with --wait: how it ended is not known after --patience',
      more: [
        ['n', 'with --wait: the task’s own exit code'],
        ['128+n', 'with --wait: signal n ended it; 130: Ctrl-C ended the wait'],
      ],
    },
    examples: [
      'holdfast run -- make test',
      'holdfast run --wait --follow --session nightly -- ./build.sh --release',
      "holdfast run --shell 'npm ci && npm test' --timeout 30m --idle-timeout 5m --label branch=main",
      'holdfast run --runner claude --prompt "fix the failing test" --worktree --agent build-2',
    ],
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
  refuseUnmarkedWords(invocation, words);
  const patienceMs = parseDuration(options.patience, '--patience');
  const body = submitBody(invocation.io, words, options);
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
    isAccepted: true,
    until: 'task',
    ...(options.follow === true ? { follow: {} } : {}),
  });
  if (invocation.isJson) await invocation.printJson('task' in end ? (end.task ?? task) : task);
  return concludeWait(invocation, task.id, end, patienceMs);
}

/** Without -- the command's own options would be taken for ours, and never reach it. */
function refuseUnmarkedWords({ io }: Invocation, words: readonly string[]): void {
  const [first] = words;
  if (first === undefined || io.argv.includes('--')) return;
  throw usageError(
    `"${plainText(first)}" stands before --`,
    `Write the command, or the prompt, after it: holdfast run [options] -- ${words.map((word) => quoteWord(plainText(word))).join(' ')}`,
  );
}

async function submit(client: Client, body: SubmitBody, isNewId: boolean): Promise<SeenTask> {
  const lost = {
    whether: 'the task was accepted',
    hint: isNewId
      ? `Repeat the command with: --id ${body.id} --session ${body.sessionId}. If it was accepted, nothing runs twice.`
      : 'Repeat the command. If the task was accepted, nothing runs twice.',
  };
  return (await askOnce(client, lost, () => client.call<SeenTask>('POST', '/tasks', { body }))).value;
}
