/**
 * The program: its commands, its options, and what becomes of their errors.
 *
 * Guarantees: never throws; standard output holds only what was asked for; every error is one line saying what
 * happened and, where there is something to do, one saying what. A command's own module is loaded only if the command
 * line names it, so that none waits for what another needs.
 */
import { Command, CommanderError } from 'commander';
import { commandTable } from './command-table.ts';
import { CliError, codeOf, CONFIG_HINT, textOf } from './cli-error.ts';
import { exitCodes, signalExitCode } from './exit-codes.ts';
import { Invocation } from './invocation.ts';
import { type Io, widthOf } from './io.ts';
import { meantText } from './suggest.ts';
import { VERSION } from './version.ts';

/** Runs the command line in `io.argv`. Resolves to the exit code. */
export async function runCli(io: Io): Promise<number> {
  if (io.platform === 'win32') {
    io.stderr.write(
      'holdfast: Windows is not supported directly.\n  Run it within WSL: https://learn.microsoft.com/windows/wsl/install\n',
    );
    return exitCodes.failed;
  }
  const program = new Command('holdfast');
  const invocation = new Invocation(io, program);
  try {
    await defineProgram(program, invocation, namedIn(io.argv));
    await program.parseAsync(io.argv, { from: 'user' });
    return invocation.exitCode;
  } catch (error) {
    return concludeError(invocation, error);
  }
}

/** Commands that are not `named` have their line in the help, and nothing more. */
async function defineProgram(
  program: Command,
  invocation: Invocation,
  named: ReadonlySet<string>,
): Promise<void> {
  const { io } = invocation;
  program
    .description('Runs tasks on one machine or many and shows the truth about them.')
    .version(VERSION, '--version', 'print the version')
    .option('--home <dir>', 'where Holdfast keeps its files (HOLDFAST_HOME)')
    .option('--json', 'print JSON')
    .option('--no-color', 'no colours (NO_COLOR)')
    .option('--agent-url <url>', 'talk to this agent instead of web')
    .option(
      '--token-file <path>',
      'the file that holds an agent’s token: with --agent-url, and with agents add',
    )
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 20 })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => widthOf(io.stdout) ?? 100,
      getErrHelpWidth: () => widthOf(io.stderr) ?? 100,
    })
    .addHelpText(
      'after',
      `
Tasks may be named by the beginning of their id. --json works with every command (holdfast help json).
Exit codes: 0 done, 1 failed, 2 wrong usage, 4 refused, 75 unknown; run --wait: the task’s own (holdfast help exit-codes).

Examples:
  holdfast up
  holdfast run --wait --follow -- make test
  holdfast list --status running,unknown
  holdfast doctor`,
    );
  for (const [name, { about, group, load }] of Object.entries(commandTable)) {
    const command = program.command(name).description(about).helpGroup(group).copyInheritedSettings(program);
    command.helpCommand(false);
    if (named.has(name)) (await load(() => loadProgram(invocation)))(command, invocation);
    pointToHelp(command, `holdfast ${name}`);
  }
  pointToHelp(program, 'holdfast', false);
}

/** An error of the command line names the word that was meant, and the help of the very command that it is about. */
function pointToHelp(command: Command, path: string, isDeep = true): void {
  command.showHelpAfterError(`  See: ${path} --help`);
  command.configureOutput({
    outputError: (text, write) => write(errorText(command, text).replace(/^error: /, 'holdfast: ')),
  });
  if (isDeep) for (const one of command.commands) pointToHelp(one, `${path} ${one.name()}`);
}

/** Commander knows the nearest letters only. */
function errorText(command: Command, text: string): string {
  const [, lead, word] = /^(error: unknown command '(.*?)')/.exec(text) ?? [];
  if (lead === undefined || word === undefined) return text;
  const names = command.commands.map((one) => one.name());
  const others = command.parent === null ? ['--version', 'help up'] : [];
  return `${lead}${meantText(word, [...names, ...others])}\n`;
}

/** The program with every command loaded: for whoever describes it. */
export async function loadProgram(invocation: Invocation): Promise<Command> {
  const program = new Command('holdfast');
  await defineProgram(program, invocation, new Set(Object.keys(commandTable)));
  return program;
}

/** Words before `--`: one of them is the command. */
function namedIn(argv: readonly string[]): Set<string> {
  const end = argv.indexOf('--');
  const words = new Set(end < 0 ? argv : argv.slice(0, end));
  if (words.has('ls')) words.add('list');
  return words;
}

function concludeError(invocation: Invocation, error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has said what there is to say. Help that was asked for is no error.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  if (error instanceof CliError) {
    invocation.sayError(error);
    return error.exitCode;
  }
  const code = codeOf(error);
  // Whoever read standard output has seen enough: end as any program of a pipe does.
  if (code === 'EPIPE') return signalExitCode('SIGPIPE');
  if (code === 'bad_config') {
    invocation.sayError(new CliError(textOf(error), { hint: CONFIG_HINT }));
    return exitCodes.usage;
  }
  invocation.sayError(new CliError(textOf(error)));
  return exitCodes.failed;
}
