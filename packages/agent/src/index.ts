/**
 * The agent: the service that owns and runs the tasks of one machine. The way of a task through these files:
 *
 *   routes/ → queue → journal → dispatch (workspace, environment, launch) → supervise (look, recovery, settle)
 *                        └────→ events (`GET /events`: log-tail, then the journal)
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Config,
  createApp,
  createLogger,
  FailureLimiter,
  guard,
  loadToken,
  type Logger,
  refuseOpenDoor,
  type RunOptions,
  runService,
  serveApp,
  takeInstanceLock,
} from '@holdfast/shared';
import { ActivityMonitor } from './activity.ts';
import { announceAgent, loadAgentId, readAnnouncement } from './announcement.ts';
import { AttemptStore } from './attempts.ts';
import { Auditor } from './audit.ts';
import { ClaimStore } from './claim-store.ts';
import { Disk, type DiskStats } from './disk.ts';
import { Dispatcher, type DispatchStep } from './dispatch.ts';
import { ClaimLine } from './claim-line.ts';
import { Claims } from './claims.ts';
import { cleanEnvironment } from './environment.ts';
import { Events } from './events.ts';
import { ExternalIds } from './external-id.ts';
import { ForeignRuns } from './foreign-runs.ts';
import { Journal } from './journal.ts';
import { Launcher } from './launch.ts';
import { Look } from './look.ts';
import { createAgentMetrics } from './metrics.ts';
import { Pool } from './pool.ts';
import { Queue } from './queue.ts';
import { Reclaimer } from './reclaim.ts';
import { Retention } from './retention.ts';
import { addAgentRoutes } from './routes/agent.ts';
import { addAuditRoutes } from './routes/audit.ts';
import { addClaimRoutes } from './routes/claims.ts';
import { addOutputRoutes } from './routes/output.ts';
import { addPoolRoutes } from './routes/pool.ts';
import { addReclaimRoutes } from './routes/reclaim.ts';
import { addTaskRoutes } from './routes/tasks.ts';
import { addRunnerRoutes } from './routes/runners.ts';
import { removeRunsOf } from './run-directory.ts';
import { knownRunners, listRunners } from './runners.ts';
import { Settlement } from './settle.ts';
import { StopRequests } from './stop-requests.ts';
import { Supervisor } from './supervise.ts';
import { startSweepLoop, type SweepLoop } from './sweep-loop.ts';
import { type PlannedWorktree, Workspaces } from './workspace.ts';

export interface AgentOptions {
  config: Config;
  env?: NodeJS.ProcessEnv;
  logger?: Logger;
  now?: () => number;
  monotonic?: () => number;
  statfs?: (path: string) => DiskStats;
  /** Told at each step of each start (dispatch.ts). */
  onStep?: (step: DispatchStep, taskId: string) => void;
}

export interface RunningAgent extends AsyncDisposable {
  id: string;
  url: string;
  port: number;
  token: string;
  /** Stops the service. Tasks that are running go on. */
  stop: () => Promise<void>;
}

/** Streams that end come back after about this long. */
const RETRY_MS = 1000;

/** How old the journal's word that this agent is awake may become. */
const ALIVE_MS = 10_000;

