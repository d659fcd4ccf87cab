/** What an agent makes of tasks that it left behind: P3, P4, P7, P10, and the failure modes of a restart. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { uuidv7 } from 'uuidv7';
import type { Task } from '@holdfast/shared';
import { findLauncher } from './kill-points/process.ts';
import { killIfThere, startSystem, System, until } from './system.ts';

async function submit(
  system: System,
  spec: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Promise<string> {
  const id = uuidv7();
  const answer = await system.call('agent', 'POST', '/tasks', { id, sessionId: 'recovery', spec, ...more });
  expect(answer.status).toBe(201);
  return id;
}

const ended = (task: Task) => task.endedAt !== undefined;
const running = (task: Task) => task.status === 'running';

test('P7: a task that ends while the agent is down is settled with its true exit code and its whole log', async () => {
  await using system = await startSystem({ web: false });
  const gate = join(system.home, 'gate');
  const id = await submit(system, {
    shell: `echo before; until [ -e ${gate} ]; do sleep 0.05; done; echo after; exit 7`,
  });
  await system.agentTaskWhen(id, 'running', running);
  await system.agent.end('SIGKILL');
  writeFileSync(gate, '');
  await until('the exit record', () => runFiles(system, id).includes('exit.7'));
  await system.agent.start();
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'failed', attempt: 1, outcome: { reason: 'exit', exitCode: 7 } });
  expect(
    (await system.call('agent', 'GET', `/tasks/${id}/output`)).headers.get('holdfast-output-complete'),
  ).toBe('true');
  expect(readLog(system, id)).toBe('before\nafter\n');
});

// Fails without: the row "the shim is alive" of recovery.ts: the living process is stopped and run again.
test('P7, failure modes 2 and 3: a task that still runs is adopted, not run twice, and can be cancelled', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system, { shell: 'echo started; exec sleep 600' });
  const before = await system.agentTaskWhen(id, 'running', running);
  await system.agent.restart('SIGKILL');
  await until('adoption', async () =>
    (await system.agentEvents(id)).some((event) => event.kind === 'adopted'),
  );
  const after = await system.agentTask(id);
  expect(after).toMatchObject({ status: 'running', attempt: 1, process: { pid: before.process!.pid } });
  await until('its word', () => readLog(system, id) !== '');
  expect(readLog(system, id)).toBe('started\n');
  expect((await system.call('agent', 'POST', `/tasks/${id}/cancel`)).status).toBe(202);
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'cancelled', outcome: { reason: 'cancelled_by_user' } });
  expect(system.strays()).toEqual([]);
});

test('P3: a task whose processes all vanished without a record is tried again, and after three attempts failed with the cause', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system, { shell: 'exec sleep 600' });
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const task = await system.agentTaskWhen(
      id,
      `running attempt ${attempt}`,
      (one) => running(one) && one.attempt === attempt,
    );
    await until('both processes', () => system.strays().length === 2);
    // The shim first, so that it cannot write a record.
    process.kill(task.process!.pid, 'SIGKILL');
    for (const pid of system.strays()) killIfThere(pid);
  }
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'failed', attempt: 3, outcome: { reason: 'attempts_exhausted' } });
  expect(task.outcome!.message).toContain('process_vanished');
  const requeued = (await system.agentEvents(id)).filter((event) => event.kind === 'requeued');
  expect(requeued.map((event) => event.data.charged)).toEqual([true, true]);
});

test('P4: a shim that died leaves its command alive: that one is stopped before a new attempt starts', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system, { shell: 'echo $$; trap "" TERM; while :; do sleep 1; done' });
  const task = await system.agentTaskWhen(id, 'running', running);
  const command = Number(await until('the pid of the command', () => readLog(system, id).trim()));
  process.kill(task.process!.pid, 'SIGKILL');
  await system.agentTaskWhen(id, 'in attempt 2', (one) => running(one) && one.attempt === 2);
  expect(system.strays()).not.toContain(command);
});

// Fails without: the look by marker and log in `othersOf` (process-table.ts).
test('failure mode 6: a cancel reaches what a task started in sessions of its own, and what ignores SIGTERM', async () => {
  await using system = await startSystem({ web: false });
  const id = await submit(system, {
    shell:
      'setsid sh -c "trap \'\' TERM; sleep 600" & (setsid sleep 600 &) ; trap "" TERM; while :; do sleep 1; done',
  });
  await system.agentTaskWhen(id, 'running', running);
  await until('all its processes', () => system.strays().length >= 4);
  await system.call('agent', 'POST', `/tasks/${id}/cancel`);
  await system.agentTaskWhen(id, 'cancelled', (one) => one.status === 'cancelled');
  expect(system.strays()).toEqual([]);
});

test('leftovers of a task that ended by itself are stopped before it is settled, unless it asks to keep them', async () => {
  await using system = await startSystem({ web: false });
  const shell = '(setsid sleep 600 &); exit 0';
  const swept = await submit(system, { shell });
  expect(await system.agentTaskWhen(swept, 'ended', ended)).toMatchObject({ status: 'completed' });
  expect(system.strays()).toEqual([]);
  const kept = await submit(system, { shell, keepLeftovers: true });
  await system.agentTaskWhen(kept, 'ended', ended);
  // While a process becomes another program, it shows no marker.
  await until('the one that is kept', () => system.strays().length === 1);
});

test('an agent that is killed in the middle of a cancel goes on with it', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_KILL_GRACE_MS: '3000' } });
  const id = await submit(system, { shell: 'trap "" TERM; while :; do sleep 0.2; done' });
  await system.agentTaskWhen(id, 'running', running);
  await system.call('agent', 'POST', `/tasks/${id}/cancel`);
  await system.agent.restart('SIGKILL');
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task.status).toBe('cancelled');
  expect(system.strays()).toEqual([]);
});

// Fails without: `#giveUp` in dispatch.ts.
test('P8, failure mode 1: a start that cannot succeed ends failed with the error and leaves no process and no run', async () => {
  await using system = await startSystem({ web: false });
  const plain = join(system.home, 'not-executable');
  writeFileSync(plain, 'text', { mode: 0o644 });
  const cases = [
    { spec: { command: ['no-such-command-here'] }, reason: 'spawn_failed', message: 'no-such-command-here' },
    {
      spec: { command: ['true'], cwd: '/no/such/directory' },
      reason: 'workspace_failed',
      message: '/no/such/directory',
    },
    { spec: { command: [plain] }, reason: 'spawn_failed', message: 'not executable' },
    {
      spec: { command: ['true'], workspace: { worktree: { repo: system.home, ref: 'main' } } },
      reason: 'workspace_failed',
      message: 'cannot be used as a repository',
    },
  ];
  for (const { spec, reason, message } of cases) {
    const id = await submit(system, spec);
    const task = await system.agentTaskWhen(id, 'ended', ended);
    expect(task).toMatchObject({ status: 'failed', outcome: { reason } });
    expect(task.outcome!.message).toContain(message);
    expect(runFiles(system, id)).toEqual([]);
  }
  expect((await system.call('agent', 'GET', '/pool')).body).toMatchObject({ running: 0, queued: 0 });
});

test('time, silence and size end a task with their own reason', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_OUTPUT_LIMIT_BYTES: '2048' } });
  const late = await submit(system, { shell: 'sleep 600', timeoutMs: 300 });
  const silent = await submit(system, { shell: 'echo hello; sleep 600', idleTimeoutMs: 300 });
  const loud = await submit(system, { shell: 'while :; do echo 0123456789; done' });
  expect((await system.agentTaskWhen(late, 'ended', ended)).outcome!.reason).toBe('timeout');
  expect((await system.agentTaskWhen(silent, 'ended', ended)).outcome!.reason).toBe('idle_timeout');
  expect((await system.agentTaskWhen(loud, 'ended', ended)).outcome).toMatchObject({
    reason: 'output_limit',
    message: 'stopped because its output passed the limit of 2048 bytes',
  });
});

test('P4: a launcher that is killed again and again doubles nothing, loses nothing, and charges nobody', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_SLOTS: '8' } });
  const marks = join(system.home, 'marks');
  const ids: string[] = [];
  for (let n = 0; n < 60; n += 1) {
    ids.push(
      await submit(system, { shell: `echo $HOLDFAST_TASK >> ${marks}; exit 3`, retry: { maxAttempts: 1 } }),
    );
    if (n % 15 === 7) await killLauncher(system);
  }
  for (const id of ids) {
    const task = await system.agentTaskWhen(id, 'ended', ended);
    expect(task.outcome).toEqual({ reason: 'exit', exitCode: 3 });
  }
  expect(readFileSync(marks, 'utf8').trim().split('\n').toSorted()).toEqual(ids.toSorted());
});

test('a log that is taken away under a running task is attention, and its reader is told of a gap', async () => {
  await using system = await startSystem({ web: false });
  const gate = join(system.home, 'gate');
  const id = await submit(system, { shell: `echo hello; until [ -e ${gate} ]; do sleep 0.05; done` });
  await system.agentTaskWhen(id, 'running', running);
  await until('output', () => readLog(system, id) === 'hello\n');
  const headers = { authorization: `Bearer ${system.token('agent')}` };
  const response = await fetch(`${system.agent.url}/tasks/${id}/output/stream`, { headers });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const readUntil = async (part: string) => {
    while (!text.includes(part)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the stream ended without "${part}":\n${text}`);
      text += value;
    }
  };
  await readUntil('hello');
  // Measured once a second; it has to have been seen at its full size.
  await until('it is measured', async () => (await activityOf(system)).includes(id));
  rmSync(join(runFolder(system, id)!, 'output.log'));
  await readUntil('event: gap');
  const task = await system.agentTaskWhen(id, 'with attention', (one) => one.attention !== undefined);
  expect(task).toMatchObject({ status: 'running', attention: [{ code: 'output_lost' }] });
  writeFileSync(gate, '');
  expect((await system.agentTaskWhen(id, 'ended', ended)).status).toBe('completed');
  await readUntil('event: end');
});

test('a second agent in the same home refuses to start and names the first', async () => {
  await using system = await startSystem({ web: false });
  await using second = new System({ home: system.home });
  await expect(second.agent.start()).rejects.toThrow(String(system.agent.pid));
});

test('a journal whose run directories are gone does not run anything twice: what never began is requeued', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_SLOTS: '1' } });
  const id = await submit(system, { shell: 'exec sleep 600' });
  await system.agentTaskWhen(id, 'running', running);
  await system.agent.end('SIGKILL');
  for (const pid of system.strays()) killIfThere(pid);
  rmSync(join(system.home, 'runs', id), { recursive: true });
  await system.agent.start();
  await system.agentTaskWhen(id, 'in attempt 2', (one) => running(one) && one.attempt === 2);
  await until('shim and command', () => system.strays().length === 2);
  const kinds = (await system.agentEvents(id)).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'started')).toHaveLength(2);
});

/** The first activity that a new reader of the log of events is told. */
async function activityOf(system: System): Promise<string> {
  const abort = new AbortController();
  const headers = { authorization: `Bearer ${system.token('agent')}` };
  const { body } = await fetch(`${system.agent.url}/events`, { headers, signal: abort.signal });
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!/event: activity\n.*\n\n/.test(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  abort.abort();
  return text;
}

/** Also where the one before was killed a moment ago. */
async function killLauncher(system: System): Promise<void> {
  let launcher: number | undefined;
  await until('a launcher', () => (launcher = findLauncher(system.agent.pid)) !== undefined);
  process.kill(launcher!, 'SIGKILL');
}

function runFolder(system: System, id: string): string | undefined {
  const folder = join(system.home, 'runs', id);
  if (!existsSync(folder)) return undefined;
  const [attempt] = readdirSync(folder).toSorted().toReversed();
  return attempt === undefined ? undefined : join(folder, attempt);
}

function runFiles(system: System, id: string): string[] {
  const folder = runFolder(system, id);
  return folder === undefined ? [] : readdirSync(folder);
}

function readLog(system: System, id: string): string {
  const folder = runFolder(system, id);
  return folder === undefined || !existsSync(join(folder, 'output.log'))
    ? ''
    : readFileSync(join(folder, 'output.log'), 'utf8');
}
