import { expect, test } from 'vitest';
import { problemFrom } from './problem.ts';
import { fieldErrors, formOf, newForm, sessionName, toSubmit, type SubmitForm } from './submit-form.ts';
import { SubmitSchema } from '@holdfast/shared';
import { aTask } from './samples.ts';

const id = '019a9f0e-7c00-7000-8000-000000000001';
const form = (change: Partial<SubmitForm>): SubmitForm => ({ ...newForm(id, 'calm-bay-1'), ...change });

test('a shell line is enough, and is what the protocol takes', () => {
  const made = toSubmit(form({ shell: 'npm test' }));
  expect(made).toEqual({ body: { id, sessionId: 'calm-bay-1', spec: { shell: 'npm test' } } });
});

test('every field that is filled is sent in the protocol’s terms', () => {
  const made = toSubmit(
    form({
      way: 'command',
      command: 'node\nscript.js\n\nlast arg\n',
      cwd: ' /srv ',
      agent: 'a1',
      title: 'T',
      labels: 'team=core, kind=x=y',
      attempts: '3',
      timeLimit: '10',
    }),
  );
  expect(made).toEqual({
    body: {
      id,
      sessionId: 'calm-bay-1',
      title: 'T',
      agent: 'a1',
      labels: { team: 'core', kind: 'x=y' },
      spec: {
        command: ['node', 'script.js', '', 'last arg'],
        cwd: '/srv',
        retry: { maxAttempts: 3, on: ['lost', 'failed'] },
        timeoutMs: 600_000,
      },
    },
  });
  if (!('body' in made)) throw new Error('refused');
  const { agent: _, ...submit } = made.body;
  expect(SubmitSchema.safeParse(submit).success).toBe(true);
});

test('what is missing or malformed is said at its field', () => {
  const made = toSubmit(form({ session: '-x', labels: 'nope', attempts: '0', timeLimit: '1.5' }));
  expect('errors' in made && Object.keys(made.errors).toSorted()).toEqual([
    'attempts',
    'labels',
    'session',
    'shell',
    'timeLimit',
  ]);
});

test('the server’s complaints land on their fields, others are kept', () => {
  const problem = problemFrom(422, {
    code: 'invalid',
    detail: 'no',
    errors: [
      { pointer: '/spec/command/0', detail: 'must not contain NUL' },
      { pointer: '#/sessionId', detail: 'too long' },
      { pointer: '/priority', detail: 'too high' },
      { pointer: '/spec', detail: 'needs exactly one' },
    ],
  });
  expect(fieldErrors(problem, 'shell')).toEqual({
    fields: { command: 'must not contain NUL', session: 'too long', shell: 'needs exactly one' },
    rest: ['/priority: too high'],
  });
});

test('a refusal without a problem body still has a sentence', () => {
  expect(problemFrom(502, undefined).detail).toMatch(/HTTP 502/);
  expect(problemFrom(401, 'nonsense').detail).toBe('You are signed out.');
});

test('a generated session is valid and can be said', () => {
  expect(sessionName(() => 0.5)).toMatch(/^[a-z]+-[a-z]+-\d{4}$/);
  expect(sessionName(() => 0.9999999)).toMatch(/^[a-z]+-[a-z]+-9999$/);
});

test('a form filled from a task submits the same again under a new id', () => {
  const specs = [
    { shell: 'npm test', cwd: '/srv', timeoutMs: 600_000 },
    {
      command: ['node', 'script.js', '', 'a b'],
      retry: { maxAttempts: 3, on: ['lost' as const, 'failed' as const] },
    },
    { runner: 'claude', prompt: 'Fix it.\nThen test.' },
  ];
  for (const spec of specs) {
    const task = aTask({ spec, title: 'T', labels: { team: 'core', kind: 'x=y' } });
    const { form: filled, leftOut } = formOf(task, id);
    expect(leftOut).toEqual([]);
    expect(toSubmit(filled)).toEqual({
      body: { id, sessionId: task.sessionId, spec, title: 'T', labels: task.labels, agent: 'a1' },
    });
  }
});

test('what the form has no place for is named, never lost in silence', () => {
  const spec = {
    command: ['sh', '-c', 'a\nb', ''],
    env: ['TOKEN'],
    workspace: { dir: '/w' },
    timeoutMs: 1500,
    idleTimeoutMs: 1000,
    concurrencyKey: 'k',
    keepLeftovers: true,
    retry: { on: ['lost' as const] },
    payload: 1,
  };
  const task = aTask({ spec, queue: 'ci', priority: 3, labels: { note: 'two words' } });
  expect(formOf(task, id).leftOut).toHaveLength(13);
  const commas = formOf(aTask({ labels: { note: 'a,b', team: 'core' } }), id);
  expect(commas.form.labels).toBe('team=core');
  expect(commas.leftOut).toEqual(['labels with spaces or commas']);
});
