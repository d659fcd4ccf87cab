import { chmodSync, mkdirSync, openSync, closeSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openDatabase } from '@holdfast/shared';
import { fileURLToPath } from 'node:url';
import {
  type FakeWeb,
  makeAgent,
  makeHome,
  makePool,
  NOW,
  type Ran,
  run,
  startFakeWeb,
  taskId,
  type TerminalOptions,
} from '../test-kit.ts';
import { judgeDisk } from '../doctor/home-checks.ts';
import { VERSION } from '../version.ts';

const emptyAudit = { at: NOW, tasks: [], ghosts: [], strays: [] };

/** A home where all is well; web and its agent are the same stand-in. */
async function startWell(): Promise<FakeWeb> {
  const web = await startFakeWeb();
  announce(web, process.pid);
  writeFileSync(join(web.home, 'agent.token'), 'test-token-0123456789', { mode: 0o600 });
  makeDatabase(web.home, 'agent');
  makeDatabase(web.home, 'web');
  setInfo(web);
  web.answers.set('GET /audit', () => [200, emptyAudit]);
  web.intercept = (request, response) => {
    if (request.path !== '/readyz') return false;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ready: true, checks: { journal: true, swept: true } }));
    return true;
  };
  return web;
}

function announce(web: FakeWeb, pid: number): void {
  writeFileSync(
    join(web.home, 'agents', 'a1.json'),
    JSON.stringify({ id: 'a1', name: 'laptop', url: web.url, pid }),
  );
}

function setInfo(web: FakeWeb, change: Record<string, unknown> = {}): void {
  const info = { agentId: 'a1', name: 'laptop', version: VERSION, at: NOW, sweepMs: 5000, sweptAt: NOW };
  web.answers.set('GET /agent', () => [
    200,
    { ...info, journalOk: true, live: 3, pool: makePool(), ...change },
  ]);
}

function makeDatabase(home: string, service: 'agent' | 'web'): void {
  const migrations = fileURLToPath(new URL(`../../../${service}/drizzle`, import.meta.url));
  openDatabase({ path: join(home, `${service}.db`), migrations }).close();
}

interface Found {
  check: string;
  level: string;
  message: string;
  hint?: string;
}

async function diagnose(home: string, options: TerminalOptions = {}): Promise<Ran & { found: Found[] }> {
  const ran = await run(['doctor', '--json'], { home, ...options });
  return { ...ran, found: JSON.parse(ran.stdout) };
}

const problems = (found: Found[]): string[] =>
  found.filter((one) => one.level !== 'ok').map((one) => `${one.level} ${one.check}: ${one.message}`);

test('of an agent that has not looked at its tasks yet nobody says that its sweep is on time', async () => {
  await using web = await startWell();
  setInfo(web, { sweptAt: 0 });
  const { stdout } = await run(['doctor'], { home: web.home });
  expect(stdout).toContain('its journal can be written (3 tasks not ended)');
  // Fails without: the condition of `sweptAt` in `checkVouching`.
  expect(stdout).not.toContain('its sweep is on time');
});

test('where all is well every check says so, and the exit code is 0', async () => {
  await using web = await startWell();
  const { code, found, stderr } = await diagnose(web.home);
  expect(problems(found)).toEqual([]);
  expect(code).toBe(0);
  expect(stderr).toBe('Everything that was checked is well.\n');
  expect(new Set(found.map((one) => one.check))).toEqual(
    new Set(
      [
        'program home config secrets disk journal store agent agent-ready clock journal-writable pool audit',
        'web web-ready link digest unknown',
      ].flatMap((names) => names.split(' ')),
    ),
  );
  const plain = await run(['doctor'], { home: web.home });
  expect(plain.stdout).toMatch(/^✓ ok +audit +0 live tasks, 0 ghosts, 0 strays$/m);
});

test('a home that does not exist, and one that is empty, say how to begin', async () => {
  using home = makeHome();
  const none = await diagnose(join(home.path, 'none'));
  expect(none.code).toBe(1);
  expect(problems(none.found)[0]).toContain('does not exist');
  const empty = await diagnose(home.path);
  expect(problems(empty.found)).toEqual(['fail agent: this home has no agent and no web yet']);
});

test('a home and secrets that others may read are failures that name the chmod', async () => {
  await using web = await startWell();
  chmodSync(web.home, 0o755);
  chmodSync(join(web.home, 'web.token'), 0o644);
  chmodSync(join(web.home, 'agent.db'), 0o640);
  const { code, found } = await diagnose(web.home);
  expect(code).toBe(1);
  expect(problems(found)).toEqual([
    expect.stringContaining('fail home:'),
    'fail secrets: web.token is open to others (mode 0644)',
    'fail secrets: agent.db is open to others (mode 0640)',
  ]);
  expect(found.find((one) => one.check === 'home')?.hint).toBe(`chmod 700 ${web.home}`);
});

