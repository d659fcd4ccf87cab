/**
 * `holdfast agent`, `holdfast web`: one service in the foreground of this process, for systemd or a container. What a
 * service needs (SQLite among it) is loaded here and by no other command.
 */
import type { Command } from 'commander';
import type { ServiceName } from '../find-services.ts';
import type { DefineCommand } from '../invocation.ts';
import { addSettingOptions, settingFlags } from '../setting-options.ts';

export function defineService(name: ServiceName): DefineCommand {
  return (command: Command, invocation) => {
    addSettingOptions(command);
    command.action(async () => {
      const options = { flags: settingFlags(command), env: invocation.io.env };
      const run =
        name === 'agent'
          ? (await import('@holdfast/agent')).runAgent
          : (await import('@holdfast/web')).runWeb;
      invocation.exitCode = await run(options);
    });
  };
}
