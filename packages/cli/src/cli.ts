/**
 * The program: its commands, its options, and what becomes of their errors.
 *
 * Guarantees: never throws; standard output holds only what was asked for; every error is one line saying what
 * happened and, where there is something to do, one saying what. A command's own module is loaded only if the command
 * line names it, so that none waits for what another needs.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { CliError, codeOf, textOf } from './cli-error.ts';
import { exitCodes, signalExitCode } from './exit-codes.ts';
import { type DefineCommand, Invocation } from './invocation.ts';
import type { Io } from './io.ts';
import { parseObject } from './json.ts';

interface CommandEntry {
  about: string;
  load: () => Promise<DefineCommand>;
}

const commands: Record<string, CommandEntry> = {
  up: {
    about: 'start agent and web, print the dashboard’s link',
    load: async () => (await import('./commands/up.ts')).defineUp,
  },
  agent: {
    about: 'run the agent alone, in the foreground',
    load: async () => (await import('./commands/service.ts')).defineService('agent'),
  },
  web: {
    about: 'run web alone, in the foreground',
    load: async () => (await import('./commands/service.ts')).defineService('web'),
  },
  run: { about: 'submit a task', load: async () => (await import('./commands/run.ts')).defineRun },
  list: {
    about: 'list tasks, newest first',
    load: async () => (await import('./commands/list.ts')).defineList,
  },
  show: { about: 'show one task', load: async () => (await import('./commands/show.ts')).defineShow },
  logs: {
    about: 'print the output of a task',
    load: async () => (await import('./commands/logs.ts')).defineLogs,
  },
  cancel: {
    about: 'ask for tasks to be stopped',
    load: async () => (await import('./commands/cancel.ts')).defineCancel,
  },
  retry: {
    about: 'run ended tasks again, as new tasks',
    load: async () => (await import('./commands/retry.ts')).defineRetry,
  },
  config: {
    about: 'show the configuration',
    load: async () => (await import('./commands/config.ts')).defineConfig,
  },
};

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
    await defineProgram(program, invocation);
    await program.parseAsync(io.argv, { from: 'user' });
    return invocation.exitCode;
  } catch (error) {
    return concludeError(invocation, error);
  }
}

async function defineProgram(program: Command, invocation: Invocation): Promise<void> {
  const { io } = invocation;
  program
    .description('Runs tasks on one machine or many and shows the truth about them.')
    .version(readVersion(), '--version', 'print the version')
    .option('--home <dir>', 'where Holdfast keeps its files (HOLDFAST_HOME)')
    .option('--json', 'print JSON')
    .option('--no-color', 'no colours (NO_COLOR)')
    .option('--agent-url <url>', 'talk to this agent instead of web')
    .option('--token-file <path>', 'with --agent-url: the file that holds its token')
    .helpOption('-h, --help', 'print help')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'holdfast: ')),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 wrong usage, 4 refused, 75 unknown; run --wait: the task’s own.',
    );
  const named = namedIn(io.argv);
  for (const [name, { about, load }] of Object.entries(commands)) {
    const command = program.command(name).description(about).copyInheritedSettings(program);
    command.showHelpAfterError(`  See: holdfast ${name} --help`);
    if (named.has(name)) (await load())(command, invocation);
  }
  program.showHelpAfterError('  See: holdfast --help');
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
    invocation.sayError(
      new CliError(textOf(error), { hint: 'See what is set, and where: holdfast config show' }),
    );
    return exitCodes.usage;
  }
  invocation.sayError(new CliError(textOf(error)));
  return exitCodes.failed;
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String(parseObject(text)?.version);
}
