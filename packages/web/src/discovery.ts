/**
 * Which agents there are, from two places under `HOLDFAST_HOME`:
 *
 * - `agents/<id>.json`, written by each agent of this machine: `{ id, name, url, pid, tokenFile }`;
 * - `remote-agents.json` (0600), for agents that a person added: `{ url, token, name?, id }[]`, so that they outlive
 *   the store. An entry that a person wrote there without an id waits until its agent was asked who it is.
 *
 * Guarantees: a file that cannot be used is reported once and changes nothing, for the next look may find it
 * whole. A file that has vanished forgets nobody: an agent that is down stays known, and only `removeRemote` and
 * `forgetLocal` make one unknown.
 */
import {
  chmodSync,
  existsSync,
  type FSWatcher,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
} from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import { type Logger, messageOf, writeFileDurably } from '@holdfast/shared';
import { z } from 'zod';
import { codeOf } from './error-code.ts';
import { type StartTimer, startTimer, type Timer } from './timers.ts';

export interface AgentAddress {
  id: string;
  name: string;
  /** http or https, without a slash at the end. */
  url: string;
  token: string;
  local: boolean;
}

interface RemoteEntry {
  id?: string | undefined;
  name?: string | undefined;
  url: string;
  token: string;
}

export interface Discovery {
  /** Everyone known, local ones first. */
  agents(): AgentAddress[];
  /** Remote agents of which only the address is known yet. */
  unidentified(): Omit<RemoteEntry, 'id'>[];
  /** Looks at the files now. */
  refresh(): void;
  /** Adds a remote agent, or gives the one of this id a new address, durably. */
  saveRemote(agent: Omit<AgentAddress, 'local'>): void;
  removeRemote(id: string): void;
  /** Deletes the file of a local agent: it is known again when it starts again. */
  forgetLocal(id: string): void;
  /** Calls the listener after each look or call that changed something. */
  onChange(listener: () => void): void;
  stop(): void;
}

export interface DiscoveryOptions {
  home: string;
  logger: Logger;
  /** Looks so often, however well the folder can be watched. */
  pollMs?: number;
  startTimer?: StartTimer;
}

const POLL_MS = 2000;
/** A file system tells of one change in several events. */
const SETTLE_MS = 20;

export const AgentIdSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'is no id of an agent');

/** An agent's address: no credentials, no query, no slash at the end. */
export const AgentUrlSchema = z
  .string()
  .max(2048)
  .transform((text, context) => {
    const url = URL.parse(text);
    const plain =
      url !== null && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
    if (!plain || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
      context.addIssue({
        code: 'custom',
        message: 'must be an http or https URL without credentials and query',
      });
      return z.NEVER;
    }
    return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  });

export const AgentNameSchema = z.string().min(1).max(64);

const LocalFileSchema = z.object({
  id: AgentIdSchema,
  name: AgentNameSchema,
  url: AgentUrlSchema,
  tokenFile: z.string().refine(isAbsolute, 'must be an absolute path'),
});

const RemoteFileSchema = z.array(
  z.object({
    id: AgentIdSchema.optional(),
    name: AgentNameSchema.optional(),
    url: AgentUrlSchema,
    token: z.string().min(1),
  }),
);

