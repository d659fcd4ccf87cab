/**
 * Completion scripts, made from the commands themselves. Guarantees: each command, subcommand and option of this
 * version, and no other; the script asks nobody while a person types.
 */
import type { Command } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Word {
  text: string;
  about: string;
}

/** A place in the command line: after these words of commands come these. */
interface Place {
  /** `pool drain`; empty for the program itself. */
  path: string;
  commands: Word[];
  options: Word[];
}

export function completionScript(shell: Shell, program: Command): string {
  const places = placesOf(program);
  switch (shell) {
    case 'bash':
      return bashScript(places);
    case 'zsh':
      return zshScript(places);
    case 'fish':
      return fishScript(places);
    default:
      return shell satisfies never;
  }
}

function placesOf(program: Command): Place[] {
  const shared = optionsOf(program);
  const walk = (command: Command, path: string): Place[] => {
    const subcommands = command.commands.flatMap((one) =>
      [one.name(), ...one.aliases()].map((name) => ({ name, one })),
    );
    const place = {
      path,
      commands: subcommands.map(({ name, one }) => ({ text: name, about: oneLine(one.description()) })),
      options: command === program ? shared : [...optionsOf(command), ...shared],
    };
    return [
      place,
      ...subcommands.flatMap(({ name, one }) => walk(one, path === '' ? name : `${path} ${name}`)),
    ];
  };
  return walk(program, '');
}

function optionsOf(command: Command): Word[] {
  const visible = command.createHelp().visibleOptions(command);
  return visible.flatMap(({ long, short, description }) =>
    [long, short].filter((text) => text !== undefined).map((text) => ({ text, about: oneLine(description) })),
  );
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Which place the words before the cursor lead to; words of options and arguments lead nowhere. */
function steps(places: readonly Place[]): { from: string; word: string; to: string }[] {
  return places
    .filter(({ path }) => path !== '')
    .map(({ path }) => {
      const at = path.lastIndexOf(' ');
      return { from: at < 0 ? '' : path.slice(0, at), word: path.slice(at + 1), to: path };
    });
}

/** The same as branches of a `case` of bash and zsh. */
function caseLines(places: readonly Place[]): string[] {
  return steps(places).map(
    ({ from, word, to }) => `      ${quote(`${from}|${word}`)}) place=${quote(to)} ;;`,
  );
}

function bashScript(places: readonly Place[]): string {
  const moves = caseLines(places);
  const cases = places.map(({ path, commands, options }) => {
    const words = (list: Word[]): string => quote(list.map((word) => word.text).join(' '));
    return `    ${quote(path)}) commands=${words(commands)} options=${words(options)} ;;`;
  });
  return `# Completion of holdfast for bash. Load it with: source <(holdfast completion bash)
_holdfast() {
  local place='' commands='' options='' word current="\${COMP_WORDS[COMP_CWORD]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    # What follows -- is a command of its own.
    if [[ $word == -- ]]; then COMPREPLY=(); return; fi
    case "$place|$word" in
${moves.join('\n')}
    esac
  done
  case "$place" in
${cases.join('\n')}
  esac
  if [[ $current == -* ]]; then commands=$options; fi
  COMPREPLY=($(compgen -W "$commands" -- "$current"))
}
complete -o default -F _holdfast holdfast`;
}

function zshScript(places: readonly Place[]): string {
  const moves = caseLines(places);
  const list = (words: Word[]): string =>
    words.map((word) => quote(`${word.text.replaceAll(':', String.raw`\:`)}:${word.about}`)).join(' ');
  const cases = places.map(
    ({ path, commands, options }) =>
      `    ${quote(path)}) verbs=(${list(commands)}); flags=(${list(options)}) ;;`,
  );
  return `#compdef holdfast
# Completion of holdfast for zsh. Load it with: source <(holdfast completion zsh)
_holdfast() {
  local place='' word
  local -a verbs flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    # What follows -- is a command of its own.
    if [[ $word == -- ]]; then _files; return; fi
    case "$place|$word" in
${moves.join('\n')}
    esac
  done
  case "$place" in
${cases.join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then _describe -o option flags
  elif (( $#verbs )); then _describe command verbs
  else _files; fi
}
# From a folder of fpath this file is the function itself.
if [[ $funcstack[1] == _holdfast ]]; then _holdfast "$@"; else compdef _holdfast holdfast; fi`;
}

function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, options }) => {
    const condition = `-n ${quote(`__holdfast_at ${quote(path)}`)}`;
    return [
      ...commands.map(
        ({ text, about }) => `complete -c holdfast ${condition} -f -a ${quote(text)} -d ${quote(about)}`,
      ),
      ...options.map(({ text, about }) => {
        const flag = text.startsWith('--') ? `-l ${text.slice(2)}` : `-s ${text.slice(1)}`;
        return `complete -c holdfast ${condition} ${flag} -d ${quote(about)}`;
      }),
    ];
  });
  const moves = steps(places).map(
    ({ from, word, to }) => `      case ${quote(`${from}|${word}`)}\n        set place ${quote(to)}`,
  );
  return `# Completion of holdfast for fish. Load it with: holdfast completion fish | source
function __holdfast_at
  set -l place ''
  for word in (commandline -opc)[2..-1]
    if test "$word" = --; return 1; end
    switch "$place|$word"
${moves.join('\n')}
    end
  end
  test "$place" = "$argv[1]"
end
${lines.join('\n')}`;
}