test('a configuration is a secret once it holds the address of a channel', async () => {
  await using web = await startWell();
  const path = join(web.home, 'config.json');
  writeFileSync(path, '{"slots": 2}');
  chmodSync(path, 0o644);
  expect(problems((await diagnose(web.home)).found)).toEqual([]);
  const channels = { ops: { type: 'slack', url: 'https://hooks.slack.test/secret' } };
  writeFileSync(path, JSON.stringify({ notifications: { channels } }));
  expect(problems((await diagnose(web.home)).found)).toEqual([
    'fail secrets: config.json is open to others (mode 0644)',
  ]);
});

test('a configuration that is wrong is told, and keeps no other check from its turn', async () => {
  await using web = await startWell();
  writeFileSync(join(web.home, 'config.json'), '{"slots": "many"}');
  const { found } = await diagnose(web.home);
  expect(problems(found)).toEqual([expect.stringContaining('fail config: "slots" in config.json')]);
});

test('too little free space is told before and after the agent stops starting tasks', () => {
  const MB = 1e6;
  const judge = (freeBytes: number, totalBytes: number): string =>
    judgeDisk({ home: '/h', freeBytes, totalBytes, lowBytes: 500 * MB }).level;
  expect([1001, 999, 499].map((free) => judge(free * MB, 100_000 * MB))).toEqual(['ok', 'warn', 'fail']);
  // Of a small disk 5 % are enough.
  expect([101, 99, 49].map((free) => judge(free * MB, 1000 * MB))).toEqual(['ok', 'warn', 'fail']);
});

test('a damaged journal is a failure with what to do, one of a newer version is refused', async () => {
  await using web = await startWell();
  const path = join(web.home, 'agent.db');
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(3000, 0x5a), 0, 3000, 4096);
  closeSync(file);
  const damaged = await diagnose(web.home);
  expect(damaged.code).toBe(1);
  expect(problems(damaged.found)).toEqual([
    expect.stringContaining('fail journal: the journal agent.db is damaged'),
  ]);
  expect(damaged.found.find((one) => one.check === 'journal')?.hint).toContain('holdfast backup');
  writeFileSync(path, 'this is no database, but some text that is long enough to be looked at'.repeat(100));
  expect(problems((await diagnose(web.home)).found)).toEqual([expect.stringContaining('is damaged')]);

  rmSync(path);
  makeDatabase(web.home, 'agent');
  const database = new Database(path);
  database.exec(`INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('x', 9999999999999)`);
  database.close();
  chmodSync(path, 0o600);
  expect(problems((await diagnose(web.home)).found)).toEqual([
    'fail journal: the journal agent.db was written by a newer version of Holdfast',
  ]);
});

test('a look at a database that fails says nothing about it', async () => {
  await using web = await startWell();
  rmSync(join(web.home, 'agent.db'));
  mkdirSync(join(web.home, 'agent.db'), { mode: 0o700 });
  const { code, found } = await diagnose(web.home);
  expect(code).toBe(0);
  expect(problems(found)).toEqual([
    expect.stringContaining('warn journal: the journal agent.db could not be looked at'),
  ]);
});

test('an agent that does not run, or of another version, is a failure', async () => {
  await using web = await startWell();
  setInfo(web, { version: '9.9.9' });
  const { code, found } = await diagnose(web.home);
  expect(code).toBe(1);
  expect(problems(found)).toEqual([
    `fail agent: the agent laptop at ${web.url} is of version 9.9.9, this program of ${VERSION}`,
  ]);
  // The largest pid there can be: no such process.
  announce(web, 4_194_304);
  expect(problems((await diagnose(web.home)).found)).toEqual([
    'fail agent: the agent of this home does not run (it was pid 4194304)',
  ]);
});

test('a clock is judged with the round trip as its tolerance', async () => {
  await using web = await startWell();
  for (const [at, expected] of [
    [NOW + 60_000, /fail clock: the clock of the agent laptop at \S+ is 1:00 ahead of this one/],
    [NOW - 60_000, /fail clock: the clock of the agent laptop at \S+ is 1:00 behind this one/],
  ] as const) {
    setInfo(web, { at, sweptAt: at });
    expect(problems((await diagnose(web.home)).found)).toEqual([expect.stringMatching(expected)]);
  }
  let now = NOW;
  const slow = { now: () => (now += 70_000) };
  setInfo(web, { at: NOW + 75_000, sweptAt: NOW + 75_000 });
  const { found } = await diagnose(web.home, { change: slow });
  expect(found.find((one) => one.check === 'clock')?.level).toBe('ok');
});

