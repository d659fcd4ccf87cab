/** Tasks that are claimed over HTTP: P1, P3, P4, P5, failure modes 7 and 13; and the example worker. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Grant, ReclaimItem, Task } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { killIfThere, startSystem, type System, until } from './system.ts';

const WORKER = fileURLToPath(new URL('../examples/worker.mjs', import.meta.url));
const LEASE_MS = 5000;
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
  const awayUntil = Date.now() + LEASE_MS + 500;
  await until('the lease to be over', () => Date.now() > awayUntil);
  await system.agent.start();
  await until('a sweep', async () => (await swept(system)) > awayUntil);
  expect(await system.agentTask(kept)).toMatchObject({ status: 'running', attempt: 1 });
  expect((await say(system, grants[0]!.claim.token, 'complete')).status).toBe(200);
  expect((await say(system, grants[1]!.claim.token, 'complete')).status).toBe(200);
  expect((await system.agentTask(done)).status).toBe('completed');
});

// Fails without: `given_terms` in `renewAll` (claim-store.ts).
test('P3, failure mode 13: of an agent that is killed again and again the claim of a dead worker ends, that of a living one does not', async () => {
  await using system = await startSystem({ web: false });
  const [dead, alive] = [await submit(system), await submit(system)];
  const grants = [(await claim(system)).body, (await claim(system)).body];
  for (const { claim: held } of grants) await say(system, held.token, 'heartbeat');
  let restarts = 0;
  while ((await system.agentTask(dead)).status !== 'queued') {
    const downAt = Date.now();
    await system.agent.restart('SIGKILL');
    await until('its first sweep', async () => (await swept(system)) > downAt);
    expect((await say(system, grants[1]!.claim.token, 'heartbeat')).status).toBe(200);
    restarts += 1;
    // Each life of the agent is shorter than a lease: a term at each start would never run out.
    expect(restarts).toBeLessThan(40);
  }
  // As many full terms as one restart, one sleep and one outage may take together.
  expect(restarts).toBeGreaterThan(3);
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
  // A claim whose lease lives is left alone.
  expect((await system.agentTask(id)).status).toBe('running');
  await system.agentTaskWhen(id, 'silent', (task) => task.attention?.[0]?.code === 'claim_silent');
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
  await using system = await startSystem({ web: false, env: { HOLDFAST_SWEEP_MS: '60000' } });
  const [silent, alive] = [await submit(system), await submit(system)];
  await claim(system);
  const heard = (await claim(system, { leaseMs: 3_600_000 })).body.claim.token;
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
  const found = await until('the silence', async () => {
    const items = await reclaim({ dryRun: true });
    return items[0]?.evidence.code === 'claim_silent' && items;
  });
  expect(found).toMatchObject([{ taskId: silent, attempt: 1, action: 'requeue', result: 'wouldReclaim' }]);
  await until('the lease to run out', async () =>
    (await reclaim({ dryRun: true })).some(({ evidence }) => evidence.code === 'lease_expired'),
  );
  expect(await reclaim({ olderThanMs: 3_600_000 })).toEqual([]);
  expect((await system.agentTask(silent)).status).toBe('starting');
  expect(await reclaim({ maxAttempts: 1 })).toMatchObject([{ taskId: silent, result: 'reclaimed' }]);
  expect(await reclaim({})).toEqual([]);
  expect(await system.agentTask(silent)).toMatchObject({
    status: 'queued',
    outcome: { reason: 'reclaimed' },
  });
  await claim(system);
  await until('the second attempt to be stale', async () => (await reclaim({ dryRun: true })).length === 1);
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
  const start = () => {
    const worker = spawn(
      process.execPath,
      [WORKER, '--url', system.agent.url, '--queue', 'ci', '--name', 'w1', '--lease-ms', String(LEASE_MS)],
      { env: { ...system.env, HOLDFAST_HOME: system.home }, stdio: 'ignore' },
    );
    workers.push(worker);
    return worker;
  };
  try {
    const worker = start();
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
    const held = await submit(system, { shell: 'sleep 1' });
    await system.agentTaskWhen(held, 'running', (task) => task.status === 'running');
    worker.kill('SIGKILL');
    start();
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

async function swept(system: System): Promise<number> {
  return (await system.call<{ sweptAt: number }>('agent', 'GET', '/agent')).body.sweptAt;
}
