/**
 * One run of chaos: traffic and faults for some minutes, then rest, then the checker.
 *
 * Everything that is decided comes from the seed; what happens comes from the machine. So a seed repeats the plan, and
 * finds the same kind of thing again, but not the same microsecond.
 */
import { Browser } from './browser.ts';
import { checkCopies } from './check-web.ts';
import { checkAll } from './checker.ts';
import type { Findings } from './findings.ts';
import { Ledger } from './ledger.ts';
import { makeNetworkFault } from './network-faults.ts';
import { Observer } from './observer.ts';
import { type Lane, makePlan, type Step } from './plan.ts';
import { makeProcessFault } from './process-faults.ts';
import { Random } from './random.ts';
import { comeToRest, rebuildWeb } from './rest.ts';
import { Sampler } from './sampler.ts';
import { type FaultContext, makeServiceFault, pause } from './service-faults.ts';
import { TaskSource } from './tasks.ts';
import { Traffic } from './traffic.ts';
import { Workers } from './workers.ts';
import { World } from './world.ts';

export interface ChaosOptions {
  seed: string;
  minutes: number;
  /** Where the services are run from; default: this repository. */
  root?: string;
  /** Told what goes on. */
  say?: (line: string) => void;
}

export interface ChaosResult {
  findings: Findings;
  ledger: Ledger;
  /** Where everything of a run that failed lies. */
  base: string;
  samples: number;
  reads: number;
  /** Of these, looks at web while it had to doubt. */
  readsBeyondDeadline: number;
  workers: boolean;
}

/** Makes one run. Violations are in the ledger; a run that cannot even be made rejects. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, minutes, say = () => undefined } = options;
  const random = new Random(seed);
  const ledger = new Ledger();
  await using world = new World({ ledger, ...(options.root === undefined ? {} : { root: options.root }) });
  await world.start();
  say(`seed ${seed}, ${minutes} minutes, in ${world.base}`);
  const { evidencePath, gates, base } = world;
  const source = new TaskSource({ random: random.fork('tasks'), evidencePath, gates });
  await using sampler = new Sampler({
    home: world.agentHome,
    ledger,
    keyOf: (taskId) => source.keyOf(taskId),
  });
  await using observer = new Observer(world, ledger);
  await using browser = new Browser(world);
  await using workers = new Workers(world, seed);
  source.workers = await workers.start();
  await using traffic = new Traffic({ world, ledger, observer, source, random: random.fork('traffic') });
  traffic.reclaims = await hasReclaim(world);
  const end = new AbortController();
  const context: FaultContext = {
    world,
    ledger,
    sampler,
    observer,
    traffic,
    source,
    random: random.fork('faults'),
    halt: end.signal,
    launcherHeld: false,
  };
  const timer = setTimeout(() => end.abort(), minutes * 60_000);
  const plan = makePlan(random, minutes);
  const makeFault = (step: Step): Promise<void> => {
    switch (step.lane) {
      case 'service':
        return makeServiceFault(step, context);
      case 'process':
        return makeProcessFault(step, context);
      case 'network':
        return makeNetworkFault(step, context);
      case 'worker':
        return workers.makeFault(step, context);
      default:
        return step satisfies never;
    }
  };
  const runLane = async (lane: Lane) => {
    for (const step of plan[lane]) {
      await pause(step.afterMs, end.signal);
      if (end.signal.aborted) break;
      await makeFault(step);
    }
  };
  try {
    await Promise.all((Object.keys(plan) as Lane[]).map(runLane));
    clearTimeout(timer);
    // A plan that is through before its time: what is under way may end in peace.
    end.abort();
    say(`faults are over: ${ledger.faults.length}`);
    await traffic[Symbol.asyncDispose]();
    const findings = await comeToRest(context, { workers, browser });
    for (const violation of checkAll(findings)) ledger.violate(violation);
    if (ledger.violations.length === 0)
      for (const violation of checkCopies(await rebuildWeb(context, findings))) ledger.violate(violation);
    world.keep = ledger.violations.length > 0;
    return {
      findings,
      ledger,
      base,
      samples: sampler.samples,
      reads: observer.reads,
      readsBeyondDeadline: observer.readsBeyondDeadline,
      workers: source.workers,
    };
  } catch (error) {
    world.keep = true;
    say(`the run itself failed; what there is of it lies in ${base}`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function hasReclaim(world: World): Promise<boolean> {
  const { status, body } = await world.call('agent', 'POST', '/reclaim', { dryRun: true });
  return status === 200 && body !== undefined;
}
