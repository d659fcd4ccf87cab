/** The real `holdfast` against real services: what a person at a terminal, or a script, relies on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import {
  PoolSchema,
  type ShownAgent,
  ShownAgentSchema,
  ShownSessionSchema,
  type ShownTask,
  ShownTaskSchema,
} from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { LEASE_MS, leaveOfLease } from './leases.ts';
import { NEVER_LOST, startSystem, System, type SystemOptions, until } from './system.ts';

/** Generous, as in system.ts. */
const PATIENCE_MS = 90_000;
const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../packages/cli/src/main.ts');

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface Running {
  done: Promise<Ran>;
  stdout: () => string;
  signal: (signal: NodeJS.Signals) => void;
}

/** The program as a process of its own, in the home of the system. */
function startCli(system: System, ...argv: string[]): Running {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env: system.env,
    cwd: system.home,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const done = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { done, stdout: () => stdout, signal: (signal) => child.kill(signal) };
}

const cli = (system: System, ...argv: string[]): Promise<Ran> => startCli(system, ...argv).done;

async function submit(system: System, ...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(system, 'run', '--session', 'cli', '--', ...command);
  expect([code, stderr]).toEqual([0, '']);
  return stdout.trim();
}

interface Finding {
  check: string;
  level: string;
  message: string;
}

async function diagnose(system: System): Promise<{ code: number | null; found: Finding[] }> {
  const { code, stdout } = await cli(system, 'doctor', '--json');
  return { code, found: JSON.parse(stdout) as Finding[] };
}

/** Diagnoses until `seen` of it is as expected: on a slow machine the link is late, or a sweep is, now and then. */
async function expectDiagnosis(
  system: System,
  seen: (found: Finding[]) => unknown,
  expected: unknown,
): Promise<{ code: number | null; found: Finding[] }> {
  let last = await diagnose(system);
  const look = async () => {
    const told = seen(last.found);
    if (!isDeepStrictEqual(told, expected)) last = await diagnose(system);
    return told;
  };
  await expect.poll(look, { timeout: PATIENCE_MS }).toEqual(expected);
  return last;
}

const messageOf = (found: Finding[], check: string): string | undefined =>
  found.find((one) => one.check === check)?.message;

const levelOfDigest = (found: Finding[]): string | undefined =>
  found.find((one) => one.check === 'digest')?.level;

const failures = (found: Finding[]): string[] =>
  found.filter((one) => one.level === 'fail').map((one) => `${one.check}: ${one.message}`);

test('run --wait ends with the task’s own code, and list and show tell of it', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const ran = await cli(system, 'run', '--wait', '--session', 'cli', '--', 'sh', '-c', 'exit 7');
  expect(ran.code).toBe(7);
  const id = ran.stdout.trim();
  const list = await cli(system, 'list', '--session', 'cli');
  expect(list.stdout).toMatch(new RegExp(`^${id} +✗ failed .* 7 +test-agent +cli +sh -c exit 7$`, 'm'));
  const show = await cli(system, 'show', id.slice(0, 13), '--json');
  expect(JSON.parse(show.stdout)).toMatchObject({ id, status: 'failed', outcome: { exitCode: 7 } });
});

test('logs -f follows to the end, cancel stops, wait tells of both, retry runs again', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await submit(
    system,
    'sh',
    '-c',
    'echo begun; while [ ! -e go ]; do sleep 0.05; done; echo over',
  );
  const logs = startCli(system, 'logs', '-f', id);
  await until('the first line', () => logs.stdout().includes('begun'));
  const hung = await submit(system, 'sleep', '600');
  await system.webTaskWhen(hung, 'running', (task) => task.status === 'running');
  const wait = startCli(system, 'wait', id, hung);
  const cancel = await cli(system, 'cancel', hung);
  expect(cancel.code).toBe(0);
  expect((await cli(system, 'run', '--wait', '--', 'touch', 'go')).code).toBe(0);
  expect(await logs.done).toEqual({ code: 0, stdout: 'begun\nover\n', stderr: '' });
  const waited = await wait.done;
  expect(waited.code).toBe(1);
  expect(waited.stdout.trim().split('\n').toSorted()).toEqual(
    [`${hung}  cancelled`, `${id}  completed`].toSorted(),
  );

  const again = await cli(system, 'retry', id);
  expect(again.code).toBe(0);
  expect((await cli(system, 'wait', again.stdout.trim())).code).toBe(0);
  expect((await system.webTask(again.stdout.trim())).retryOf).toBe(id);
  expect((await cli(system, 'cancel', id)).code).toBe(4);
});

