/**
 * `holdfast pool`: how many tasks each agent runs at a time, and whether it starts new ones.
 *
 * Guarantees: a pool is shown with how fresh it is; what is changed is one agent that was named, or the only one
 * there is; none of it touches a task that runs; `drain --wait` says "empty" only when the agent has said so.
 */
import type { Command } from 'commander';
import type { Pool, ShownAgent } from '@holdfast/shared';
import { chooseAgent, chooseAgents, refuseAgentOption } from '../agent-ref.ts';
import { CliError } from '../cli-error.ts';
import { type Client, UnreachableError } from '../client.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { pause } from '../io.ts';
import { afterLostAnswer } from '../lost-answer.ts';
import type { Cell, Column } from '../render.ts';
import { DEFAULT_PATIENCE } from '../wait.ts';
import { ageText, parseDuration, parseWhole, plainText, spanText } from '../words.ts';

/** An agent's pool, and how it is known. Of an agent that was asked itself, `state` is `live`. */
interface SeenPool {
  agentId: string;
  agentName: string;
  state: ShownAgent['state'];
  /** When it was vouched for (ms); 0 if it never was. */
  asOf: number;
  /** Null while web has not heard of it. */
  pool: Pool | null;
}

interface AgentOption {
  agent?: string;
}

const MOST_SLOTS = 10_000;
const POLL_MS = 500;

export function definePool(command: Command, invocation: Invocation): void {
  const agentOption = ['--agent <name>', 'of this agent, by name or id; default: the only one'] as const;
  command.addHelpText(
    'after',
    `
Tasks that run are never touched: pause and drain only start nothing new, and so do claims of workers.
drain differs from pause in that the agent says when it is empty. All three survive a restart of the agent.

Examples:
  holdfast pool status
  holdfast pool slots 8 --agent build-2
  holdfast pool drain --agent build-2 --wait && systemctl restart build-2-machine`,
  );
  command
    .command('status')
    .description('show slots, what runs and waits, and whether new tasks start')
    .option('--agent <name>', 'of this agent, by name or id; default: all of them')
    .action(async ({ agent }: AgentOption) => {
      refuseAgentOption(invocation, agent);
      await printPools(invocation, await readPools(invocation.openClient(), agent));
    });
  command
    .command('pause')
    .description('start nothing new')
    .option(...agentOption)
    .action((options: AgentOption) => changeAndPrint(invocation, options, { verb: 'pause' }));
  command
    .command('drain')
    .description('start nothing new, and say when the agent is empty')
    .option(...agentOption)
    .option('--wait', 'wait until nothing runs any more')
    .option('--patience <duration>', 'with --wait: how long the agent may be out of sight', DEFAULT_PATIENCE)
    .action(async (options: AgentOption & { wait?: boolean; patience: string }) => {
      const patienceMs = parseDuration(options.patience, '--patience');
      if (options.wait !== true) return changeAndPrint(invocation, options, { verb: 'drain' });
      const seen = await changePool(invocation, options, { verb: 'drain' });
      return waitUntilEmpty(invocation, seen, patienceMs);
    });
  command
    .command('resume')
    .description('start tasks again')
    .option(...agentOption)
    .action((options: AgentOption) => changeAndPrint(invocation, options, { verb: 'resume' }));
  command
    .command('slots')
    .description('change how many tasks run at a time')
    .argument('<n>', `from 0 to ${MOST_SLOTS}`)
    .option(...agentOption)
    .action((n: string, options: AgentOption) =>
      changeAndPrint(invocation, options, { slots: parseWhole(n, 'slots', 0, MOST_SLOTS) }),
    );
}

async function readPools(client: Client, ref?: string): Promise<SeenPool[]> {
  if (client.kind === 'agent') {
    const { agentId, name, at, pool } = await client.readAgentInfo();
    return [{ agentId, agentName: name, state: 'live', asOf: at, pool }];
  }
  return chooseAgents(await client.readShownAgents(), ref).map(
    ({ id, name, state, asOf, pool }): SeenPool => ({
      agentId: id,
      agentName: name,
      state,
      asOf,
      pool: pool ?? null,
    }),
  );
}

type Change = { verb: 'pause' | 'drain' | 'resume' } | { slots: number };

async function changePool(
  invocation: Invocation,
  { agent: ref }: AgentOption,
  change: Change,
): Promise<SeenPool> {
  refuseAgentOption(invocation, ref);
  const client = invocation.openClient();
  const { id, name } = chooseAgent(await client.readAgents(), ref);
  const pool = await sendChange(client, id, change);
  const seen: SeenPool = {
    agentId: id,
    agentName: name,
    state: 'live',
    asOf: invocation.io.now(),
    pool,
  };
  return seen;
}

