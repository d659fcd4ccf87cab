/**
 * The set of agents: everyone that was discovered, added or is remembered by the store, with one link each.
 *
 * Guarantees:
 * - Each agent is followed by exactly one link; one whose address changed is followed anew under the new one.
 * - An agent whose address is not known any more stays in the set, unreachable, and what it last said of its live
 *   tasks becomes `unknown` after the deadline, like that of any other silent agent (P2).
 * - Each change of what is shown of an agent raises `revision`, gives its row a new version in the store and is
 *   told to the listeners; its proof's time (`asOf`) alone is no change, the feed's heartbeat carries it.
 */
import { AgentInfoSchema, type Logger, messageOf, ProblemError, type ShownAgent } from '@holdfast/shared';
import { type AgentClient, AgentUnreachableError, createAgentClient, type Fetch } from './agent-client.ts';
import { AgentIdSchema, type AgentAddress, type Discovery } from './discovery.ts';
import type { SessionStore, StoredAgent } from './session-store.ts';
import { type StartTimer, startTimer, type Timer } from './timers.ts';

/** One agent being followed: a subscription, or what stands for it while no address is known. */
export interface Link {
  view(): ShownAgent;
  /** Calls the listener after each change of the view. */
  onView(listener: (view: ShownAgent) => void): void;
  counters(): LinkCounters;
  /** Connects at once instead of waiting for the back-off; nothing happens on a link that is up. */
  retryNow(): void;
  stop(): Promise<void>;
}

export interface LinkCounters {
  reconnects: number;
  gaps: number;
  chainBreaks: number;
  resyncs: number;
  digestMismatches: number;
}

type Found = { outcome: 'found'; view: ShownAgent } | { outcome: 'none' } | { outcome: 'ambiguous' };
export type ViewListener = (view: ShownAgent, before: ShownAgent | undefined) => void;

export interface Agents {
  /** By name, then id. */
  views(): ShownAgent[];
  viewOf(id: string): ShownAgent | undefined;
  /** By id, else by a name that only one agent has. */
  find(reference: string): Found;
  /** Undefined while no address of it is known. */
  client(id: string): AgentClient | undefined;
  counters(): { id: string; counters: LinkCounters }[];
  /** Rises with each change of what is shown of any agent. */
  revision(): number;
  onChange(listener: ViewListener): void;
  /** Asks who answers at `url` and follows it from then on. Throws `ProblemError`. */
  add(agent: { url: string; token: string; name?: string }): Promise<{ agent: ShownAgent; created: boolean }>;
  /** Stops following; its live tasks become `unknown` / `agent_removed`. Throws `ProblemError`. */
  remove(id: string): Promise<ShownAgent>;
  /** Ends the wait before the next connection to an agent; undefined if there is no such agent. */
  reconnect(id: string): ShownAgent | undefined;
  stop(): Promise<void>;
}

export interface AgentsOptions {
  store: SessionStore;
  discovery: Discovery;
  follow: (agent: AgentAddress, stored: StoredAgent | undefined) => Link;
  /** Silence after which an agent without an address counts as lost. */
  lostAfterMs: number;
  logger: Logger;
  fetch?: Fetch;
  now?: () => number;
  startTimer?: StartTimer;
}

interface Entry {
  address: AgentAddress | undefined;
  client: AgentClient | undefined;
  link: Link;
  shown: ShownAgent;
}

const CHECK_MS = 5000;
const ASK_EVERY_MS = 10_000;
/** After the store could not be written. */
const AGAIN_MS = 5000;