/** Throws an error that names the fault and quotes nothing: the file may hold a token. */
function readJson<T>(path: string, schema: z.ZodType<T>): T {
  const text = readFileSync(path, 'utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw new Error('it is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
}

export function startDiscovery(options: DiscoveryOptions): Discovery {
  const { home, logger, pollMs = POLL_MS } = options;
  const listeners: (() => void)[] = [];
  const onChange = () => listeners.forEach((listener) => listener());
  const start = options.startTimer ?? startTimer;
  const folder = join(home, 'agents');
  const remotePath = join(home, 'remote-agents.json');
  const local = new Map<string, AgentAddress>();
  const remote = new Map<string, AgentAddress>();
  let unidentified: RemoteEntry[] = [];
  /** What was last said of each file that could not be used. */
  const reported = new Map<string, string>();
  mkdirSync(folder, { recursive: true, mode: 0o700 });

  function look(): boolean {
    const before = JSON.stringify([[...local], [...remote], unidentified]);
    for (const name of readdirSync(folder)) {
      if (name.endsWith('.json')) attempt(join(folder, name), readLocal);
    }
    attempt(remotePath, readRemote);
    return JSON.stringify([[...local], [...remote], unidentified]) !== before;
  }

  function attempt(path: string, read: (path: string) => void): void {
    try {
      read(path);
      reported.delete(path);
    } catch (error) {
      const why = messageOf(error);
      if (codeOf(error) === 'ENOENT' && path === remotePath) return;
      if (reported.get(path) === why) return;
      reported.set(path, why);
      logger.warn({ file: path, why }, 'this file cannot be used yet; what was known stays as it is');
    }
  }

  function readLocal(path: string): void {
    const file = readJson(path, LocalFileSchema);
    if (basename(path) !== `${file.id}.json`) throw new Error(`its name should be ${file.id}.json`);
    const token = readFileSync(file.tokenFile, 'utf8').trim();
    if (token === '') throw new Error(`${file.tokenFile} is empty`);
    local.set(file.id, { id: file.id, name: file.name, url: file.url, token, local: true });
  }

  function readRemote(path: string): void {
    const rows = readJson(path, RemoteFileSchema);
    // It holds tokens, whoever wrote it.
    chmodSync(path, 0o600);
    unidentified = rows.filter((row) => row.id === undefined);
    for (const { id, name, url, token } of rows) {
      if (id !== undefined) remote.set(id, { id, name: name ?? id.slice(0, 64), url, token, local: false });
    }
  }

  /** Writes what `change` makes of the remote agents; if that fails they stay as they were. */
  function changeRemotes(change: () => void): void {
    // What a person wrote into the file since the last look, or broke in it, must not be written over.
    if (existsSync(remotePath)) readRemote(remotePath);
    const before = [...remote];
    change();
    const identified = [...remote.values()].map(({ id, name, url, token }) => ({ id, name, url, token }));
    const others = unidentified.filter((entry) => identified.every((agent) => agent.url !== entry.url));
    const rows: RemoteEntry[] = [...identified, ...others];
    try {
      writeFileDurably(remotePath, `${JSON.stringify(rows, null, 2)}\n`);
    } catch (error) {
      remote.clear();
      for (const [id, agent] of before) remote.set(id, agent);
      throw error;
    }
    unidentified = others;
    onChange();
  }

  let stopped = false;
  let poll: Timer | undefined;
  let settle: Timer | undefined;
  let watcher: FSWatcher | undefined;

  function refresh(): void {
    if (!stopped && look()) onChange();
  }

  /** As a timer calls it: a look that failed ends nothing, the next one is due. */
  function lookAgain(): void {
    try {
      refresh();
    } catch (error) {
      logger.error({ err: error }, 'the folder of agents cannot be read');
    }
  }

  function pollOnce(): void {
    lookAgain();
    if (!stopped) poll = start(pollOnce, pollMs);
  }

  look();
  poll = start(pollOnce, pollMs);
  try {
    watcher = watch(folder, { persistent: false }, () => {
      settle?.cancel();
      settle = start(lookAgain, SETTLE_MS);
    });
    watcher.on('error', (error) =>
      logger.warn({ err: error }, 'the folder of agents cannot be watched; it is polled'),
    );
  } catch (error) {
    // Out of watches, or a file system that has none: the poll finds every change, only later.
    logger.warn({ err: error }, 'the folder of agents cannot be watched; it is polled');
  }

  return {
    agents: () => {
      const others = [...remote.values()].filter((agent) => !local.has(agent.id));
      return [...local.values(), ...others];
    },
    unidentified: () => unidentified,
    refresh,
    saveRemote: (agent) => changeRemotes(() => remote.set(agent.id, { ...agent, local: false })),
    removeRemote: (id) => changeRemotes(() => remote.delete(id)),
    forgetLocal(id) {
      rmSync(join(folder, `${id}.json`), { force: true });
      if (local.delete(id)) onChange();
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
    stop() {
      stopped = true;
      poll?.cancel();
      settle?.cancel();
      watcher?.close();
    },
  };
}
