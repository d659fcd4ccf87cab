/** What a task, a person or a file system can do to an attempt that no row of the recovery table names: P3, P4, P7. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Task } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { makeRepo, worktreesOf } from './kill-points/repo.ts';
import { mayRunAsNobody, NOBODY, startAsNobody } from './kill-points/nobody.ts';
import { isAlive, launcherOf } from './kill-points/process.ts';
import { killIfThere, startSystem, System, until } from './system.ts';

const ended = (task: Task) => task.endedAt !== undefined;
const running = (task: Task) => task.status === 'running';
/** No sweep comes after the first: whatever is seen is seen without one. */
const WITHOUT_SWEEPS = { HOLDFAST_SWEEP_MS: '3600000' };

test('a stopped shim and a stopped command are told to go on when they are told to end', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_KILL_GRACE_MS: '30000' } });
  const last = join(system.home, 'last');
  const shell = `trap 'echo ended > ${last}; exit 3' TERM; echo ready > ${last}; while :; do sleep 0.1; done`;
  const id = await submit(system, { shell });
  const task = await system.agentTaskWhen(id, 'running', running);
  await content(last);
  // Its sleeps come and go.
  for (const pid of system.strays()) killIfThere(pid, 'SIGSTOP');
  expect((await system.call('agent', 'POST', `/tasks/${id}/cancel`)).status).toBe(202);
  const stopped = await system.agentTaskWhen(id, 'ended', ended);
  // In its own way, which SIGKILL after the grace would not have left it.
  expect(stopped).toMatchObject({ status: 'cancelled', outcome: { exitCode: 3 } });
  expect(await content(last)).toBe('ended');
  expect(isAlive(task.process!.pid)).toBe(false);
});

test('P7: a task that removes its own run directory ends with its exit code, with the agent or without', async () => {
  await using system = await startSystem({ web: false });
  const gate = join(system.home, 'gate');
  const waiting = `until [ -e ${gate} ]; do sleep 0.05; done`;
  const with_ = await submit(system, { shell: 'rm -rf "$HOLDFAST_RUN"; exit 7' });
  expect(await system.agentTaskWhen(with_, 'ended', ended)).toMatchObject({
    attempt: 1,
    outcome: { reason: 'exit', exitCode: 7 },
  });
  const without = await submit(system, { shell: `rm -rf "$HOLDFAST_RUN"; ${waiting}; exit 8` });
  await system.agentTaskWhen(without, 'running', running);
  await system.agent.end('SIGKILL');
  writeFileSync(gate, '');
  await until('its processes to be gone', () => system.strays().length === 0);
  await system.agent.start();
  expect(await system.agentTaskWhen(without, 'ended', ended)).toMatchObject({
    attempt: 1,
    outcome: { reason: 'exit', exitCode: 8 },
  });
});

test('P3: the end of a task whose launcher has died is seen without a sweep', async () => {
  await using system = await startSystem({ web: false, env: WITHOUT_SWEEPS });
  const gate = join(system.home, 'gate');
  const id = await submit(system, { shell: `until [ -e ${gate} ]; do sleep 0.05; done; exit 7` });
  await system.agentTaskWhen(id, 'running', running);
  const launcher = launcherOf(system.agent.pid);
  process.kill(launcher, 'SIGKILL');
  await until('the agent to know', () => system.agent.log.includes('the launcher ended'));
  writeFileSync(gate, '');
  expect((await system.agentTaskWhen(id, 'ended', ended)).outcome).toEqual({ reason: 'exit', exitCode: 7 });
});

