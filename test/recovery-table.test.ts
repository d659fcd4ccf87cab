/**
 * Every row of the recovery table, with real processes and the real agent: what it finds decides. P3, P4, P7, P10.
 * A row without a test here fails the last one. (Rows of claims: claims.test.ts.)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Task, TaskEvent } from '@holdfast/shared';
import Database from 'better-sqlite3';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { SHIM } from '../packages/agent/src/launch.ts';
import { recoveryTable } from '../packages/agent/src/recovery.ts';
import { isAlive, killTasks } from './kill-points/process.ts';
import { makeRepo, worktreesOf } from './kill-points/repo.ts';
import { startVictim } from './kill-points/victim.ts';
import { startSystem, System, until } from './system.ts';

const ended = (task: Task) => task.endedAt !== undefined;
const running = (task: Task) => task.status === 'running';
const queuedAgain = (events: TaskEvent[]) => events.filter(({ kind }) => kind === 'requeued');

test('this instance is dispatching it: sweeps leave a start alone that takes its time', async () => {
  await using system = await startSystem({ web: false });
  const gate = join(system.home, 'gate');
  const repo = makeRepo(system, `until [ -e ${gate} ]; do sleep 0.05; done`);
  const workspace = { worktree: { repo, ref: 'main' } };
  const id = await submit(system, { command: ['true'], workspace });
  await until('git to be at work', () => system.strays().length > 0);
  await sweeps(system, 3);
  expect((await system.agentEvents(id)).map(({ kind }) => kind)).toEqual(['submitted', 'claimed']);
  writeFileSync(gate, '');
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'completed', attempt: 1 });
});

test('the look itself failed: no verdict, at the start and on sweeps, until a look succeeds', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system, { shell: 'exec sleep 600' });
  await system.agentTaskWhen(id, 'running', running);
  // A loop of links where the record would be: ELOOP, for root too.
  const run = runFolder(system, id);
  renameSync(run, `${run}.aside`);
  symlinkSync(run, run);
  await system.agentTaskWhen(id, 'with attention', (task) => codesOf(task).includes('probe_failed'));
  await system.agent.end('SIGKILL');
  killTasks(system);
  await system.agent.start();
  await sweeps(system, 3);
  expect(await system.agentTask(id)).toMatchObject({ status: 'running', attempt: 1 });
  unlinkSync(run);
  renameSync(`${run}.aside`, run);
  const task = await system.agentTaskWhen(id, 'in attempt 2', (one) => one.attempt === 2);
  expect(codesOf(task)).not.toContain('probe_failed');
  expect(queuedAgain(await system.agentEvents(id))).toMatchObject([{ reason: 'process_vanished' }]);
});

test('exit record, written before it was told to stop: the task ends with its exit code', async () => {
  await using system = await startSystem({ web: false });
  const gate = join(system.home, 'gate');
  const shell = `until [ -e ${gate} ]; do sleep 0.05; done; exit 7`;
  const id = await submit(system, { shell });
  const asked = await submit(system, { shell });
  for (const one of [id, asked]) await system.agentTaskWhen(one, 'running', running);
  await system.agent.end('SIGKILL');
  writeFileSync(gate, '');
  for (const one of [id, asked])
    await until('the record', () => readdirSync(runFolder(system, one)).includes('exit.7'));
  // As an agent leaves it that dies right after it has put a cancel on record.
  edit(
    system,
    `UPDATE tasks SET task = json_set(task, '$.stopRequested', json('{"cause":"cancel","at":1}')) WHERE id = ?`,
    asked,
  );
  await system.agent.start();
  for (const one of [id, asked]) {
    const task = await system.agentTaskWhen(one, 'ended', ended);
    expect(task).toMatchObject({ status: 'failed', attempt: 1, outcome: { reason: 'exit', exitCode: 7 } });
  }
});

test('a process is alive and a stop was requested: the next agent goes on with the ladder', async () => {
  // The first agent gets nowhere with it.
  await using system = await startSystem({ web: false, env: { HOLDFAST_KILL_GRACE_MS: '3600000' } });
  const heedless = join(system.home, 'heedless');
  const shell = `trap "" TERM; echo yes > ${heedless}; while :; do sleep 0.2; done`;
  const id = await submit(system, { shell });
  await content(heedless);
  await system.agentTaskWhen(id, 'running', running);
  expect((await system.call('agent', 'POST', `/tasks/${id}/cancel`)).status).toBe(202);
  await system.agent.end('SIGKILL');
  expect(system.strays().length).toBeGreaterThan(0);
  system.env.HOLDFAST_KILL_GRACE_MS = '1000';
  await system.agent.start();
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'cancelled', attempt: 1, outcome: { reason: 'cancelled_by_user' } });
  expect(system.strays()).toEqual([]);
});

test('the shim is alive: what was running is adopted, once for each instance', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system, { shell: 'exec sleep 600' });
  const before = await system.agentTaskWhen(id, 'running', running);
  await system.agent.restart('SIGKILL');
  const adopted = async () => (await system.agentEvents(id)).filter(({ kind }) => kind === 'adopted');
  await until('adoption', async () => (await adopted()).length > 0);
  await sweeps(system, 3);
  expect(await adopted()).toHaveLength(1);
  const { pid } = before.process!;
  expect(await system.agentTask(id)).toMatchObject({ status: 'running', attempt: 1, process: { pid } });
});

test('the shim is alive: what was starting has started', async () => {
  await using system = new System({ web: false });
  await using victim = await startVictim(system, { step: 'launched' });
  const id = await submit(system, { shell: 'exec sleep 600' });
  expect(await victim.ended).toBe('SIGKILL');
  await system.agent.start();
  const task = await system.agentTaskWhen(id, 'running', running);
  expect(task.attempt).toBe(1);
  expect(system.strays()).toContain(task.process!.pid);
  expect((await system.agentEvents(id)).map(({ kind }) => kind)).toEqual(['submitted', 'claimed', 'started']);
});

test('the shim is gone without a record, but processes of it live: they are stopped before the next attempt', async () => {
  await using system = await startSystem({ web: false });
  const before = join(system.home, 'before');
  const seen = join(system.home, 'seen');
  // A zombie is gone: whoever reaps it may take its time.
  const alive = `grep -qs "^State:.[^ZX]" /proc/$(cat ${before})/status`;
  const look = `[ ! -e ${before} ] || { ${alive} && echo alive || echo gone; } > ${seen}`;
  const id = await submit(system, {
    shell: `${look}; echo $$ > ${before}; trap "" TERM; while :; do sleep 0.2; done`,
  });
  const { process: shim } = await system.agentTaskWhen(id, 'running', running);
  await content(before);
  await system.agent.end('SIGKILL');
  process.kill(shim!.pid, 'SIGKILL');
  await system.agent.start();
  await system.agentTaskWhen(id, 'in attempt 2', (task) => running(task) && task.attempt === 2);
  expect(await content(seen)).toBe('gone');
  expect(queuedAgain(await system.agentEvents(id))).toMatchObject([
    { reason: 'process_vanished', data: { charged: true } },
  ]);
});

test('all gone, a stop was requested: what was asked decides', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_KILL_GRACE_MS: '60000' } });
  const shell = 'trap "" TERM; while :; do sleep 0.2; done';
  const cancelled = await submit(system, { shell });
  const late = await submit(system, { shell, timeoutMs: 100 });
  await system.agentTaskWhen(cancelled, 'running', running);
  await system.call('agent', 'POST', `/tasks/${cancelled}/cancel`);
  for (const id of [cancelled, late])
    await system.agentTaskWhen(id, 'being stopped', (task) => task.stopRequested !== undefined);
  await system.agent.end('SIGKILL');
  killTasks(system);
  await system.agent.start();
  const first = await system.agentTaskWhen(cancelled, 'ended', ended);
  expect(first).toMatchObject({ status: 'cancelled', attempt: 1, outcome: { reason: 'cancelled_by_user' } });
  const second = await system.agentTaskWhen(late, 'ended', ended);
  expect(second).toMatchObject({ status: 'failed', attempt: 1, outcome: { reason: 'timeout' } });
});

test('the agent took the ticket before its shim, which can only give up: a shim that hangs there is ended, and nobody is charged', async () => {
  await using system = new System({ web: false });
  await using victim = await startVictim(system, { step: 'runCreated' });
  const marks = join(system.home, 'marks');
  const id = await submit(system, { shell: `echo $HOLDFAST_ATTEMPT >> ${marks}`, retry: { maxAttempts: 1 } });
  expect(await victim.ended).toBe('SIGKILL');
  const run = runFolder(system, id);
  // It has told who it is, and stands still before the ticket.
  const shim = spawn('/bin/sleep', ['600'], { env: { HOLDFAST_RUN: run }, detached: true, stdio: 'ignore' });
  const exited = once(shim, 'exit');
  writeFileSync(join(run, 'pid'), readFileSync(`/proc/${shim.pid!}/stat`, 'utf8'));
  await system.agent.start();
  expect((await exited)[1]).toBe('SIGKILL');
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'completed', attempt: 2 });
  const events = await system.agentEvents(id);
  expect(queuedAgain(events)).toMatchObject([{ reason: 'dispatch_interrupted', data: { charged: false } }]);
  expect(events.filter(({ kind }) => kind === 'started')).toHaveLength(1);
  expect(readFileSync(marks, 'utf8')).toBe('2\n');
});

test('the agent took the ticket: it never ran: requeued uncharged, and a late shim runs nothing', async () => {
  await using system = new System({ web: false });
  await using victim = await startVictim(system, { step: 'runCreated' });
  const marks = join(system.home, 'marks');
  const id = await submit(system, { shell: `echo $HOLDFAST_ATTEMPT >> ${marks}` });
  expect(await victim.ended).toBe('SIGKILL');
  const run = runFolder(system, id);
  expect(readdirSync(run)).toEqual([]);
  await system.agent.start();
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'completed', attempt: 2 });
  expect(queuedAgain(await system.agentEvents(id))).toMatchObject([
    { reason: 'dispatch_interrupted', data: { charged: false } },
  ]);
  const late = spawn('/bin/sh', ['-c', SHIM, run, '/bin/sh', '-c', `echo late >> ${marks}`]);
  expect((await once(late, 'exit'))[0]).toBe(125);
  expect(readFileSync(marks, 'utf8')).toBe('2\n');
});

test('the agent took the ticket: it never ran: git that an agent left at work is stopped first', async () => {
  await using system = await startSystem({ web: false });
  const first = join(system.home, 'first');
  // Of the first attempt alone: it never ends by itself.
  const repo = makeRepo(system, `[ -e ${first} ] || { echo $$ > ${first}; exec sleep 600; }`);
  const id = await submit(system, { shell: 'pwd', workspace: { worktree: { repo, ref: 'main' } } });
  const hook = Number(await content(first));
  await system.agent.restart('SIGKILL');
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'completed', attempt: 2 });
  expect(isAlive(hook)).toBe(false);
  await until('the worktrees to be gone', () => worktreesOf(system, repo).length === 0);
});

test('another boot, no record: requeued, and nobody is charged', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system, { shell: 'exec sleep 600' });
  await system.agentTaskWhen(id, 'running', running);
  await system.agent.end('SIGKILL');
  killTasks(system);
  edit(system, `UPDATE attempts SET boot_id = 'another' WHERE task_id = ?`, id);
  await system.agent.start();
  await system.agentTaskWhen(id, 'in attempt 2', (task) => running(task) && task.attempt === 2);
  expect(queuedAgain(await system.agentEvents(id))).toMatchObject([
    { reason: 'host_rebooted', data: { charged: false } },
  ]);
});

test('no record, same boot: the attempt is lost and charged', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system, { shell: 'exec sleep 600' });
  const single = await submit(system, { shell: 'exec sleep 600', retry: { maxAttempts: 1 } });
  for (const one of [id, single]) await system.agentTaskWhen(one, 'running', running);
  await system.agent.end('SIGKILL');
  killTasks(system);
  await system.agent.start();
  await system.agentTaskWhen(id, 'in attempt 2', (task) => running(task) && task.attempt === 2);
  expect(queuedAgain(await system.agentEvents(id))).toMatchObject([
    { reason: 'process_vanished', data: { charged: true } },
  ]);
  const task = await system.agentTaskWhen(single, 'ended', ended);
  expect(task).toMatchObject({ status: 'failed', attempt: 1, outcome: { reason: 'process_vanished' } });
});

test('the guard: six of six that vanish at once are no verdict in the first sweep, and are one in the second', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_SLOTS: '6' } });
  const ids: string[] = [];
  for (let n = 0; n < 6; n += 1) ids.push(await submit(system, { shell: 'exec sleep 600' }));
  for (const id of ids) await system.agentTaskWhen(id, 'running', running);
  await system.agent.end('SIGKILL');
  killTasks(system);
  await system.agent.start();
  for (const id of ids) {
    await system.agentTaskWhen(id, 'in attempt 2', (task) => task.attempt === 2);
    expect(queuedAgain(await system.agentEvents(id))).toMatchObject([{ reason: 'process_vanished' }]);
  }
  const said = await until('the suspicion in its log', () => {
    // What stands behind the last line end is still coming.
    const lines = system.agent.log.split('\n').slice(0, -1);
    return lines.find((line) => line.includes('seem to be gone at once'));
  });
  const { time, lost, looked } = JSON.parse(said) as { time: number | string; lost: number; looked: number };
  expect({ lost, looked }).toEqual({ lost: 6, looked: 6 });
  // Suspected first, given up later.
  for (const id of ids) {
    const [requeued] = queuedAgain(await system.agentEvents(id));
    expect(requeued!.at).toBeGreaterThan(new Date(time).getTime());
  }
});

test('every row of the table has a test with real processes that begins with its name', () => {
  const source = readFileSync(import.meta.filename, 'utf8');
  const rows = recoveryTable.map(({ name }) => name).filter((name) => !name.startsWith('a claim'));
  expect(rows.filter((name) => !source.includes(`test('${name}: `))).toEqual([]);
});

async function submit(system: System, spec: Record<string, unknown>): Promise<string> {
  const id = uuidv7();
  const answer = await system.call('agent', 'POST', '/tasks', { id, sessionId: 'rows', spec });
  expect(answer.status).toBe(201);
  return id;
}

/** Waits until so many sweeps have ended since now. */
async function sweeps(system: System, count: number): Promise<void> {
  const sweptAt = async () => (await system.call<{ sweptAt: number }>('agent', 'GET', '/agent')).body.sweptAt;
  for (let n = 0; n < count; n += 1) {
    const before = await sweptAt();
    await until('a sweep', async () => (await sweptAt()) > before);
  }
}

/** What a process wrote into a file, once it has. */
function content(path: string): Promise<string> {
  return until(`something in ${path}`, () =>
    existsSync(path) ? readFileSync(path, 'utf8').trim() || undefined : undefined,
  );
}

/** The run directory of the first attempt. */
function runFolder(system: System, id: string): string {
  const folder = join(system.home, 'runs', id);
  const name = readdirSync(folder).find((one) => one.startsWith('1-'));
  if (name === undefined) throw new Error(`task ${id} has no run directory of its first attempt`);
  return join(folder, name);
}

function codesOf(task: Task): string[] {
  return (task.attention ?? []).map(({ code }) => code);
}

/** Changes the journal while no agent runs. */
function edit(system: System, sql: string, ...values: string[]): void {
  using database = closing(new Database(join(system.home, 'agent.db')));
  database.value.prepare(sql).run(...values);
}

function closing<T extends { close: () => unknown }>(value: T): { value: T } & Disposable {
  return { value, [Symbol.dispose]: () => value.close() };
}