export async function startAgents(options: AgentsOptions): Promise<Agents> {
  const { store, discovery, logger } = options;
  const now = options.now ?? Date.now;
  const entries = new Map<string, Entry>();
  const listeners: ViewListener[] = [];
  const touching = new Set<string>();
  const dirty = new Set<string>();
  const untold = new Set<string>();
  let revision = 0;
  let stopped = false;
  let asking = false;
  let askAgain: Timer | undefined;
  let followAgain: Timer | undefined;
  let serial: Promise<unknown> = Promise.resolve();

  /** Additions, removals and discoveries one after the other: each changes files, the store and the set. */
  function inOrder<T>(run: () => Promise<T>): Promise<T> {
    const result = serial.then(run);
    serial = result.catch((error: unknown) => {
      // The caller of `run` is told; the next in line must go on all the same.
      logger.debug({ err: error }, 'a change of the set of agents failed');
    });
    return result;
  }

  function touch(id: string): void {
    if (touching.has(id)) {
      dirty.add(id);
      return;
    }
    touching.add(id);
    store
      .touchAgent(id)
      .catch((error: unknown) => {
        logger.error({ err: error, agent: id }, 'the change of an agent was not announced; trying again');
        // Nothing else of this agent may ever change: those who show it would keep what they have.
        if (untold.has(id)) return;
        untold.add(id);
        (options.startTimer ?? startTimer)(() => {
          untold.delete(id);
          if (!stopped) touch(id);
        }, AGAIN_MS);
      })
      .finally(() => {
        touching.delete(id);
        if (dirty.delete(id) && !stopped) touch(id);
      });
  }

  function take(id: string, entry: Entry, view: ShownAgent): void {
    const before = entry.shown;
    entry.shown = view;
    if (looksEqual(before, view)) return;
    revision += 1;
    touch(id);
    for (const listener of listeners) listener(view, before);
  }

  function enter(address: AgentAddress | undefined, id: string, link: Link): void {
    const client =
      address === undefined
        ? undefined
        : createAgentClient({ ...address, ...(options.fetch === undefined ? {} : { fetch: options.fetch }) });
    const entry: Entry = { address, client, link, shown: link.view() };
    const before = entries.get(id)?.shown;
    entries.set(id, entry);
    revision += 1;
    link.onView((view) => {
      if (entries.get(id) === entry) take(id, entry, view);
    });
    touch(id);
    for (const listener of listeners) listener(entry.shown, before);
  }

  async function followAll(): Promise<void> {
    const stored = new Map((await store.agents()).map((agent) => [agent.id, agent]));
    for (const address of discovery.agents()) {
      const entry = entries.get(address.id);
      if (stopped || (entry?.address !== undefined && isSameAddress(entry.address, address))) continue;
      await store.rememberAgent({ id: address.id, name: address.name, url: address.url }, now());
      await entry?.link.stop();
      enter(address, address.id, options.follow(address, stored.get(address.id)));
    }
    for (const agent of stored.values()) {
      if (!stopped && !entries.has(agent.id)) enter(undefined, agent.id, followNobody(agent, options));
    }
  }

  const agents: Agents = {
    views: () =>
      [...entries.values()]
        .map((entry) => entry.link.view())
        .toSorted((a, b) => compareText(a.name, b.name) || compareText(a.id, b.id)),
    viewOf: (id) => entries.get(id)?.link.view(),
    reconnect(id) {
      const link = entries.get(id)?.link;
      link?.retryNow();
      return link?.view();
    },
    find(reference) {
      const byId = agents.viewOf(reference);
      if (byId !== undefined) return { outcome: 'found', view: byId };
      const named = agents.views().filter((view) => view.name === reference);
      if (named.length > 1) return { outcome: 'ambiguous' };
      return named[0] === undefined ? { outcome: 'none' } : { outcome: 'found', view: named[0] };
    },
    client: (id) => entries.get(id)?.client,
    counters: () => [...entries].map(([id, entry]) => ({ id, counters: entry.link.counters() })),
    revision: () => revision,
    onChange: (listener) => {
      listeners.push(listener);
    },
    async add(agent) {
      const found = await askWho(agent, options.fetch);
      return inOrder(async () => {
        const known = entries.get(found.id);
        if (known?.address?.local === true) {
          throw new ProblemError(
            'agent_conflict',
            `That is ${known.shown.name}, an agent of this machine: it is followed already.`,
          );
        }
        const name = agent.name ?? found.name;
        const namesake = agents.views().find((view) => view.name === name && view.id !== found.id);
        if (namesake !== undefined) {
          throw new ProblemError(
            'agent_conflict',
            `Another agent is called ${name}. Give this one another name.`,
          );
        }
        discovery.saveRemote({ id: found.id, name, url: agent.url, token: agent.token });
        await followAll();
        return { agent: agents.viewOf(found.id)!, created: known === undefined };
      });
    },
    remove: (id) =>
      inOrder(async () => {
        const entry = entries.get(id);
        if (entry === undefined) throw new ProblemError('no_such_agent', `There is no agent ${id}.`);
        const view = entry.link.view();
        if (entry.address?.local === true) {
          if (isConnected(view)) {
            throw new ProblemError(
              'agent_conflict',
              `${view.name} runs on this machine and would be found again. Stop it first.`,
            );
          }
          discovery.forgetLocal(id);
        } else if (entry.address !== undefined) {
          discovery.removeRemote(id);
        }
        await entry.link.stop();
        entries.delete(id);
        revision += 1;
        try {
          await store.removeAgent(id, now());
        } catch (error) {
          // It is remembered still, and has no link any more: it is to be shown as one that nobody reaches.
          follow();
          throw error;
        }
        return view;
      }),
    async stop() {
      stopped = true;
      askAgain?.cancel();
      followAgain?.cancel();
      await serial;
      await Promise.all([...entries.values()].map((entry) => entry.link.stop()));
    },
  };

  /** Asks those who they are of whom only the address is known, until each has answered. */
  function identify(): void {
    if (asking || stopped || discovery.unidentified().length === 0) return;
    asking = true;
    const asked = discovery.unidentified().map(async ({ url, token, name }) => {
      try {
        await agents.add({ url, token, ...(name === undefined ? {} : { name }) });
      } catch (error) {
        logger.warn({ url, why: messageOf(error) }, 'an agent of remote-agents.json cannot be followed yet');
      }
    });
    void Promise.all(asked).then(() => {
      asking = false;
      askAgain = (options.startTimer ?? startTimer)(identify, ASK_EVERY_MS);
    });
  }

  /** Follows whoever is known now. A find is told once: what fails is tried again. */
  function follow(): void {
    followAgain?.cancel();
    inOrder(followAll).catch((error: unknown) => {
      logger.error({ err: error }, 'an agent cannot be followed yet; trying again');
      followAgain?.cancel();
      if (!stopped) followAgain = (options.startTimer ?? startTimer)(follow, AGAIN_MS);
    });
  }

  discovery.onChange(() => {
    identify();
    follow();
  });
  await inOrder(followAll);
  identify();
  return agents;
}

