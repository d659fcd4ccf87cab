import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { textWidth } from '../render.ts';
import { makeTask, NOW, run, startFakeWeb, taskId } from '../test-kit.ts';

test('a list that is piped has whole ids, no colours and no tabs', async () => {
  await using web = await startFakeWeb();
  const task = makeTask(1, { status: 'running', startedAt: NOW - 42_000, attempt: 1 });
  web.tasks.set(task.id, task);
  const { code, stdout, stderr } = await run(['list'], { home: web.home });
  expect(code).toBe(0);
  expect(stderr).toBe('');
  const [head, row] = stdout.split('\n');
  expect(head).toMatch(/^ID +STATUS +AGE +TOOK +EXIT +AGENT +SESSION +TASK$/);
  expect(row).toBe(`${task.id}  ● running  1 min  0:42        laptop  nightly  make test`);
  expect(stdout).not.toContain('\t');
  expect(stdout).not.toContain('\u001b');
});

test('a row that nobody vouches for is marked, with the age of its proof, and its clock stands still', async () => {
  await using web = await startFakeWeb();
  const started = { startedAt: NOW - 60_000, attempt: 1 };
  for (const task of [
    makeTask(1, {
      ...started,
      status: 'running',
      knowledge: { state: 'stale', asOf: NOW - 12_000, reason: 'agent_unreachable' },
    }),
    makeTask(2, {
      ...started,
      status: 'unknown',
      lastStatus: 'running',
      knowledge: { state: 'unknown', asOf: NOW - 40_000, reason: 'agent_unreachable' },
    }),
    makeTask(3, { ...started, status: 'failed', endedAt: NOW, outcome: { reason: 'exit', exitCode: 3 } }),
    makeTask(4, { ...started, status: 'running', stopRequested: { cause: 'cancel', at: NOW } }),
    makeTask(6, {
      ...started,
      status: 'running',
      attention: [{ code: 'claim_silent', message: 'worker ci-7 is silent', sinceAt: NOW }],
    }),
    makeTask(5, {
      ...started,
      status: 'running',
      pending: [{ intent: 'i', action: 'cancel', sinceAt: NOW }],
    }),
  ]) {
    web.tasks.set(task.id, task);
  }
  const lines = (await run(['list'], { home: web.home })).stdout.split('\n');
  expect(lines[1]).toMatch(/◌ running\? {2}as of 12 s ago {2,}1 min +0:48\+/);
  expect(lines[2]).toMatch(/\? unknown \(was running\) {2}as of 40 s ago {2,}1 min +0:20\+/);
  expect(lines[3]).toMatch(/✗ failed {2,}1 min +1:00 +3/);
  expect(lines[4]).toContain('● running, stopping');
  expect(lines[5]).toContain('● running, ! claim_silent');
  expect(lines[6]).toContain('● running, cancel pending');
});

test('on a terminal a list fits its width, ids are as short as they can be told apart, and more is announced', async () => {
  await using web = await startFakeWeb();
  for (const n of [1, 2, 3])
    web.tasks.set(
      taskId(n),
      makeTask(n, { title: 'a title that is far too long for a terminal '.repeat(4) }),
    );
  const { stdout, stderr } = await run(['list', '--limit', '2'], { home: web.home, columns: 80 });
  const lines = stripVTControlCharacters(stdout).trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  expect(lines[1]).toMatch(/^00000001-7c00 {2}/);
  expect(stderr).toBe('2 of 3; see more with --limit or --all\n');
});

test('NO_COLOR and --no-color leave a terminal without colours', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1));
  const options = { home: web.home, columns: 120 };
  expect((await run(['list'], options)).stdout).toContain('\u001b[');
  expect((await run(['list', '--no-color'], options)).stdout).not.toContain('\u001b[');
  expect((await run(['list'], { ...options, env: { NO_COLOR: '1' } })).stdout).not.toContain('\u001b[');
});

test('--json prints the API’s tasks as one array, and nothing else', async () => {
  await using web = await startFakeWeb();
  for (const n of [1, 2, 3]) web.tasks.set(taskId(n), makeTask(n));
  const { stdout } = await run(['list', '--json', '--all'], { home: web.home });
  expect(JSON.parse(stdout)).toEqual([...web.tasks.values()]);
  web.tasks.clear();
  expect((await run(['list', '--json'], { home: web.home })).stdout).toBe('[]\n');
});

test('--all reads every page', async () => {
  await using web = await startFakeWeb();
  for (let n = 1; n <= 450; n += 1) web.tasks.set(taskId(n), makeTask(n));
  const { stdout } = await run(['list', '--all', '--json'], { home: web.home });
  expect(JSON.parse(stdout)).toHaveLength(450);
  const { stdout: some } = await run(['list', '--limit', '250', '--json'], { home: web.home });
  expect(JSON.parse(some)).toHaveLength(250);
});

