/**
 * `holdfast agent`, `holdfast web`: one service in the foreground of this process, for systemd or a container. What a
 * service needs (SQLite among it) is loaded here and by no other command.
 */
import type { Command } from 'commander';
import type { ServiceName } from '../find-services.ts';
import type { DefineCommand } from '../invocation.ts';
import { addSettingOptions, settingFlags } from '../setting-options.ts';

const help: Record<ServiceName, string> = {
  agent: `Runs until it is asked to stop (SIGTERM, Ctrl-C). Tasks that are running go on, and are adopted by the next start.
One agent runs for a home. Unit files for systemd and launchd: holdfast service print.

Examples:
  holdfast agent --slots 8
  holdfast agent --agent-host 0.0.0.0 --allowed-host build-2.lan`,
  web: `Runs until it is asked to stop (SIGTERM, Ctrl-C). Agents of this home are followed by themselves; others are added
by holdfast agents add. Unit files for systemd and launchd: holdfast service print.

Examples:
  holdfast web --web-port 8080`,
};

export function defineService(name: ServiceName): DefineCommand {
  return (command: Command, invocation) => {
    addSettingOptions(command);
    command.addHelpText('after', `\n${help[name]}`);
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
