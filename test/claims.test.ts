/** Tasks that are claimed over HTTP: P1, P3, P4, P5, failure modes 7 and 13; and the example worker. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Grant, ReclaimItem, Task } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { extendAbsence, LEASE_MS, leaveOfLease } from './leases.ts';
import { killIfThere, startSystem, type System } from './system.ts';

const WORKER = fileURLToPath(new URL('../examples/worker.mjs', import.meta.url));
/** Nothing is judged but at the start of an agent, and when a test asks. */
const WITHOUT_SWEEPS = { HOLDFAST_SWEEP_MS: '3600000' };
const ended = (task: Task) => task.endedAt !== undefined;

async function submit(system: System, spec: Record<string, unknown> = {}): Promise<string> {
  const id = uuidv7();
  const body = { id, sessionId: 'claims', queue: 'ci', spec };
  expect((await system.call('agent', 'POST', '/tasks', body)).status).toBe(201);
  return id;
}

function claim(system: System, more: Record<string, unknown> = {}) {
  const body = { claimId: uuidv7(), queue: 'ci', worker: 'w1', leaseMs: LEASE_MS, ...more };
  return system.call<Grant>('agent', 'POST', '/claims', body);
}

const say = (system: System, token: string, word: string, body: unknown = {}) =>
  system.call<{ code?: string }>('agent', 'POST', `/claims/${token}/${word}`, body);

test('a claim waits for a task, is known again by its id, and ends with its worker’s word', async () => {
  await using system = await startSystem({ web: false });
  expect((await claim(system)).status).toBe(204);
  expect((await claim(system, { queue: 'default' })).status).toBe(422);
  const claimId = uuidv7();
  const waiting = claim(system, { claimId, waitMs: 60_000 });
  const id = await submit(system, { payload: { build: 7 }, env: { KEY: 'secret' } });
  const first = await waiting;
  expect(first).toMatchObject({
    status: 200,
    body: { task: { id, spec: { env: ['KEY'] } }, env: { KEY: 'secret' } },
  });
  expect((await claim(system, { claimId })).body).toEqual(first.body);
  const { token } = first.body.claim;
  expect((await say(system, token, 'heartbeat', { progress: 1 })).status).toBe(200);
  expect(await system.agentTask(id)).toMatchObject({
    status: 'running',
    claim: { worker: 'w1', progress: 1 },
  });
  expect((await say(system, token, 'complete', { result: 'ok' })).status).toBe(200);
  expect((await say(system, token, 'complete', { result: 'ok' })).status).toBe(200);
  expect(await say(system, token, 'fail', { message: 'no' })).toMatchObject({
    status: 409,
    body: { code: 'claim_lost' },
  });
  expect(await system.agentTask(id)).toMatchObject({ status: 'completed', outcome: { result: 'ok' } });
});

test('P1, failure mode 13: claim, lease and last word survive a SIGKILL of the agent; its absence is not the worker’s silence', async () => {
  await using system = await startSystem({ web: false });
  const [kept, done] = [await submit(system), await submit(system)];
  const grants = [(await claim(system)).body, (await claim(system)).body];
  await say(system, grants[0]!.claim.token, 'heartbeat');
  await say(system, grants[1]!.claim.token, 'complete');
  await system.agent.end('SIGKILL');
  // Longer than the lease: the worker of the first cannot be heard meanwhile.
  extendAbsence(system, 2 * LEASE_MS);
  // Ready is only who has swept.
  await system.agent.start();
  expect(await system.agentTask(kept)).toMatchObject({ status: 'running', attempt: 1 });
  expect((await say(system, grants[0]!.claim.token, 'complete')).status).toBe(200);
  expect((await say(system, grants[1]!.claim.token, 'complete')).status).toBe(200);
  expect((await system.agentTask(done)).status).toBe('completed');
});

// Fails without: `given_terms` in `renewAll` (claim-store.ts).
test('P3, failure mode 13: of an agent that is killed again and again the claim of a dead worker ends, that of a living one does not', async () => {
  await using system = await startSystem({ web: false, env: WITHOUT_SWEEPS });
  const [dead, alive] = [await submit(system), await submit(system)];
  const grants = [(await claim(system)).body, (await claim(system)).body];
  for (const { claim: held } of grants) await say(system, held.token, 'heartbeat');
  const seen: string[] = [];
  for (let restarts = 0; restarts < 4; restarts += 1) {
    await system.agent.end('SIGKILL');
    // Each absence is longer than a lease, and ends with a full term for whoever may have been heard: for ever, if
    // nobody counted.
    extendAbsence(system, 2 * LEASE_MS);
    await system.agent.start();
    seen.push((await system.agentTask(dead)).status);
    expect((await say(system, grants[1]!.claim.token, 'heartbeat')).status).toBe(200);
  }
  // As many full terms as one restart, one sleep and one outage may take together.
  expect(seen).toEqual(['running', 'running', 'running', 'queued']);
  expect((await system.agentEvents(dead)).find(({ kind }) => kind === 'requeued')).toMatchObject({
    reason: 'lease_expired',
    data: { charged: true },
  });
  expect(await system.agentTask(alive)).toMatchObject({ status: 'running', attempt: 1 });
  expect((await say(system, grants[1]!.claim.token, 'complete')).status).toBe(200);
});

