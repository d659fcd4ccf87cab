/**
 * `--json` is stable: a key that a script may read is in `help json`, in the schema it comes from, and in what the
 * command prints. Each of these tests fails when one disappears.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  openDatabase,
  PoolSchema,
  ReclaimItemSchema,
  ShownAgentSchema,
  ShownSessionSchema,
  ShownTaskSchema,
} from '@holdfast/shared';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { makeAgent, makePool, makeTask, NOW, openTerminal, run, startFakeWeb, taskId } from './test-kit.ts';
import { runCli } from './cli.ts';

interface Keys {
  required: string[];
  optional: string[];
}

/** The keys of a type as `help json` defines it, inner ones left out. */
async function documented(name: string): Promise<Keys> {
  const { stdout } = await run(['help', 'json']);
  const [, body = ''] = new RegExp(`^  ${name} +\\{([^]*?)\\n(?=  \\S|\\n)`, 'm').exec(stdout) ?? [];
  let depth = 1;
  let own = '';
  for (const letter of body) {
    if (letter === '}') depth -= 1;
    if (depth === 0) break;
    if (depth === 1) own += letter;
    if (letter === '{') depth += 1;
  }
  const words = own.split(',').map((word) => word.replace(/:[^]*/, '').trim());
  return {
    required: words.filter((word) => !word.endsWith('?')).toSorted(),
    optional: words
      .filter((word) => word.endsWith('?'))
      .map((word) => word.slice(0, -1))
      .toSorted(),
  };
}

interface ObjectSchema {
  shape: Record<string, { safeParse: (value: unknown) => { success: boolean } }>;
}

function keysOf({ shape }: ObjectSchema): Keys {
  const isOptional = (name: string): boolean => shape[name]!.safeParse(undefined).success;
  // What nobody constrains (`z.unknown()`) is no key that a reader may count on either.
  return {
    required: Object.keys(shape)
      .filter((name) => !isOptional(name))
      .toSorted(),
    optional: Object.keys(shape).filter(isOptional).toSorted(),
  };
}

test('what help json says of the services’ types is what their schemas say', async () => {
  expect(await documented('Task')).toEqual(keysOf(ShownTaskSchema));
  expect(await documented('Agent')).toEqual(keysOf(ShownAgentSchema));
  expect(await documented('Session')).toEqual(keysOf(ShownSessionSchema));
  expect(await documented('Pool')).toEqual(keysOf(PoolSchema));
  const item = keysOf(ReclaimItemSchema);
  // Whose it is, is added by web, which asks several agents.
  expect(await documented('ReclaimItem')).toEqual({
    required: item.required,
    optional: [...item.optional, 'agentId', 'agentName'].toSorted(),
  });
});

const session = { id: 'nightly', title: 'N', archived: false, createdAt: NOW, updatedAt: NOW };
const item = {
  taskId: taskId(1),
  attempt: 1,
  evidence: { code: 'claim_silent', message: 'silent', sinceAt: NOW },
  action: 'requeue',
  result: 'wouldReclaim',
  agentId: 'agent-1',
  agentName: 'laptop',
};
const gone = { agentId: 'a2', name: 'build-2', state: 'lost', message: 'gone' };
const runner = { name: 'claude', command: ['claude'], source: 'builtin' };

/** Each path of keys in a value; `[]` for what a list holds. */
function pathsOf(value: unknown, path = ''): Set<string> {
  if (Array.isArray(value)) return new Set(value.flatMap((one) => [...pathsOf(one, `${path}[]`)]));
  if (typeof value !== 'object' || value === null) return new Set([path]);
  const inner = Object.entries(value).flatMap(([key, one]) => [...pathsOf(one, `${path}.${key}`)]);
  return new Set([path, ...inner]);
}

