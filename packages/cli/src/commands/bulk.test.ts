/** `cancel` and `retry` of all tasks that fit: the choice, the question, and a result for each. */
import { expect, test } from 'vitest';
import {
  type FakeWeb,
  makeTask,
  type Ran,
  run,
  startFakeWeb,
  taskId,
  type TerminalOptions,
} from '../test-kit.ts';

type Item = Record<string, unknown>;

/** A dry run finds `found`; what is acted on by ids is `done`, unless a row is given. */
function script(web: FakeWeb, found: Item[], rows: Item[] = [], matched = found.length): void {
  web.answers.set('POST /tasks/bulk', ({ body }) => {
    const { dryRun, ids = [] }: { dryRun?: boolean; ids?: string[] } = Object(body);
    if (dryRun === true) return [200, { items: found, matched }];
    const items = ids.map((id) => rows.find((row) => row.id === id) ?? { id, result: 'done' });
    return [200, { items, matched: ids.length }];
  });
}

const would = (n: number, change: Item = {}): Item => ({ id: taskId(n), result: 'wouldDo', ...change });

const asked = (web: FakeWeb): unknown[] =>
  web.requests.filter(({ path }) => path === '/api/tasks/bulk').map(({ body }) => body);

async function startWith(count: number): Promise<FakeWeb> {
  const web = await startFakeWeb();
  for (let n = 1; n <= count; n += 1)
    web.tasks.set(taskId(n), makeTask(n, { status: 'running', attempt: 1, title: `job ${n}` }));
  return web;
}

const cancel = (web: FakeWeb, argv: string[], options: TerminalOptions = {}): Promise<Ran> =>
  run(['cancel', ...argv], { home: web.home, ...options });

test('--dry-run shows each task that fits with what would be done, the exact count, and does nothing', async () => {
  await using web = await startWith(3);
  const message = 'build-2 cannot be reached now: it would be delivered when that returns.';
  script(web, [
    would(1),
    would(2, { message }),
    { id: taskId(3), result: 'refused', message: 'It has ended.' },
  ]);
  const argv = [
    '--session',
    's',
    '--agent',
    'laptop',
    '--label',
    'a=b',
    '--label',
    'c',
    '-q',
    '0000',
    '--dry-run',
  ];
  const { code, stdout, stderr } = await cancel(web, argv);
  expect(code).toBe(0);
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^ID +STATUS +SESSION +TASK +RESULT$/);
  expect(lines[1]).toMatch(new RegExp(`^${taskId(1)} +● running +nightly +job 1 +would be done$`));
  expect(lines[2]).toContain(`would be done: ${message}`);
  expect(lines[3]).toMatch(/refused: It has ended\.$/);
  expect(stderr).toBe('Would cancel 2 tasks; 1 more would be refused.\n');
  expect(asked(web)).toEqual([
    {
      action: 'cancel',
      dryRun: true,
      filter: {
        status: ['submitted', 'queued', 'starting', 'running', 'unknown'],
        sessionId: 's',
        agent: 'laptop',
        label: ['a=b', 'c'],
        q: '0000',
      },
    },
  ]);
  const json = await cancel(web, ['--session', 's', '--dry-run', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ items: [{ id: taskId(1) }, {}, {}], matched: 3 });
});

test('with -y exactly what was found is acted on, and each has its result in the order found', async () => {
  await using web = await startWith(4);
  script(
    web,
    [
      would(1),
      would(2),
      would(3),
      { id: taskId(4), result: 'refused', code: 'already_ended', message: 'It has ended.' },
    ],
    [
      { id: taskId(2), result: 'promised' },
      { id: taskId(3), result: 'done', message: 'It was cancelled before it was sent to an agent.' },
    ],
  );
  const { code, stdout, stderr } = await cancel(web, ['--status', 'running', '-y']);
  expect(code).toBe(4);
  expect(stdout).toBe(
    `${taskId(1)}  its agent has the request\n` +
      `${taskId(2)}  cancel pending: it will be delivered when the task’s agent answers\n` +
      `${taskId(3)}  It was cancelled before it was sent to an agent.\n`,
  );
  expect(stderr).toBe(`holdfast: ${taskId(4)}: It has ended.\n`);
  expect(asked(web)).toEqual([
    { action: 'cancel', filter: { status: ['running'] }, dryRun: true },
    { action: 'cancel', ids: [taskId(1), taskId(2), taskId(3)] },
  ]);
});

