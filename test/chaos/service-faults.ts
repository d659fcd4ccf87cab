/**
 * Faults of the services as a whole: killed, frozen or stopped at moments that matter. Each of them ends with the
 * service working again; one that cannot be started again ends the run.
 *
 * The moments that matter are found by events, not by luck: a run directory appears (claimed, about to be launched),
 * an exit record appears (ended, about to be settled), an answer arrives (promised, about to be needed).
 */
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Task } from '@holdfast/shared';
import type { Ledger } from './ledger.ts';
import type { Observer } from './observer.ts';
import type { Step } from './plan.ts';
import { launcherOf, signal } from './processes.ts';
import type { Random } from './random.ts';
import type { Sampler } from './sampler.ts';
import type { ServiceProcess } from './service.ts';
import type { TaskSource } from './tasks.ts';
import type { Traffic } from './traffic.ts';
import { settings, type World } from './world.ts';

export interface FaultContext {
  world: World;
  ledger: Ledger;
  sampler: Sampler;
  observer: Observer;
  traffic: Traffic;
  source: TaskSource;
  random: Random;
  /** Aborted when the run is over: nothing waits any longer. */
  halt: AbortSignal;
  /** A fault of the services has plans with this launcher: no other fault touches it. */
  launcherHeld: boolean;
}

/** How long a moment is waited for before the fault comes without it. */
const MOMENT_MS = 1500;
/** How long web may take to have the agent's word before an outage. */
const LIVE_MS = 4000;

export async function makeServiceFault(step: Step<'service'>, context: FaultContext): Promise<void> {
  const { world, ledger, halt } = context;
  const { agent, web } = world;
  const { kind, forMs } = step;
  const count = (detail = '') => ledger.fault(kind, detail);
  switch (kind) {
    case 'killAgentLong':
      await untilLive(context);
      count(`down for ${forMs} ms`);
      await agent.kill();
      await pause(forMs, halt);
      return agent.start();
    case 'killAgent':
      count(`down for ${forMs} ms`);
      await agent.kill();
      await pause(forMs, halt);
      return agent.start();
    case 'killAgentAtClaim':
      count(await untilFile(join(world.agentHome, 'runs'), () => true, halt));
      await agent.kill();
      return agent.start();
    case 'killAgentAtRecord':
      count(await untilRecord(context, step.pick));
      await agent.kill();
      return agent.start();
    case 'killAgentAtStop':
      return killAtStop(step, context);
    case 'killAgentAfterSubmit':
      count(await submitAndWait(context, 'agent'));
      await agent.kill();
      return agent.start();
    case 'killAgentAfterCancel': {
      const task = context.observer.someLive(context.random);
      if (task === undefined) return undefined;
      const answer = await context.traffic.cancel(task.id, 'agent');
      ledger.fault(kind, `answered ${answer.status}`, { taskId: task.id });
      await agent.kill();
      return agent.start();
    }
    case 'killAgentTwice':
      count(`again after ${forMs} ms`);
      await agent.kill();
      agent.spawn();
      await pause(forMs, halt);
      await agent.kill();
      return agent.start();
    case 'killLauncherAndAgent': {
      const launcher = launcherOf(agent.pid);
      count();
      if (launcher !== undefined) signal(launcher, 'SIGKILL');
      await agent.kill();
      return agent.start();
    }
    case 'lateLauncher':
      return makeLauncherLate(step, context);
    case 'killWeb':
      count(`down for ${forMs} ms`);
      await web.kill();
      await pause(forMs, halt);
      return web.start();
    case 'killWebTwice':
      count(`again after ${forMs} ms`);
      await web.kill();
      web.spawn();
      await pause(forMs, halt);
      await web.kill();
      return web.start();
    case 'killWebAfterSubmit':
      count(await submitAndWait(context, 'web'));
      await web.kill();
      return web.start();
    case 'killBoth':
      count();
      await Promise.all([agent.kill(), web.kill()]);
      await Promise.all([agent.start(), web.start()]);
      return undefined;
    case 'freezeAgentLong':
      await untilLive(context);
      count(`for ${forMs} ms`);
      return freeze(agent, forMs, halt);
    case 'freezeAgent':
      count(`for ${forMs} ms`);
      return freeze(agent, forMs, halt);
    case 'freezeWeb':
      count(`for ${forMs} ms`);
      return freeze(web, forMs, halt);
    case 'stopAgent':
      count();
      await agent.kill('SIGTERM');
      return agent.start();
    case 'stopWeb':
      count();
      await web.kill('SIGTERM');
      return web.start();
    default:
      return kind satisfies never;
  }
}

/**
 * The launcher is frozen with launches in its pipe, the agent is killed, another agent judges what it finds; then the
 * launcher goes on, reads what it was told by an agent that is no more, and starts it.
 */