test('events tells how it went, and logs --tail how it ended; a retry that is repeated by its id is one task', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await submit(system, 'sh', '-c', 'echo one; echo two; echo three; exit 3');
  expect((await cli(system, 'wait', id)).code).toBe(3);
  expect((await cli(system, 'logs', '--tail', '2', id)).stdout).toBe('two\nthree\n');
  const direct = ['--agent-url', system.agent.url];
  for (const through of [[], direct]) {
    const { code, stdout, stderr } = await cli(system, 'events', id, ...through);
    expect([code, stderr]).toEqual([0, '']);
    const kinds = stdout.trimEnd().split('\n').slice(1);
    expect(kinds.map((line) => /(submitted|claimed|started|failed)\b/.exec(line)?.[1])).toEqual([
      'submitted',
      'claimed',
      'started',
      'failed',
    ]);
    expect(kinds.at(-1)).toMatch(/running → failed +exit 3, 14 B of output$/);
  }
  expect(await cli(system, 'logs', '--tail', '1', id, ...direct)).toMatchObject({
    code: 0,
    stdout: 'three\n',
  });

  const newId = uuidv7();
  for (const _ of [1, 2]) {
    const again = await cli(system, 'retry', id, '--id', newId);
    expect(again).toEqual({ code: 0, stdout: `${newId}\n`, stderr: '' });
  }
  expect((await cli(system, 'wait', newId)).code).toBe(3);
  const { stdout } = await cli(system, 'list', '--json', '-q', 'echo three', '--order', 'oldest');
  expect((JSON.parse(stdout) as ShownTask[]).map((task) => task.id)).toEqual([id, newId]);
});

test('all that fit are cancelled, and retried, in one command, and nothing else is', async () => {
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SLOTS: '9' } });
  const mine = [await submit(system, 'sleep', '600'), await submit(system, 'sleep', '600')].toSorted();
  const other = (await cli(system, 'run', '--session', 'other', '--', 'sleep', '600')).stdout.trim();
  for (const id of [...mine, other])
    await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  const row = new RegExp(`^${mine[0]} +● running +cli +sleep 600 +would be done$`, 'm');
  await until('the dry run of what is vouched for', async () => {
    const dry = await cli(system, 'cancel', '--session', 'cli', '--dry-run');
    expect([dry.code, dry.stderr]).toEqual([0, 'Would cancel 2 tasks.\n']);
    return row.test(dry.stdout);
  });
  expect((await system.webTask(mine[0]!)).stopRequested).toBeUndefined();
  const cancel = await cli(system, 'cancel', '--session', 'cli', '-y');
  expect([cancel.code, cancel.stderr]).toEqual([0, '']);
  expect(cancel.stdout.trimEnd().split('\n').toSorted()).toEqual(
    mine.map((id) => `${id}  its agent has the request`),
  );
  expect((await cli(system, 'wait', ...mine)).code).toBe(1);
  expect((await system.webTask(other)).status).toBe('running');
  const ids: string[][] = [];
  for (const _ of [1, 2]) {
    const retry = await cli(system, 'retry', '--session', 'cli', '--status', 'cancelled', '-y');
    expect([retry.code, retry.stderr]).toEqual([0, '']);
    ids.push(retry.stdout.trimEnd().split('\n'));
  }
  // What was retried is not retried twice.
  expect(ids[0]).toHaveLength(2);
  expect(ids[1]).toEqual(ids[0]);
  expect((await cli(system, 'cancel', '--status', 'running,queued,starting', '-y')).code).toBe(0);
});

