/**
 * Failure modes of other systems that no other test shows with the real agent: 2, 14 and 15. Each of the fifteen has
 * a test whose name says "failure mode N" and whose comment says what it fails without.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Task } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { killTasks } from './kill-points/process.ts';
import { startVictim } from './kill-points/victim.ts';
import { startSystem, System } from './system.ts';

const ended = (task: Task) => task.endedAt !== undefined;
const running = (task: Task) => task.status === 'running';

// Fails without: sweeps after the first one (`setInterval` in sweep-loop.ts): what the first one puts off, because six
// of six are suspect, is never decided.
test('failure mode 2: what a start puts off is decided by a later sweep; a pause and a full pool keep nobody "running"', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_SLOTS: '6' } });
  const marks = join(system.home, 'marks');
  const gate = join(system.home, 'gate');
  const shell = `until [ -e ${gate} ]; do sleep 0.05; done; echo $HOLDFAST_TASK >> ${marks}`;
  const ids = await Promise.all(Array.from({ length: 6 }, () => submit(system, { shell })));
  for (const id of ids) await system.agentTaskWhen(id, 'running', running);
  await system.call('agent', 'POST', '/pool/pause');
  await system.call('agent', 'PATCH', '/pool', { slots: 1 });
  await system.agent.end('SIGKILL');
  killTasks(system);
  await system.agent.start();
  for (const id of ids) await system.agentTaskWhen(id, 'queued again', (task) => task.status === 'queued');
  expect(existsSync(marks)).toBe(false);
  writeFileSync(gate, '');
  await system.call('agent', 'POST', '/pool/resume');
  for (const id of ids) {
    const task = await system.agentTaskWhen(id, 'ended', ended);
    expect(task).toMatchObject({ status: 'completed', attempt: 2 });
  }
  expect(readFileSync(marks, 'utf8').trim().split('\n').toSorted()).toEqual(ids.toSorted());
});

// Fails without: `charged: false` in the row "the agent took the ticket: it never ran" of recovery.ts.
test('failure mode 14: an agent that dies three times in the middle of a start burns nothing of a budget of one', async () => {
  await using system = new System({ web: false });
  let id: string | undefined;
  for (let deaths = 0; deaths < 3; deaths += 1) {
    await using victim = await startVictim(system, { step: 'runCreated' });
    id ??= await submit(system, { command: ['true'], retry: { maxAttempts: 1 } });
    expect(await victim.ended).toBe('SIGKILL');
  }
  await system.agent.start();
  const task = await system.agentTaskWhen(id!, 'ended', ended);
  expect(task).toMatchObject({ status: 'completed', attempt: 4, outcome: { exitCode: 0 } });
});

// Fails without: the budget (`used` in retry.ts): the task is tried for ever.
test('failure mode 15: a task past its budget is failed with the last cause, never left in the queue', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system, { shell: 'exit 6', retry: { maxAttempts: 2, on: ['failed'] } });
  const task = await system.agentTaskWhen(
    id,
    'ended, or past its budget',
    (one) => ended(one) || one.attempt > 2,
  );
  expect(task).toMatchObject({
    status: 'failed',
    attempt: 2,
    outcome: { reason: 'attempts_exhausted', exitCode: 6 },
  });
  expect((await system.call('agent', 'GET', '/pool')).body).toMatchObject({ running: 0, queued: 0 });
});

// Fails without: the condition on `concurrency_key` in what `claimNext` looks for (the busy key runs twice), and if
// only the head of the queue is looked at (queue.ts).
test('failure mode 15: a head of the queue that cannot run blocks nobody', async () => {
  await using system = await startSystem({
    web: false,
    env: { HOLDFAST_SLOTS: '2', HOLDFAST_RETRY_DELAY_MS: '3600000' },
  });
  const holder = await submit(system, { shell: 'exec sleep 600', concurrencyKey: 'key' });
  await system.agentTaskWhen(holder, 'running', running);
  const busy = await submit(system, { command: ['true'], concurrencyKey: 'key' }, { priority: 9 });
  // However little the jitter makes of a delay, it comes back to the head of the queue.
  const retry = { maxAttempts: 100, on: ['failed'] };
  const delayed = await submit(system, { shell: 'exit 1', retry }, { priority: 8 });
  await system.agentTaskWhen(delayed, 'delayed', (task) => (task.notBeforeAt ?? 0) > Date.now());
  for (let n = 0; n < 3; n += 1) {
    const id = await submit(system, { command: ['true'] });
    expect((await system.agentTaskWhen(id, 'ended', ended)).status).toBe('completed');
  }
  expect(await system.agentTask(busy)).toMatchObject({ status: 'queued', attempt: 0 });
  await system.call('agent', 'POST', `/tasks/${holder}/cancel`);
  expect((await system.agentTaskWhen(busy, 'ended', ended)).status).toBe('completed');
});

async function submit(
  system: System,
  spec: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Promise<string> {
  const id = uuidv7();
  const answer = await system.call('agent', 'POST', '/tasks', { id, sessionId: 'modes', spec, ...more });
  expect(answer.status).toBe(201);
  return id;
}