const TASK = Object.keys(makeTask(1));
const under = (path: string, keys: readonly string[]): string[] => keys.map((key) => `${path}.${key}`);
const POOL = ['slots', 'running', 'queued', 'paused', 'draining', 'claimed'];
const SEEN_POOL = ['agentId', 'agentName', 'state', 'asOf', 'pool'];
const FULL_POOL = [...SEEN_POOL, 'waitingForWorkers'];
const ITEM = [
  'taskId',
  'attempt',
  'evidence.code',
  'evidence.message',
  'evidence.sinceAt',
  'action',
  'result',
];

const one = taskId(1);
const missing = taskId(9);

/** What each command prints at the least. */
const shapes: readonly (readonly [argv: readonly string[], paths: readonly string[]])[] = [
  [['run', '--', 'true'], under('', TASK)],
  [['list'], under('[]', TASK)],
  [['show', one], under('', TASK)],
  [
    ['events', one],
    [
      ...under('.items[]', [
        'seq',
        'kind',
        'taskId',
        'sessionId',
        'attempt',
        'from',
        'to',
        'at',
        'reason',
        'data',
      ]),
      ...under('.received[]', ['seq', 'generation', 'receivedAt']),
    ],
  ],
  [
    ['cancel', '--session', 's', '--dry-run'],
    ['.matched', ...under('.items[]', ['id', 'title', 'result', 'code', 'message', 'newId'])],
  ],
  [
    ['cancel', one, missing],
    [
      ...under('[]', ['ref', 'id', 'problem.code', 'problem.status', 'problem.detail']),
      ...under('[].task', TASK),
    ],
  ],
  [
    ['retry', one],
    [...under('[]', ['ref', 'id']), ...under('[].task', TASK)],
  ],
  [
    ['resolve', one, '--lost'],
    [...under('[]', ['ref', 'id']), ...under('[].task', TASK)],
  ],
  [
    ['reclaim', one, '--reason', 'x'],
    [...under('[]', ['ref', 'id']), ...under('[].task', TASK)],
  ],
  [
    ['reclaim', '--stale', '--dry-run'],
    [...under('.items[]', [...ITEM, 'agentId', 'agentName']), ...under('.unreachable[]', Object.keys(gone))],
  ],
  [
    ['wait', taskId(2)],
    [...under('[]', ['ref', 'id', 'exitCode']), ...under('[].task', TASK)],
  ],
  [['wait', missing], under('[]', ['ref', 'exitCode', 'problem.detail'])],
  [
    ['stats'],
    [
      ...under('', ['counts.running', 'notVouchedFor', 'stale', 'oldestRunning.id']).filter(
        (path) => path !== '.stale',
      ),
      ...under('.stale[]', ITEM),
      ...under('.unreachable[]', ['name', 'message']),
    ],
  ],
  [
    ['pool', 'status'],
    [...under('[]', FULL_POOL), ...under('[].pool', POOL)],
  ],
  ...['pause', 'drain', 'resume'].map(
    (verb) =>
      [
        ['pool', verb],
        [...under('', SEEN_POOL), ...under('.pool', POOL)],
      ] as const,
  ),
  [
    ['pool', 'slots', '4'],
    [...under('', SEEN_POOL), ...under('.pool', POOL)],
  ],
  [['runners'], under('[]', ['agentId', 'agentName', 'name', 'source'])],
  [['agents', 'list'], under('[]', Object.keys(makeAgent('a', 'b')))],
  [['agents', 'remove', 'laptop'], under('', Object.keys(makeAgent('a', 'b')))],
  [
    ['sessions', 'list'],
    under('[]', ['id', 'title', 'archived', 'createdAt', 'updatedAt', 'status', 'counts']),
  ],
  [['sessions', 'archive', 'nightly'], under('[]', ['id', 'archived', 'status', 'counts'])],
  [['doctor'], under('[]', ['check', 'level', 'message', 'hint'])],
  [
    ['backup', 'copy.db'],
    ['.home', ...under('.files[]', ['name', 'path', 'bytes'])],
  ],
  [['config', 'show'], under('[]', ['name', 'value', 'source', 'env', 'flag'])],
  [['service', 'print'], under('[]', ['service', 'path', 'text'])],
];

