/**
 * The process of an agent that meets its fate in the middle of a start:
 * `node agent.ts <step> <occurrence> kill [afterMs]` dies by SIGKILL when a step comes for the n-th time, before
 * anything else of that start can happen (or `afterMs` later). `freeze-and-kill` stops its launcher before, and adds
 * its pid as a line to `$HOLDFAST_HOME/launchers`: whoever lets it go on finds out what a late launch does.
 * `refuse-writes` lets every write to a file fail from then on, as a disk does that is full or broken.
 *
 * Everything else is the product: `startAgent`, configured by the environment.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { runService } from '@holdfast/shared';
import { launcherOf } from './process.ts';
import { startAgent } from '../../packages/agent/src/index.ts';

const [step = '', occurrence = '1', fate = 'kill', afterMs = '0'] = process.argv.slice(2);

let left = Number(occurrence);

function meetFate(): void {
  if (fate === 'refuse-writes') {
    // Node ignores SIGXFSZ: a write past the limit fails with EFBIG.
    execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=1:unlimited']);
    return;
  }
  if (fate === 'freeze-and-kill') {
    const launcher = launcherOf(process.pid);
    process.kill(launcher, 'SIGSTOP');
    appendFileSync(join(process.env['HOLDFAST_HOME']!, 'launchers'), `${launcher}\n`);
  }
  // Of oneself it is immediate: nothing after this line runs.
  if (afterMs === '0') process.kill(process.pid, 'SIGKILL');
  else setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(afterMs));
}

function onStep(reached: string): void {
  if (reached !== step) return;
  left -= 1;
  if (left === 0) meetFate();
}

process.exitCode = await runService({
  name: 'agent',
  start: (config, env) => startAgent({ config, env, onStep }),
});