async function changeAndPrint(invocation: Invocation, options: AgentOption, change: Change): Promise<void> {
  const seen = await changePool(invocation, options, change);
  await (invocation.isJson ? invocation.printJson(seen) : printPools(invocation, [seen]));
}

/** Asking for what is so already changes nothing: a lost answer is repaired by repeating the command. */
async function sendChange(client: Client, id: string, change: Change): Promise<Pool> {
  const base = client.kind === 'web' ? `/agents/${encodeURIComponent(id)}` : '/pool';
  try {
    return 'verb' in change
      ? (await client.call<Pool>('POST', `${base}/${change.verb}`, { body: {} })).value
      : (await client.call<Pool>('PATCH', base, { body: { slots: change.slots } })).value;
  } catch (error) {
    throw afterLostAnswer(client, error, {
      whether: 'it was done',
      hint: 'Repeat the command: that is harmless.',
    });
  }
}

/** Ends when the agent says that it is draining and empty. */
async function waitUntilEmpty(invocation: Invocation, first: SeenPool, patienceMs: number): Promise<void> {
  const { io } = invocation;
  const client = invocation.openClient();
  /** Web's page may be older than the drain: only from then on does "not draining" mean that somebody ended it. */
  let hasSeenDrain = false;
  let blindSince: number | undefined;
  let toldRunning: number | undefined;
  for (let seen = first; ;) {
    const { pool } = seen;
    const name = plainText(seen.agentName);
    if (seen.state === 'live' && pool?.draining === true) {
      blindSince = undefined;
      hasSeenDrain = seen !== first;
      if (pool.running === 0) {
        return invocation.isJson ? invocation.printJson(seen) : invocation.print(`${name} is empty`);
      }
      if (pool.running !== toldRunning) invocation.say(`${name} is draining: ${pool.running} running`);
      toldRunning = pool.running;
    } else if (seen.state === 'live' && pool !== null && hasSeenDrain) {
      throw new CliError(`${name} does not drain any more: somebody resumed or paused it`);
    } else {
      blindSince ??= io.now();
    }
    if (blindSince !== undefined && io.now() - blindSince >= patienceMs) {
      throw new CliError(`whether ${name} is empty is not known after ${spanText(patienceMs)}`, {
        exitCode: exitCodes.unknown,
        hint: 'It drains all the same. Look again with: holdfast pool status',
      });
    }
    await pause(io, POLL_MS);
    seen = await readAgain(client, seen);
  }
}

/** What cannot be read now is not known: the last word, no longer live. */
async function readAgain(client: Client, before: SeenPool): Promise<SeenPool> {
  try {
    const [seen] = await readPools(client, before.agentId);
    return seen ?? { ...before, state: 'lost' };
  } catch (error) {
    if (error instanceof UnreachableError) return { ...before, state: 'lost' };
    throw error;
  }
}

const columns: readonly Column[] = [
  { head: 'AGENT', least: 6 },
  { head: 'LINK', least: 8 },
  { head: 'SLOTS', align: 'right' },
  { head: 'RUNNING', align: 'right' },
  { head: 'QUEUED', align: 'right' },
  { head: 'MODE' },
];

async function printPools(invocation: Invocation, pools: readonly SeenPool[]): Promise<void> {
  if (invocation.isJson) return invocation.printJson(pools);
  if (pools.length === 0) {
    invocation.say('Web knows no agent. Start one with: holdfast up');
    return;
  }
  const now = invocation.io.now();
  const rows = pools.map((seen): Cell[] => {
    const { pool, agentName } = seen;
    const figures = pool === null ? ['?', '?', '?', '?'] : poolCells(pool);
    return [plainText(agentName), linkCell(seen, now), ...figures];
  });
  await invocation.printTable(columns, rows);
  for (const { agentName, pool } of pools) {
    for (const { code, message, sinceAt } of pool?.attention ?? []) {
      invocation.say(plainText(`! ${agentName}: ${message} (${code}, since ${ageText(now - sinceAt)})`));
    }
  }
}

function poolCells(pool: Pool): Cell[] {
  const { slots, running, queued } = pool;
  return [String(slots), String(running), String(queued), modeCell(pool)];
}

function modeCell({ paused, draining, running, attention = [] }: Pool): Cell {
  if (paused) return { text: 'paused', style: 'yellow' };
  if (draining) return { text: running === 0 ? 'drained, empty' : 'draining', style: 'yellow' };
  if (attention.length > 0) return { text: `! ${attention.map((one) => one.code).join(', ')}`, style: 'red' };
  return 'starting tasks';
}

/** Only a live link vouches for the figures beside it. */
function linkCell({ state, asOf }: SeenPool, now: number): Cell {
  if (state === 'live') return state;
  const proof = asOf === 0 ? 'no proof yet' : `as of ${ageText(now - asOf)} ago`;
  return { text: `${state}, ${proof}`, style: 'yellow' };
}
