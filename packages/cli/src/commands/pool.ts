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
import type { Client } from '../client.ts';
import { UnreachableError } from '../service-error.ts';
import { exitCodes } from '../exit-codes.ts';
import { defaultOf } from '../default-subcommand.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { pause } from '../io.ts';
import { askOnce } from '../lost-answer.ts';
import { DEFAULT_QUEUE, waitingForWorkers } from '../queue-counts.ts';
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
  /** Queued tasks of named queues, which take no slot; absent where nobody was asked. */
  waitingForWorkers?: number;
}

interface AgentOption {
  agent?: string;
}

const MOST_SLOTS = 10_000;
const POLL_MS = 500;

const changeExits = {
  ok: 'the agent has done it',
  refused: 'there is no such agent, or it refused',
  unknown: 'the agent’s answer did not arrive: whether it was done is not known; repeating it is harmless',
};

export function definePool(command: Command, invocation: Invocation): void {
  const agentOption = ['--agent <name>', 'of this agent, by name or id; default: the only one'] as const;
  addManual(command, {
    guarantees: [
      'Tasks that run are never touched: pause and drain only start nothing new, and so do claims of workers. drain differs from pause in that the agent says when it is empty. All of it survives a restart of the agent.',
    ],
    examples: [
      'holdfast pool status',
      'holdfast pool slots 8 --agent build-2',
      'holdfast pool drain --agent build-2 --wait && systemctl restart build-2-machine',
    ],
  });
  const status = command
    .command('status', defaultOf(invocation, 'pool'))
    .description('show slots, what runs and waits, and whether new tasks start')
    .option('--agent <name>', 'of this agent, by name or id; default: all of them')
    .action(async ({ agent }: AgentOption) => {
      refuseAgentOption(invocation, agent);
      await printPools(invocation, await readFullPools(invocation.openClient(), agent));
    });
  addManual(status, {
    guarantees: [
      'Each pool with how fresh it is. WAIT FOR SLOT are queued tasks that the agent will run; CLAIMED are held by workers, and WAIT FOR WORKER are queued for them: these take no slot. Figures of an agent whose link is not live have a question mark, and the age of the last proof.',
    ],
    exits: { ok: 'what web knows was printed', refused: 'there is no such agent' },
    examples: [
      'holdfast pool status',
      'holdfast pool status --json | jq \'.[] | select(.state != "live") | .agentName\'',
    ],
  });
  const pauseCommand = command
    .command('pause')
    .description('start nothing new')
    .option(...agentOption)
    .action((options: AgentOption) => changeAndPrint(invocation, options, { verb: 'pause' }));
  const drain = command
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
  const resume = command
    .command('resume')
    .description('start tasks again')
    .option(...agentOption)
    .action((options: AgentOption) => changeAndPrint(invocation, options, { verb: 'resume' }));
  const slots = command
    .command('slots')
    .description('change how many tasks run at a time')
    .argument('<n>', `from 0 to ${MOST_SLOTS}`)
    .option(...agentOption)
    .action((n: string, options: AgentOption) =>
      changeAndPrint(invocation, options, { slots: parseWhole(n, 'slots', 0, MOST_SLOTS) }),
    );
  addManual(pauseCommand, {
    guarantees: [
      'Nothing new starts on that agent until it is resumed; what runs goes on, what is queued waits.',
    ],
    exits: changeExits,
    examples: ['holdfast pool pause', 'holdfast pool pause --agent build-2'],
  });
  addManual(drain, {
    guarantees: [
      'As pause, and the agent says when it is empty. With --wait the command ends then, and says "empty" only if the agent did. It drains on if the wait ends before.',
    ],
    exits: {
      ...changeExits,
      unknown: `${changeExits.unknown}; with --wait: it was out of sight for --patience`,
    },
    examples: ['holdfast pool drain', 'holdfast pool drain --agent build-2 --wait && ssh build-2 reboot'],
  });
  addManual(resume, {
    guarantees: ['Ends a pause or a drain: queued tasks start as slots allow, unless the disk is too full.'],
    exits: changeExits,
    examples: ['holdfast pool resume', 'holdfast pool resume --agent build-2'],
  });
  addManual(slots, {
    guarantees: [
      'Holds at once, and over restarts of the agent. Fewer slots than tasks that run end none of them; 0 starts nothing.',
    ],
    exits: changeExits,
    examples: ['holdfast pool slots 8', 'holdfast pool slots 0 --agent build-2'],
  });
}

