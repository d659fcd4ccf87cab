import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { Pool } from '@holdfast/shared';
import { runCli } from '../cli.ts';
import {
  type FakeWeb,
  makeAgent,
  makePool,
  makeTask,
  NOW,
  openTerminal,
  run,
  startFakeWeb,
  taskId,
} from '../test-kit.ts';

test('status shows every pool, and how fresh what is shown is', async () => {
  await using web = await startFakeWeb();
  web.agents = [
    makeAgent('a1', 'laptop'),
    makeAgent('a2', 'build-2', { state: 'lost', asOf: NOW - 40_000, pool: makePool({ paused: true }) }),
    makeAgent('a3', 'new', { state: 'connecting', asOf: 0 }),
  ];
  delete web.agents[2]?.pool;
  const { code, stdout, stderr } = await run(['pool', 'status'], { home: web.home });
  expect(code).toBe(0);
  expect(stderr).toBe('');
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^AGENT +LINK +SLOTS +RUNNING +WAIT FOR SLOT +CLAIMED +WAIT FOR WORKER +MODE$/);
  expect(lines[1]).toMatch(/^laptop +live +4 +1 +2 +0 +0 +starting tasks$/);
  expect(lines[2]).toMatch(/^build-2 +lost, as of 40 s ago +4\? +1\? +2\? +0\? +\? +paused\?$/);
  expect(lines[3]).toMatch(/^new +connecting, no proof yet +\? +\? +\? +\? +\? +\?$/);
});

test('tasks of named queues are no queue of the pool: they are counted as what they wait for', async () => {
  await using web = await startFakeWeb();
  web.agents = [makeAgent('a1', 'laptop', { pool: makePool({ queued: 0, claimed: 7 }) })];
  for (let n = 1; n <= 5; n += 1) web.tasks.set(taskId(n), makeTask(n, { queue: n < 5 ? 'ci' : 'default' }));
  const { stdout } = await run(['pool', 'status'], { home: web.home });
  expect(stdout).toMatch(/^laptop +live +4 +1 +0 +7 +4 +starting tasks$/m);
  const asked = web.requests.find((request) => request.path === '/api/tasks')?.query;
  expect([asked?.get('agent'), asked?.get('status')]).toEqual(['a1', 'queued']);
  const json = await run(['pool', 'status', '--json'], { home: web.home });
  expect(JSON.parse(json.stdout)).toMatchObject([{ pool: { claimed: 7 }, waitingForWorkers: 4 }]);
  // An agent that is asked itself says how many have not ended: 20 = 1 running + 0 waiting + 7 claimed + 12.
  const info = { agentId: 'a9', name: 'far', at: NOW, live: 20, pool: web.agents[0]?.pool };
  web.answers.set('GET /agent', () => [200, info]);
  const direct = ['--agent-url', web.url, '--token-file', `${web.home}/web.token`];
  expect((await run(['pool', ...direct])).stdout).toMatch(/^far +live +4 +1 +0 +7 +12 +starting tasks$/m);
});

test('what keeps an agent from starting tasks is said', async () => {
  await using web = await startFakeWeb();
  const attention = [{ code: 'low_disk', message: '480 MB are free', sinceAt: NOW - 60_000 }];
  web.agents = [makeAgent('a1', 'laptop', { pool: makePool({ attention }) })];
  const { stdout, stderr } = await run(['pool', 'status'], { home: web.home });
  expect(stdout).toContain('! low_disk');
  expect(stderr).toBe('! laptop: 480 MB are free (low_disk, since 1 min)\n');
  const late = { state: 'late', asOf: NOW - 8000 } as const;
  web.agents = [makeAgent('a1', 'laptop', { ...late, pool: makePool({ attention }) })];
  expect((await run(['pool', 'status'], { home: web.home })).stderr).toBe(
    '! laptop: 480 MB are free (low_disk, since 1 min, as of 8 s ago)\n',
  );
});

