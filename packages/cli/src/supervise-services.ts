/**
 * Agent and web, kept running by `holdfast up`.
 *
 * Guarantees: a service of this home that runs already is used, and left alone at the end; a service that ends during
 * the first start ends `up`, after the other was stopped; one that ends later is started again, with back-off; a stop
 * asks each child to end and waits until it has; only a second request kills.
 */
import { CliError } from './cli-error.ts';
import {
  findRunning,
  isAlive,
  readServiceFiles,
  type ServiceFile,
  type ServiceName,
} from './find-services.ts';
import { type Io, pause } from './io.ts';
import { endingText, readableLine, type ServiceChild, startServiceChild } from './service-child.ts';
import { stuckHint } from './unreachable-hint.ts';

export interface SuperviseOptions {
  home: string;
  /** The program and the arguments that run a service. */
  commandOf: (name: ServiceName) => readonly [string, ...string[]];
  /** The children's environment. */
  env: NodeJS.ProcessEnv;
  io: Io;
  say: (text: string) => void;
  /** Both are ready, for the first time. */
  onReady: (services: Services) => Promise<void>;
  /** A service that was started again listens elsewhere. What it throws ends everything. */
  onMoved: (name: ServiceName, file: ServiceFile) => Promise<void>;
}

interface Service extends ServiceFile {
  /** False for one that ran already. */
  isOurs: boolean;
}

export type Services = Record<ServiceName, Service>;

const FIRST_DELAY_MS = 1000;
const MOST_DELAY_MS = 30_000;
const HEALTHY_MS = 60_000;
/** How long a service that hangs in its start may take to end. */
const HUNG_GRACE_MS = 10_000;
/** A package manager passes a Ctrl-C on to a child that the terminal has told already: both are one request. */
const SAME_REQUEST_MS = 500;

/** Resolves when every child has ended after a stop, or at once if there was nothing to start. */
export async function superviseServices(options: SuperviseOptions): Promise<void> {
  const { home, io, say, onReady } = options;
  const stop = new AbortController();
  const children = new Map<ServiceName, ServiceChild>();
  let stopAskedAt: number | undefined;

  const release = io.onStopSignal(() => {
    const now = io.now();
    if (stopAskedAt === undefined) {
      stopAskedAt = now;
      say('Stopping; tasks that are running go on.');
      stop.abort();
      for (const child of children.values()) child.stop();
    } else if (now - stopAskedAt >= SAME_REQUEST_MS) {
      say(`Killing ${[...children.keys()].join(' and ')}.`);
      for (const child of children.values()) child.kill();
    }
  });

  function start(name: ServiceName): ServiceChild {
    const child = startServiceChild({
      name,
      home,
      command: options.commandOf(name),
      env: options.env,
      io,
      onLine: (line) => say(io.stderr.isTTY === true ? `${name}: ${readableLine(line)}` : line),
    });
    children.set(name, child);
    void child.ended.then(() => {
      if (children.get(name) === child) children.delete(name);
    });
    return child;
  }

  async function findOrStart(name: ServiceName): Promise<{ service: Service; child?: ServiceChild }> {
    const running = await findRunning(home, name, io.fetch);
    if (running !== undefined) return { service: { ...running, isOurs: false } };
    if (stop.signal.aborted) throw new StoppedError();
    const child = start(name);
    try {
      return { service: { ...(await child.ready), isOurs: true }, child };
    } catch (error) {
      throw besideStuck(home, name, error);
    }
  }

  try {
    const [agent, web] = await Promise.all([findOrStart('agent'), findOrStart('web')]);
    await onReady({ agent: agent.service, web: web.service });
    const keeping = [agent, web].map(async ({ service, child }) =>
      child === undefined
        ? undefined
        : keepRunning(child, service, { ...options, start, signal: stop.signal }),
    );
    await Promise.all(keeping);
  } catch (error) {
    // What was asked to stop did not fail.
    if (!stop.signal.aborted) throw error;
  } finally {
    stop.abort();
    for (const child of children.values()) child.stop();
    await Promise.all([...children.values()].map((child) => child.ended));
    release();
  }
}

/** A service that cannot start because another of this home holds its place, and gives no answer. */
function besideStuck(home: string, name: ServiceName, error: unknown): unknown {
  const other = readServiceFiles(home, name).find((file) => isAlive(file.pid));
  if (other === undefined || !(error instanceof CliError)) return error;
  return new CliError(error.message, { hint: stuckHint(other.pid), cause: error });
}

class StoppedError extends Error {
  constructor() {
    super('stopped');
    this.name = 'StoppedError';
  }
}

interface KeepOptions extends SuperviseOptions {
  start: (name: ServiceName) => ServiceChild;
  signal: AbortSignal;
}

/** Starts a service again each time it ends, until it is stopped. */
async function keepRunning(first: ServiceChild, service: Service, options: KeepOptions): Promise<void> {
  const { io, say, signal, start, onMoved } = options;
  const { name } = first;
  let child = first;
  let { url } = service;
  let failures = 0;
  let startedAt = io.now();
  for (;;) {
    const ending = await child.ended;
    if (signal.aborted) return;
    if (io.now() - startedAt >= HEALTHY_MS) failures = 0;
    const delayMs = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 10));
    failures += 1;
    say(
      `${name} ended (${endingText(ending)}). Starting it again in ${delayMs / 1000} s; tasks are not affected.`,
    );
    await pause(io, delayMs, signal);
    if (signal.aborted) return;
    startedAt = io.now();
    child = start(name);
    let file: ServiceFile;
    try {
      file = await child.ready;
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      if (signal.aborted) return;
      say(error.message);
      // One that hangs in its start makes room for the next, whether or not it can hear of it.
      child.stop();
      const gone = new AbortController();
      void child.ended.then(() => gone.abort());
      await pause(io, HUNG_GRACE_MS, AbortSignal.any([gone.signal, signal]));
      if (!gone.signal.aborted && !signal.aborted) child.kill();
      continue;
    }
    say(`${name} is ready again.`);
    if (file.url !== url) await onMoved(name, file);
    ({ url } = file);
  }
}
