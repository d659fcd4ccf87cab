import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { argvOf, builtinRunners, knownRunners, listRunners } from './runners.ts';
import { makeFolder } from './test-kit.ts';
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
  expect(argvOf(task, runners, () => 'an-id')).toEqual(['claude', '-p', prompt, '--session-id', 'an-id']);
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

test('an id that a session gets is new for each attempt, and a UUID', () => {
  const task = makeTask({ spec: { runner: 'claude', prompt: 'x' } });
  const [one, two] = [argvOf(task, runners)!.at(-1)!, argvOf(task, runners)!.at(-1)!];
  expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(two).not.toBe(one);
});

test('a name that every object has is no runner', () => {
  expect(argvOf(makeTask({ spec: { runner: 'constructor', prompt: 'x' } }), runners)).toBeUndefined();
});

test('with the built-in runners a prompt is the last argument and stands behind the end of the options', () => {
  for (const runner of Object.keys(builtinRunners)) {
    for (const known of [{}, { externalId: 'ses_1' }]) {
      const argv = argvOf(makeTask({ spec: { runner, prompt: '--help' }, ...known }), builtinRunners)!;
      expect(argv.at(-1)).toBe('--help');
      expect(argv.indexOf('--')).toBeGreaterThan(0);
      expect(argv.includes('ses_1')).toBe('externalId' in known);
      expect(argv[0]).toBe(runner);
    }
  }
});

test('an external id that would be read as an option is refused, where nothing ends the options before it', () => {
  const resume = (runner: string) =>
    argvOf(makeTask({ spec: { runner, prompt: 'x' }, externalId: '--last' }), builtinRunners);
  expect(() => resume('claude')).toThrow('"--last" cannot be resumed: claude would read it as an option');
  expect(() => resume('opencode')).toThrow('opencode would read it as an option');
  expect(resume('codex')?.slice(-3)).toEqual(['--', '--last', 'x']);
});

test('the configured runners win by name', () => {
  const own = { command: ['my-claude', '{prompt}'] };
  const known = knownRunners({ claude: own });
  expect(known['claude']).toBe(own);
  expect(Object.keys(known).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['claude', 'codex', 'opencode']);
});

test('a list of runners says where each program is in the PATH that tasks get, and where each runner is from', () => {
  using folder = makeFolder();
  const place = (name: string, mode: number) => {
    mkdirSync(join(folder.path, 'bin'), { recursive: true });
    const path = join(folder.path, 'bin', name);
    writeFileSync(path, '#!/bin/sh\n');
    chmodSync(path, mode);
    return path;
  };
  const codex = place('codex', 0o755);
  place('opencode', 0o644);
  const mine = place('mine', 0o755);
  const configured = {
    mine: { command: [mine, '{prompt}'] },
    here: { command: ['./here'] },
    claude: { command: ['codex'] },
  };
  const list = listRunners(configured, `/nowhere:${join(folder.path, 'bin')}`);
  expect(list.map(({ name, source, executable }) => [name, source, executable])).toEqual([
    ['claude', 'config', codex],
    ['codex', 'builtin', codex],
    ['here', 'config', undefined],
    ['mine', 'config', mine],
    ['opencode', 'builtin', undefined],
  ]);
  const { command, resume } = builtinRunners['codex']!;
  expect(list[1]).toEqual({ name: 'codex', command, resume, executable: codex, source: 'builtin' });
});
