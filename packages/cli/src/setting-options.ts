/** The settings as options of a command: `agentPort` is `--agent-port`, with the same meaning everywhere. */
import type { Command } from 'commander';
import { flagOf, type SettingName, settings } from '@holdfast/shared';

/** Every setting but the home and the runners, in the order of the table. */
export const settingNames = Object.keys(settings).filter(isSetting);

function isSetting(name: string): name is keyof typeof settings {
  return Object.hasOwn(settings, name);
}

export type SettingFlags = Partial<Record<SettingName, unknown>>;

export function addSettingOptions(command: Command): void {
  for (const name of settingNames) {
    const { env, fallback, about } = settings[name];
    const shown = fallback === undefined || String(fallback) === '' ? '' : `; default: ${String(fallback)}`;
    command.option(`${flagOf(name)} <value>`, `${about} (${env}${shown})`);
  }
}

/** What was given on the command line, `home` among it. */
export function settingFlags(command: Command): SettingFlags {
  const given = command.optsWithGlobals<Record<string, unknown>>();
  const names = ['home', ...settingNames];
  return Object.fromEntries(
    names.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]),
  );
}

/** The same as arguments for another run of this program. */
export function flagArguments(flags: SettingFlags): string[] {
  return Object.entries(flags).flatMap(([name, value]) => [flagOf(name), String(value)]);
}