/**
 * Starts an agent. Rejects with `ConfigError`, `AlreadyRunningError`, `DatabaseError`, or what listening throws
 * (`EADDRINUSE`); whatever was begun is undone.
 */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const { config, env = process.env, now = Date.now, monotonic = () => performance.now() } = options;
  mkdirSync(config.home, { recursive: true, mode: 0o700 });
  // The kernel tells the files of a process by their true path, and a marker means the same whichever way was taken here.
  const home = realpathSync(config.home);
  const logger = options.logger ?? createLogger('agent', config.logLevel);
  refuseOpenDoor('agent', config);

  // Undone in the opposite order: at a stop, and when the start itself fails.
  await using begun = new AsyncDisposableStack();
  begun.use(takeInstanceLock({ service: 'agent', home, holder: () => readAnnouncement(home) }));
  const id = loadAgentId(home);
  const token = loadToken(join(home, 'agent.token'));
  const journal = begun.adopt(new Journal({ path: join(home, 'agent.db'), now }), (open) => open.close());

  const attempts = new AttemptStore(journal.database);
  const claimStore = new ClaimStore(journal.database);
  const { statfs = statfsSync } = options;
  const disk = new Disk({ path: home, lowDiskBytes: config.lowDiskBytes, logger, statfs, now, monotonic });
  const pool = new Pool(journal, config.slots, disk);
  const runners = knownRunners(config.runners);
  const { queueLimit, retentionMs, maxAttempts, retryDelayMs, sweepPage, killGraceMs } = config;
  const queue = new Queue({
    journal,
    agentId: id,
    name: config.agentName,
    queueLimit,
    retentionMs,
    runners: new Set(Object.keys(runners)),
    now,
  });
  const settlement = new Settlement({
    journal,
    attempts,
    maxAttempts,
    retryDelayMs,
    random: Math.random,
    now,
  });
  const environment = cleanEnvironment(env);
  const workspaces = new Workspaces({ home, env: environment });
  const launcher = begun.adopt(new Launcher({ environment, logger }), (open) => open.stop());
  const release = async ({ taskId, workspace }: { taskId: string; workspace: string | undefined }) => {
    if (workspace === undefined) return;
    const { kept } = await workspaces.release(JSON.parse(workspace) as PlannedWorktree);
    if (kept !== undefined) logger.info({ taskId, kept }, 'the worktree is kept');
  };
  const claims = new Claims({
    journal,
    attempts,
    store: claimStore,
    queue,
    pool,
    settlement,
    leaseMs: config.leaseMs,
    onFree: () => dispatcher.wake(),
    now,
  });
  const line = new ClaimLine({ claims, nextDelayedAt: (since) => queue.nextDelayedAt(since), logger, now });
  begun.defer(journal.onCommit(() => line.wake()));
  const look = new Look({ monotonic });
  const supervisor = new Supervisor({
    journal,
    attempts,
    settlement,
    look,
    claims,
    externalIds: new ExternalIds(runners),
    home,
    sweepPage,
    killGraceMs,
    logger,
    onFree: () => dispatcher.wake(),
    release,
    now,
    monotonic,
  });
  const dispatcher: Dispatcher = new Dispatcher({
    journal,
    attempts,
    queue,
    pool,
    supervisor,
    settlement,
    foreignRuns: new ForeignRuns({ home, attempts, look, killGraceMs, logger, monotonic }),
    workspaces,
    runners,
    launcher,
    environment,
    prepareMs: config.prepareMs,
    logger,
    onStep: options.onStep,
    now,
  });
  let sweeps: SweepLoop | undefined;
  const catchUp = async () => sweeps?.catchUp();
  const stops = new StopRequests({
    journal,
    attempts,
    settlement,
    supervisor,
    onFree: () => dispatcher.wake(),
    now,
  });
  const reclaimer = new Reclaimer({
    journal,
    attempts,
    leaseOf: (task) => claims.leaseOf(task),
    catchUp,
    stops,
    page: sweepPage,
    now,
  });
  pool.onChange(() => {
    dispatcher.wake();
    line.wake();
  });

  const auditor = new Auditor({
    journal,
    attempts,
    look,
    home,
    watchOf: (taskId) => supervisor.watchOf(taskId),
    leaseOf: (task) => claims.leaseOf(task),
    catchUp,
    sweepMs: config.sweepMs,
    now,
    monotonic,
  });
  const metrics = createAgentMetrics({ journal, pool, supervisor, events: () => events, auditor, now });
  const events: Events = new Events({
    journal,
    agentId: id,
    name: config.agentName,
    instance: randomUUID(),
    heartbeatMs: config.heartbeatMs,
    sweepMs: config.sweepMs,
    status: () => ({ sweptAt: supervisor.sweptAt, pool: pool.view }),
    allActivity: () => [...activity.all(), ...claims.allHeard()],
    onDrop: (why, error) => {
      metrics.dropped.inc({ why });
      logger.warn({ why, err: error }, 'a reader of /events was dropped');
    },
    now,
  });
  begun.defer(() => events.stop(RETRY_MS));
  const activity: ActivityMonitor = new ActivityMonitor({
    journal,
    supervisor,
    stops,
    outputLimitBytes: config.outputLimitBytes,
    takeHeard: () => claims.takeHeard(),
    announce: (entries) => events.announceActivity(entries),
    logger,
    monotonic,
  });
  begun.defer(() => activity.stop());
  const retention = new Retention({
    journal,
    home,
    retentionMs,
    removeRuns: (taskId) => removeRunsOf(home, taskId),
    releaseWorktrees: async () => {
      for (const ended of attempts.endedWorkspaces()) {
        if (existsSync((JSON.parse(ended.workspace) as PlannedWorktree).path)) await release(ended);
      }
    },
    logger,
    now,
  });
  begun.defer(() => retention.stop());

  const app = createApp({
    title: 'Holdfast agent',
    description: 'Owns and runs the tasks of one machine.',
    logger,
    guard: guard({
      token,
      allowedHosts: config.allowedHost,
      limiter: new FailureLimiter(),
      isPublic: (path) => path === '/livez' || path === '/readyz',
    }),
  });
  addTaskRoutes(app, {
    journal,
    queue,
    attempts,
    claims,
    stops,
    supervisor,
    onQueued: () => dispatcher.wake(),
  });
  addClaimRoutes(app, claims, line);
  addReclaimRoutes(app, { stops, reclaimer, events });
  const outputStreams = new Set<() => void>();
  const onStop = (listener: () => void) => {
    outputStreams.add(listener);
    return () => outputStreams.delete(listener);
  };
  addOutputRoutes(app, { journal, attempts, home, onStop });
  addPoolRoutes(app, pool);
  addAuditRoutes(app, auditor);
  addRunnerRoutes(app, () => listRunners(config.runners, environment.PATH));
  addAgentRoutes(app, {
    events,
    metrics: metrics.registry,
    checks: () => ({ journal: journal.healthy, swept: supervisor.sweptAt > 0 }),
  });

  const server = begun.adopt(await serveApp(app, config.agentHost, config.agentPort), (open) => open.stop());
  // Streams would hold the server open: they end before it is stopped.
  begun.defer(() => {
    events.stop(RETRY_MS);
    line.stop();
    for (const end of outputStreams) end();
  });
  const tokenFile = join(home, 'agent.token');
  announceAgent(home, { id, name: config.agentName, url: server.url, pid: process.pid, tokenFile });
  logger.info({ url: server.url, id, epoch: journal.epoch }, 'the agent listens');

  retention.start();
  // What ran before is judged before anything new starts; the agent answers meanwhile.
  sweeps = startSweepLoop({
    renew: (tick) => claims.renewAfterSilence(tick),
    sweep: (tick) => supervisor.sweep(tick),
    periodMs: config.sweepMs,
    lastAliveAt: journal.lastAliveAt,
    onSwept: () => {
      dispatcher.start();
      line.wake();
    },
    afterwards: async () => {
      pool.checkDisk();
      if (!journal.healthy || now() - journal.aliveAt >= ALIVE_MS) await touchJournal(journal, logger);
    },
    logger,
    now,
    monotonic,
  });
  begun.defer(async () => {
    const swept = sweeps?.stop();
    await dispatcher.stop();
    await supervisor.stop();
    await swept;
  });

  const running = begun.move();
  const stop = async () => {
    await running.disposeAsync();
    logger.info('the agent has stopped; tasks that are running go on');
  };
  let stopping: Promise<void> | undefined;
  const stopOnce = () => (stopping ??= stop());
  return { id, url: server.url, port: server.port, token, stop: stopOnce, [Symbol.asyncDispose]: stopOnce };
}

/** Runs an agent until it is asked to stop; resolves with the exit code (`runService`). */
export function runAgent(options: RunOptions = {}): Promise<number> {
  return runService({ name: 'agent', start: (config, env) => startAgent({ config, env }) }, options);
}

/**
 * Writes nothing but that this agent is alive. A journal that could not be written becomes healthy again by it, and
 * one that nobody has written to for a while knows until when leases were heard.
 */
async function touchJournal(journal: Journal, logger: Logger): Promise<void> {
  const wasHealthy = journal.healthy;
  try {
    await journal.change(() => undefined);
    if (!wasHealthy) logger.info('the journal can be written again');
  } catch (error) {
    logger.error({ err: error }, 'the journal cannot be written');
  }
}
