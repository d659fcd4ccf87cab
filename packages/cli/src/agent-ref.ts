/**
 * Agents by name or id. Guarantees: what is changed was named, or is the only one there is; a name that several share
 * changes nobody.
 */
import { CliError, usageError } from './cli-error.ts';
import type { Client, SeenAgent } from './client.ts';
import { exitCodes } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { meantText } from './suggest.ts';
import { plainText } from './words.ts';

/** With `--agent-url` there is nothing to choose. */
export function refuseAgentOption(invocation: Invocation, agent: string | undefined): void {
  if (agent !== undefined && invocation.options.agentUrl !== undefined) {
    throw usageError('--agent chooses among web’s agents, --agent-url goes round web', 'Give one of them.');
  }
}

/** The one that `ref` names, by id or else by name; without it, the only one. */
export function chooseAgent<T extends SeenAgent>(agents: readonly T[], ref: string | undefined): T {
  if (ref !== undefined) return namedAgent(agents, ref);
  const [first, ...others] = agents;
  if (first === undefined) {
    throw new CliError('web knows no agent', { hint: 'Start one with: holdfast up' });
  }
  if (others.length > 0)
    throw usageError(`there are several agents: ${namesOf(agents)}`, 'Name one: --agent NAME');
  return first;
}

/** All of them, or the one that `ref` names. */
export function chooseAgents<T extends SeenAgent>(agents: readonly T[], ref: string | undefined): T[] {
  return ref === undefined ? [...agents] : [namedAgent(agents, ref)];
}

function namedAgent<T extends SeenAgent>(agents: readonly T[], ref: string): T {
  const byId = agents.find((agent) => agent.id === ref);
  if (byId !== undefined) return byId;
  const [named, ...others] = agents.filter((agent) => agent.name === ref);
  if (others.length > 0) {
    const ids = agents.filter((agent) => agent.name === ref).map((agent) => agent.id);
    throw usageError(`several agents are called "${ref}"`, `Give the id of one: ${ids.join(', ')}`);
  }
  if (named !== undefined) return named;
  const meant = meantText(
    ref,
    agents.map((agent) => plainText(agent.name)),
  );
  throw new CliError(`there is no agent "${ref}"${meant}`, {
    exitCode: exitCodes.refused,
    hint: agents.length === 0 ? 'Web knows none yet.' : `There are: ${namesOf(agents)}`,
  });
}

function namesOf(agents: readonly SeenAgent[]): string {
  return agents.map((agent) => plainText(agent.name)).join(', ');
}

/** The agents that a command is about: those of web, or with `--agent-url` the one behind it. */
export async function readChosenAgents(client: Client, ref: string | undefined): Promise<SeenAgent[]> {
  return chooseAgents(await client.readAgents(), ref);
}
