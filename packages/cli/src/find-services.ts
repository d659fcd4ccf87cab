/**
 * The services of a home, as they announce themselves: `web.json` and `agents/<id>.json`.
 *
 * Guarantees: a file that is missing, half written or of another shape is no service; whether one that is found
 * still runs is told by its process and its own answer, never by the file.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from './cli-error.ts';
import { parseObject } from './json.ts';
import { explainNoAnswer } from '@holdfast/shared/no-answer';

/** A service's announcement. `name` and `id` are an agent's. */
export interface ServiceFile {
  url: string;
  pid: number;
  id?: string;
  name?: string;
}

export type ServiceName = 'agent' | 'web';

export function readWebFile(home: string): ServiceFile | undefined {
  return readServiceFile(join(home, 'web.json'));
}

function readAgentFiles(home: string): ServiceFile[] {
  const folder = join(home, 'agents');
  return (listFolder(folder) ?? [])
    .filter((name) => name.endsWith('.json'))
    .map((name) => readServiceFile(join(folder, name)))
    .filter((file) => file !== undefined);
}

/** All announcements of a kind. */
export function readServiceFiles(home: string, name: ServiceName): ServiceFile[] {
  if (name === 'agent') return readAgentFiles(home);
  const web = readWebFile(home);
  return web === undefined ? [] : [web];
}

/** The token in a file of mode 0600, or undefined if there is none. */
export function readToken(path: string): string | undefined {
  const token = readIfThere(path)?.trim();
  return token === '' ? undefined : token;
}

/** Whether a process of this pid exists; it may be another's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and belongs to someone else.
    return codeOf(error) === 'EPERM';
  }
}

export type Readiness = { ready: true } | { ready: false; why: string };

const READY_TIMEOUT_MS = 2000;

/** Asks a service whether it is ready. Needs no token, and never throws: no answer is a reason. */
export async function askReady(url: string, fetch: typeof globalThis.fetch): Promise<Readiness> {
  try {
    const answer = await fetch(`${url}/readyz`, {
      redirect: 'manual',
      signal: AbortSignal.timeout(READY_TIMEOUT_MS),
    });
    const text = await answer.text();
    return answer.status === 200
      ? { ready: true }
      : { ready: false, why: `it answers ${answer.status} ${text}`.trim() };
  } catch (error) {
    // fetch rejects for every way in which no answer comes.
    return { ready: false, why: explainNoAnswer(error, READY_TIMEOUT_MS).text };
  }
}

/** The service of that kind which runs in this home, if there is one that answers. */
export async function findRunning(
  home: string,
  name: ServiceName,
  fetch: typeof globalThis.fetch,
): Promise<ServiceFile | undefined> {
  for (const file of readServiceFiles(home, name)) {
    if (isAlive(file.pid) && (await askReady(file.url, fetch)).ready) return file;
  }
  return undefined;
}

function readServiceFile(path: string): ServiceFile | undefined {
  const text = readIfThere(path);
  // One that was killed while it wrote announces itself anew when it starts.
  const { url, pid, id, name } = (text === undefined ? undefined : parseObject(text)) ?? {};
  if (typeof url !== 'string' || !/^https?:\/\//.test(url)) return undefined;
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return {
    url: url.replace(/\/+$/, ''),
    pid,
    ...(typeof id === 'string' ? { id } : {}),
    ...(typeof name === 'string' ? { name } : {}),
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function listFolder(path: string): string[] | undefined {
  try {
    return readdirSync(path).toSorted();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