async function makeLauncherLate(step: Step<'service'>, context: FaultContext): Promise<void> {
  const { world, ledger, halt, source, traffic } = context;
  const launcher = launcherOf(world.agent.pid);
  if (launcher === undefined) return;
  context.launcherHeld = true;
  signal(launcher, 'SIGSTOP');
  await Promise.all(Array.from({ length: 3 }, () => traffic.submit(source.next(), 'agent')));
  const starting = await untilTasks(context, (tasks) => tasks.some(({ status }) => status === 'starting'));
  await world.agent.kill();
  ledger.fault(step.kind, starting ? 'with a start under way' : 'idle');
  await world.agent.start();
  // Two sweeps judge what was left, and what goes back to the queue begins anew.
  await pause(settings.sweepMs * 2 + 200, halt);
  signal(launcher, 'SIGCONT');
  context.launcherHeld = false;
}

/** A running task is cancelled, and the agent killed when it has just begun to stop it. */
async function killAtStop(step: Step<'service'>, context: FaultContext): Promise<void> {
  const { world, ledger, sampler, traffic, halt } = context;
  const shims = sampler.processes.filter((process) => process.isShim);
  const shim = shims[Math.floor(step.pick * shims.length)];
  if (shim === undefined) return;
  const moment = untilFile(shim.run, (name) => name === 'stop', halt);
  const answer = traffic.cancel(shim.taskId, 'agent');
  const when = await moment;
  ledger.fault(step.kind, when, { taskId: shim.taskId });
  await world.agent.kill();
  await answer;
  await world.agent.start();
}

async function freeze(service: ServiceProcess, forMs: number, halt: AbortSignal): Promise<void> {
  service.freeze();
  await pause(forMs, halt);
  service.thaw();
}

async function submitAndWait({ traffic, source }: FaultContext, to: 'agent' | 'web'): Promise<string> {
  // The first answer is the moment: the others are on their way.
  const answer = await Promise.race(Array.from({ length: 3 }, () => traffic.submit(source.next(), to)));
  return `${answer.taskId} was answered ${answer.status}`;
}

/** An outage that web must notice begins when web has the agent's word, or it would only go on doubting. */
async function untilLive({ world, halt }: FaultContext): Promise<void> {
  const deadline = performance.now() + LIVE_MS;
  while (performance.now() < deadline && !halt.aborted) {
    const answer = await world.call('web', 'GET', '/api/state', undefined, LIVE_MS);
    const { agents = [] } = (answer.body ?? {}) as { agents?: { state: string }[] };
    if (agents.some(({ state }) => state === 'live')) return;
    await world.call('web', 'POST', `/api/agents/${world.agentId}/reconnect`, undefined, LIVE_MS);
    await pause(50, halt);
  }
}

async function untilTasks(
  { world, halt }: FaultContext,
  holds: (tasks: readonly Task[]) => boolean,
): Promise<boolean> {
  const deadline = performance.now() + MOMENT_MS;
  while (performance.now() < deadline && !halt.aborted) {
    const answer = await world.call('agent', 'GET', '/tasks?status=starting&limit=100', undefined, MOMENT_MS);
    if (answer.status === 200 && holds((answer.body as { items: Task[] }).items)) return true;
    await pause(20, halt);
  }
  return false;
}

/** Waits for the exit record of some living attempt. */
function untilRecord({ sampler, halt }: FaultContext, pick: number): Promise<string> {
  const shims = sampler.processes.filter((process) => process.isShim);
  const shim = shims[Math.floor(pick * shims.length)];
  if (shim === undefined) return Promise.resolve('no attempt to wait for');
  return untilFile(shim.run, (name) => name.startsWith('exit.'), halt);
}

/** Waits until a file whose name `fits` appears in a folder; for a moment only. Says what came. */
function untilFile(folder: string, fits: (name: string) => boolean, halt: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    let watcher: FSWatcher | undefined;
    const done = (what: string) => {
      clearTimeout(timer);
      watcher?.close();
      halt.removeEventListener('abort', onHalt);
      resolve(what);
    };
    const onHalt = () => done('at the end of the run');
    const timer = setTimeout(() => done('at no such moment'), MOMENT_MS);
    halt.addEventListener('abort', onHalt);
    try {
      watcher = watch(folder, (_event, name) => {
        if (name !== null && fits(name)) done(`at ${name}`);
      });
      watcher.on('error', () => done('where nothing can be watched any more'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      done('where nothing is yet');
    }
  });
}

/** Waits; at the end of the run no longer. */
export function pause(forMs: number, halt: AbortSignal): Promise<void> {
  if (halt.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      halt.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, forMs);
    halt.addEventListener('abort', done);
  });
}