test('a clock that web finds to be off is named, with its direction, how much, and what to do', async () => {
  await using web = await startWell();
  web.agents = [
    makeAgent('a1', 'laptop'),
    makeAgent('a2', 'fast', { clockAheadMs: 90_000 }),
    makeAgent('a3', 'slow', { clockAheadMs: -4000 }),
    makeAgent('a4', 'gone', { clockAheadMs: 9000, state: 'late' }),
  ];
  const { code, found } = await diagnose(web.home);
  expect(code).toBe(1);
  const clocks = found.filter((one) => one.check === 'agent-clock');
  expect(clocks.map(({ level, message }) => `${level} ${message}`)).toEqual([
    'fail the clock of fast is 1:30 ahead of that of web',
    'fail the clock of slow is 4.0 s behind that of web',
  ]);
  for (const { hint } of clocks) expect(hint).toContain('timedatectl set-ntp true');
});

test('doctor says of a count what it counts', async () => {
  await using web = await startWell();
  setInfo(web, { live: 12, pool: makePool({ queued: 0, claimed: 3 }) });
  const { stdout } = await run(['doctor'], { home: web.home });
  expect(stdout).toMatch(/^✓ ok +journal-writable +its journal can be written \(12 tasks not ended\), /m);
  expect(stdout).toMatch(
    /^✓ ok +pool +4 slots, 1 running, 0 waiting for a slot; 3 held by workers, 8 waiting for one$/m,
  );
  setInfo(web, { live: 1, pool: makePool({ queued: 0 }) });
  expect((await run(['doctor'], { home: web.home })).stdout).toMatch(
    /^✓ ok +pool +4 slots, 1 running, 0 waiting for a slot$/m,
  );
});

test('a journal that cannot be written, a sweep that is late and a service that is not ready are failures', async () => {
  await using web = await startWell();
  setInfo(web, { journalOk: false, sweptAt: NOW - 60_000 });
  web.intercept = (request, response) => {
    if (request.path !== '/readyz') return false;
    response.writeHead(503, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ready: false, checks: { journal: false, swept: true } }));
    return true;
  };
  const { found } = await diagnose(web.home);
  expect(problems(found)).toEqual([
    'fail agent-ready: the agent is not ready: journal',
    'fail journal-writable: its journal cannot be written',
    expect.stringContaining('fail journal-writable: it looked at its tasks 1 min ago'),
    'fail web-ready: web is not ready: journal',
  ]);
});

test('a pool that starts nothing is told, by whom', async () => {
  await using web = await startWell();
  const attention = [{ code: 'low_disk', message: '80 MB are free', sinceAt: NOW }];
  setInfo(web, { pool: makePool({ paused: true, attention }) });
  expect(problems((await diagnose(web.home)).found)).toEqual([
    'fail pool: it starts nothing: 80 MB are free (low_disk)',
    'warn pool: it is paused: 2 tasks wait for a slot',
  ]);
});

test('ghosts and strays are failures, each named; a proof that could not be had is none', async () => {
  await using web = await startWell();
  const unseen = {
    taskId: taskId(3),
    attempt: 1,
    proof: { kind: 'unseen', message: 'EACCES' },
    verifiedAt: NOW,
  };
  web.answers.set('GET /audit', () => [
    200,
    {
      at: NOW,
      tasks: [unseen],
      ghosts: [{ taskId: taskId(1), attempt: 1, status: 'running', message: 'no process' }],
      strays: [{ pid: 77, startedAt: NOW, taskId: taskId(2), attempt: 1, message: 'sleep 60' }],
    },
  ]);
  const { code, found } = await diagnose(web.home);
  expect(code).toBe(1);
  expect(problems(found)).toEqual([
    expect.stringContaining(`fail audit: ghost: task ${taskId(1)} is running`),
    expect.stringContaining('fail audit: stray: process 77 belongs to no live task'),
    expect.stringContaining(`warn audit: task ${taskId(3)} could not be looked at: EACCES`),
  ]);
});

test('links of web, digests that differ and unknown tasks are told by agent', async () => {
  await using web = await startWell();
  web.agents = [
    makeAgent('a1', 'laptop', { digestOk: false }),
    makeAgent('a2', 'build-2', { state: 'lost', asOf: NOW - 60_000, detail: 'connection refused' }),
    makeAgent('a3', 'build-3', { state: 'late', asOf: NOW - 7000, digestOk: false }),
    makeAgent('a4', 'old', { version: '0.0.1' }),
  ];
  web.answers.set('GET /state', () => [
    200,
    { agents: web.agents, counts: { unknown: 2 }, version: VERSION },
  ]);
  expect(problems((await diagnose(web.home)).found)).toEqual([
    'fail link: web’s link to build-2 is lost, last proof 1 min ago: connection refused',
    'warn link: web’s link to build-3 is late, last proof 7 s ago',
    expect.stringContaining('warn link: web’s link to old is live'),
    'fail digest: web and laptop do not agree on its live tasks',
    'warn digest: whether web and build-2 agree on its live tasks is not known; they did as of 1 min ago',
    'warn digest: whether web and build-3 agree on its live tasks is not known; they did not as of 7 s ago',
    'warn unknown: the status of 2 tasks is not known',
  ]);
});