test('--json prints one array, or the one pool that was changed', async () => {
  await using web = await startFakeWeb();
  const seen = { agentId: 'agent-1', agentName: 'laptop', state: 'live', asOf: NOW, pool: makePool() };
  const status = await run(['pool', 'status', '--json'], { home: web.home });
  expect(JSON.parse(status.stdout)).toEqual([{ ...seen, waitingForWorkers: 0 }]);
  web.answers.set('POST /agents/agent-1/pause', () => [200, makePool({ paused: true })]);
  const pause = await run(['pool', 'pause', '--json'], { home: web.home });
  expect(JSON.parse(pause.stdout)).toEqual({ ...seen, pool: makePool({ paused: true }) });
});

test('pause, resume and slots change the only agent, or the one that is named', async () => {
  await using web = await startFakeWeb();
  web.answers.set('POST /agents/agent-1/pause', () => [200, makePool({ paused: true })]);
  expect((await run(['pool', 'pause'], { home: web.home })).stdout).toMatch(/^laptop .* paused$/m);
  web.agents.push(makeAgent('a2', 'build-2'));
  const several = await run(['pool', 'resume'], { home: web.home });
  expect(several.code).toBe(2);
  expect(several.stderr).toContain('there are several agents: laptop, build-2');
  web.answers.set('PATCH /agents/a2', (request) => [200, makePool(Object(request.body))]);
  const slots = await run(['pool', 'slots', '9', '--agent', 'build-2'], { home: web.home });
  expect(slots.code).toBe(0);
  expect(slots.stdout).toMatch(/^build-2 +live +9 /m);
});

test('an agent that does not exist, a name that two share, and a wrong number change nothing', async () => {
  await using web = await startFakeWeb();
  web.agents.push(makeAgent('a2', 'twin'), makeAgent('a3', 'twin'));
  const none = await run(['pool', 'pause', '--agent', 'x'], { home: web.home });
  expect(none.code).toBe(4);
  expect(none.stderr).toContain('There are: laptop, twin, twin');
  const twins = await run(['pool', 'pause', '--agent', 'twin'], { home: web.home });
  expect(twins.code).toBe(2);
  expect(twins.stderr).toContain('a2, a3');
  expect((await run(['pool', 'slots', 'many'], { home: web.home })).code).toBe(2);
  expect(web.requests.every((request) => request.method === 'GET')).toBe(true);
});

test('a change that web could not deliver, or had no answer to, is not known to be done', async () => {
  await using web = await startFakeWeb();
  const problem = { status: 503, code: 'agent_unreachable', detail: 'laptop cannot be reached.' };
  web.answers.set('POST /agents/agent-1/pause', () => [503, problem]);
  const { code, stderr } = await run(['pool', 'pause'], { home: web.home });
  expect(code).toBe(75);
  expect(stderr).toMatch(
    /^holdfast: laptop cannot be reached: whether it was done is not known\n {2}.*harmless/,
  );
  const busy = { status: 409, code: 'not_claimable', detail: 'It is not to be paused.' };
  web.answers.set('POST /agents/agent-1/pause', () => [409, busy]);
  expect((await run(['pool', 'pause'], { home: web.home })).code).toBe(4);
});

test('with --agent-url the agent itself is asked', async () => {
  await using agent = await startFakeWeb();
  const info = { agentId: 'a9', name: 'far', at: NOW, pool: makePool() };
  agent.answers.set('GET /agent', () => [200, info]);
  agent.answers.set('POST /pool/drain', () => [200, makePool({ draining: true, running: 0 })]);
  agent.answers.set('PATCH /pool', (request) => [200, makePool(Object(request.body))]);
  const direct = ['--agent-url', agent.url, '--token-file', `${agent.home}/web.token`];
  expect((await run(['pool', 'status', ...direct])).stdout).toMatch(/^far +live +4 +1 +2/m);
  expect((await run(['pool', 'drain', ...direct])).stdout).toMatch(/drained, empty$/m);
  expect((await run(['pool', 'slots', '0', ...direct])).stdout).toMatch(/^far +live +0 /m);
  expect((await run(['pool', 'pause', '--agent', 'far', ...direct])).code).toBe(2);
});

/** Ticks of no length. */
const quick = {
  startTimer: (run: () => void) => ({ cancel: clearImmediate.bind(undefined, setImmediate(run)) }),
};

