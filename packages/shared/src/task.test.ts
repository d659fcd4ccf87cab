import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { publicSpec, SessionIdSchema, SubmitSchema, TaskIdSchema, taskIdTime, TaskSchema } from './task.ts';
import { sampleTask, TASK_ID } from './test-support.ts';

const submit = { id: TASK_ID, sessionId: 'night', spec: { command: ['true'] } };

/** The paths of what is wrong, as a pointer each; empty for a submit that is accepted. */
function faults(changes: Record<string, unknown>): string[] {
  const parsed = SubmitSchema.safeParse({ ...submit, ...changes });
  return parsed.success ? [] : parsed.error.issues.map((issue) => `/${issue.path.join('/')}`);
}

const faultsOfSpec = (spec: Record<string, unknown>, queue?: string) =>
  faults({ spec, ...(queue === undefined ? {} : { queue }) });

test('the smallest submit is accepted, and so is the largest', () => {
  expect(faults({})).toEqual([]);
  expect(
    faults({
      title: 't',
      queue: 'ci.linux-1',
      priority: -5,
      labels: { 'team/name': 'x' },
      externalId: 'e',
      spec: {
        command: ['make', ''],
        shell: 'make | tee log',
        runner: 'claude',
        prompt: 'do it',
        cwd: '/tmp',
        env: { PATH: '/bin', _x1: '' },
        workspace: { worktree: { repo: '/r', ref: 'main' } },
        timeoutMs: 1,
        idleTimeoutMs: 1,
        retry: { maxAttempts: 2, on: ['lost', 'failed'] },
        concurrencyKey: 'k',
        keepLeftovers: true,
        payload: { any: [1, null] },
      },
    }),
  ).toEqual([]);
});

test.each([
  '019A9F0E-7C00-7000-8000-000000000001',
  '019a9f0e-7c00-4000-8000-000000000001',
  '019a9f0e-7c00-7000-c000-000000000001',
  '019a9f0e7c0070008000000000000001',
  '019a9f0e-7c00-7000-8000-00000000001',
  `${TASK_ID}\n`,
  ` ${TASK_ID}`,
  '',
  7,
  undefined,
])('the id %j is no UUIDv7 in lower case', (id) => {
  expect(TaskIdSchema.safeParse(id).success).toBe(false);
  expect(faults({ id })).toEqual(['/id']);
});

test('the time in an id is that of RFC 9562, beyond 32 bits too', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (time) => {
      const digits = time.toString(16).padStart(12, '0');
      const id = `${digits.slice(0, 8)}-${digits.slice(8)}-7abc-8abc-123456789abc`;
      expect(TaskIdSchema.safeParse(id).success).toBe(true);
      expect(taskIdTime(id)).toBe(time);
    }),
  );
});

test.each(['a', '0', 'A.b_c-d', 'x'.repeat(128), 'a..b'])('the session id %j is accepted', (id) => {
  expect(SessionIdSchema.safeParse(id).success).toBe(true);
});

test.each(['', '.a', '-a', '_a', 'a b', 'a/b', 'é', 'a\n', 'x'.repeat(129), undefined, null])(
  'the session id %j is refused',
  (id) => {
    expect(faults({ sessionId: id })).toEqual(['/sessionId']);
  },
);

const ways = { command: ['true'], shell: 'true', runner: 'claude', prompt: 'p' };
test.each([
  [[], ['/spec']],
  [['command'], []],
  [['shell'], []],
  [['runner', 'prompt'], []],
  [['runner'], ['/spec/prompt']],
  [['prompt'], ['/spec']],
  [['command', 'shell'], ['/spec']],
  [['command', 'runner', 'prompt'], ['/spec']],
  [['command', 'shell', 'runner', 'prompt'], ['/spec']],
] as [(keyof typeof ways)[], string[]][])(
  'in the default queue a spec with %j has the faults %j',
  (names, wrong) => {
    const spec = Object.fromEntries(names.map((name) => [name, ways[name]]));
    expect(faultsOfSpec(spec)).toEqual(wrong);
    expect(faultsOfSpec(spec, 'default')).toEqual(wrong);
    // A task of another queue is its worker's to interpret.
    expect(faultsOfSpec(spec, 'ci')).toEqual([]);
  },
);