test('each command prints every key that it is documented to print', async () => {
  await using web = await startFakeWeb();
  const running = makeTask(1, { status: 'running', attempt: 1, startedAt: NOW });
  for (const task of [running, makeTask(2, { status: 'completed', attempt: 1 })])
    web.tasks.set(task.id, task);
  web.answers.set('GET /tasks', () => [200, { items: [...web.tasks.values()], total: 2 }]);
  web.answers.set(`POST /tasks/${one}/resolve`, () => [200, running]);
  web.answers.set(`POST /tasks/${one}/reclaim`, () => [200, running]);
  const event = {
    seq: 1,
    kind: 'failed',
    taskId: one,
    sessionId: 's',
    attempt: 1,
    from: 'running',
    to: 'failed',
  };
  web.answers.set(`GET /tasks/${one}/events`, () => [
    200,
    {
      items: [{ ...event, at: NOW, reason: 'exit', data: {} }],
      received: [{ seq: 1, generation: 1, receivedAt: NOW }],
    },
  ]);
  const row = { id: one, title: 't', result: 'wouldDo', code: 'c', message: 'm', newId: missing };
  web.answers.set('POST /tasks/bulk', () => [200, { items: [row], matched: 1 }]);
  web.answers.set('POST /reclaim', () => [200, { items: [item], unreachable: [gone] }]);
  for (const verb of ['pause', 'drain', 'resume'])
    web.answers.set(`POST /agents/agent-1/${verb}`, () => [200, makePool()]);
  web.answers.set('PATCH /agents/agent-1', () => [200, makePool()]);
  web.answers.set('GET /agents/agent-1/runners', () => [200, { items: [runner] }]);
  web.answers.set('DELETE /agents/agent-1', () => [200, web.agents[0]]);
  const shown = { ...session, status: 'running', counts: { running: 1 } };
  web.answers.set('GET /sessions', () => [200, { items: [shown] }]);
  web.answers.set('PATCH /sessions/nightly', () => [200, shown]);
  const migrations = fileURLToPath(new URL('../../agent/drizzle', import.meta.url));
  openDatabase({ path: join(web.home, 'agent.db'), migrations }).close();

  const { stdout: help } = await run(['help', 'json']);
  for (const [argv, paths] of shapes) {
    const terminal = openTerminal({ argv: ['--json', ...argv], home: web.home, change: { cwd: web.home } });
    await runCli(terminal.io);
    const printed = pathsOf(JSON.parse(terminal.stdout()));
    expect([argv, paths.filter((path) => !printed.has(path) && !hasBelow(printed, path))]).toEqual([
      argv,
      [],
    ]);
    const names = paths.flatMap((path) => path.split(/[.[\]]+/)).filter((name) => name !== '');
    // Of `counts` the keys are statuses.
    expect([argv, names.filter((name) => name !== 'running' && !help.includes(name))]).toEqual([argv, []]);
  }
});

function hasBelow(printed: ReadonlySet<string>, path: string): boolean {
  return [...printed].some((one) => one.startsWith(`${path}[`) || one.startsWith(`${path}.`));
}

test('up prints where everything is', async () => {
  await using web = await startFakeWeb();
  const file = { id: 'a1', name: 'laptop', url: web.url, pid: process.pid };
  writeFileSync(join(web.home, 'agents', 'a1.json'), JSON.stringify(file));
  const { code, stdout } = await run(['up', '--home', web.home, '--json']);
  expect(code).toBe(0);
  expect([...pathsOf(JSON.parse(stdout))]).toEqual(
    expect.arrayContaining([
      '.dashboardUrl',
      '.home',
      ...under('.agent', ['url', 'pid', 'id', 'name', 'isOurs']),
      ...under('.web', ['url', 'pid', 'isOurs']),
    ]),
  );
});