test('filters are passed on as the API names them', async () => {
  await using web = await startFakeWeb();
  const argv = [
    'list',
    '--status',
    'running,failed',
    '--status',
    'lost',
    '--session',
    's',
    '--agent',
    'laptop',
    '--label',
    'a=b',
    '--label',
    'c',
  ];
  const { code, stderr } = await run(argv, { home: web.home });
  expect(code).toBe(0);
  expect(stderr).toBe('No task fits.\n');
  const query = web.requests.find((request) => request.path === '/api/tasks')?.query;
  expect(query?.get('status')).toBe('running,failed,lost');
  expect(query?.get('sessionId')).toBe('s');
  expect(query?.get('agent')).toBe('laptop');
  expect(query?.getAll('label')).toEqual(['a=b', 'c']);
});

test('a search and an order are passed on, the order to web alone', async () => {
  await using web = await startFakeWeb();
  for (const [argv, query] of [
    [['-q', 'deploy it'], { q: 'deploy it', order: null }],
    [['--search', 'x', '--order', 'longest'], { q: 'x', order: 'longest' }],
    [['--order', 'changed'], { q: null, order: 'changed' }],
  ] as const) {
    expect((await run(['list', ...argv], { home: web.home })).code).toBe(0);
    const asked = web.requests.findLast((request) => request.path === '/api/tasks')?.query;
    expect({ q: asked?.get('q'), order: asked?.get('order') }).toEqual(query);
  }
  const wrong = await run(['list', '--order', 'longst'], { home: web.home });
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('Did you mean longest?')]);
  const direct = ['--agent-url', web.url, '--token-file', `${web.home}/web.token`];
  expect((await run(['list', '--order', 'oldest', ...direct])).code).toBe(2);
});

test('a filter that web refuses is exit code 4, in its words', async () => {
  await using web = await startFakeWeb();
  const detail = 'The query is not valid: /sessionId must match';
  web.answers.set('GET /tasks', () => [422, { status: 422, code: 'invalid', detail }]);
  const { code, stdout, stderr } = await run(['list', '--session', '%%'], { home: web.home });
  expect([code, stdout, stderr]).toEqual([4, '', `holdfast: ${detail}\n`]);
});

test('an agent that nobody has is no empty list', async () => {
  await using web = await startFakeWeb();
  const { code, stdout, stderr } = await run(['list', '--agent', 'latpop', '--json'], { home: web.home });
  expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
  expect(stderr).toContain('there is no agent "latpop"');
});

test('a terminal that does not know its width gets what a pipe gets', async () => {
  await using web = await startFakeWeb();
  const task = makeTask(1, { title: 'a title of some length' });
  web.tasks.set(task.id, task);
  const { stdout } = await run(['list'], { home: web.home, columns: 0 });
  expect(stripVTControlCharacters(stdout)).toMatch(new RegExp(`${task.id}.*a title of some length`));
});

test('a status that does not exist is a usage error before anything is asked', async () => {
  await using web = await startFakeWeb();
  const { code, stderr } = await run(['list', '--status', 'runing'], { home: web.home });
  expect(code).toBe(2);
  expect(stderr).toContain('there is no status "runing"');
  expect(web.requests).toEqual([]);
});

test('an empty list says how to begin', async () => {
  await using web = await startFakeWeb();
  const { stdout, stderr } = await run(['list'], { home: web.home });
  expect(stdout).toBe('');
  expect(stderr).toContain('holdfast run -- echo hello');
});

test('nothing that a task brought along moves the cursor or breaks a line', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { title: 'evil\u001b[2J\u0007\r\nnext\u202e' }));
  const { stdout } = await run(['list'], { home: web.home });
  expect(stdout.split('\n')[1]).toMatch(/ evil next$/);
});

test('on a narrow terminal what matters least is left out, never the status', async () => {
  await using web = await startFakeWeb();
  const stale = { state: 'stale', asOf: NOW - 12_000 } as const;
  const task = makeTask(1, { status: 'running', attempt: 1, startedAt: NOW - 60_000, knowledge: stale });
  web.tasks.set(task.id, task);
  const head = async (columns: number): Promise<string> => {
    const { stdout } = await run(['list'], { home: web.home, columns, env: { NO_COLOR: '1' } });
    const lines = stdout.trimEnd().split('\n');
    for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(columns);
    expect(lines[1]).toContain('◌ running?');
    return lines[0]!.replaceAll(/ +/g, ' ');
  };
  expect(await head(120)).toBe('ID STATUS AGE TOOK EXIT AGENT SESSION TASK');
  expect(await head(70)).toBe('ID STATUS AGE TOOK EXIT AGENT TASK');
  expect(await head(50)).toBe('ID STATUS TOOK TASK');
});
