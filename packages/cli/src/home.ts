/**
 * Where this user's Holdfast keeps its files. Guarantees: the same answer as `loadConfig` gives (a test compares
 * them), without loading what `loadConfig` needs: a listing should not wait for it.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export function findHome(flag: string | undefined, env: NodeJS.ProcessEnv): string {
  if (flag !== undefined && flag !== '') return resolve(flag);
  if (env.HOLDFAST_HOME) return resolve(env.HOLDFAST_HOME);
  const state = env.XDG_STATE_HOME ? env.XDG_STATE_HOME : join(env.HOME ?? homedir(), '.local', 'state');
  return resolve(state, 'holdfast');
}
