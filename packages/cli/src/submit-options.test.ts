import { SubmitSchema, TaskSpecSchema } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { addSubmitOptions, submitBody } from './submit-options.ts';
import { Command } from 'commander';
import { openTerminal, run, startFakeWeb } from './test-kit.ts';

const ID = '019a9f0e-7c00-7000-8000-000000000001';

/** What the command line makes, checked as the service checks it. */
function bodyOf(...argv: string[]): Record<string, unknown> {
  const command = new Command('run').argument('[words...]').exitOverride();
  addSubmitOptions(command);
  command.option('--agent-url <url>');
  command.parse(argv, { from: 'user' });
  const { agent, ...body } = submitBody(openTerminal().io, command.args, command.opts());
  expect(agent).toBe(undefined);
  return SubmitSchema.parse(body);
}

const all = [
  `--id ${ID} --session nightly --title Build --queue ci --priority 7 --label branch=main --env CI=1`,
  '--external-id build-9 --timeout 30m --idle-timeout 5m --max-attempts 4 --retry-on failed,lost',
  '--concurrency-key db --keep-leftovers --payload {"pages":[1,null]}',
].flatMap((line) => line.split(' '));

test('each option makes the field of its name', () => {
  expect(bodyOf(...all, '--', 'make', '--all')).toEqual({
    id: ID,
    sessionId: 'nightly',
    title: 'Build',
    queue: 'ci',
    priority: 7,
    labels: { branch: 'main' },
    externalId: 'build-9',
    spec: {
      command: ['make', '--all'],
      cwd: '/work-dir',
      env: { CI: '1' },
      timeoutMs: 1_800_000,
      idleTimeoutMs: 300_000,
      retry: { maxAttempts: 4, on: ['failed', 'lost'] },
      concurrencyKey: 'db',
      keepLeftovers: true,
      payload: { pages: [1, null] },
    },
  });
});

test('there is no field of a submit, nor of its spec, that no option makes', () => {
  const bodies = [
    bodyOf(...all, '--', 'true'),
    bodyOf('--shell', 'make', '--worktree', 'shop'),
    bodyOf('--runner', 'claude', '--prompt', 'fix it'),
  ];
  const made = new Set(bodies.flatMap((body) => [...Object.keys(body), ...Object.keys(Object(body.spec))]));
  const known = [...Object.keys(SubmitSchema.shape), ...Object.keys(TaskSpecSchema.shape)];
  expect(known.filter((name) => !made.has(name))).toEqual([]);
});

test('--retries is short for both, and goes with neither', async () => {
  expect(Object(bodyOf('--retries', '2', '--', 'true').spec).retry).toEqual({
    maxAttempts: 3,
    on: ['lost', 'failed'],
  });
  const { code, stderr } = await run(['run', '--retries', '2', '--max-attempts', '3', '--', 'true']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('--retries is short for')]);
});

test('a value that cannot be meant is a usage error that names its option, and nobody is asked', async () => {
  await using web = await startFakeWeb();
  for (const [argv, told] of [
    [['--payload', '{pages: 1}'], '--payload is no JSON'],
    [['--retry-on', 'fialed'], 'Did you mean failed?'],
    [['--max-attempts', '0'], '--max-attempts is "0"'],
    [['--idle-timeout', '5'], '--idle-timeout is "5"'],
  ] as const) {
    const { code, stderr } = await run(['run', ...argv, '--', 'true'], { home: web.home });
    expect([code, stderr]).toEqual([2, expect.stringContaining(told)]);
  }
  expect(web.requests).toEqual([]);
});

test('the help has the options by what they are about', async () => {
  const { stdout } = await run(['run', '--help'], { columns: 80 });
  const groups = stdout.split('\n').filter((line) => /^[A-Z][^.]*:$/.test(line));
  expect(groups).toEqual([
    'Arguments:',
    'What to run:',
    'Where:',
    'What to call it:',
    'When, and how long:',
    'If it does not succeed:',
    'Waiting for it:',
    'Options:',
    'Global Options:',
    'Guarantees:',
    'Exit codes:',
    'Examples:',
  ]);
});
