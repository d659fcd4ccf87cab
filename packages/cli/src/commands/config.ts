/** `holdfast config show`: each setting's value and where it came from. `--json` prints an array. */
import type { Command } from 'commander';
import { flagOf, loadConfig, settings } from '@holdfast/shared';
import { defaultOf } from '../default-subcommand.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { addSettingOptions, settingFlags, settingNames } from '../setting-options.ts';

const columns = [{ head: 'SETTING' }, { head: 'VALUE' }, { head: 'FROM' }, { head: 'VARIABLE' }];

export function defineConfig(command: Command, invocation: Invocation): void {
  const show = command
    .command('show', defaultOf(invocation, 'config'))
    .description('print each setting, its value and where it came from');
  addSettingOptions(show);
  show.action(() => {
    const { config, sources } = loadConfig({ flags: settingFlags(show), env: invocation.io.env });
    const { home, runners, notifications, ...values } = config;
    const entries = [
      { name: 'home', value: home, source: sources.home, env: 'HOLDFAST_HOME', flag: flagOf('home') },
      ...settingNames.map((name) => ({
        name,
        value: values[name] ?? null,
        source: sources[name],
        env: settings[name].env,
        flag: flagOf(name),
      })),
      { name: 'runners', value: runners, source: sources.runners },
      { name: 'notifications', value: notifications.channels, source: sources.notifications },
    ];
    if (invocation.isJson) return invocation.printJson(entries);
    return invocation.printTable(
      columns,
      entries.map(({ name, value, source, env }) => [
        name,
        valueText(value),
        source,
        env ?? 'in config.json only',
      ]),
    );
  });
  addManual(command, {
    guarantees: [
      'Settings are given by flags, the environment or config.json; this shows which of them hold.',
    ],
    examples: ['holdfast config', 'holdfast config show --slots 8'],
  });
  addManual(show, {
    guarantees: [
      'Flags go over the environment (HOLDFAST_…), that over config.json in the home, that over the defaults. What is printed is what a service would get that starts now, from this shell. Addresses of notification channels are secrets, and not shown.',
    ],
    exits: { ok: 'the configuration is valid', failed: 'it could not be printed' },
    examples: [
      'holdfast config show',
      'holdfast config show --slots 8',
      'HOLDFAST_HOME=/srv/holdfast holdfast config show --json',
    ],
  });
}

function valueText(value: string | number | string[] | object | null): string {
  if (value === null) return 'automatic';
  if (typeof value !== 'object') return String(value);
  return (Array.isArray(value) ? value : Object.keys(value)).join(',') || 'none';
}
