/** Agents, sessions and counts as web last said them. */
import { signal } from '@preact/signals';
import type { Counts, FeedHeartbeat, ShownAgent, ShownSession, ShownTask } from '@holdfast/shared';
import { byName, certaintyOf, type Certainty } from '../model/certainty.ts';
import { Rows } from '../model/rows.ts';
import { agentWord } from '../model/sentence.ts';
import { linkNow, webNow } from './clock.ts';

export const agents = signal<readonly ShownAgent[]>([]);
/** The one that moved last comes first. */
export const sessions = signal<readonly ShownSession[]>([]);
/** Undefined until they were told once. */
export const counts = signal<Counts | undefined>(undefined);

/** What each known session is called; changes only when a name does. */
export const sessionNames = signal<ReadonlyMap<string, string>>(new Map());

const agentRows = new Rows<ShownAgent>();
const sessionRows = new Rows<ShownSession>();
let countsVersion = 0;

export function agentOf(task: Pick<ShownTask, 'agentId'>): ShownAgent | undefined {
  return agents.value.find((agent) => agent.id === task.agentId);
}

export function certaintyNow(task: ShownTask): Certainty {
  return certaintyOf(task, agentOf(task), linkNow.value, webNow.value);
}

/** The version of the feed that the counts are of. */
export function countsAsOf(): number {
  return countsVersion;
}

export function takeCounts(said: Counts, version: number): void {
  if (version < countsVersion) return;
  countsVersion = version;
  counts.value = said;
}

export function takeAgents(said: readonly ShownAgent[], removed: readonly string[], version: number): void {
  for (const agent of said) agentRows.take(agent, version);
  for (const id of removed) agentRows.remove(id, version);
  if (said.length > 0 || removed.length > 0) publishAgents();
}

export function takeSessions(
  said: readonly ShownSession[],
  removed: readonly string[],
  version: number,
): void {
  for (const session of said) sessionRows.take(session, version);
  for (const id of removed) sessionRows.remove(id, version);
  if (said.length === 0 && removed.length === 0) return;
  // Each task that changes changes its session too: the rail is redrawn a few times a second, however many do.
  sessionsTimer ??= window.setTimeout(publishSessions, SESSIONS_REDRAW_MS);
}

export function takeAllAgents(said: readonly ShownAgent[], version: number): void {
  agentRows.takeAll(said, version);
  publishAgents();
}

export function takeAllSessions(said: readonly ShownSession[], version: number): void {
  sessionRows.takeAll(said, version);
  publishSessions();
}

/** A further page, or a session that was asked for. */
export function takeMoreSessions(said: readonly ShownSession[], version: number): void {
  for (const session of said) sessionRows.take(session, version);
  publishSessions();
}

/** A heartbeat renews state and proof of every agent. */
export function takeHeartbeat(said: FeedHeartbeat['agents']): void {
  // Before the first read there is nothing to renew.
  if (agentRows.size === 0) return;
  for (const { id, state, asOf } of said) agentRows.patch(id, { state, asOf });
  publishAgents();
}

/** What this page saw of an agent's link, newest last. */
export interface AgentMoment {
  /** This browser's clock (ms). */
  at: number;
  state: ShownAgent['state'];
  /** `degraded`, `silent`, or the state. */
  word: string;
  detail?: string;
}

const moments = new Map<string, AgentMoment[]>();
const MOMENTS_KEPT = 8;

export function momentsOf(agentId: string): readonly AgentMoment[] {
  return moments.get(agentId) ?? [];
}

function publishAgents(): void {
  agents.value = agentRows.all().toSorted((a, b) => byName(a.name, b.name));
  for (const agent of agents.value) {
    const { id, state, detail } = agent;
    const seen = moments.get(id) ?? [];
    const last = seen.at(-1);
    // A heartbeat tells of a state before the row tells why it is so, or why the last one is over.
    const isSame = last?.state === state;
    if (isSame && last.detail !== undefined) continue;
    const why = state === 'live' || detail === undefined ? {} : { detail };
    const moment = { at: isSame ? last.at : Date.now(), state, word: agentWord(agent), ...why };
    moments.set(id, [...(isSame ? seen.slice(0, -1) : seen), moment].slice(-MOMENTS_KEPT));
  }
}

/** The versions so far mean nothing to those that come. */
export function forgetAgentVersions(): void {
  agentRows.clear();
  sessionRows.clear();
  countsVersion = 0;
}

const SESSIONS_REDRAW_MS = 250;
let sessionsTimer: number | undefined;

function publishSessions(): void {
  window.clearTimeout(sessionsTimer);
  sessionsTimer = undefined;
  const all = sessionRows.all();
  sessions.value = all.toSorted((a, b) => b.updatedAt - a.updatedAt);
  const names = sessionNames.peek();
  const isSame = ({ id, title }: ShownSession): boolean => names.get(id) === (title ?? id);
  if (all.length === names.size && all.every(isSame)) return;
  sessionNames.value = new Map(all.map(({ id, title }) => [id, title ?? id]));
}
