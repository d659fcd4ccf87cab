/**
 * `holdfast agent`, `holdfast web`: one service in the foreground of this process, for systemd or a container. What a
 * service needs (SQLite among it) is loaded here and by no other command.
 */
import type { Command } from 'commander';
import type { ServiceName } from '../find-services.ts';
import type { DefineCommand } from '../invocation.ts';
import { addManual, type Manual } from '../manual.ts';
import { addSettingOptions, settingFlags } from '../setting-options.ts';

const exits = {
  ok: 'it was asked to stop, and has stopped',
  failed: 'it could not start, e.g. since one runs for this home already; it says why',
};

const manuals: Record<ServiceName, Manual> = {
  agent: {
    guarantees: [
      'Runs until it is asked to stop (SIGTERM, Ctrl-C). Tasks that are running go on, and are adopted by the next start. One agent runs for a home. It logs JSON lines to standard error. Unit files for systemd and launchd: holdfast service print.',
    ],
    exits,
    examples: ['holdfast agent --slots 8', 'holdfast agent --agent-host 0.0.0.0 --allowed-host build-2.lan'],
  },
  web: {
    guarantees: [
      'Runs until it is asked to stop (SIGTERM, Ctrl-C). Agents of this home are followed by themselves; others are added by holdfast agents add. It logs JSON lines to standard error. Unit files for systemd and launchd: holdfast service print.',
    ],
    exits,
    examples: ['holdfast web --web-port 8080', 'holdfast web --web-host 0.0.0.0 --allowed-host holdfast.lan'],
  },
};

export function defineService(name: ServiceName): DefineCommand {
  return (command: Command, invocation) => {
    addSettingOptions(command);
    addManual(command, manuals[name]);
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
