/** Agents, sessions and counts as web last said them. */
import { signal } from '@preact/signals';
import type { Counts, FeedHeartbeat, ShownAgent, ShownSession, ShownTask } from '@holdfast/shared';
import { certaintyOf, type Certainty } from '../model/certainty.ts';
import { Rows } from '../model/rows.ts';
import { linkNow, webNow } from './clock.ts';

export const agents = signal<readonly ShownAgent[]>([]);
/** The one that moved last comes first. */
export const sessions = signal<readonly ShownSession[]>([]);
export const counts = signal<Counts>({});

const agentRows = new Rows<ShownAgent>();
const sessionRows = new Rows<ShownSession>();
let countsVersion = 0;

export function agentOf(task: Pick<ShownTask, 'agentId'>): ShownAgent | undefined {
  return agents.value.find((agent) => agent.id === task.agentId);
}

export function certaintyNow(task: ShownTask): Certainty {
  return certaintyOf(task, agentOf(task), linkNow.value, webNow.value);
}

export function takeCounts(said: Counts, version: number): void {
  if (version < countsVersion) return;
  countsVersion = version;
  counts.value = said;
}

export function takeAgents(said: readonly ShownAgent[], removed: readonly string[], version: number): void {
  for (const agent of said) agentRows.take(agent, version);
  for (const id of removed) agentRows.remove(id);
  if (said.length > 0 || removed.length > 0) agents.value = agentRows.all();
}

export function takeSessions(
  said: readonly ShownSession[],
  removed: readonly string[],
  version: number,
): void {
  for (const session of said) sessionRows.take(session, version);
  for (const id of removed) sessionRows.remove(id);
  if (said.length > 0 || removed.length > 0) publishSessions();
}

export function takeAllAgents(said: readonly ShownAgent[], version: number): void {
  agentRows.takeAll(said, version);
  agents.value = agentRows.all();
}

export function takeAllSessions(said: readonly ShownSession[], version: number): void {
  sessionRows.takeAll(said, version);
  publishSessions();
}

/** A heartbeat renews state and proof of every agent. */
export function takeHeartbeat(said: FeedHeartbeat['agents']): void {
  // Before the first read there is nothing to renew.
  if (agentRows.size === 0) return;
  for (const { id, state, asOf } of said) agentRows.patch(id, { state, asOf });
  agents.value = agentRows.all();
}

/** The versions so far mean nothing to those that come. */
export function forgetAgentVersions(): void {
  agentRows.clear();
  sessionRows.clear();
  countsVersion = 0;
}

function publishSessions(): void {
  sessions.value = sessionRows.all().toSorted((a, b) => b.updatedAt - a.updatedAt);
}