/** Who answers at an address. Throws `ProblemError` that says what is wrong with it. */
async function askWho(
  agent: { url: string; token: string },
  fetch: Fetch | undefined,
): Promise<{ id: string; name: string }> {
  const client = createAgentClient({ ...agent, ...(fetch === undefined ? {} : { fetch }) });
  try {
    const answer = await client.call('GET', '/agent', { timeoutMs: CHECK_MS });
    if (answer.kind === 'refused' && answer.status === 401) {
      const detail = 'The agent does not take this token; its own is in its agent.token.';
      throw new ProblemError('invalid', detail, { errors: [{ pointer: '/token', detail }] });
    }
    const info = AgentInfoSchema.pick({ agentId: true, name: true })
      .extend({ agentId: AgentIdSchema })
      .safeParse(answer.kind === 'ok' ? answer.body : undefined);
    if (!info.success) {
      const why = answer.kind === 'ok' ? 'something that is no agent’s answer' : answer.message;
      throw new ProblemError('bad_agent', `${agent.url} does not answer as an agent: ${why}.`);
    }
    return { id: info.data.agentId, name: info.data.name.slice(0, 64) };
  } catch (error) {
    if (!(error instanceof AgentUnreachableError)) throw error;
    throw new ProblemError(
      'agent_unreachable',
      `No agent can be reached at ${agent.url}: ${error.message}.`,
      {
        cause: error,
      },
    );
  }
}

/**
 * An agent that the store remembers and nothing else does: its file is gone. It is shown as lost, and once the
 * deadline has passed its live tasks are `unknown`.
 */
function followNobody(agent: StoredAgent, options: AgentsOptions): Link {
  const { store, logger, lostAfterMs } = options;
  const now = options.now ?? Date.now;
  const view: ShownAgent = {
    id: agent.id,
    name: agent.name,
    url: agent.url,
    state: 'lost',
    asOf: agent.asOf,
    reason: 'agent_unreachable',
    detail: 'Its address is not known any more. Start it, add it again, or remove it.',
    lag: 0,
    reconnects: 0,
  };
  let deadline: Timer;
  // Again after each further deadline, as a link does: what failed, and what an answer on its way still stated.
  function wait(): void {
    deadline = (options.startTimer ?? startTimer)(() => {
      wait();
      store
        .markUnknown(agent.id, 'agent_unreachable', agent.asOf, now())
        .catch((error: unknown) =>
          logger.error({ err: error, agent: agent.id }, 'its tasks were not marked unknown'),
        );
    }, lostAfterMs);
  }
  wait();
  return {
    view: () => view,
    onView: () => {},
    counters: () => ({ reconnects: 0, gaps: 0, chainBreaks: 0, resyncs: 0, digestMismatches: 0 }),
    retryNow: () => {},
    stop: () => {
      deadline.cancel();
      return Promise.resolve();
    },
  };
}

/** Whether web hears this agent now. */
function isConnected(view: ShownAgent): boolean {
  return view.state === 'live' || view.state === 'late' || view.state === 'resyncing';
}

function isSameAddress(a: AgentAddress, b: AgentAddress): boolean {
  return a.url === b.url && a.token === b.token && a.name === b.name && a.local === b.local;
}

function looksEqual(a: ShownAgent, b: ShownAgent): boolean {
  return JSON.stringify({ ...a, asOf: 0 }) === JSON.stringify({ ...b, asOf: 0 });
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