test('tasks that wait for a worker are told apart from those that wait for a slot', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const queued = [];
  for (const _ of [1, 2, 3]) queued.push((await cli(system, 'run', '--queue', 'ci')).stdout.trim());
  for (const id of queued) await system.webTaskWhen(id, 'queued', (task) => task.status === 'queued');
  const claim = { claimId: 'c1', queue: 'ci', worker: 'worker-1', leaseMs: LEASE_MS, waitMs: 0 };
  expect((await system.call('agent', 'POST', '/claims', claim)).status).toBe(200);
  for (const through of [[], ['--agent-url', system.agent.url]]) {
    await until('both to be told', async () => {
      const { stdout } = await cli(system, 'pool', ...through);
      return /^test-agent +live +4 +0 +0 +1 +2 +starting tasks$/m.test(stdout);
    });
  }
  await expectDiagnosis(system, (found) => [messageOf(found, 'pool'), messageOf(found, 'journal-writable')], [
    '4 slots, 0 running, 0 waiting for a slot; 1 held by workers, 2 waiting for one',
    'its journal can be written (3 tasks not ended), its sweep is on time',
  ]);
});

test('a running task is reclaimed by a person and runs again; what is not stale is not', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await submit(system, 'sleep', '600');
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  const stale = await cli(system, 'reclaim', '--stale', '--dry-run', '--json');
  expect([stale.code, JSON.parse(stale.stdout)]).toEqual([0, { items: [], unreachable: [] }]);
  expect((await cli(system, 'reclaim', '--stale')).code).toBe(2);

  const reclaim = await cli(system, 'reclaim', id, '--reason', 'it hangs');
  expect([reclaim.code, reclaim.stderr]).toEqual([0, '']);
  const second = await system.webTaskWhen(
    id,
    'in its second attempt',
    (task) => task.attempt === 2 && task.status === 'running',
  );
  expect(second.status).toBe('running');
  const events = await system.agentEvents(id);
  expect(events.some((event) => event.kind === 'requeued' && event.reason === 'reclaimed')).toBe(true);
});

test('what a dead worker held is stale, is shown with its evidence, and reclaimed on demand', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const queued = await cli(system, 'run', '--queue', 'ci', '--title', 'a job');
  const id = queued.stdout.trim();
  await system.agentTaskWhen(id, 'queued', (task) => task.status === 'queued');
  const claim = { claimId: 'c1', queue: 'ci', worker: 'worker-1', leaseMs: LEASE_MS, waitMs: 0 };
  expect((await system.call('agent', 'POST', '/claims', claim)).status).toBe(200);
  // Silent for more than half its lease.
  leaveOfLease(system, id, LEASE_MS / 4);
  const dry = await cli(system, 'reclaim', '--stale', '--dry-run', '--json');
  expect(JSON.parse(dry.stdout)).toMatchObject({
    items: [{ taskId: id, result: 'wouldReclaim', agentName: 'test-agent' }],
  });
  const done = await cli(system, 'reclaim', '--stale', '-y');
  expect(done.stdout).toMatch(/test-agent +1 .* requeue +reclaimed$/m);
  expect(done.code).toBe(0);
  await system.agentTaskWhen(id, 'queued again', (task) => task.status === 'queued');
});

