/** An agent of a user who may not do everything: this user, or nobody in the place of root. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type System, until } from '../system.ts';

const AGENT = fileURLToPath(new URL('../../packages/agent/src/main.ts', import.meta.url));

export const NOBODY: { uid?: number; gid?: number } =
  process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** Whether that user can read the agent at all. */
export function mayRunAsNobody(): boolean {
  return spawnSync('test', ['-r', AGENT], NOBODY).status === 0;
}

/** Starts it in the home of a `System`; from then on `system.call('agent', …)` reaches it. */
export async function startAsNobody(system: System): Promise<{ pid: number } & AsyncDisposable> {
  const { uid, gid } = NOBODY;
  if (uid !== undefined && gid !== undefined) chownSync(system.home, uid, gid);
  const child = spawn(process.execPath, [AGENT], {
    ...NOBODY,
    env: { ...system.env, HOLDFAST_AGENT_PORT: '0' },
    stdio: 'ignore',
    detached: true,
  });
  const ended = once(child, 'exit');
  const pid = child.pid!;
  system.agent.url = await until('the agent to listen', () => system.discover('agent', pid));
  return {
    pid,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
