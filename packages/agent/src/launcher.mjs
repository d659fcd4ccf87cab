// @ts-check
/**
 * The launcher: a small process that starts shims for the agent.
 *
 * `fork` copies the page tables of the whole process (measured: 1 ms at 50 MB, 6 ms at 120 MB, 11 ms at 240 MB), and
 * it blocks the event loop meanwhile. This process stays small, so a start costs the same however much the agent
 * holds, and nobody waits for it. It is plain JavaScript because stripping types alone takes 18 MB.
 *
 * It holds nothing: if it dies, the shims go on, and the agent finds them by their evidence.
 */
import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';

/** @typedef {{ id: number, argv: string[], cwd: string, env: Record<string, string>, output: string }} Launch */
/** @typedef {{ id: number, pid: number, stat: string } | { id: number, errno: string, message: string } | { id: number, exited: true }} Answer */

/** What every task gets; sent once. @type {Record<string, string>} */
let environment = {};

process.on('message', (/** @type {Launch | { environment: Record<string, string> }} */ message) => {
  if ('environment' in message) environment = message.environment;
  else launch(message);
});
// The agent is gone, and with it everybody who could ask.
process.on('disconnect', () => process.exit(0));

/** @param {Launch} request */
function launch({ id, argv, cwd, env, output }) {
  const [file = '', ...args] = argv;
  try {
    const log = openSync(output, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
    try {
      const child = spawn(file, args, {
        cwd,
        env: { ...environment, ...env },
        detached: true,
        stdio: ['ignore', log, log],
      });
      child.once('error', (error) => refuse(id, error));
      if (child.pid === undefined) return;
      // Read before the child can be reaped: it is the line of this child and of nobody else.
      const stat = identify(child.pid);
      if (stat instanceof Error) {
        // It could never be told from another process. Not reaped yet, it and its group are still certainly itself:
        // the one moment in which it can be taken back.
        child.once('exit', () => refuse(id, stat));
        process.kill(-child.pid, 'SIGKILL');
        return;
      }
      child.once('exit', () => answer({ id, exited: true }));
      answer({ id, pid: child.pid, stat });
    } finally {
      closeSync(log);
    }
  } catch (error) {
    refuse(id, error);
  }
}

/** The line of /proc/<pid>/stat, or why it cannot be read. @param {number} pid @returns {string | Error} */
function identify(pid) {
  if (process.platform !== 'linux') return '';
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** @param {number} id @param {unknown} error */
function refuse(id, error) {
  const errno = error instanceof Error && 'code' in error ? String(error.code) : '';
  answer({ id, errno, message: error instanceof Error ? error.message : String(error) });
}

/** @param {Answer} message */
function answer(message) {
  process.send?.(message, undefined, undefined, (error) => {
    // The agent is gone, and this is known before `disconnect` says so.
    if (error !== null) process.exit(0);
  });
}