test('an agent that is gone makes reclaim --stale 75 and doctor 1, both by name', async () => {
  await using system = await startSystem();
  const id = await submit(system, 'sleep', '600');
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await system.agent.end('SIGKILL');
  await system.untilAgentIs('lost');
  const reclaim = await cli(system, 'reclaim', '--stale', '-y');
  expect(reclaim.code).toBe(75);
  expect(reclaim.stderr).toContain('agent test-agent was not asked');
  await system.webTaskWhen(id, 'unknown', (task) => task.status === 'unknown');
  const { code, found } = await diagnose(system);
  expect(code).toBe(1);
  expect(failures(found)).toEqual([
    expect.stringContaining('agent: the agent of this home does not run'),
    expect.stringContaining('link: web’s link to test-agent is lost'),
  ]);
  const wait = await cli(system, 'wait', id, '--patience', '200ms');
  expect(wait.code).toBe(75);
  await system.agent.start();
  expect((await cli(system, 'cancel', id)).code).toBe(0);
});

test('pool pauses, drains and changes the slots of the agent', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  // The link may be late at a moment; to ask for a pause again changes nothing.
  await until('the pool that is vouched for', async () =>
    /^test-agent +live +4 +0 +0 +0 +paused$/m.test((await cli(system, 'pool', 'pause')).stdout),
  );
  const id = await submit(system, 'true');
  await system.agentTaskWhen(id, 'queued', (task) => task.status === 'queued');
  expect((await cli(system, 'pool', 'slots', '2', '--json')).stdout).toContain('"slots": 2');
  await cli(system, 'pool', 'resume');
  expect((await cli(system, 'wait', id)).code).toBe(0);
  const busy = await submit(system, 'sh', '-c', 'while [ ! -e go ]; do sleep 0.05; done');
  await system.webTaskWhen(busy, 'running', (task) => task.status === 'running');
  const drain = startCli(system, 'pool', 'drain', '--wait');
  await until('the agent to drain', async () => {
    const { body } = await system.call<{ draining: boolean }>('agent', 'GET', '/pool');
    return body.draining;
  });
  const later = await submit(system, 'true');
  mkdirSync(join(system.home, 'go'));
  expect(await drain.done).toMatchObject({ code: 0, stdout: 'test-agent is empty\n' });
  expect((await system.agentTask(later)).status).toBe('queued');
  const status = await cli(system, 'pool', 'status', '--agent-url', system.agent.url);
  expect(status.stdout).toMatch(/drained, empty$/m);
});

test('doctor finds nothing wrong with a healthy system, and says what is wrong with one that is not', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await submit(system, 'sleep', '600');
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  chmodSync(system.home, 0o700);
  const well = await expectDiagnosis(
    system,
    (found) => ({ failed: failures(found), audit: messageOf(found, 'audit') }),
    { failed: [], audit: '1 live task, 0 ghosts, 0 strays' },
  );
  expect(well.code).toBe(0);
  expect(new Set(well.found.map((one) => one.check)).size).toBeGreaterThan(15);

  chmodSync(join(system.home, 'web.token'), 0o644);
  const open = await cli(system, 'doctor');
  expect(open.code).toBe(1);
  expect(open.stdout).toMatch(
    /^✗ fail +secrets +web\.token is open to others \(mode 0644\)\n +→ chmod 600 /m,
  );
});

// These two wait, far longer than they work, for what does not come: side by side.
test.concurrent('a web that accepts and never answers is told apart from one that does not run, by its pid', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await submit(system, 'sleep', '600');
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  system.web.signal('SIGSTOP');
  const [list, rename, cancel, wait, doctor] = await Promise.all([
    cli(system, 'list'),
    cli(system, 'sessions', 'rename', 'cli', 'Frozen'),
    cli(system, 'cancel', id),
    cli(system, 'wait', id),
    diagnose(system),
  ]);
  expect(list.code).toBe(1);
  expect(list.stderr).toContain(`Web at ${system.web.url} does not answer: no answer within 20 s\n`);
  expect(list.stderr).toContain(`kill -CONT ${system.web.pid}`);
  expect(list.stderr).toContain(`go round it: --agent-url ${system.agent.url}\n`);
  expect(list.stderr).not.toContain('Start it');
  // What was written may have been done.
  expect([rename.code, cancel.code, wait.code]).toEqual([75, 75, 75]);
  expect(doctor.code).toBe(1);
  // What a slow machine makes of the agent is not the point here.
  expect(failures(doctor.found).filter((one) => one.startsWith('web'))).toEqual([
    `web: Web at ${system.web.url} does not answer: no answer within 20 s`,
    'web-ready: web does not answer /readyz: no answer within 5 s',
  ]);

  system.web.signal('SIGCONT');
  expect((await cli(system, 'list')).code).toBe(0);
  await system.web.end();
  const gone = await cli(system, 'list');
  expect(gone.code).toBe(1);
  expect(gone.stderr).toContain('holdfast up');
});

