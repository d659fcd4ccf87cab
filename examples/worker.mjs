#!/usr/bin/env node
/**
 * A worker for tasks of a named queue: one file, no dependency, Node 20 or newer.
 *
 *   node examples/worker.mjs --queue builds
 *   holdfast run --queue builds -- make all
 *
 * It claims a task, runs its command here, says every third of a lease that it is alive, and says at the end how it
 * went. What it shows of the protocol, in any language:
 *
 * 1. Under a name that stays the same, give back what an earlier run of this worker held, then claim. An answer that
 *    was lost is asked for again with the same `claimId`.
 * 2. While working, heartbeat. `cancelRequested` means stop; 409 `claim_lost` means that somebody else may have the
 *    task by now: drop the work at once and say no more.
 * 3. The last word is repeated until it has an answer; repeating it is harmless. Work that was done counts as done,
 *    even if it was to be stopped.
 * 4. SIGTERM and Ctrl-C end what waits at once, an agent that cannot be reached included. A task in hand is stopped and
 *    given back; what cannot be said within a few seconds, the end of the lease says. A second signal ends it as it is.
 *
 * Options: --url (http://127.0.0.1:7401), --token-file ($HOLDFAST_HOME/agent.token), --queue, --name (one for each
 * worker of a machine), --lease-ms, --once (end after one task).
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as timeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const KILL_GRACE_MS = 5000;
/** After a signal: how long the last word may take. */
const LAST_WORD_MS = 5000;

const home = process.env.HOLDFAST_HOME ?? join(homedir(), '.local/state/holdfast');
const { values: options } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:7401' },
    'token-file': { type: 'string', default: join(home, 'agent.token') },
    queue: { type: 'string' },
    name: { type: 'string', default: hostname() },
    'lease-ms': { type: 'string', default: '30000' },
    once: { type: 'boolean', default: false },
  },
});
if (options.queue === undefined) {
  console.error('say whose tasks to take: --queue NAME');
  process.exit(2);
}
const { queue, name: worker } = options;
const token = readFileSync(options['token-file'], 'utf8').trim();
const leaseMs = Number(options['lease-ms']);

/** Aborted by SIGINT or SIGTERM: the work is stopped and given back. */
const stopping = new AbortController();
const signals = ['SIGINT', 'SIGTERM'];
function stopOnce() {
  for (const signal of signals) process.off(signal, stopOnce);
  stopping.abort();
}
for (const signal of signals) process.on(signal, stopOnce);

/** Waits `ms`, or until `signal` is aborted. */
async function sleep(ms, signal) {
  try {
    await timeout(ms, undefined, { signal });
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
  }
}

