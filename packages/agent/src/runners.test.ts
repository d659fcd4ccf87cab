import { expect, test } from 'vitest';
import { argvOf } from './runners.ts';
import { makeTask } from './test-support.ts';

const runners = {
  claude: {
    command: ['claude', '-p', '{prompt}', '--session-id', '{uuid}'],
    resume: ['claude', '-p', '{prompt}', '--resume', '{externalId}'],
  },
  plain: { command: ['run', 'in-{sessionId}:{prompt}'] },
};

test('a command is taken as it is, placeholders and all; a shell text goes to sh', () => {
  expect(argvOf(makeTask({ spec: { command: ['echo', '{prompt}'] } }), runners)).toEqual([
    'echo',
    '{prompt}',
  ]);
  expect(argvOf(makeTask({ spec: { shell: 'a | b' } }), runners)).toEqual(['/bin/sh', '-c', 'a | b']);
});

test('a prompt is one argument, whatever is in it, and is not looked at for placeholders again', () => {
  const prompt = '"; rm -rf / #\n{uuid} $& $(id)';
  const task = makeTask({ spec: { runner: 'claude', prompt } });
  expect(argvOf(task, runners)).toEqual(['claude', '-p', prompt, '--session-id', task.id]);
  const plain = makeTask({ spec: { runner: 'plain', prompt } });
  expect(argvOf(plain, runners)).toEqual(['run', `in-session:${prompt}`]);
});

test('a known external id selects the way to resume, where there is one', () => {
  const known = { externalId: 'ext-1' };
  const task = makeTask({ spec: { runner: 'claude', prompt: 'go on' }, ...known });
  expect(argvOf(task, runners)).toEqual(['claude', '-p', 'go on', '--resume', 'ext-1']);
  expect(argvOf(makeTask({ spec: { runner: 'plain', prompt: 'x' }, ...known }), runners)).toEqual([
    'run',
    'in-session:x',
  ]);
});

test('a runner that this agent does not have gives nothing', () => {
  expect(argvOf(makeTask({ spec: { runner: 'none', prompt: 'x' } }), runners)).toBeUndefined();
});