test.concurrent('nothing that is known only over a lost link looks like a fact', async () => {
  await using system = await startSystem();
  const id = await submit(system, 'sleep', '600');
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  system.agent.signal('SIGSTOP');
  await system.untilAgentIs('lost');
  const pool = await cli(system, 'pool', 'status');
  // Its last heartbeat may have been before the task began.
  expect(pool.stdout).toMatch(/^test-agent +lost, as of .+ ago +4\? +\d\? +\d\? +0\? +starting tasks\?$/m);
  // Each waits for the agent for as long as it may.
  const [{ found }, stats, paused] = await Promise.all([
    diagnose(system),
    cli(system, 'stats'),
    cli(system, 'pool', 'pause'),
  ]);
  expect(found.find((one) => one.check === 'digest')).toMatchObject({
    level: 'warn',
    message: expect.stringMatching(/^whether .* is not known; they did as of .+ ago$/),
  });
  expect([stats.code, stats.stdout]).toEqual([75, expect.stringMatching(/^stale +0\?$/m)]);
  // What is asked of an agent that does not answer may have reached it.
  expect([paused.code, paused.stderr]).toEqual([
    75,
    expect.stringContaining('whether it was done is not known'),
  ]);
});

test('what real services answer has the keys that help json promises', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const ran = await cli(system, 'run', '--wait', '--json', '--session', 'cli', '--', 'echo', 'x');
  const json = async <T>(...argv: string[]): Promise<T> => {
    const { code, stdout, stderr } = await cli(system, ...argv, '--json');
    expect([argv, code, stderr]).toEqual([argv, 0, '']);
    return JSON.parse(stdout) as T;
  };
  const id = ShownTaskSchema.parse(JSON.parse(ran.stdout)).id;
  for (const task of await json<unknown[]>('list')) ShownTaskSchema.parse(task);
  ShownTaskSchema.parse(await json('show', id));
  const agents = await json<unknown[]>('agents', 'list');
  for (const agent of agents) ShownAgentSchema.parse(agent);
  const sessions = await json<unknown[]>('sessions', 'list');
  for (const session of sessions) ShownSessionSchema.parse(session);
  const pools = await json<{ pool: unknown }[]>('pool', 'status');
  for (const { pool } of pools) PoolSchema.parse(pool);
  expect([agents.length, sessions.length, pools.length]).toEqual([1, 1, 1]);
  const again = await json<{ task: unknown }[]>('retry', id);
  for (const { task } of again) ShownTaskSchema.parse(task);
});

test('runners and stats are answered by the agent', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const runners = await cli(system, 'runners', '--json');
  expect([runners.code, runners.stderr]).toEqual([0, '']);
  for (const row of JSON.parse(runners.stdout) as object[])
    expect(row).toMatchObject({ agentName: 'test-agent' });
  const stats = await cli(system, 'stats', '--json');
  expect([stats.code, stats.stderr]).toEqual([0, '']);
  expect(JSON.parse(stats.stdout)).toMatchObject({ oldestRunning: null, notVouchedFor: 0, stale: [] });
});