/** One request; `{ status, body }`. Throws only if there was no answer. */
async function call(path, body = {}, signal) {
  const deadline = AbortSignal.timeout(60_000);
  const response = await fetch(`${options.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

/**
 * Asks until there is an answer that settles it, or until `signal`: then undefined. An agent that is down comes back;
 * nothing is lost meanwhile.
 */
async function callUntilAnswered(path, body, signal) {
  for (let delayMs = 250; !signal.aborted; delayMs = Math.min(delayMs * 2, 10_000)) {
    try {
      const answer = await call(path, body, signal);
      if (answer.status < 500 && answer.status !== 429) return answer;
      console.error(`the agent answers ${answer.status}; again in ${delayMs} ms`);
    } catch (error) {
      if (signal.aborted) break;
      console.error(`the agent does not answer (${error.message}); again in ${delayMs} ms`);
    }
    await sleep(delayMs * (0.5 + Math.random() / 2), signal);
  }
  return undefined;
}

/** For a last word: aborted a few seconds after the signal to stop, so that a silent agent keeps nobody. */
function lastWordSignal() {
  const over = new AbortController();
  const end = () => setTimeout(() => over.abort(), LAST_WORD_MS).unref();
  if (stopping.signal.aborted) end();
  else stopping.signal.addEventListener('abort', end, { once: true });
  return over.signal;
}

/** Runs a command to its end, or until `stop`, with everything that it has started. Returns its exit code. */
function runCommand({ spec }, env, stop, onLine) {
  return new Promise((resolve, reject) => {
    const [file, ...args] = spec.command ?? ['/bin/sh', '-c', spec.shell ?? ':'];
    const child = spawn(file, args, {
      cwd: spec.cwd ?? process.cwd(),
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
      // A group of its own, so that its children end with it.
      detached: true,
    });
    let timer;
    const end = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch (error) {
        // Everyone in the group has ended already.
        if (error.code !== 'ESRCH') throw error;
      }
    };
    const onStop = () => {
      end('SIGTERM');
      timer = setTimeout(() => end('SIGKILL'), KILL_GRACE_MS);
    };
    const done = (settle) => (value) => {
      stop.removeEventListener('abort', onStop);
      clearTimeout(timer);
      settle(value);
    };
    child.once('error', done(reject));
    child.once('close', done(resolve));
    child.stdout.setEncoding('utf8').on('data', (text) => onLine(text.split('\n').length - 1));
    child.once('spawn', () => {
      if (stop.aborted) onStop();
      else stop.addEventListener('abort', onStop, { once: true });
    });
  });
}

/** Works on a task that was claimed, and says how it went. */
async function work({ task, env, claim }) {
  const path = `/claims/${claim.token}`;
  const dropped = new AbortController();
  const stop = AbortSignal.any([stopping.signal, dropped.signal]);
  const over = new AbortController();
  let isLost = false;
  let lines = 0;
  const heartbeat = async (signal) => {
    try {
      const { status, body } = await call(`${path}/heartbeat`, { progress: { lines } }, signal);
      if (status === 409) isLost = true;
      if (isLost || body.cancelRequested === true) dropped.abort();
    } catch (error) {
      // The next one makes up for it: the lease is three of them long.
      if (!signal.aborted) console.error(`heartbeat: ${error.message}`);
    }
  };
  await heartbeat(stopping.signal);
  const timer = setInterval(() => heartbeat(over.signal), leaseMs / 3);
  let word;
  try {
    const exitCode = stop.aborted ? null : await runCommand(task, env, stop, (more) => (lines += more));
    if (exitCode === 0) word = { kind: 'complete', body: { result: { lines } } };
    else if (stop.aborted) word = { kind: 'release' };
    else word = { kind: 'fail', body: { message: `exit code ${exitCode}` } };
  } catch (error) {
    word = { kind: 'fail', body: { message: error.message } };
  } finally {
    clearInterval(timer);
    // One that has no answer yet must keep nobody.
    over.abort();
  }
  if (isLost) {
    console.log(`${task.id}: taken back meanwhile`);
    return;
  }
  const answer = await callUntilAnswered(`${path}/${word.kind}`, word.body, lastWordSignal());
  if (answer === undefined) {
    console.error(`${task.id}: the agent was not told (${word.kind}); the end of the lease tells it`);
    process.exitCode = 1;
    return;
  }
  const { status } = answer;
  console.log(`${task.id}: ${word.kind}${status === 200 ? '' : `, refused with ${status}`}`);
}

await callUntilAnswered('/claims/release', { worker }, stopping.signal);
let isClaiming = false;
while (!stopping.signal.aborted) {
  const request = { claimId: randomUUID(), queue, worker, leaseMs, waitMs: 20_000 };
  isClaiming = true;
  const answer = await callUntilAnswered('/claims', request, stopping.signal);
  if (answer === undefined) break;
  isClaiming = false;
  const { status, body } = answer;
  if (status === 200) {
    console.log(`${body.task.id}: attempt ${body.claim.attempt}`);
    await work(body);
    if (options.once) break;
  } else if (status !== 204 && body?.code !== 'claim_lost') {
    // 204: nothing to do yet. `claim_lost`: the answer was lost for so long that its lease is over.
    console.error(`the claim was refused: ${body?.detail ?? status}`);
    process.exitCode = 1;
    break;
  }
}
if (isClaiming) {
  // The signal came while a claim was asked for: it may have been given, and nobody has heard of it.
  try {
    await call('/claims/release', { worker }, AbortSignal.timeout(LAST_WORD_MS));
  } catch (error) {
    console.error(`the agent was not told (${error.message}); the end of a lease tells it`);
  }
}
