/**
 * `holdfast up`: agent and web as two processes, and the link to the dashboard.
 *
 * Guarantees: the configuration is checked before anything starts; the printed link signs in once, by a code in its
 * fragment, which no server ever sees in a request line. Run again while both run, it prints a new link.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { loadConfig } from '@holdfast/shared';
import { CliError, textOf } from '../cli-error.ts';
import { Client } from '../client.ts';
import { readToken, type ServiceFile, type ServiceName } from '../find-services.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { flagArguments, addSettingOptions, settingFlags } from '../setting-options.ts';
import { type Services, superviseServices } from '../supervise-services.ts';

interface UpOptions {
  open?: boolean;
}

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

export function defineUp(command: Command, invocation: Invocation): void {
  command.option('--open', 'open the dashboard in the browser');
  addSettingOptions(command);
  command.action(async (options: UpOptions) => {
    const { io } = invocation;
    const flags = settingFlags(command);
    const { config, sources } = loadConfig({ flags, env: io.env });
    const { home } = config;
    await superviseServices({
      home,
      commandOf: (name: ServiceName) => [process.execPath, MAIN, name, ...flagArguments(flags)],
      env: sources.logLevel === 'default' ? { ...io.env, HOLDFAST_LOG_LEVEL: 'warn' } : io.env,
      io,
      say: (text) => invocation.say(text),
      onReady: async (services) => {
        const url = await dashboardUrl(invocation, home, services.web);
        await announce(invocation, home, services, url);
        if (options.open === true) openInBrowser(invocation, url);
      },
      onMoved: async (name, file) => {
        const url = name === 'web' ? await dashboardUrl(invocation, home, file) : file.url;
        await invocation.print(
          name === 'web' ? `The dashboard has moved: ${url}` : `The agent has moved: ${url}`,
        );
      },
    });
  });
  addManual(command, {
    guarantees: [
      'Prints a link that signs in once, by a code that reaches no server’s log. Services of this home that run already are used, and left alone at the end. Ctrl-C stops what was started here, and only that; tasks that are running go on, and are taken up again by the next start. A second Ctrl-C kills the services.',
      'A service that ends in its first start ends all; one that ends later is started again.',
    ],
    exits: {
      ok: 'it was asked to stop, or both services ran already',
      failed: 'a service could not be started; its last words are printed',
    },
    examples: ['holdfast up --open', 'holdfast --home /srv/holdfast up --web-port 0 --slots 8'],
  });
}

async function dashboardUrl(invocation: Invocation, home: string, web: ServiceFile): Promise<string> {
  const path = join(home, 'web.token');
  const token = readToken(path);
  if (token === undefined) throw new CliError(`web runs, but there is no token in ${path}`);
  const client = new Client({ kind: 'web', ...web, token, tokenFile: path, fetch: invocation.io.fetch });
  const { value } = await client.call<{ code: string }>('POST', '/login-codes', { body: {} });
  return `${web.url}/#code=${value.code}`;
}

function announce(invocation: Invocation, home: string, services: Services, url: string): Promise<void> {
  const { agent, web } = services;
  if (invocation.isJson) return invocation.printJson({ dashboardUrl: url, home, agent, web });
  const bold = (text: string): string => invocation.paint('bold', text);
  const lines = [
    `${bold('Dashboard')}  ${url}`,
    '           (signs in once, within 5 minutes; for another link run: holdfast up)',
    `${bold('Agent')}      ${agent.name ?? agent.id ?? ''} at ${agent.url}${ranAlready(agent)}`,
    `${bold('Web')}        ${web.url}${ranAlready(web)}`,
    `${bold('Home')}       ${home}`,
    agent.isOurs || web.isOurs
      ? `Ctrl-C stops ${ourText(services)}; tasks that are running go on.`
      : 'Both ran already and are left as they are.',
  ];
  return invocation.print(lines.join('\n'));
}

function ranAlready({ isOurs, pid }: Services['web']): string {
  return isOurs ? '' : `, ran already (pid ${pid})`;
}

function ourText({ agent, web }: Services): string {
  if (agent.isOurs && web.isOurs) return 'agent and web';
  return agent.isOurs ? 'the agent' : 'web';
}

/** No browser is no reason to stop: the link stands on the terminal. */
function openInBrowser(invocation: Invocation, url: string): void {
  const { io } = invocation;
  const program = io.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = io.spawn(program, [url], { detached: true, stdio: 'ignore' });
  child.on('error', (error) =>
    invocation.say(`The browser could not be opened (${textOf(error)}); open the link yourself.`),
  );
  child.unref();
}