test('nobody is said to know every status while a link is not live', async () => {
  await using web = await startWell();
  web.agents = [makeAgent('a1', 'laptop', { state: 'late', asOf: NOW - 7000 })];
  const { found } = await diagnose(web.home);
  expect(problems(found)).toContain(
    'warn unknown: no task is unknown yet, but nobody vouches for those of laptop now',
  );
});

test('a notification channel that is not reached is a failure with its reason, one that lost messages a warning', async () => {
  await using web = await startWell();
  const channel = { name: 'ops', host: 'hooks.example', state: 'ok', waiting: 0, dropped: 0 };
  const lastTry = { at: NOW - 60_000, delivered: false, error: 'it answered 404' };
  const channels = [
    channel,
    { ...channel, name: 'idle', state: 'untried' },
    { ...channel, name: 'lossy', dropped: 1 },
    { ...channel, name: 'broken', state: 'failing', lastTry, waiting: 2 },
  ];
  web.answers.set('GET /notifications', () => [200, { channels, alerts: [] }]);
  const { code, found } = await diagnose(web.home);
  expect(code).toBe(1);
  expect(problems(found)).toEqual([
    'warn notifications: channel lossy (hooks.example) is reached again, 1 message of the last 7 days given up',
    'fail notifications: channel broken (hooks.example) is not reached: it answered 404, last try 1 min ago, 2 messages wait',
  ]);
  expect(found.find((one) => one.level === 'fail')?.hint).toContain('config.json');
});

test('a service that is silent is told in words, never in those of a library', async () => {
  await using web = await startWell();
  const timeout = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
  const { found } = await diagnose(web.home, { change: { fetch: () => Promise.reject(timeout) } });
  const told = problems(found);
  expect(told).toContain('fail web-ready: web does not answer /readyz: no answer within 5 s');
  expect(told).toContain(`fail web: Web at ${web.url} does not answer: no answer within 20 s`);
  expect(told.join()).not.toContain('aborted');
  const hint = found.find((one) => one.check === 'web')?.hint ?? '';
  expect(hint).toContain(`kill -CONT ${process.pid}`);
  expect(hint).not.toContain('Start it');
});

test('a token that web does not take is told as such', async () => {
  await using web = await startWell();
  writeFileSync(join(web.home, 'web.token'), 'another', { mode: 0o600 });
  const { found } = await diagnose(web.home);
  expect(problems(found)).toEqual([
    `fail web: Web at ${web.url} does not take the token in ${join(web.home, 'web.token')}`,
  ]);
});

test('with --agent-url that agent alone is looked at', async () => {
  await using web = await startWell();
  const argv = ['doctor', '--json', '--agent-url', web.url, '--token-file', join(web.home, 'agent.token')];
  const { code, stdout } = await run(argv);
  expect(code).toBe(0);
  const found: Found[] = JSON.parse(stdout);
  expect(new Set(found.map((one) => one.check))).toEqual(
    new Set(['agent', 'agent-ready', 'clock', 'journal-writable', 'pool', 'audit']),
  );
});

test('on a terminal each finding is a shape and a word, with what to do under it', async () => {
  await using web = await startWell();
  chmodSync(join(web.home, 'web.token'), 0o644);
  const colored = await run(['doctor'], { home: web.home, columns: 100 });
  expect(colored.stdout).toContain('\u001b[31m✗ fail\u001b[39m');
  const { stdout, stderr } = await run(['doctor'], { home: web.home, columns: 100, env: { NO_COLOR: '1' } });
  expect(stdout).toMatch(/^✗ fail +secrets +web\.token is open to others \(mode 0644\)\n +→ chmod 600 /m);
  expect(stderr).toBe('1 failed, 0 to look at; → says what to do.\n');
});

test('findings are wrapped to the terminal, and on a narrow one stand below their check', async () => {
  await using web = await startWell();
  chmodSync(join(web.home, 'web.token'), 0o644);
  for (const columns of [100, 60, 40]) {
    const { stdout } = await run(['doctor'], { home: web.home, columns, env: { NO_COLOR: '1' } });
    // A path is never broken: it is there to be copied.
    const long = stdout.split('\n').filter((line) => line.length > columns && !line.includes(web.home));
    expect(long).toEqual([]);
  }
  const { stdout } = await run(['doctor'], { home: web.home, columns: 40, env: { NO_COLOR: '1' } });
  expect(stdout).toMatch(
    /^✗ fail +secrets\n {2}web\.token is open to others \(mode\n {2}0644\)\n {2}→ chmod 600/m,
  );
});
