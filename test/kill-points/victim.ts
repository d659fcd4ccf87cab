/** An agent that will meet its fate at a step of a start (agent.ts), in the home of a `System`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DispatchStep } from '../../packages/agent/src/dispatch.ts';
import { type System, until } from '../system.ts';

const ENTRY = fileURLToPath(new URL('agent.ts', import.meta.url));

export interface Fate {
  step: DispatchStep;
  /** Which time the step has to come; the first is 1. */
  occurrence?: number;
  fate?: 'kill' | 'freeze-and-kill' | 'refuse-writes';
  /** A kill comes so much later. */
  afterMs?: number;
}

export interface Victim extends AsyncDisposable {
  pid: number;
  /** What it wrote to stderr so far. */
  log: () => string;
  /** Resolves when it is gone, with the signal that ended it. */
  ended: Promise<NodeJS.Signals | null>;
}

/** Starts it and waits until it listens; from then on `system.call('agent', …)` reaches it. */
export async function startVictim(system: System, fate: Fate): Promise<Victim> {
  const { step, occurrence = 1, afterMs = 0 } = fate;
  const args = [ENTRY, step, String(occurrence), fate.fate ?? 'kill', String(afterMs)];
  const child: ChildProcess = spawn(process.execPath, args, {
    env: { ...system.env, HOLDFAST_AGENT_PORT: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let log = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (log += text));
  const ended = once(child, 'exit').then(([, signal]) => signal as NodeJS.Signals | null);
  const pid = child.pid!;
  const url = await until('the victim to listen', () => {
    // One that is dead already has said where it listened.
    const said = system.discover('agent', pid);
    if (said === undefined && child.exitCode !== null)
      throw new Error(`it ended with ${child.exitCode}:\n${log}`);
    return said;
  });
  system.agent.url = url;
  return {
    pid,
    log: () => log,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