test('P3, P4, failure mode 7, a claim whose lease ran out: it is lost within two sweeps, and a late writer changes nothing', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system);
  const { token } = (await claim(system)).body.claim;
  await say(system, token, 'heartbeat');
  leaveOfLease(system, id, LEASE_MS / 4);
  // A claim whose lease lives is left alone.
  expect(
    await system.agentTaskWhen(id, 'silent', (task) => task.attention?.[0]?.code === 'claim_silent'),
  ).toMatchObject({ status: 'running', attempt: 1 });
  leaveOfLease(system, id, 0);
  await system.agentTaskWhen(id, 'queued again', (task) => task.status === 'queued');
  const next = await claim(system, { waitMs: 60_000, worker: 'w2' });
  const events = await system.agentEvents(id);
  expect(events.find(({ kind }) => kind === 'requeued')).toMatchObject({
    reason: 'lease_expired',
    data: { charged: true },
  });
  for (const word of ['heartbeat', 'complete', 'release']) {
    expect(await say(system, token, word)).toMatchObject({ status: 409, body: { code: 'claim_lost' } });
  }
  expect(await system.agentEvents(id)).toEqual(events);
  await say(system, next.body.claim.token, 'complete');
  expect(await system.agentTask(id)).toMatchObject({ status: 'completed', attempt: 2 });
});

test('a cancel reaches the worker with its heartbeat; if it falls silent, the task ends cancelled with its lease', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system);
  const { token } = (await claim(system)).body.claim;
  await system.call('agent', 'POST', `/tasks/${id}/cancel`);
  expect((await say(system, token, 'heartbeat')).body).toMatchObject({ cancelRequested: true });
  leaveOfLease(system, id, 0);
  expect(await system.agentTaskWhen(id, 'ended', ended)).toMatchObject({
    status: 'cancelled',
    outcome: { reason: 'cancelled_by_user' },
  });
});

test('a claim is reclaimed at once, a process is stopped first; both by the number of the attempt, and harmless to repeat', async () => {
  await using system = await startSystem({ web: false });
  const claimed = await submit(system);
  const { token } = (await claim(system)).body.claim;
  const local = uuidv7();
  await system.call('agent', 'POST', '/tasks', {
    id: local,
    sessionId: 'claims',
    spec: { shell: 'trap "" TERM; while :; do sleep 1; done' },
  });
  await system.agentTaskWhen(local, 'running', (task) => task.status === 'running');
  const [before] = [system.strays()];
  const reclaim = (id: string, attempt: number) =>
    system.call<{ code?: string }>('agent', 'POST', `/tasks/${id}/reclaim`, { attempt, reason: 'it hangs' });
  expect(await reclaim(claimed, 2)).toMatchObject({ status: 409, body: { code: 'attempt_changed' } });
  for (const id of [claimed, local, claimed, local]) expect((await reclaim(id, 1)).status).toBe(202);
  expect(await system.agentTask(claimed)).toMatchObject({
    status: 'queued',
    outcome: { reason: 'reclaimed', message: 'it hangs' },
  });
  expect((await say(system, token, 'complete')).status).toBe(409);
  const again = await system.agentTaskWhen(
    local,
    'in attempt 2',
    (task) => task.status === 'running' && task.attempt === 2,
  );
  expect(system.strays().filter((pid) => before.includes(pid))).toEqual([]);
  expect((await reclaim(local, 1)).status).toBe(202);
  expect((await system.agentTask(local)).process).toEqual(again.process);
  const kinds = (await system.agentEvents(local)).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'stopRequested')).toHaveLength(1);
  // A person's decision says nothing about how often the task may be lost.
  expect((await system.agentEvents(local)).find(({ kind }) => kind === 'requeued')).toMatchObject({
    data: { charged: false },
  });
});

