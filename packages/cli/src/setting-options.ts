/** The settings as options of a command: `agentPort` is `--agent-port`, with the same meaning everywhere. */
import { type Command, Option } from 'commander';
import { flagOf, type SettingName, settings } from '@holdfast/shared';

/** Every setting but the home and the runners, in the order of the table. */
export const settingNames = Object.keys(settings).filter(isSetting);

function isSetting(name: string): name is keyof typeof settings {
  return Object.hasOwn(settings, name);
}

const PLACES = 'Where they listen, and their names:';
const WORK = 'What runs, and how much:';
const ATTEMPTS = 'Attempts, leases, stopping:';
const WATCHING = 'Watching over it:';

/** What each setting is about, for the help. */
const groups: Record<keyof typeof settings, string> = {
  agentHost: PLACES,
  agentPort: PLACES,
  agentName: PLACES,
  webHost: PLACES,
  webPort: PLACES,
  allowedHost: PLACES,
  slots: WORK,
  queueLimit: WORK,
  outputLimitBytes: WORK,
  lowDiskBytes: WORK,
  maxAttempts: ATTEMPTS,
  retryDelayMs: ATTEMPTS,
  leaseMs: ATTEMPTS,
  prepareMs: ATTEMPTS,
  killGraceMs: ATTEMPTS,
  heartbeatMs: WATCHING,
  lostAfterMs: WATCHING,
  sweepMs: WATCHING,
  sweepPage: WATCHING,
  retentionMs: WATCHING,
  logLevel: WATCHING,
};

export type SettingFlags = Partial<Record<SettingName, unknown>>;

export function addSettingOptions(command: Command): void {
  for (const name of settingNames) {
    const { env, fallback, about } = settings[name];
    const shown = fallback === undefined || String(fallback) === '' ? '' : `; default: ${String(fallback)}`;
    const option = new Option(`${flagOf(name)} <value>`, `${about} (${env}${shown})`);
    command.addOption(option.helpGroup(groups[name]));
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