/** Each time that web is asked it has heard from its agent again. */
function sayPools(web: FakeWeb, pools: Pool[]): void {
  let reads = 0;
  web.answers.set('GET /agents', () => {
    const pool = pools[Math.min(reads, pools.length - 1)]!;
    reads += 1;
    return [200, { items: [makeAgent('agent-1', 'laptop', { pool, asOf: NOW + reads })] }];
  });
}

test('drain --wait says empty when the agent has said so, and not from an older word of it', async () => {
  await using web = await startFakeWeb();
  web.answers.set('POST /agents/agent-1/drain', () => [200, makePool({ draining: true, running: 2 })]);
  // The drain is not on web's page yet; then it is; then the tasks end.
  const words = [
    makePool({ running: 0 }),
    makePool({ draining: true, running: 1 }),
    makePool({ draining: true, running: 0 }),
  ];
  sayPools(web, words);
  const { code, stdout, stderr } = await run(['pool', 'drain', '--wait'], { home: web.home, change: quick });
  expect(code).toBe(0);
  expect(stdout).toBe('laptop is empty\n');
  expect(stderr).toBe('laptop is draining: 2 running\nlaptop is draining: 1 running\n');
});

test('drain --wait does not take the end of an earlier drain, which web still shows, for that of this one', async () => {
  await using web = await startFakeWeb();
  web.answers.set('POST /agents/agent-1/drain', () => [200, makePool({ draining: true, running: 1 })]);
  sayPools(web, [
    makePool({ draining: true, running: 0 }),
    makePool({ draining: true, running: 1 }),
    makePool({ draining: true, running: 0 }),
  ]);
  const { code, stdout } = await run(['pool', 'drain', '--wait'], { home: web.home, change: quick });
  expect([code, stdout]).toEqual([0, 'laptop is empty\n']);
  // Fails without: `firstPageAsOf`.
  expect(web.requests.filter(({ path }) => path === '/api/agents')).toHaveLength(3);
});

test('drain --wait ends with 75 when the agent stays out of sight, and with 1 when somebody resumes it', async () => {
  await using web = await startFakeWeb();
  web.answers.set('POST /agents/agent-1/drain', () => [200, makePool({ draining: true, running: 2 })]);
  web.agents = [
    makeAgent('agent-1', 'laptop', { state: 'lost', pool: makePool({ draining: true, running: 0 }) }),
  ];
  let now = NOW;
  const change = { ...quick, now: () => (now += 1000) };
  const lost = await run(['pool', 'drain', '--wait', '--patience', '20s'], { home: web.home, change });
  expect(lost.code).toBe(75);
  expect(lost.stderr).toContain('is not known after 0:20');
  sayPools(web, [makePool({ draining: true }), makePool({ draining: true }), makePool()]);
  const resumed = await run(['pool', 'drain', '--wait'], { home: web.home, change });
  expect(resumed.code).toBe(1);
  expect(resumed.stderr).toContain('does not drain any more');
});

test('a mistyped subcommand names the right one, and none is the status', async () => {
  const { code, stderr } = await run(['pool', 'drian']);
  expect(code).toBe(2);
  expect(stderr).toContain('Did you mean drain?');
  await using web = await startFakeWeb();
  const { stdout } = await run(['pool'], { home: web.home });
  expect(stdout).toBe((await run(['pool', 'status'], { home: web.home })).stdout);
  expect(stdout).toMatch(/^laptop +live /m);
});

test('the table fits a narrow terminal', async () => {
  await using web = await startFakeWeb();
  web.agents = [
    makeAgent('a1', 'a-very-long-name-of-an-agent-on-a-machine', { state: 'late', asOf: NOW - 9000 }),
  ];
  const terminal = openTerminal({ argv: ['pool', 'status'], home: web.home, columns: 64 });
  expect(await runCli(terminal.io)).toBe(0);
  for (const line of stripVTControlCharacters(terminal.stdout()).trimEnd().split('\n')) {
    expect(line.length).toBeLessThanOrEqual(64);
  }
});