const most = 128 * 1024 - 1;
test.each([
  ['command', (text: string) => ({ command: [text] }), '/spec/command/0'],
  ['a later argument', (text: string) => ({ command: ['a', text] }), '/spec/command/1'],
  ['shell', (text: string) => ({ shell: text }), '/spec/shell'],
  ['prompt', (text: string) => ({ runner: 'r', prompt: text }), '/spec/prompt'],
  ['cwd', (text: string) => ({ shell: 'a', cwd: text }), '/spec/cwd'],
])('%s holds no NUL and at most 128 KiB with its end, counted in bytes', (_name, spec, pointer) => {
  expect(faultsOfSpec(spec('a\0b'))).toEqual([pointer]);
  expect(faultsOfSpec(spec('a\0b'), 'ci')).toEqual([pointer]);
  expect(faultsOfSpec(spec('x'.repeat(most)))).toEqual([]);
  expect(faultsOfSpec(spec('x'.repeat(most + 1)))).toEqual([pointer]);
  expect(faultsOfSpec(spec('é'.repeat(most / 2 + 1)))).toEqual([pointer]);
});

const faultsOfEnv = (value: string) => faultsOfSpec({ shell: 'a', env: { NAME: value } });

test('a name and a value of the environment share one limit, and the value holds no NUL', () => {
  expect(faultsOfEnv('x'.repeat(most - 'NAME='.length))).toEqual([]);
  expect(faultsOfEnv('x'.repeat(most - 'NAME='.length + 1))).toEqual(['/spec/env/NAME']);
  expect(faultsOfEnv('a\0b')).toEqual(['/spec/env/NAME']);
});

test.each(['1A', 'a-b', 'a=b', 'a b', '', 'é', 'A\0'])('%j is no name of the environment', (name) => {
  expect(faultsOfSpec({ shell: 'a', env: { [name]: 'x' } })).toEqual([`/spec/env/${name}`]);
});

test('a misspelt field is refused instead of ignored', () => {
  expect(faults({ sesionId: 'x' })).toEqual(['/']);
  expect(faultsOfSpec({ shell: 'a', timeout: 5 })).toEqual(['/spec']);
  expect(faultsOfSpec({ shell: 'a', retry: { attempts: 5 } })).toEqual(['/spec/retry']);
});

test.each([
  [{ spec: { shell: 'a', timeoutMs: 0 } }, '/spec/timeoutMs'],
  [{ spec: { shell: 'a', timeoutMs: 1.5 } }, '/spec/timeoutMs'],
  [{ spec: { shell: 'a', retry: { maxAttempts: 0 } } }, '/spec/retry/maxAttempts'],
  [{ spec: { shell: 'a', retry: { on: ['exit'] } } }, '/spec/retry/on/0'],
  [{ spec: { command: [] } }, '/spec/command'],
  [{ spec: { command: 'true' } }, '/spec/command'],
  [{ priority: 1e9 }, '/priority'],
  [{ queue: 'a/b' }, '/queue'],
  [{ labels: { '-x': 'a' } }, '/labels/-x'],
  [{ labels: { x: 1 } }, '/labels/x'],
  [{ labels: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`l${n}`, ''])) }, '/labels'],
  [{ title: '' }, '/title'],
])('%j is refused at %s', (changes, pointer) => {
  expect(faults(changes)).toContain(pointer);
});

test('of the environment readers see the names, in order, and never a value', () => {
  expect(publicSpec({ shell: 'a', env: { B: 'secret', A: 'secret' } })).toEqual({
    shell: 'a',
    env: ['A', 'B'],
  });
  expect(publicSpec({ shell: 'a' })).toEqual({ shell: 'a' });
});

test('a reader ignores fields of a task that it does not know', () => {
  expect(TaskSchema.parse({ ...sampleTask(), colour: 'red' })).toEqual(sampleTask());
});