test('P4: in a home behind a symbolic link what hides from its group and its marker is found by the log', async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-link-')));
  const home = join(folder, 'link');
  mkdirSync(join(folder, 'home'));
  symlinkSync(join(folder, 'home'), home);
  const hidden = join(folder, 'hidden');
  try {
    await using system = new System({ home });
    await system.agent.start();
    const id = await submit(system, {
      shell: `setsid env -i /bin/sh -c 'echo $$ > ${hidden}; exec /bin/sleep 600' & until [ -s ${hidden} ]; do sleep 0.05; done`,
    });
    await system.agentTaskWhen(id, 'ended', ended);
    expect(isAlive(Number(readFileSync(hidden, 'utf8')))).toBe(false);
    // Started by one name of the home and adopted by the other.
    const other = await submit(system, { shell: '(setsid sleep 600 &); exec sleep 600' });
    await system.agentTaskWhen(other, 'running', running);
    await system.agent.end('SIGKILL');
    await using direct = new System({ home: join(folder, 'home') });
    await until('all its processes', () => direct.strays().length === 3);
    await direct.agent.start();
    await direct.call('agent', 'POST', `/tasks/${other}/cancel`);
    await direct.agentTaskWhen(other, 'ended', ended);
    expect(direct.strays()).toEqual([]);
  } finally {
    if (existsSync(hidden)) killIfThere(Number(readFileSync(hidden, 'utf8')));
    rmSync(folder, { recursive: true, force: true });
  }
});

test('P3: a git hook that leaves a daemon behind, with the pipes of git, holds up no start; the daemon ends with the task', async () => {
  await using system = await startSystem({ web: false });
  const daemon = join(system.home, 'daemon');
  const repo = makeRepo(system, `setsid sh -c 'echo $$ > ${daemon}; exec sleep 600' &`);
  const workspace = { worktree: { repo, ref: 'main' } };
  const id = await submit(system, { shell: `until [ -s ${daemon} ]; do sleep 0.05; done`, workspace });
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'completed', attempt: 1 });
  expect(isAlive(Number(readFileSync(daemon, 'utf8')))).toBe(false);
  await until('no worktree', () => worktreesOf(system, repo).length === 0);
});

/** What a hook runs to leave a daemon behind that is not of git's group and heeds no SIGTERM. */
const leaveDaemon = (daemon: string) =>
  `setsid sh -c 'trap "" TERM; echo $$ > ${daemon}; while :; do sleep 0.1; done' > /dev/null 2>&1 & ` +
  `until [ -s ${daemon} ]; do sleep 0.02; done`;

// Fails without: `giveUp` in supervise.ts, which ends what began before the failure is put on record.
test('P4, P8: what a hook of a start that failed left behind is ended before the task ends', async () => {
  await using system = await startSystem({ web: false, env: { HOLDFAST_KILL_GRACE_MS: '1000' } });
  const daemon = join(system.home, 'daemon');
  const repo = makeRepo(system, `${leaveDaemon(daemon)}; echo no >&2; exit 3`);
  const id = await submit(system, { command: ['true'], workspace: { worktree: { repo, ref: 'main' } } });
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task).toMatchObject({ status: 'failed', attempt: 1, outcome: { reason: 'workspace_failed' } });
  expect(isAlive(Number(readFileSync(daemon, 'utf8')))).toBe(false);
  expect(system.strays()).toEqual([]);
  expect(worktreesOf(system, repo)).toEqual([]);
});

test('P4, P8: what a start that took too long left behind is gone before the next attempt prepares', async () => {
  await using system = await startSystem({
    web: false,
    env: { HOLDFAST_KILL_GRACE_MS: '1000', HOLDFAST_PREPARE_MS: '2000' },
  });
  const daemon = join(system.home, 'daemon');
  const second = join(system.home, 'second');
  const repo = makeRepo(
    system,
    // A zombie has no command line.
    `if [ -s ${daemon} ]; then grep -qsz . /proc/$(cat ${daemon})/cmdline && echo alive >> ${second} || echo gone >> ${second}; exit 0; fi; ` +
      `${leaveDaemon(daemon)}; sleep 600`,
  );
  // On a slow machine git alone may take too long.
  const id = await submit(system, {
    command: ['true'],
    workspace: { worktree: { repo, ref: 'main' } },
    retry: { maxAttempts: 100 },
  });
  const task = await system.agentTaskWhen(id, 'ended', ended);
  expect(task.status).toBe('completed');
  expect(new Set((await content(second)).split('\n'))).toEqual(new Set(['gone']));
  expect(system.strays()).toEqual([]);
});

