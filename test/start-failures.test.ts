/**
 * A start that fails leaves nothing behind (P8, failure mode 1), with real processes and real errors of the system:
 * the task ends `failed` with the error, or is `queued` again with the reason; its workspace is undone, its slot is
 * free, and the next task runs. There is one slot, so a start that kept it would stop everything.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Task } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { mayRunAsNobody, NOBODY, startAsNobody } from './kill-points/nobody.ts';
import { launcherOf } from './kill-points/process.ts';
import { makeRepo, worktreesOf } from './kill-points/repo.ts';
import { startVictim } from './kill-points/victim.ts';
import { startSystem, System, until } from './system.ts';

const env = { HOLDFAST_SLOTS: '1' };
const ended = (task: Task) => task.endedAt !== undefined;

// Fails without: `#giveUp` in dispatch.ts.
test('P8, failure mode 1: what will not pass by itself ends the task with the error, whatever it is', async () => {
  await using system = await startSystem({ web: false, env });
  const plain = join(system.home, 'plain');
  writeFileSync(plain, 'text', { mode: 0o644 });
  const repo = makeRepo(system);
  const worktree = (ref: string, at = repo) => ({ workspace: { worktree: { repo: at, ref } } });
  const cases = [
    {
      spec: { command: ['true'], cwd: '/no/such/place' },
      reason: 'workspace_failed',
      message: '/no/such/place',
    },
    { spec: { command: ['true'], cwd: plain }, reason: 'workspace_failed', message: 'is not a directory' },
    { spec: { command: ['no-such-command'] }, reason: 'spawn_failed', message: 'no-such-command' },
    { spec: { command: [plain] }, reason: 'spawn_failed', message: 'not executable' },
    { spec: { command: ['true'], ...worktree('nowhere') }, reason: 'workspace_failed', message: 'no commit' },
    {
      spec: { command: ['true'], ...worktree('main', system.home) },
      reason: 'workspace_failed',
      message: 'cannot be used as a repository',
    },
    // The worktree is made before these fail.
    {
      spec: { command: ['no-such-command'], ...worktree('main') },
      reason: 'spawn_failed',
      message: 'not found',
    },
    {
      spec: { command: ['true'], cwd: 'sub', ...worktree('main') },
      reason: 'workspace_failed',
      message: 'sub',
    },
  ];
  for (const { spec, reason, message } of cases) {
    const id = await submit(system, spec);
    const task = await system.agentTaskWhen(id, 'ended', ended);
    expect(task).toMatchObject({ status: 'failed', attempt: 1, outcome: { reason } });
    expect(task.outcome!.message).toContain(message);
    expect(runsOf(system, id)).toEqual([]);
    expect(worktreesOf(system, repo)).toEqual([]);
  }
  await expectGoingOn(system);
});

// Fails without: both calls of `undo`, after a failure in `prepare` (workspace.ts) and in `#giveUp` (dispatch.ts).
test('P8, failure mode 1: a `git worktree add` that fails half-way is undone', async () => {
  await using system = await startSystem({ web: false, env });
  // The worktree is there when its hook fails, and git ends with the exit code of the hook.
  const repo = makeRepo(system, 'echo no >&2; exit 3');
  const id = await submit(system, { command: ['true'], workspace: { worktree: { repo, ref: 'main' } } });
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'failed', outcome: { reason: 'workspace_failed' } });
  expect(worktreesOf(system, repo)).toEqual([]);
  await expectGoingOn(system);
});

test('P8, failure mode 1: a preparation that hangs is ended with all it began, and tried again', async () => {
  await using system = await startSystem({ web: false, env: { ...env, HOLDFAST_PREPARE_MS: '2000' } });
  const hung = join(system.home, 'hung');
  const repo = makeRepo(system, `[ -e ${hung} ] || { : > ${hung}; sleep 600; }`);
  // On a slow machine git alone may take too long.
  const retry = { maxAttempts: 100 };
  const id = await submit(system, {
    command: ['true'],
    workspace: { worktree: { repo, ref: 'main' } },
    retry,
  });
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task.status).toBe('completed');
  const requeues = await requeuesOf(system, id);
  expect(requeues).toHaveLength(task.attempt - 1);
  const outcome = { message: expect.stringMatching(/too long/) as unknown };
  for (const requeue of requeues)
    expect(requeue).toMatchObject({ reason: 'workspace_failed', data: { charged: true, outcome } });
  expect(existsSync(hung)).toBe(true);
  expect(system.strays()).toEqual([]);
  await until('no worktree', () => worktreesOf(system, repo).length === 0);
  await expectGoingOn(system);
});

test('P8, failure mode 1: arguments that are too long for the system (E2BIG) end the task', async () => {
  await using system = await startSystem({ web: false, env });
  await expectGoingOn(system);
  // The room for arguments is a quarter of that for the stack.
  prlimit(launcherOf(system.agent.pid), `--stack=${1024 * 1024}:`);
  const command = ['echo', ...Array.from({ length: 5 }, () => 'x'.repeat(100_000))];
  const id = await submit(system, { command });
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'failed', attempt: 1, outcome: { reason: 'spawn_failed' } });
  expect(task.outcome!.message).toContain('E2BIG');
  expect(runsOf(system, id)).toEqual([]);
  await expectGoingOn(system);
});

// Fails without: EMFILE in the list of what may pass (start-error.ts).
test('P8, failure mode 1: too many open files (EMFILE) is waited out', async () => {
  await using system = await startSystem({ web: false, env });
  const launcher = launcherOf(system.agent.pid);
  await expectWaitedOut(system, 'EMFILE', {
    begin: () => prlimit(launcher, '--nofile=3:'),
    end: () => prlimit(launcher, '--nofile=1024:'),
  });
});

test.skipIf(!mayRunAsNobody())(
  'P8, failure mode 1: no room for another process (EAGAIN) is waited out; a forbidden directory is not',
  async () => {
    await using system = new System({ web: false, env });
    await using agent = await startAsNobody(system);
    const launcher = launcherOf(agent.pid);
    await expectWaitedOut(system, 'EAGAIN', {
      begin: () => prlimit(launcher, '--nproc=1:', NOBODY),
      end: () => prlimit(launcher, '--nproc=10000:', NOBODY),
    });
    const forbidden = join(system.home, 'forbidden');
    mkdirSync(forbidden, { mode: 0o000 });
    for (const [cwd, message] of [
      [forbidden, `${forbidden} cannot be used: permission denied`],
      [join(forbidden, 'below'), 'permission denied'],
    ] as const) {
      const id = await submit(system, { command: ['true'], cwd });
      const task = await system.agentTaskWhen(id, 'ended', ended);
      expect(task).toMatchObject({ status: 'failed', attempt: 1, outcome: { reason: 'workspace_failed' } });
      expect(task.outcome!.message).toContain(message);
    }
    await expectGoingOn(system);
  },
);

test('P8, failure mode 1: a journal that fails between claim and launch: the start goes on and is said later', async () => {
  await using system = new System({ web: false, env });
  await using agent = await startVictim(system, { step: 'claimed', fate: 'refuse-writes' });
  const gate = join(system.home, 'gate');
  const id = await submit(system, { shell: `until [ -e ${gate} ]; do sleep 0.05; done; exit 4` });
  await until('the journal to be known as broken', async () => {
    return !(await fetch(`${system.agent.url}/readyz`)).ok;
  });
  expect((await system.agentTask(id)).status).toBe('starting');
  prlimit(agent.pid, '--fsize=unlimited:');
  await system.agentTaskWhen(id, 'running', (task) => task.status === 'running');
  writeFileSync(gate, '');
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'failed', attempt: 1, outcome: { reason: 'exit', exitCode: 4 } });
  await expectGoingOn(system);
});

test('P8, failure mode 1: a start that fails while the journal does is given back, and told when it can be', async () => {
  await using system = new System({ web: false, env });
  await using agent = await startVictim(system, { step: 'claimed', fate: 'refuse-writes' });
  const repo = makeRepo(system);
  const workspace = { worktree: { repo, ref: 'main' } };
  const id = await submit(system, { command: ['no-such-command'], workspace });
  await until('the failure that could not be put on record', () =>
    agent.log().includes('could not be put on record'),
  );
  expect((await system.agentTask(id)).status).toBe('starting');
  prlimit(agent.pid, '--fsize=unlimited:');
  const task = await system.agentTaskWhen(id, 'ended', ended);
  // What failed while the journal did may go well the next time: it was tried once more.
  expect(task).toMatchObject({ status: 'failed', attempt: 2, outcome: { reason: 'spawn_failed' } });
  expect(task.outcome!.message).toContain('no-such-command');
  expect(worktreesOf(system, repo)).toEqual([]);
  await expectGoingOn(system);
});

test('P8, failure mode 1: a claim that cannot be put on record starts nothing, and is made when it can be', async () => {
  await using system = new System({ web: false, env });
  await using agent = await startVictim(system, { step: 'claiming', fate: 'refuse-writes' });
  const marks = join(system.home, 'marks');
  const id = await submit(system, { shell: `echo $HOLDFAST_ATTEMPT >> ${marks}` });
  await until('the refusal', () => agent.log().includes('no task could be claimed'));
  expect(await system.agentTask(id)).toMatchObject({ status: 'queued', attempt: 0 });
  prlimit(agent.pid, '--fsize=unlimited:');
  expect(await system.agentTaskWhen(id, 'ended', ended)).toMatchObject({ status: 'completed', attempt: 1 });
  expect(readFileSync(marks, 'utf8')).toBe('1\n');
  await expectGoingOn(system);
});

/** While the fault lasts a task is queued again with the reason; once it is over the task runs, and so do others. */
async function expectWaitedOut(
  system: System,
  errno: string,
  fault: { begin: () => void; end: () => void },
): Promise<void> {
  // The launcher is ready once it has launched: a fault in its own start would only bring another one.
  await expectGoingOn(system);
  fault.begin();
  const id = await submit(system, { shell: 'exit 5', retry: { maxAttempts: 100 } });
  const [requeued] = await until('it to be given back', async () => {
    const requeues = await requeuesOf(system, id);
    return requeues.length > 0 && requeues;
  });
  const message = expect.stringContaining(errno) as unknown;
  expect(requeued).toMatchObject({
    reason: 'spawn_failed',
    data: { charged: true, outcome: { message } },
  });
  fault.end();
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'failed', outcome: { reason: 'exit', exitCode: 5 } });
  // Of the attempts that did not start nothing is left.
  expect(runsOf(system, id)).toEqual([expect.stringMatching(`^${task.attempt}-`)]);
  await expectGoingOn(system);
}

/** The slot is free, nothing of the failed start runs, and the next task does. */
async function expectGoingOn(system: System): Promise<void> {
  const id = await submit(system, { command: ['true'] });
  expect((await system.agentTaskWhen(id, 'ended', ended)).status).toBe('completed');
  expect(system.strays()).toEqual([]);
  const { body } = await system.call('agent', 'GET', '/pool');
  expect(body).toMatchObject({ running: 0, queued: 0 });
}

async function submit(system: System, spec: Record<string, unknown>): Promise<string> {
  const id = uuidv7();
  const task = { id, sessionId: 'starts', spec: { workspace: { dir: '/' }, ...spec } };
  const answer = await system.call('agent', 'POST', '/tasks', task);
  expect(answer.status).toBe(201);
  return id;
}

async function requeuesOf(system: System, id: string) {
  return (await system.agentEvents(id)).filter((event) => event.kind === 'requeued');
}

/** The names of a task's run directories. */
function runsOf(system: System, id: string): string[] {
  const folder = join(system.home, 'runs', id);
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Sets a soft limit of a process. */
function prlimit(pid: number, limit: string, user: { uid?: number; gid?: number } = {}): void {
  execFileSync('prlimit', ['--pid', String(pid), limit], user);
}