async function readPools(client: Client, ref?: string): Promise<SeenPool[]> {
  if (client.kind === 'agent') {
    const info = await client.readAgentInfo();
    const { agentId, name, at, pool } = info;
    const waiting = waitingForWorkers(info);
    const seen: SeenPool = { agentId, agentName: name, state: 'live', asOf: at, pool };
    return [waiting === undefined ? seen : { ...seen, waitingForWorkers: waiting }];
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

/** With what waits for workers: an agent says it itself, web counts its rows. */
async function readFullPools(client: Client, ref?: string): Promise<SeenPool[]> {
  const pools = await readPools(client, ref);
  if (client.kind === 'agent') return pools;
  return Promise.all(
    pools.map(async (seen) => {
      // Of an agent out of sight what was queued is unknown, and no row says so any more.
      if (seen.state !== 'live') return seen;
      const query = { agent: seen.agentId, status: 'queued', notQueue: DEFAULT_QUEUE, limit: '1' };
      const { total } = await client.readTasks(new URLSearchParams(query));
      return total === undefined ? seen : { ...seen, waitingForWorkers: total };
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
  const lost = {
    whether: 'it was done',
    hint: 'See with: holdfast pool status; or repeat the command: that is harmless.',
    isPassedOn: true,
  };
  const { value } = await askOnce(client, lost, () =>
    'verb' in change
      ? client.call<Pool>('POST', `${base}/${change.verb}`, { body: {} })
      : client.call<Pool>('PATCH', base, { body: { slots: change.slots } }),
  );
  return value;
}

/** Ends when the agent says that it is draining and empty. */
async function waitUntilEmpty(invocation: Invocation, first: SeenPool, patienceMs: number): Promise<void> {
  const { io } = invocation;
  const client = invocation.openClient();
  /** Web's page may be older than the drain, and be that of an earlier one: what it said first is not believed. */
  let firstPageAsOf: number | undefined;
  /** Only from then on does "not draining" mean that somebody ended it. */
  let hasSeenDrain = false;
  let blindSince: number | undefined;
  let toldRunning: number | undefined;
  for (let seen = first; ;) {
    const { pool } = seen;
    const name = plainText(seen.agentName);
    const isDirect = seen === first || client.kind === 'agent';
    if (!isDirect && seen.state === 'live') firstPageAsOf ??= seen.asOf;
    const isNews = isDirect || (firstPageAsOf !== undefined && seen.asOf > firstPageAsOf);
    if (seen.state === 'live' && !isNews) {
      blindSince ??= io.now();
    } else if (seen.state === 'live' && pool?.draining === true) {
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

const WAIT_FOR_WORKER = 'WAIT FOR WORKER';

const columns: readonly Column[] = [
  { head: 'AGENT', least: 6 },
  // It holds the age of the last proof.
  { head: 'LINK', least: 12, givesLast: true },
  { head: 'SLOTS', align: 'right' },
  { head: 'RUNNING', align: 'right' },
  { head: 'WAIT FOR SLOT', align: 'right' },
  { head: 'CLAIMED', align: 'right', dropAt: 1 },
  { head: WAIT_FOR_WORKER, align: 'right', dropAt: 2 },
  { head: 'MODE', least: 8 },
];

async function printPools(invocation: Invocation, pools: readonly SeenPool[]): Promise<void> {
  if (invocation.isJson) return invocation.printJson(pools);
  if (pools.length === 0) {
    invocation.say('Web knows no agent. Start one with: holdfast up');
    return;
  }
  const now = invocation.io.now();
  const rows = pools.map((seen): Cell[] => {
    const { agentName } = seen;
    return [plainText(agentName), linkCell(seen, now), ...poolCells(seen)];
  });
  // Nobody was asked: no column is better than one of question marks.
  const isCounted = pools.some((seen) => seen.waitingForWorkers !== undefined);
  const at = columns.findIndex(({ head }) => head === WAIT_FOR_WORKER);
  if (isCounted) await invocation.printTable(columns, rows);
  else
    await invocation.printTable(
      columns.toSpliced(at, 1),
      rows.map((row) => row.toSpliced(at, 1)),
    );
  for (const { agentName, state, asOf, pool } of pools) {
    const asOfText = state === 'live' ? '' : `, as of ${ageText(now - asOf)} ago`;
    for (const { code, message, sinceAt } of pool?.attention ?? []) {
      const since = `since ${ageText(now - sinceAt)}`;
      invocation.say(plainText(`! ${agentName}: ${message} (${code}, ${since}${asOfText})`));
    }
  }
}

/** What nobody vouches for now was true once, and has a question mark. */
function poolCells({ pool, state, waitingForWorkers: waiting }: SeenPool): Cell[] {
  if (pool === null) return ['?', '?', '?', '?', '?', '?'];
  const { slots, running, queued, claimed } = pool;
  const mode = modeCell(pool);
  const figures = [slots, running, queued, claimed, waiting].map((figure) => String(figure ?? '?'));
  if (state === 'live') return [...figures, mode];
  const text = typeof mode === 'string' ? mode : mode.text;
  return [
    ...figures.map((figure) => (figure === '?' ? figure : `${figure}?`)),
    { text: `${text}?`, style: 'yellow' },
  ];
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
