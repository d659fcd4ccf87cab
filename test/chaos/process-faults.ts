/**
 * Faults of the processes of tasks: the shim alone, its command alone, both, frozen ones; and of the launcher that
 * starts them. Each is aimed at a process of this run whose identity was verified in the same breath.
 */
import type { Step } from './plan.ts';
import { launcherOf, type Marked, signal } from './processes.ts';
import { type FaultContext, pause } from './service-faults.ts';

export async function makeProcessFault(step: Step<'process'>, context: FaultContext): Promise<void> {
  const { world, ledger, sampler, halt } = context;
  const { kind, forMs, pick } = step;
  const processes = sampler.look();
  const shims = processes.filter((process) => process.isShim);
  const shim = shims[Math.floor(pick * shims.length)];
  const others = (of: Marked) =>
    processes.filter(
      ({ taskId, attempt, isShim }) => taskId === of.taskId && attempt === of.attempt && !isShim,
    );
  const hit = ({ taskId, attempt, pid }: Marked, name: NodeJS.Signals) =>
    ledger.fault(kind, `${name} to ${pid}`, { taskId, attempt });
  const aim = (target: Marked, name: NodeJS.Signals): boolean => {
    // Said before it is done: whoever reads the ledger never sees an effect without its cause.
    hit(target, name);
    return signal(target, name);
  };
  switch (kind) {
    case 'killShim':
      if (shim !== undefined) aim(shim, 'SIGKILL');
      return undefined;
    case 'killCommand': {
      const target = shim === undefined ? undefined : others(shim)[0];
      if (target !== undefined) aim(target, 'SIGKILL');
      return undefined;
    }
    case 'killShimAndCommand': {
      if (shim === undefined) return undefined;
      aim(shim, 'SIGKILL');
      for (const process of others(shim)) signal(process, 'SIGKILL');
      return undefined;
    }
    case 'freezeShim':
      if (shim === undefined) return undefined;
      aim(shim, 'SIGSTOP');
      await pause(forMs, halt);
      signal(shim, 'SIGCONT');
      return undefined;
    case 'freezeCommand': {
      const targets = shim === undefined ? [] : others(shim);
      if (targets.length === 0) return undefined;
      hit(targets[0]!, 'SIGSTOP');
      for (const process of targets) signal(process, 'SIGSTOP');
      await pause(forMs, halt);
      for (const process of targets) signal(process, 'SIGCONT');
      return undefined;
    }
    case 'killManyShims':
      // More than half of them: the look is suspected before the tasks, and the next one decides.
      for (const one of shims.slice(0, Math.ceil(shims.length * 0.7))) {
        aim(one, 'SIGKILL');
        for (const process of others(one)) signal(process, 'SIGKILL');
      }
      return undefined;
    case 'killLauncher':
    case 'freezeLauncher': {
      const launcher = launcherOf(world.agent.pid);
      if (launcher === undefined || context.launcherHeld) return undefined;
      ledger.fault(kind, `pid ${launcher.pid}`);
      if (kind === 'killLauncher') {
        signal(launcher, 'SIGKILL');
        return undefined;
      }
      signal(launcher, 'SIGSTOP');
      await pause(forMs, halt);
      signal(launcher, 'SIGCONT');
      return undefined;
    }
    default:
      return kind satisfies never;
  }
}
