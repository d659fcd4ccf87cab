/**
 * The end of a run: every service works again, nothing new is asked, and what is left ends or is told to. Then
 * everything that the checker reads is collected.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Audit, Pool, ShownTask, Task } from '@holdfast/shared';
import { until } from '../system.ts';
import type { Browser } from './browser.ts';
import { checkBrowser } from './check-web.ts';
import { readEvidence } from './evidence.ts';
import type { Findings } from './findings.ts';
import { readAgentHistory, readWebHistory } from './history.ts';
import type { FaultContext } from './service-faults.ts';
import type { Workers } from './workers.ts';
import { settings, type World } from './world.ts';

/** How long tasks may go on to end by themselves. */
const PEACE_MS = 5000;
/** In which everything must have come to rest: leases run out, the grace passes, web reconnects. */
const REST_MS = 120_000;
/** A task without a process is settled within two sweeps; a slow machine gets more. */
const GHOST_MS = 10_000;

/** Lets a run come to rest; what does not is a violation in the ledger. */
export async function comeToRest(
  context: FaultContext,
  { workers, browser }: { workers: Workers; browser: Browser },
): Promise<Findings> {
  const { world, ledger, sampler, observer, traffic } = context;
  for (const service of [world.agent, world.web]) {
    service.thaw();
    if (!service.alive) await service.start();
    else await service.ready();
  }
  await traffic.openPool();
  await workers[Symbol.asyncDispose]();
  const patience = performance.now() + PEACE_MS;
  await until(
    'what is left to end or its time to be over',
    () => observer.live.length === 0 || performance.now() > patience,
  );
  await expectNoGhosts(context);
  try {
    await until(
      'every task to have ended, on both sides',
      async () => {
        const left = await liveTasks(context);
        if (left === undefined) return false;
        await Promise.all(
          left
            .filter(({ stopRequested }) => stopRequested?.cause !== 'cancel')
            .map(({ id }) => traffic.cancel(id, 'agent')),
        );
        return left.length === 0 && (await isInStep(world));
      },
      REST_MS,
    );
  } catch (error) {
    const left = (await liveTasks(context)) ?? [];
    const state = await world.call('web', 'GET', '/api/state');
    ledger.violate({
      promise: 'P3',
      what: `no rest: ${String(error)}; web says ${JSON.stringify(state.body)}`,
    });
    for (const { id, status } of left)
      ledger.violate({ promise: 'P3', what: `never came to rest: ${status}`, taskId: id });
  }
  await traffic.expectPool();
  // What is being reaped goes within a moment; what stays is a stray.
  const calm = performance.now() + 3000;
  await until('strays to be gone', () => sampler.look().length === 0 || performance.now() > calm);
  const shown = await compareBrowser(world, browser);
  return {
    agent: readAgentHistory(join(world.agentHome, 'agent.db')),
    web: readWebHistory(join(world.webHome, 'web.db')),
    evidence: readEvidence(world.evidencePath),
    ledger,
    words: workers.words(),
    unknown: observer.unknown,
    browser: shown,
    processes: sampler.look(),
    pool: await read<Pool>(world, 'agent', '/pool'),
    audit: await read<Audit>(world, 'agent', '/audit'),
  };
}

/**
 * P3 while tasks still run, undisturbed for some seconds: each that is said to run has a process, or is settled
 * within a few sweeps.
 */
async function expectNoGhosts(context: FaultContext): Promise<void> {
  const { ledger, sampler } = context;
  const ghosts = async () => {
    const tasks = await liveTasks(context);
    const alive = new Set(sampler.look().map(({ taskId, attempt }) => `${taskId}/${attempt}`));
    return (tasks ?? []).filter(
      ({ id, attempt, status, claim }) =>
        status === 'running' && claim === undefined && !alive.has(`${id}/${attempt}`),
    );
  };
  let left = await ghosts();
  const patience = performance.now() + GHOST_MS;
  while (left.length > 0 && performance.now() < patience) {
    const before = new Set(left.map(({ id, attempt }) => `${id}/${attempt}`));
    await new Promise((resolve) => setTimeout(resolve, settings.sweepMs));
    left = (await ghosts()).filter(({ id, attempt }) => before.has(`${id}/${attempt}`));
  }
  for (const { id, attempt } of left) {
    const what = `attempt ${attempt} is said to run, and has no process`;
    ledger.violate({ promise: 'P3', what, taskId: id });
  }
}

/** What the browser has and what web lists, once they agree or have had their time. */
async function compareBrowser(world: World, browser: Browser): Promise<Findings['browser']> {
  const patience = performance.now() + PEACE_MS;
  for (;;) {
    const listed: ShownTask[] = [];
    for (let after: string | undefined = ''; after !== undefined;) {
      const path: string = `/api/tasks?limit=500${after}`;
      const page = await read<{ items: ShownTask[]; next?: string }>(world, 'web', path);
      listed.push(...page.items);
      after = page.next === undefined ? undefined : `&after=${encodeURIComponent(page.next)}`;
    }
    const shown = { rows: new Map(browser.rows), listed };
    const leftMs = patience - performance.now();
    if (checkBrowser({ browser: shown }).length === 0 || leftMs < 0) return shown;
    await browser.news(leftMs);
  }
}

/** P12: web without its store, as it comes back from the agent alone. */
export async function rebuildWeb({ world }: FaultContext, findings: Findings): Promise<Findings> {
  await world.web.kill('SIGTERM');
  for (const file of readdirSync(world.webHome))
    if (file.startsWith('web.db')) rmSync(join(world.webHome, file));
  await world.web.start();
  await until('a web without its store to be in step', () => isInStep(world), REST_MS);
  return { ...findings, web: readWebHistory(join(world.webHome, 'web.db')) };
}

/** What a service answers, now that nothing disturbs it. */
async function read<T>(world: World, from: 'agent' | 'web', path: string): Promise<T> {
  return until(`${from} to answer ${path}`, async () => {
    const { status, body } = await world.call(from, 'GET', path);
    return status === 200 && body !== undefined ? (body as T) : undefined;
  });
}

async function liveTasks({ world }: FaultContext): Promise<Task[] | undefined> {
  const answer = await world.call('agent', 'GET', '/tasks?status=queued,starting,running&limit=500');
  return answer.status === 200 ? (answer.body as { items: Task[] }).items : undefined;
}

interface WebState {
  agents: { state: string; lag: number; digestOk?: boolean }[];
  counts: Record<string, number>;
}

/** Web has applied all of the agent's log, agrees with it, and has nothing left to deliver. */
async function isInStep(world: World): Promise<boolean> {
  const answer = await world.call('web', 'GET', '/api/state');
  if (answer.status !== 200) return false;
  const { agents, counts } = answer.body as WebState;
  const [link] = agents;
  const open = (['submitted', 'queued', 'starting', 'running', 'unknown'] as const).some(
    (status) => (counts[status] ?? 0) > 0,
  );
  if (open || link?.state !== 'live' || link.lag !== 0 || link.digestOk !== true) return false;
  const metrics = await world.call('web', 'GET', '/metrics');
  return typeof metrics.body === 'string' && !/^\w*intents\w*(\{[^}]*\})? [1-9]/m.test(metrics.body);
}
