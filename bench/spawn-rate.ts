/**
 * The processes alone, without an agent: `node spawn-rate.ts <raw | shim> <tasks> <slots>` runs `/bin/true` so
 * many times, directly or through the shim, and prints the rate per second. It is a process of its own and imports
 * nothing else, because the cost of a fork grows with the memory of who forks.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [kind, tasksText, slotsText] = process.argv.slice(2);
const tasks = Number(tasksText);
const slots = Number(slotsText);
const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
const shim = readFileSync(new URL('../packages/agent/src/shim.sh', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.trimStart().startsWith('#'))
  .join('\n');

function run(command: string, args: string[], output: number | 'ignore'): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(command, args, { stdio: ['ignore', output, output], detached: true });
  child.once('error', reject);
  child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`))));
  return promise;
}

async function runOne(index: number): Promise<void> {
  if (kind === 'raw') return run('/bin/true', [], 'ignore');
  const directory = join(home, String(index));
  mkdirSync(directory);
  const log = openSync(join(directory, 'output.log'), 'a');
  try {
    await run('/bin/sh', ['-c', shim, directory, '/bin/true'], log);
  } finally {
    closeSync(log);
  }
}

let next = 0;
const began = performance.now();
await Promise.all(
  Array.from({ length: slots }, async () => {
    while (next < tasks) await runOne(next++);
  }),
);
console.log((tasks * 1000) / (performance.now() - began));
rmSync(home, { recursive: true });
