/** The audit tells the truth about a real agent: nothing on a healthy one, and exactly what was planted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { uuidv7 } from 'uuidv7';
import type { Audit, Grant, Task } from '@holdfast/shared';
import { LEASE_MS } from './leases.ts';
import { killIfThere, startSystem, type System, until } from './system.ts';

const audit = async (system: System, query = ''): Promise<Audit> =>
  (await system.call<Audit>('agent', 'GET', `/audit${query}`)).body;

/** The gauges of the audit, as /metrics tells them. */
async function gauges(system: System): Promise<{ ghosts: number; strays: number }> {
  const { body } = await system.call<string>('agent', 'GET', '/metrics');
  const read = (name: string) =>
    Number(new RegExp(String.raw`^holdfast_agent_${name}(?:\{.*\})? (.+)$`, 'm').exec(body)?.[1]);
  return { ghosts: read('ghosts'), strays: read('strays') };
}

async function submit(system: System, spec: Record<string, unknown>, queue = 'default'): Promise<string> {
  const id = uuidv7();
  const answer = await system.call('agent', 'POST', '/tasks', { id, sessionId: 'audit', spec, queue });
  expect(answer.status).toBe(201);
  return id;
}

const running = (task: Task) => task.status === 'running';
const ended = (task: Task) => task.endedAt !== undefined;

/** A process that says by its environment that it is of this attempt. */
async function plantProcess(system: System, taskId: string, attempt: number) {
  const child = spawn('sleep', ['600'], {
    env: {
      PATH: '/usr/bin:/bin',
      HOLDFAST_TASK: taskId,
      HOLDFAST_ATTEMPT: String(attempt),
      HOLDFAST_RUN: join(system.home, 'runs', taskId, `${attempt}-planted`),
    },
    stdio: 'ignore',
  });
  await once(child, 'spawn');
  return child;
}

test('P3: a healthy agent with running tasks and claims has a proof for each, no ghost and no stray', async () => {
  await using system = await startSystem({ web: false });
  const held = await submit(system, { shell: 'sleep 600 & exec sleep 600' });
  const claimed = await submit(system, {}, 'elsewhere');
  const taken = await system.call<Grant>('agent', 'POST', '/claims', {
    claimId: 'one',
    queue: 'elsewhere',
    worker: 'a-worker',
    leaseMs: LEASE_MS,
  });
  expect(taken.status).toBe(200);
  await system.agentTaskWhen(held, 'running', running);
  const seen = await until('both processes of the task', async () => {
    const { tasks, ...rest } = await audit(system);
    const found = tasks.find((one) => one.taskId === held);
    return found?.proof.kind === 'process' && found.proof.others === 2 ? { tasks, ...rest } : undefined;
  });
  expect(seen).toMatchObject({ ghosts: [], strays: [] });
  expect(seen.tasks).toHaveLength(2);
  const task = await system.agentTask(held);
  expect(seen.tasks.find((one) => one.taskId === held)!.proof).toMatchObject({ pid: task.process!.pid });
  const { proof } = seen.tasks.find((one) => one.taskId === claimed)!;
  expect(proof).toEqual({
    kind: 'lease',
    worker: 'a-worker',
    leaseExpiresAt: expect.any(Number) as number,
    lastHeartbeatAt: expect.any(Number) as number,
  });
  // An agent that was not awake for a while gives a new term.
  const { leaseExpiresAt } = proof as Extract<typeof proof, { kind: 'lease' }>;
  expect(leaseExpiresAt).toBeGreaterThanOrEqual(taken.body.claim.leaseExpiresAt);
  expect(await gauges(system)).toEqual({ ghosts: 0, strays: 0 });
  expect((await audit(system, `?taskId=${held}`)).tasks.map((one) => one.taskId)).toEqual([held]);
  expect((await system.call('agent', 'GET', `/audit?taskId=${uuidv7()}`)).status).toBe(404);
});

test('tasks that come and go while it is audited are never taken for ghosts or strays', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_SLOTS: '8' } });
  const ids = await Promise.all(
    Array.from({ length: 60 }, (_, n) => submit(system, { shell: n % 2 === 0 ? 'true' : 'sleep 0.1' })),
  );
  for (;;) {
    const { ghosts, strays } = await audit(system);
    expect({ ghosts, strays }).toEqual({ ghosts: [], strays: [] });
    const left = await Promise.all(ids.map((id) => system.agentTask(id)));
    if (left.every(ended)) break;
  }
});

test('a ghost and a stray that were planted are seen, each once, by the audit and in the metrics', async () => {
  // Nothing but the audit may look: sweeps are far apart.
  await using system = await startSystem({ web: false, env: { HOLDFAST_SWEEP_MS: '600000' } });
  const ghost = await submit(system, { shell: 'exec sleep 600' });
  const over = await submit(system, { shell: 'exit 0' });
  await system.agentTaskWhen(over, 'ended', ended);
  await system.agentTaskWhen(ghost, 'running', running);
  // A restarted agent is not the parent of its tasks: nobody tells it that a shim was killed.
  await system.agent.restart();
  const task = await system.agentTask(ghost);
  const stray = await plantProcess(system, over, 1);
  process.kill(task.process!.pid, 'SIGKILL');
  for (const pid of system.strays().filter((pid) => pid !== stray.pid)) killIfThere(pid);
  await until('all of the task to be gone', () => system.strays().every((pid) => pid === stray.pid));
  const { tasks, ghosts, strays } = await audit(system);
  expect(tasks).toEqual([]);
  expect(ghosts).toEqual([
    {
      taskId: ghost,
      attempt: 1,
      status: 'running',
      message: 'no process of it lives, and it left no record',
    },
  ]);
  expect(strays).toEqual([
    {
      pid: stray.pid,
      startedAt: expect.any(Number) as number,
      taskId: over,
      attempt: 1,
      message: 'its task has ended: completed',
    },
  ]);
  expect(await gauges(system)).toEqual({ ghosts: 1, strays: 1 });
  // It looked and changed nothing.
  expect(await system.agentTask(ghost)).toMatchObject({ status: 'running', attempt: 1 });
  expect(stray.exitCode).toBeNull();
});

test('a leftover that was asked to stay is no stray', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system, { shell: 'sleep 600 & exit 0', keepLeftovers: true });
  await system.agentTaskWhen(id, 'ended', ended);
  // While a process becomes another program, it shows no marker.
  await until('the leftover', () => system.strays().length === 1);
  expect(await audit(system)).toMatchObject({ tasks: [], ghosts: [], strays: [] });
});
