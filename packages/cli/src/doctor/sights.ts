/** The services that `holdfast doctor` looks at, each asked once. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ShownAgent } from '@holdfast/shared';
import { CliError } from '../cli-error.ts';
import { Client } from '../client.ts';
import { RefusedError, UnreachableError } from '../service-error.ts';
import { isAlive, readServiceFiles, readToken, readWebFile, type ServiceFile } from '../find-services.ts';
import type { Io } from '../io.ts';
import { type AgentSight, fail, type Finding, type WebSight } from './check.ts';

const START_HINT = 'Start it with: holdfast up, or as a service (holdfast service print).';

/** The agent of a home. */
export async function seeLocalAgent(home: string, io: Io): Promise<AgentSight> {
  const file = announcedAgent(home);
  if (file === undefined) {
    if (!existsSync(join(home, 'agent.db'))) return { kind: 'absent' };
    return { kind: 'silent', finding: fail('the agent of this home does not run', START_HINT) };
  }
  if (!isAlive(file.pid)) {
    return {
      kind: 'silent',
      finding: fail(`the agent of this home does not run (it was pid ${file.pid})`, START_HINT),
    };
  }
  const tokenFile = join(home, 'agent.token');
  const token = readToken(tokenFile);
  if (token === undefined) {
    return {
      kind: 'silent',
      finding: fail(`there is no token in ${tokenFile}`, 'Restart the agent: it makes a new one.'),
    };
  }
  return seeAgent(new Client({ kind: 'agent', ...file, token, tokenFile, fetch: io.fetch }), io);
}

/** Of several announcements the one of this home’s own agent. */
function announcedAgent(home: string): ServiceFile | undefined {
  const files = readServiceFiles(home, 'agent');
  const path = join(home, 'agent.id');
  const id = existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
  return files.find((file) => file.id === id) ?? (id === undefined ? files[0] : undefined);
}

export async function seeAgent(client: Client, io: Io): Promise<AgentSight> {
  const askedAt = io.now();
  try {
    const info = await client.readAgentInfo();
    return { kind: 'answers', client, info, askedAt, answeredAt: io.now() };
  } catch (error) {
    return { kind: 'silent', client, finding: silence(error) };
  }
}

export async function seeWeb(home: string, io: Io): Promise<WebSight> {
  const tokenFile = join(home, 'web.token');
  const token = readToken(tokenFile);
  const file = readWebFile(home);
  if (token === undefined && file === undefined) return { kind: 'absent' };
  if (token === undefined || file === undefined) {
    return { kind: 'silent', finding: fail('web does not run for this home', START_HINT) };
  }
  const client = new Client({ kind: 'web', ...file, token, tokenFile, fetch: io.fetch });
  try {
    type State = { version: string; agents: ShownAgent[]; counts: Record<string, number> };
    const { version, agents, counts } = (await client.call<State>('GET', '/state')).value;
    return { kind: 'answers', client, version, agents, counts };
  } catch (error) {
    return { kind: 'silent', client, finding: silence(error) };
  }
}

function silence(error: unknown): Finding {
  if (!(error instanceof CliError)) throw error;
  if (!(error instanceof RefusedError) && !(error instanceof UnreachableError)) throw error;
  return fail(error.message, error.hint ?? START_HINT);
}
