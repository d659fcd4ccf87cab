#!/usr/bin/env node
/**
 * A worker for tasks of a named queue: one file, no dependency, Node 20 or newer.
 *
 *   node examples/worker.mjs --queue builds
 *   node packages/cli/src/main.ts run --queue builds -- make all          (from the agent's machine)
 *
 * It claims a task, runs its command here, says every third of a lease that it is alive, and says at the end how it
 * went. What it shows about the protocol, in any language:
 *
 * 1. Give back what an earlier run of this worker held, then claim: an answer that was lost is asked for again with
 *    the same `claimId`.
 * 2. While working, heartbeat. `cancelRequested` means stop; 409 `claim_lost` means that somebody else may have the
 *    task by now: drop the work at once and say no more.
 * 3. A last word that got no answer is repeated until it has one. Repeating it is harmless.
 *
 * Options: --url (http://127.0.0.1:7401), --token-file ($HOLDFAST_HOME/agent.token), --queue, --name, --lease-ms,
 * --once (end after one task).
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const home = process.env.HOLDFAST_HOME ?? join(homedir(), '.local/state/holdfast');
const { values: options } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:7401' },
    'token-file': { type: 'string', default: join(home, 'agent.token') },
    queue: { type: 'string' },
    name: { type: 'string', default: `${hostname()}-${process.pid}` },
    'lease-ms': { type: 'string', default: '30000' },
    once: { type: 'boolean', default: false },
  },
});
if (options.queue === undefined) {
  console.error('say whose tasks to take: --queue NAME');
  process.exit(2);
}
const token = readFileSync(options['token-file'], 'utf8').trim();
const leaseMs = Number(options['lease-ms']);
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopping.abort());

/** One request; `{ status, body }`. Throws only if there was no answer. */
async function call(path, body) {
  const response = await fetch(`${options.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body ?? {}),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

/** Asks until there is an answer that settles it. An agent that is down comes back; nothing is lost meanwhile. */
async function callUntilAnswered(path, body) {
  for (let delayMs = 250; ; delayMs = Math.min(delayMs * 2, 10_000)) {
    try {
      const answer = await call(path, body);
      if (answer.status < 500 && answer.status !== 429) return answer;
      console.error(`${path}: ${answer.status}, again in ${delayMs} ms`);
    } catch (error) {
      console.error(`${path}: ${error.message}, again in ${delayMs} ms`);
    }
    await sleep(delayMs * (0.5 + Math.random() / 2));
  }
}

/** Runs the command of a task; `{ exitCode, lines }`. `signal` ends it, and everything that it has started. */
function runCommand({ spec }, env, signal, onLine) {
  const [file, ...args] = spec.command ?? ['/bin/sh', '-c', spec.shell ?? ':'];
  // A group of its own, so that its children end with it.
  const child = spawn(file, args, {
    cwd: spec.cwd ?? process.cwd(),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const end = () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
  };
  signal.addEventListener('abort', end, { once: true });
  child.stdout.setEncoding('utf8').on('data', (text) => onLine(text.split('\n').length - 1));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve(exitCode));
  });
}

async function work({ task, env, claim }) {
  const { token: fence } = claim;
  const stop = new AbortController();
  let lines = 0;
  let isLost = false;
  let isCancelled = false;
  const heartbeat = async () => {
    const { status, body } = await call(`/claims/${fence}/heartbeat`, { progress: { lines } });
    isLost = status === 409;
    isCancelled = body?.cancelRequested === true;
    if (isLost || isCancelled) stop.abort();
  };
  // A heartbeat that fails is made up for by the next: the lease is three of them long.
  const tell = () => heartbeat().catch((error) => console.error(`heartbeat: ${error.message}`));
  await tell();
  const timer = setInterval(tell, leaseMs / 3);
  stopping.signal.addEventListener('abort', () => stop.abort(), { once: true });
  let word;
  try {
    const exitCode = await runCommand(task, env, stop.signal, (more) => (lines += more));
    if (stopping.signal.aborted || isCancelled) word = { kind: 'release' };
    else if (exitCode === 0) word = { kind: 'complete', body: { result: { lines } } };
    else word = { kind: 'fail', body: { message: `exit code ${exitCode}` } };
  } catch (error) {
    word = { kind: 'fail', body: { message: error.message } };
  } finally {
    clearInterval(timer);
  }
  if (isLost) return console.log(`${task.id}: taken back meanwhile`);
  const { kind, body } = word;
  const { status } = await callUntilAnswered(`/claims/${fence}/${kind}`, body);
  console.log(`${task.id}: ${kind}${status === 200 ? '' : `, refused with ${status}`}`);
}

await callUntilAnswered('/claims/release', { worker: options.name });
while (!stopping.signal.aborted) {
  const request = {
    claimId: randomUUID(),
    queue: options.queue,
    worker: options.name,
    leaseMs,
    waitMs: 20_000,
  };
  const { status, body } = await callUntilAnswered('/claims', request);
  if (status === 204) continue;
  if (status !== 200) {
    console.error(`the claim was refused: ${body?.detail ?? status}`);
    process.exit(1);
  }
  console.log(`${body.task.id}: attempt ${body.claim.attempt}`);
  await work(body);
  if (options.once) break;
}
