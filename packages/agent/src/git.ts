/**
 * git, run for a workspace: never through a shell, never interactive, in a clean environment.
 *
 * When `runGit` settles git has ended; after an abort it was stopped as a group. What a hook left running holds up
 * nobody, even if it holds git's pipes.
 */
import { spawn } from 'node:child_process';
import { errnoOf } from './start-error.ts';

/** What is kept of each output; the rest is read and dropped. */
const MOST_OUTPUT_BYTES = 256 * 1024;
const KILL_GRACE_MS = 2000;
/** After git has ended, how long the rest of what it said may take to arrive. */
const DRAIN_MS = 500;

export interface GitResult {
  /** 128 + n after signal n. */
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs git and returns how it ended, whatever its exit code. Rejects with `signal.reason` after an abort, or with
 * the system's error if git cannot be run.
 */
export type RunGit = (
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; signal: AbortSignal },
) => Promise<GitResult>;

/** `base` without what would send git to another repository or make it ask. */
export function gitEnvironment(base: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const outside = Object.entries(base).filter(([name]) => !name.startsWith('GIT_'));
  // Looking at a worktree takes no locks that its owner could stumble over.
  return { ...Object.fromEntries(outside), GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' };
}

export const runGit: RunGit = async (args, { env, signal }) => {
  signal.throwIfAborted();
  // A group of its own: git starts hooks and helpers, which end with it.
  const child = spawn('git', args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  const ended = Promise.withResolvers<number>();
  child.once('error', ended.reject);
  child.once('close', (code, name) => ended.resolve(code ?? (name === 'SIGKILL' ? 137 : 143)));
  let draining: NodeJS.Timeout | undefined;
  child.once('exit', () => {
    draining = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, DRAIN_MS);
  });
  const outputs = [child.stdout, child.stderr].map((stream) => {
    const chunks: Buffer[] = [];
    let kept = 0;
    stream.on('data', (chunk: Buffer) => {
      if (kept < MOST_OUTPUT_BYTES) chunks.push(chunk);
      kept += chunk.byteLength;
    });
    return () => Buffer.concat(chunks).toString('utf8');
  });
  let killing: NodeJS.Timeout | undefined;
  const stop = () => {
    if (pid === undefined) return;
    signalGroup(pid, 'SIGTERM');
    killing = setTimeout(() => signalGroup(pid, 'SIGKILL'), KILL_GRACE_MS);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const code = await ended.promise;
    signal.throwIfAborted();
    const [stdout, stderr] = outputs.map((read) => read());
    return { code, stdout: stdout ?? '', stderr: stderr ?? '' };
  } finally {
    clearTimeout(killing);
    clearTimeout(draining);
    signal.removeEventListener('abort', stop);
  }
};

/** Called before `close`: the child was not reaped, or a helper holds its pipes, so the group is still its own. */
function signalGroup(leader: number, name: NodeJS.Signals): void {
  try {
    process.kill(-leader, name);
  } catch (error) {
    // It has just ended.
    const errno = errnoOf(error);
    if (errno !== 'ESRCH' && errno !== 'EPERM') throw error;
  }
}
