/** `holdfast completion`: a script by which a shell completes commands and options of this version. */
import type { Command } from 'commander';
import { completionScript, shells } from '../completion.ts';
import { usageError } from '../cli-error.ts';
import type { DefineCommand } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { unknownWord } from '../suggest.ts';

/** `loadProgram` gives the whole program: of the one that runs only the command that was named is loaded. */
export function defineCompletion(loadProgram: () => Promise<Command>): DefineCommand {
  return (command, invocation) => {
    command.argument('<shell>', `the shell it is for: ${shells.join(', ')}`).action(async (word: string) => {
      if (invocation.isJson) throw usageError('completion prints a script; there is no JSON of it');
      const shell = shells.find((one) => one === word);
      if (shell === undefined) throw unknownWord('completion for the shell', word, shells);
      await invocation.print(completionScript(shell, await loadProgram()));
    });
    addManual(command, {
      guarantees: [
        'Completes every command, subcommand and option of this version, and asks nobody while you type. What follows -- is a command of its own, and is left to the shell.',
      ],
      exits: { ok: 'printed' },
      examples: [
        "echo 'source <(holdfast completion bash)' >> ~/.bashrc",
        "echo 'source <(holdfast completion zsh)' >> ~/.zshrc     # after compinit",
        'holdfast completion fish > ~/.config/fish/completions/holdfast.fish',
      ],
    });
  };
}
