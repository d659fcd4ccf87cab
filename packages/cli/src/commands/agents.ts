/**
 * `holdfast agents`: whom web follows. Guarantees: an agent is added only after it answered and took the token; the
 * token is read from a file, never from the command line, which every process of the machine can read.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ShownAgent } from '@holdfast/shared';
import { chooseAgent } from '../agent-ref.ts';
import { CliError, codeOf, textOf, usageError } from '../cli-error.ts';
import { defaultOf } from '../default-subcommand.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { askOnce } from '../lost-answer.ts';
import type { Cell, Column, Style } from '../render.ts';
import { ageText, plainText } from '../words.ts';

export function defineAgents(command: Command, invocation: Invocation): void {
  const list = command
    .command('list', defaultOf(invocation, 'agents'))
    .description('list agents, with how each link stands')
    .action(async () => {
      const agents = await invocation.openWebClient('the set of agents').readShownAgents();
      if (invocation.isJson) return invocation.printJson(agents);
      return printAgents(invocation, agents);
    });
  const add = command
    .command('add')
    .description('follow an agent of another machine, or give one a new address (needs --token-file)')
    .argument('<url>', 'its address: http://build-2.lan:7401')
    .option('--name <name>', 'what to call it; default: what it calls itself')
    .action(async (url: string, options: { name?: string }) => {
      const client = invocation.openWebClient('the set of agents');
      const body = { url, token: readTokenFile(invocation), ...options };
      const { status, value } = await askOnce(client, lostAdd, () =>
        client.call<ShownAgent>('POST', '/agents', { body }),
      );
      if (invocation.isJson) return invocation.printJson(value);
      const how = status === 201 ? 'is followed from now on' : 'was known; its address is renewed';
      return invocation.print(`${plainText(value.name)} at ${value.url} ${how} (${value.id})`);
    });
  const remove = command
    .command('remove')
    .description('follow an agent no longer; its live tasks become unknown, and go on')
    .argument('<agent>', 'its name or id')
    .action(async (ref: string) => {
      const client = invocation.openWebClient('the set of agents');
      const { id } = chooseAgent(await client.readAgents(), ref);
      const path = `/agents/${encodeURIComponent(id)}`;
      const { value } = await askOnce(client, lostRemove, () => client.call<ShownAgent>('DELETE', path));
      if (invocation.isJson) return invocation.printJson(value);
      return invocation.print(
        `${plainText(value.name)} is not followed any more; its live tasks go on, and are unknown from now on`,
      );
    });
  addManual(command, {
    guarantees: [
      'Agents of this machine are found by themselves. One of another machine needs its address and its token, the content of agent.token in its home; it must listen on an address that can be reached (--agent-host, --allowed-host).',
    ],
    examples: [
      'holdfast agents',
      'scp build-2:.local/state/holdfast/agent.token build-2.token',
      'holdfast agents add http://build-2.lan:7401 --token-file build-2.token',
      'holdfast agents remove build-2',
    ],
  });
  addManual(list, {
    guarantees: [
      'PROOF is when the agent last vouched for its tasks. WAIT FOR SLOT are tasks that it will run itself, CLAIMED those that workers hold; those that wait for a worker: holdfast pool status. Figures of a link that is not live have a question mark.',
    ],
    exits: { ok: 'what web knows was printed', refused: 'the token is not taken' },
    examples: [
      'holdfast agents',
      'holdfast agents list --json | jq -r \'.[] | select(.state != "live") | .name\'',
    ],
  });
  addManual(add, {
    guarantees: [
      'The agent is followed only after it answered and took the token. It stays known over restarts of web and a lost store. The token is read from a file: a command line can be read by every process of the machine.',
    ],
    exits: {
      ok: 'it is followed from now on, or its address is renewed',
      failed: 'web or that agent cannot be reached',
      refused: 'the agent does not take the token, or another one has its name or id',
      unknown: 'whether it is followed is not known; repeating it is harmless',
    },
    examples: [
      'holdfast agents add http://build-2.lan:7401 --token-file build-2.token',
      'holdfast agents add https://ci.example --token-file ci.token --name ci',
    ],
  });
  addManual(remove, {
    guarantees: [
      'Web follows it no longer; its live tasks go on, and are shown as unknown. What has ended stays listed. Added again, the truth about them comes back.',
    ],
    exits: {
      ok: 'it is not followed any more',
      refused: 'there is no such agent, or it belongs to this machine and runs',
      unknown: 'whether it was removed is not known',
    },
    examples: [
      'holdfast agents remove build-2',
      'holdfast agents remove 01a1feef-0981-7bc3-8920-3555fd485280',
    ],
  });
}

const lostAdd = {
  whether: 'the agent is followed',
  hint: 'See with: holdfast agents list; or repeat the command: that is harmless.',
};

const lostRemove = { whether: 'the agent was removed', hint: 'See with: holdfast agents list' };

function readTokenFile(invocation: Invocation): string {
  const { tokenFile } = invocation.options;
  if (tokenFile === undefined)
    throw usageError('--token-file is missing', 'Copy agent.token from the agent’s home, and name the copy.');
  const path = resolve(invocation.io.cwd, tokenFile);
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === '') throw error;
    throw new CliError(`${path} cannot be read: ${textOf(error)}`, { cause: error });
  }
  if (token === '')
    throw new CliError(`${path} is empty`, { hint: 'Copy agent.token from the agent’s home.' });
  return token;
}

const columns: readonly Column[] = [
  { head: 'NAME', least: 6 },
  { head: 'LINK' },
  { head: 'PROOF' },
  { head: 'RUNNING', align: 'right' },
  { head: 'WAIT FOR SLOT', align: 'right' },
  { head: 'CLAIMED', align: 'right', dropAt: 4 },
  { head: 'VERSION', dropAt: 2 },
  { head: 'ID', least: 8, dropAt: 3 },
  { head: 'ADDRESS', least: 12, dropAt: 1 },
];

const styles: Record<ShownAgent['state'], Style> = {
  live: 'green',
  connecting: 'yellow',
  resyncing: 'yellow',
  late: 'yellow',
  lost: 'red',
  stopped: 'dim',
  refused: 'red',
};

async function printAgents(invocation: Invocation, agents: readonly ShownAgent[]): Promise<void> {
  if (agents.length === 0) {
    invocation.say('Web follows no agent. Start one with: holdfast up');
    return;
  }
  const now = invocation.io.now();
  const rows = agents.map((agent): Cell[] => {
    const { state, asOf, pool, version } = agent;
    // Figures of a link that is not live were true once.
    const mark = state === 'live' ? '' : '?';
    return [
      plainText(agent.name),
      { text: state, style: styles[state] },
      asOf === 0 ? 'none yet' : `${ageText(now - asOf)} ago`,
      pool === undefined ? '?' : `${pool.running}/${pool.slots}${mark}`,
      pool === undefined ? '?' : `${pool.queued}${mark}`,
      pool?.claimed === undefined ? '?' : `${pool.claimed}${mark}`,
      plainText(version ?? ''),
      agent.id,
      agent.url,
    ];
  });
  await invocation.printTable(columns, rows);
  for (const { name, detail } of agents) {
    if (detail !== undefined) invocation.say(plainText(`! ${name}: ${detail}`));
  }
}
