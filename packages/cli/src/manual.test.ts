/** The help of every command, whole: what a man page has. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { loadProgram } from './cli.ts';
import { Invocation } from './invocation.ts';
import { textWidth } from './render.ts';
import { openTerminal, run } from './test-kit.ts';

/** Each command and subcommand, as it is typed. */
async function allPaths(): Promise<{ path: string[]; command: Command }[]> {
  const { io } = openTerminal();
  const walk = (command: Command, path: string[]): { path: string[]; command: Command }[] => [
    { path, command },
    ...command.commands.flatMap((one) => walk(one, [...path, one.name()])),
  ];
  const program = await loadProgram(new Invocation(io, new Command('holdfast')));
  return walk(program, []).slice(1);
}

/** The lines below a heading, up to the next blank one. */
function section(text: string, heading: string): string[] {
  const lines = text.split('\n');
  const start = lines.indexOf(`${heading}:`);
  if (start < 0) return [];
  const end = lines.indexOf('', start);
  return lines.slice(start + 1, end < 0 ? undefined : end);
}

test('each command and subcommand says how it is called, what it guarantees, its exit codes, and two examples', async () => {
  const paths = await allPaths();
  expect(paths.length).toBeGreaterThan(35);
  for (const { path, command } of paths) {
    const { code, stdout } = await run([...path, '--help']);
    const name = path.join(' ');
    expect([name, code]).toEqual([name, 0]);
    expect(stdout).toMatch(new RegExp(`^Usage: holdfast ${path.join('\\S* ')}`));
    expect([name, section(stdout, 'Guarantees').length > 0]).toEqual([name, true]);
    // A command that only has subcommands ends in none of its own.
    const codes = section(stdout, 'Exit codes').join('\n');
    if (command.commands.length === 0) {
      expect([name, codes]).toEqual([
        name,
        expect.stringMatching(/^ {2}0 {6}\S[^]*^ {2}1 {6}\S[^]*^ {2}2 {6}\S/m),
      ]);
    }
    const examples = section(stdout, 'Examples').filter((line) => /\bholdfast\b/.test(line));
    expect([name, examples.length >= 2, examples.filter((line) => line.includes(name)).length > 0]).toEqual([
      name,
      true,
      true,
    ]);
  }
});

test('what has more than a few options of its own has them in groups', async () => {
  for (const { path, command } of await allPaths()) {
    const own = command.options.length;
    if (own <= 8) continue;
    const groups = new Set(command.options.map((option) => option.helpGroupHeading));
    const ungrouped = command.options.filter((option) => option.helpGroupHeading === undefined);
    expect([path, groups.size > 2, ungrouped.length <= 1]).toEqual([path, true, true]);
  }
});

test('help is whole on a terminal that does not know its width', async () => {
  const { stdout } = await run(['cancel', '--help'], { columns: 0 });
  expect(stdout).toBe((await run(['cancel', '--help'])).stdout);
});

test('help fits a narrow terminal, but for what is to be copied', async () => {
  for (const { path } of await allPaths()) {
    const { stdout } = await run([...path, '--help'], { columns: 60 });
    const examples = new Set(section(stdout, 'Examples'));
    const long = stdout
      .split('\n')
      .filter((line) => textWidth(line) > 60 && !examples.has(line) && !line.startsWith('Usage:'));
    // Words that cannot be broken: a path, the name of an option.
    expect([path, long.filter((line) => line.trim().split(/ +/).length > 3)]).toEqual([path, []]);
  }
});