/** A program of root's that a user may run as root, where the system lets such programs be. */
function makeRootly(folder: string): string | undefined {
  const path = join(folder, 'setpriv');
  copyFileSync('/usr/bin/setpriv', path);
  chmodSync(path, 0o4755);
  const asRoot = spawnSync(path, ['--reuid=0', 'id', '-ru'], { ...NOBODY, encoding: 'utf8' });
  return asRoot.stdout?.trim() === '0' ? path : undefined;
}

// It takes two users, and a process of the one that the other may not kill.
test.skipIf(NOBODY.uid === undefined || !mayRunAsNobody())(
  'P4: a process that survives SIGKILL keeps the task running and its slot, and a person is told',
  async ({ skip }) => {
    await using system = new System({ web: false, env: { HOLDFAST_SLOTS: '1' } });
    await using _agent = await startAsNobody(system);
    const rootly = makeRootly(system.home);
    skip(rootly === undefined, 'no program runs as root for another user here');
    const started = join(system.home, 'started');
    const shell = `echo $$ > ${started}; exec ${rootly} --reuid=0 sleep 600`;
    const id = await submit(system, { shell });
    const survivor = Number(await content(started));
    await until('it to be root’s', () =>
      /^Uid:\s0\s/m.test(readFileSync(`/proc/${survivor}/status`, 'utf8')),
    );
    await system.call('agent', 'POST', `/tasks/${id}/cancel`);
    const next = await submit(system, { command: ['true'] });
    const task = await system.agentTaskWhen(id, 'with attention', (one) => one.attention !== undefined);
    expect(task).toMatchObject({ status: 'running', attention: [{ code: 'unkillable' }] });
    expect(task.attention![0]!.message).toContain(String(survivor));
    expect((await system.agentTask(next)).status).toBe('queued');
    killIfThere(survivor);
    expect((await system.agentTaskWhen(id, 'ended', ended)).status).toBe('cancelled');
    expect((await system.agentTaskWhen(next, 'ended', ended)).status).toBe('completed');
  },
);

async function submit(system: System, spec: Record<string, unknown>): Promise<string> {
  const id = uuidv7();
  const task = { id, sessionId: 'hard', spec: { workspace: { dir: '/' }, ...spec } };
  const answer = await system.call('agent', 'POST', '/tasks', task);
  expect(answer.status).toBe(201);
  return id;
}

test('P4: a journal that was restored in place knows nothing of what ran since: that is a stray, and is stopped before the attempt of the same number starts', async () => {
  await using system = await startSystem({ web: false });
  const marks = join(system.home, 'marks');
  await system.call('agent', 'POST', '/pool/pause');
  const id = await submit(system, {
    shell: `trap '' TERM; echo $$ >> ${marks}; while :; do sleep 0.1; done`,
  });
  await system.agent.end('SIGTERM');
  const [journal, copy] = [join(system.home, 'agent.db'), join(system.home, 'copy.db')];
  copyFileSync(journal, copy);
  await system.agent.start();
  await system.call('agent', 'POST', '/pool/resume');
  await system.agentTaskWhen(id, 'running', running);
  const [first] = (await content(marks)).split('\n');
  await system.agent.end('SIGTERM');
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${journal}${suffix}`, { force: true });
  copyFileSync(copy, journal);
  await system.agent.start();
  const audit = await system.call<{ strays: { pid: number }[] }>('agent', 'GET', '/audit');
  expect(audit.body.strays.map(({ pid }) => pid)).toContain(Number(first));
  await system.call('agent', 'POST', '/pool/resume');
  const task = await system.agentTaskWhen(id, 'running again', running);
  expect(task.attempt).toBe(1);
  const begun = await until('the second begin', () => {
    const lines = readFileSync(marks, 'utf8').trim().split('\n');
    return lines.length === 2 && lines;
  });
  expect(begun[1]).not.toBe(first);
  expect(isAlive(Number(first))).toBe(false);
  expect((await system.call<{ strays: unknown[] }>('agent', 'GET', '/audit')).body.strays).toEqual([]);
});

/** What a process wrote into a file, once it has. */
function content(path: string): Promise<string> {
  return until(`something in ${path}`, () =>
    existsSync(path) ? readFileSync(path, 'utf8').trim() || undefined : undefined,
  );
}
