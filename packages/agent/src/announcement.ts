/**
 * The announcement of a local agent: `$HOLDFAST_HOME/agents/<id>.json`, by which web and the CLI find it. It stays
 * after the agent has stopped, so that a stopped agent is known and shown as such.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, writeFileDurably } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';

/** It is the name of a file. */
const AgentIdSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);

export interface Announcement {
  id: string;
  name: string;
  url: string;
  pid: number;
  tokenFile: string;
}

/** The agent's id, made at first start. It is kept apart from the journal: a lost journal is the same agent. */
export function loadAgentId(home: string): string {
  const path = join(home, 'agent.id');
  // Whoever holds the lock of the home comes here alone. Half an id would be another agent at the next start.
  if (!existsSync(path)) writeFileDurably(path, `${uuidv7()}\n`);
  const id = readFileSync(path, 'utf8').trim();
  if (!AgentIdSchema.safeParse(id).success) {
    throw new ConfigError(
      `${path} holds no agent id. Write the id there that web shows for this agent, or remove the file: then this is ` +
        'a new agent.',
    );
  }
  return id;
}

export function announceAgent(home: string, announcement: Announcement): void {
  writeFileDurably(join(home, 'agents', `${announcement.id}.json`), `${JSON.stringify(announcement)}\n`);
}

/** Who announced itself in this home last, for a message about it. */
export function readAnnouncement(home: string): Announcement | undefined {
  try {
    const id = readFileSync(join(home, 'agent.id'), 'utf8').trim();
    return JSON.parse(readFileSync(join(home, 'agents', `${id}.json`), 'utf8')) as Announcement;
  } catch {
    // Missing or of another making: all that it could add is who holds the lock.
    return undefined;
  }
}
