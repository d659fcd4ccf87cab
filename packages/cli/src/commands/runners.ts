/**
 * `holdfast runners`: the programs that tasks can name, agent by agent. Guarantees: whether one is found is the
 * agent's word about the PATH that its tasks get, not this terminal's; an agent that cannot be asked is named, and
 * makes the exit code 75.
 */
import type { Command } from 'commander';
import type { RunnerInfo } from '@holdfast/shared';
import { readChosenAgents, refuseAgentOption } from '../agent-ref.ts';
import { CliError } from '../cli-error.ts';
import type { Client, SeenAgent } from '../client.ts';
import { RefusedError } from '../service-error.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import type { Cell, Column } from '../render.ts';
import { plainText, quoteWord } from '../words.ts';

type Row = { agentId: string; agentName: string } & RunnerInfo;

export function defineRunners(command: Command, invocation: Invocation): void {
  command
    .option('--agent <name>', 'of this agent, by name or id; default: all of them')
    .action(async ({ agent }: { agent?: string }) => {
      refuseAgentOption(invocation, agent);
      const client = invocation.openClient();
      const rows: Row[] = [];
      const agents = await readChosenAgents(client, agent);
      for (const one of agents) rows.push(...(await readRunners(invocation, client, one)));
      if (invocation.isJson) return invocation.printJson(rows);
      return printRunners(invocation, rows, agents.length > 1);
    });
  addManual(command, {
    guarantees: [
      'Runners come with Holdfast, or are named in config.json of the agent’s home under "runners". Whether one is found is the agent’s word about the PATH that its tasks get, not this terminal’s.',
    ],
    exits: {
      ok: 'every agent was asked',
      refused: 'there is no such agent',
      unknown: 'an agent could not be asked; it is named',
    },
    examples: [
      'holdfast runners',
      'holdfast runners --agent build-2 --json',
      'holdfast run --runner claude --prompt "fix the failing test"',
    ],
  });
}

async function readRunners(invocation: Invocation, client: Client, agent: SeenAgent): Promise<Row[]> {
  const path = client.kind === 'web' ? `/agents/${encodeURIComponent(agent.id)}/runners` : '/runners';
  try {
    const { items } = (await client.call<{ items: RunnerInfo[] }>('GET', path)).value;
    return items.map((item) => ({ agentId: agent.id, agentName: agent.name, ...item }));
  } catch (error) {
    if (!(error instanceof RefusedError) || error.problem.code !== 'agent_unreachable') throw error;
    invocation.sayError(new CliError(`agent ${plainText(agent.name)} was not asked: ${error.message}`));
    invocation.exitCode = exitCodes.unknown;
    return [];
  }
}

async function printRunners(
  invocation: Invocation,
  rows: readonly Row[],
  isOfSeveral: boolean,
): Promise<void> {
  if (rows.length === 0) {
    if (invocation.exitCode === exitCodes.ok)
      invocation.say('There are no runners. Name one in config.json of the agent’s home, under "runners".');
    return;
  }
  const columns: readonly Column[] = [
    ...(isOfSeveral ? [{ head: 'AGENT', least: 6 }] : []),
    { head: 'RUNNER' },
    { head: 'FOUND AT', least: 12 },
    { head: 'FROM' },
    { head: 'COMMAND', least: 12 },
  ];
  const cells = rows.map((row): Cell[] => [
    ...(isOfSeveral ? [plainText(row.agentName)] : []),
    row.name,
    row.executable === undefined
      ? { text: '✗ not on PATH', style: 'yellow' }
      : { text: `✓ ${plainText(row.executable)}`, style: 'green' },
    row.source === 'config' ? 'config.json' : 'Holdfast',
    plainText(row.command.map(quoteWord).join(' ')),
  ]);
  await invocation.printTable(columns, cells);
}