test('stale attempts are reclaimed together, with evidence and result for each; what was verified alive is none of them', async () => {
  await using system = await startSystem({ web: false, env: WITHOUT_SWEEPS });
  const [silent, alive] = [await submit(system), await submit(system)];
  await claim(system);
  const heard = (await claim(system)).body.claim.token;
  await say(system, heard, 'heartbeat');
  const quiet = uuidv7();
  await system.call('agent', 'POST', '/tasks', {
    id: quiet,
    sessionId: 'claims',
    spec: { shell: 'exec sleep 600' },
  });
  await system.agentTaskWhen(quiet, 'running', (task) => task.status === 'running');
  const reclaim = async (query: Record<string, unknown>) =>
    (await system.call<{ items: ReclaimItem[] }>('agent', 'POST', '/reclaim', query)).body.items;
  expect(await reclaim({ dryRun: true })).toEqual([]);
  const item = { taskId: silent, attempt: 1, action: 'requeue', result: 'wouldReclaim' };
  leaveOfLease(system, silent, LEASE_MS / 4);
  expect(await reclaim({ dryRun: true })).toMatchObject([{ ...item, evidence: { code: 'claim_silent' } }]);
  leaveOfLease(system, silent, 0);
  expect(await reclaim({ dryRun: true })).toMatchObject([{ ...item, evidence: { code: 'lease_expired' } }]);
  expect(await reclaim({ olderThanMs: 3_600_000 })).toEqual([]);
  expect((await system.agentTask(silent)).status).toBe('starting');
  expect(await reclaim({ maxAttempts: 1 })).toMatchObject([{ taskId: silent, result: 'reclaimed' }]);
  expect(await reclaim({})).toEqual([]);
  expect(await system.agentTask(silent)).toMatchObject({
    status: 'queued',
    outcome: { reason: 'reclaimed' },
  });
  await claim(system);
  leaveOfLease(system, silent, 0);
  expect(await reclaim({ dryRun: true })).toMatchObject([{ taskId: silent, attempt: 2 }]);
  expect(await reclaim({ maxAttempts: 1 })).toEqual([]);
  expect((await system.agentTask(alive)).status).toBe('running');
  expect((await system.agentTask(quiet)).status).toBe('running');
});

test('a paused agent gives nothing away, and what waited is given on resume', async () => {
  await using system = await startSystem({ web: false });
  await system.call('agent', 'POST', '/pool/pause');
  const id = await submit(system);
  expect((await claim(system)).status).toBe(204);
  const waiting = claim(system, { waitMs: 60_000 });
  await system.call('agent', 'POST', '/pool/resume');
  expect((await waiting).body.task.id).toBe(id);
});

test('the example worker runs what it claims, tells a cancel, and after a SIGKILL gives back what it held', async () => {
  await using system = await startSystem({ web: false });
  const mark = join(system.home, 'mark');
  const good = await submit(system, {
    shell: `echo one; echo two; echo $KEY > ${mark}`,
    env: { KEY: 'value' },
  });
  const bad = await submit(system, { command: ['sh', '-c', 'exit 4'] });
  const workers: ChildProcess[] = [];
  const start = (leaseMs: number) => {
    const worker = spawn(
      process.execPath,
      [WORKER, '--url', system.agent.url, '--queue', 'ci', '--name', 'w1', '--lease-ms', String(leaseMs)],
      { env: { ...system.env, HOLDFAST_HOME: system.home }, stdio: 'ignore' },
    );
    workers.push(worker);
    return worker;
  };
  const end = async (worker: ChildProcess, signal: NodeJS.Signals) => {
    const exited = once(worker, 'exit');
    worker.kill(signal);
    await exited;
  };
  try {
    // A short lease, because a worker hears of a cancel with its heartbeats.
    const first = start(5000);
    expect(await system.agentTaskWhen(good, 'ended', ended)).toMatchObject({
      status: 'completed',
      outcome: { result: { lines: 2 } },
    });
    expect(existsSync(mark)).toBe(true);
    expect(await system.agentTaskWhen(bad, 'ended', ended)).toMatchObject({
      status: 'failed',
      outcome: { reason: 'worker_failed', message: 'exit code 4' },
    });
    const long = await submit(system, { shell: 'exec sleep 600' });
    await system.agentTaskWhen(long, 'running', (task) => task.status === 'running');
    await system.call('agent', 'POST', `/tasks/${long}/cancel`);
    expect((await system.agentTaskWhen(long, 'ended', ended)).status).toBe('cancelled');
    await end(first, 'SIGTERM');
    // A long one: it must not run out before another worker has come.
    const second = start(LEASE_MS);
    const gate = join(system.home, 'gate');
    const held = await submit(system, {
      shell: `until [ -e ${gate} ] || [ ! -d ${system.home} ]; do sleep 0.05; done`,
    });
    await system.agentTaskWhen(held, 'running', (task) => task.status === 'running');
    await end(second, 'SIGKILL');
    start(LEASE_MS);
    writeFileSync(gate, '');
    expect(await system.agentTaskWhen(held, 'ended', ended)).toMatchObject({
      status: 'completed',
      attempt: 2,
    });
    const requeued = (await system.agentEvents(held)).find(({ kind }) => kind === 'requeued');
    expect(requeued).toMatchObject({ reason: 'released', data: { charged: false } });
  } finally {
    for (const worker of workers) if (worker.pid !== undefined) killIfThere(worker.pid);
  }
});
