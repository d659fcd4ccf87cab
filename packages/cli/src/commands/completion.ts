/** `holdfast completion`: a script by which a shell completes commands and options of this version. */
import { Argument, type Command } from 'commander';
import { completionScript, type Shell, shells } from '../completion.ts';
import { usageError } from '../cli-error.ts';
import type { DefineCommand } from '../invocation.ts';

/** `loadProgram` gives the whole program: of the one that runs only the command that was named is loaded. */
export function defineCompletion(loadProgram: () => Promise<Command>): DefineCommand {
  return (command, invocation) => {
    command
      .addArgument(new Argument('<shell>', 'the shell it is for').choices(shells))
      .addHelpText(
        'after',
        `
Examples:
  echo 'source <(holdfast completion bash)' >> ~/.bashrc
  echo 'source <(holdfast completion zsh)' >> ~/.zshrc     # after compinit
  holdfast completion fish > ~/.config/fish/completions/holdfast.fish`,
      )
      .action(async (shell: Shell) => {
        if (invocation.isJson) throw usageError('completion prints a script; there is no JSON of it');
        await invocation.print(completionScript(shell, await loadProgram()));
      });
  };
}
