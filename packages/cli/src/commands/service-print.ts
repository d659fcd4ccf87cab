/**
 * `holdfast service print`: the files by which systemd or launchd runs agent and web. Guarantees: prints, and installs
 * nothing; stopping a service never stops its tasks (by default both managers kill everything that a service started).
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { usageError } from '../cli-error.ts';
import type { ServiceName } from '../find-services.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { unknownWord } from '../suggest.ts';

interface ServiceFileText {
  service: ServiceName;
  /** Where it belongs. */
  path: string;
  text: string;
}

interface PrintOptions {
  systemd?: boolean;
  launchd?: boolean;
}

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const both: readonly ServiceName[] = ['agent', 'web'];

export function defineServiceFiles(command: Command, invocation: Invocation): void {
  const print = command
    .command('print')
    .description('print what systemd (Linux) or launchd (macOS) needs to run Holdfast for this user')
    .argument('[service]', 'agent or web; default: both')
    .option('--systemd', 'units for systemd, whatever this machine is')
    .option('--launchd', 'property lists for launchd, whatever this machine is')
    .action((name: string | undefined, options: PrintOptions) => {
      const files = serviceFiles(invocation, name, options);
      if (invocation.isJson) return invocation.printJson(files);
      const [only, ...others] = files;
      // One alone is the file itself, to be redirected.
      if (others.length === 0 && only !== undefined) return invocation.print(only.text);
      return invocation.print(files.map(({ path, text }) => `# ${path}\n${text}`).join('\n\n'));
    });
  addManual(command, {
    guarantees: ['Prints, and installs nothing.'],
    examples: ['holdfast service print', 'holdfast service print --help'],
  });
  addManual(print, {
    guarantees: [
      'Nothing is installed. Stopping a service by these files never stops its tasks. They name this Node, this program and this home; print them again when one of them moves.',
    ],
    exits: { ok: 'printed' },
    examples: [
      'holdfast service print agent > ~/.config/systemd/user/holdfast-agent.service',
      'holdfast service print web > ~/.config/systemd/user/holdfast-web.service',
      'systemctl --user daemon-reload && systemctl --user enable --now holdfast-agent holdfast-web',
      'loginctl enable-linger    # they start with the machine, and outlive your session',
      'holdfast service print agent --launchd > ~/Library/LaunchAgents/holdfast.agent.plist',
      'launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/holdfast.agent.plist',
    ],
  });
}

function serviceFiles(
  { io, home }: Invocation,
  name: string | undefined,
  options: PrintOptions,
): ServiceFileText[] {
  if (options.systemd === true && options.launchd === true)
    throw usageError('--systemd and --launchd exclude each other');
  const names = both.filter((one) => name === undefined || one === name);
  if (names.length === 0) throw unknownWord('service', name ?? '', both);
  const isLaunchd = options.launchd === true || (options.systemd !== true && io.platform === 'darwin');
  const userHome = io.env.HOME ?? homedir();
  return names.map((service) => ({
    service,
    path: isLaunchd
      ? join(userHome, 'Library', 'LaunchAgents', `holdfast.${service}.plist`)
      : join(userHome, '.config', 'systemd', 'user', `holdfast-${service}.service`),
    text: (isLaunchd ? launchdText : systemdText)(service, home, searchPath(io.env)),
  }));
}

const about: Record<ServiceName, string> = {
  agent: 'runs the tasks of this machine',
  web: 'follows agents and serves the dashboard',
};

/** Of the terminal, in which a person finds what tasks are to find; without what a package manager put there. */
function searchPath({ PATH = '/usr/local/bin:/usr/bin:/bin' }: NodeJS.ProcessEnv): string {
  return PATH.split(':')
    .filter((folder) => folder !== '' && !folder.endsWith('node_modules/.bin'))
    .join(':');
}

function systemdText(service: ServiceName, home: string, path: string): string {
  const command = [process.execPath, MAIN, service, '--home', home]
    .map((word) => quoteSystemd(word))
    .join(' ');
  const forTasks =
    service === 'agent'
      ? [
          '# Tasks look for their commands here; the manager’s own PATH is bare.',
          `Environment=${quoteSystemd(`PATH=${path}`, '$')}`,
          '# One task that takes too much memory is killed alone.',
          'OOMPolicy=continue',
          '# Tasks outlive their agent: only the agent itself is stopped, never its control group.',
        ]
      : [];
  return [
    '[Unit]',
    `Description=Holdfast ${service}: ${about[service]}`,
    'After=network.target',
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${command}`,
    ...forTasks,
    'KillMode=process',
    'Restart=always',
    'RestartSec=2',
    'TimeoutStopSec=30',
    '',
    '[Install]',
    'WantedBy=default.target',
  ].join('\n');
}

/**
 * Quoted as systemd.syntax(7) and the specifiers of systemd.unit(5) want it. Only command lines know variables, and
 * `$$` for a dollar that begins none.
 */
function quoteSystemd(word: string, dollar = '$$'): string {
  const escaped = word
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('%', '%%')
    .replaceAll('$', () => dollar);
  return /^[A-Za-z0-9_@+=:,./%$-]+$/.test(escaped) ? escaped : `"${escaped.replaceAll('"', String.raw`\"`)}"`;
}

function launchdText(service: ServiceName, home: string, path: string): string {
  const words = [process.execPath, MAIN, service, '--home', home];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    '<dict>',
    `  <key>Label</key><string>holdfast.${service}</string>`,
    '  <key>ProgramArguments</key>',
    '  <array>',
    ...words.map((word) => `    <string>${escapeXml(word)}</string>`),
    '  </array>',
    '  <!-- launchd gives a bare PATH; tasks look for their commands in this one. -->',
    '  <key>EnvironmentVariables</key>',
    `  <dict><key>PATH</key><string>${escapeXml(path)}</string></dict>`,
    '  <key>RunAtLoad</key><true/>',
    '  <key>KeepAlive</key><true/>',
    '  <!-- Tasks outlive their agent: without this launchd kills the processes that it left. -->',
    '  <key>AbandonProcessGroup</key><true/>',
    `  <key>StandardErrorPath</key><string>${escapeXml(join(home, `${service}.log`))}</string>`,
    '</dict>',
    '</plist>',
  ].join('\n');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