test('on a terminal the count is confirmed; anything but a yes does nothing', async () => {
  await using web = await startWith(30);
  script(
    web,
    Array.from({ length: 30 }, (_, n) => would(n + 1)),
  );
  const no = await cancel(web, ['--session', 's'], { typed: 'n\n' });
  expect([no.code, no.stdout]).toEqual([0, '']);
  expect(no.stderr).toContain('job 20');
  expect(no.stderr).not.toContain('job 21');
  expect(no.stderr).toMatch(
    /… and 10 more; see all with --dry-run\nWould cancel 30 tasks\. Go on\? \[y\/N\] Nothing was done\.\n$/,
  );
  expect(asked(web)).toHaveLength(1);
  const yes = await cancel(web, ['--session', 's'], { typed: 'y\n' });
  expect(yes.stdout.trimEnd().split('\n')).toHaveLength(30);
});

test('that no task fits is no failure, and nothing is asked', async () => {
  await using web = await startWith(0);
  script(web, []);
  for (const argv of [['-y'], ['--dry-run'], []]) {
    const ran = await cancel(web, ['--session', 'none', ...argv], { typed: '' });
    expect(ran).toEqual({ code: 0, stdout: '', stderr: 'No task fits.\n' });
  }
});

test('more than web takes at a time goes in several requests; an answer that is lost is 75, and what was told stands', async () => {
  await using web = await startWith(0);
  script(
    web,
    Array.from({ length: 1500 }, (_, n) => would(n + 1)),
    [],
    2000,
  );
  const all = await cancel(web, ['--session', 's', '-y']);
  expect(all.code).toBe(0);
  expect(all.stdout.trimEnd().split('\n')).toHaveLength(1500);
  expect(all.stderr).toBe('These were, of 2000 that fit, the newest 1500.\n');
  let requests = 0;
  web.intercept = (request, response) => {
    if (request.path !== '/api/tasks/bulk' || (requests += 1) < 3) return false;
    response.destroy();
    return true;
  };
  const lost = await cancel(web, ['--session', 's', '-y']);
  expect(lost.code).toBe(75);
  expect(lost.stdout.trimEnd().split('\n')).toHaveLength(1000);
  expect(lost.stderr).toContain('whether it was done to the last 500 tasks is not known');
});

test('retry prints the new ids, one a line, and means what failed unless told otherwise', async () => {
  await using web = await startWith(0);
  script(
    web,
    [would(1, { newId: taskId(11) }), would(2, { newId: taskId(12) })],
    [1, 2].map((n) => ({ id: taskId(n), result: n === 1 ? 'done' : 'promised', newId: taskId(n + 10) })),
  );
  const ran = await run(['retry', '--session', 's', '-y'], { home: web.home });
  expect(ran).toEqual({ code: 0, stdout: `${taskId(11)}\n${taskId(12)}\n`, stderr: '' });
  expect(asked(web)[0]).toMatchObject({
    action: 'retry',
    filter: { status: ['failed', 'cancelled', 'lost'], sessionId: 's' },
  });
  const json = await run(['retry', '--session', 's', '-y', '--json'], { home: web.home });
  expect(JSON.parse(json.stdout)).toMatchObject({
    items: [
      { id: taskId(1), result: 'done', newId: taskId(11) },
      { id: taskId(2), result: 'promised' },
    ],
    matched: 2,
  });
});

test('what web could not finish is not known to be done', async () => {
  await using web = await startWith(0);
  script(
    web,
    [would(1)],
    [{ id: taskId(1), result: 'refused', code: 'internal', message: 'Its log says why.' }],
  );
  const { code, stderr } = await cancel(web, ['--session', 's', '-y']);
  expect([code, stderr]).toEqual([75, `holdfast: ${taskId(1)}: Its log says why.\n`]);
});

test('what does not go together is a usage error before anybody is asked', async () => {
  await using web = await startWith(0);
  for (const [argv, words] of [
    [[], 'there is nothing to cancel'],
    [[taskId(1), '--session', 's'], 'not both'],
    [[taskId(1), '-y'], '--yes goes with'],
    [[taskId(1), '--dry-run'], '--dry-run goes with'],
    [['--session', 's'], 'there is no terminal to ask'],
    [['--session', 's', '-y', '--dry-run'], 'exclude each other'],
    [['-q', ' ', '-y'], '-q is empty'],
    [['--status', 'runing', '-y'], 'Did you mean running?'],
    [['--session', 's', '-y', '--agent-url', web.url], 'is web’s'],
  ] as const) {
    const ran = await cancel(web, [...argv]);
    expect([argv, ran.code, ran.stdout]).toEqual([argv, 2, '']);
    expect(ran.stderr).toContain(words);
  }
  expect(web.requests).toEqual([]);
});