test('watch tells of each change as it happens', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const watch = startCli(system, 'watch', '--session', 'cli', '--json');
  const gate = join(system.home, 'gate');
  // Alive until it was told of: what has ended before the watch began is no change.
  const id = await submit(system, 'sh', '-c', `until [ -e ${gate} ]; do sleep 0.05; done; exit 3`);
  await until('it to be told', () => watch.stdout().includes(id));
  writeFileSync(gate, '');
  await until('the end to be told', () => watch.stdout().includes('"status":"failed"'));
  watch.signal('SIGINT');
  expect((await watch.done).code).toBe(0);
  const tasks = watch
    .stdout()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ShownTask);
  expect(new Set(tasks.map((task) => task.id))).toEqual(new Set([id]));
  expect(tasks.at(-1)).toMatchObject({ status: 'failed', outcome: { exitCode: 3 } });
});

/** Who the agent's journal is. */
async function epochOf(system: System): Promise<string> {
  return (await system.call<{ epoch: string }>('agent', 'GET', '/agent')).body.epoch;
}

test('a home started from a backup has all that was there, under a new epoch, and web takes it as its own', async () => {
  const options: SystemOptions = { env: { HOLDFAST_SLOTS: '2' } };
  await using system = await startSystem(options);
  const copy = join(system.home, 'copy');
  const before = await submit(system, 'sh', '-c', 'exit 4');
  expect((await cli(system, 'wait', before)).code).toBe(4);
  expect((await cli(system, 'sessions', 'rename', 'cli', 'What people asked')).code).toBe(0);
  mkdirSync(copy, { mode: 0o700 });
  const backup = await cli(system, 'backup', copy, '--json');
  expect([backup.code, backup.stderr]).toEqual([0, '']);
  const epoch = await epochOf(system);
  const after = await submit(system, 'true');
  expect((await cli(system, 'wait', after)).code).toBe(0);
  await system.web.end();
  await system.agent.end();

  await using restored = new System({ ...options, home: copy });
  await restored.agent.start();
  await restored.web.start();
  await restored.untilAgentIs('live');
  expect(await epochOf(restored)).not.toBe(epoch);
  const agents = await restored.call<{ items: ShownAgent[] }>('web', 'GET', '/api/agents');
  expect(agents.body.items).toHaveLength(1);
  expect(await restored.agentTask(before)).toMatchObject({ status: 'failed', outcome: { exitCode: 4 } });
  expect((await restored.call('agent', 'GET', `/tasks/${after}`)).status).toBe(404);
  const task = await restored.webTaskWhen(before, 'as it was', (one) => one.knowledge.state === 'live');
  expect(task).toMatchObject({ status: 'failed', outcome: { exitCode: 4 } });
  expect((await cli(restored, 'sessions', 'list')).stdout).toContain('What people asked');
  const more = await submit(restored, 'true');
  expect((await cli(restored, 'wait', more)).code).toBe(0);
  await expectDiagnosis(restored, levelOfDigest, 'ok');
});

test('a journal put back from a backup is another journal to a web that followed the original', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await submit(system, 'true');
  expect((await cli(system, 'wait', id)).code).toBe(0);
  const file = join(system.home, 'nightly.db');
  expect((await cli(system, 'backup', file)).code).toBe(0);
  const epoch = await epochOf(system);
  const since = await submit(system, 'true');
  expect((await cli(system, 'wait', since)).code).toBe(0);
  await system.agent.end();
  for (const suffix of ['-wal', '-shm']) rmSync(join(system.home, `agent.db${suffix}`), { force: true });
  copyFileSync(file, join(system.home, 'agent.db'));
  await system.agent.start();
  await system.untilAgentIs('live');
  expect(await epochOf(system)).not.toBe(epoch);
  const { stdout } = await cli(system, 'list', '--json');
  // What ended after the copy was made is final, although this journal has never heard of it.
  expect(JSON.parse(stdout)).toMatchObject([
    { id: since, status: 'completed' },
    { id, status: 'completed' },
  ]);
  await expectDiagnosis(system, levelOfDigest, 'ok');
});
