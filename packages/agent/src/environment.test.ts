import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cleanEnvironment, ownEnvironment, resolveExecutable } from './environment.ts';
import { StartError } from './start-error.ts';
import { makeFolder } from './test-kit.ts';

const marker = { taskId: 't', attempt: 2, sessionId: 's', run: '/h/runs/t/2-a' };

test('what a package manager injected is gone, and what the user set stays', () => {
  const injected = {
    npm_config_cache: '/c',
    npm_lifecycle_event: 'start',
    PNPM_PACKAGE_NAME: 'x',
    PNPM_SCRIPT_SRC_DIR: '/x',
    NODE: '/x/node',
    INIT_CWD: '/x',
  };
  const own = {
    HOME: '/home/u',
    PNPM_HOME: '/p',
    NPM_TOKEN: 't',
    NODE_ENV: 'dev',
    NODE_OPTIONS: '--x',
    LANG: 'C',
  };
  expect(cleanEnvironment({ ...injected, ...own })).toEqual(own);
});

test('the agent’s settings and secrets, and what its shell left, are not the task’s', () => {
  expect(
    cleanEnvironment({ HOLDFAST_HOME: '/h', HOLDFAST_TOKEN: 'secret', _: '/bin/x', OLDPWD: '/', A: '1' }),
  ).toEqual({
    A: '1',
  });
});

test('PATH loses the folders of a package manager and keeps the order of the rest', () => {
  const PATH = [
    '/project/node_modules/.bin',
    '/usr/local/bin',
    '/a/node_modules/.bin/',
    '/npm/lib/node-gyp-bin',
    '/home/u/node_modules/tool/bin',
    '/bin',
  ].join(':');
  expect(cleanEnvironment({ PATH })).toEqual({ PATH: '/usr/local/bin:/home/u/node_modules/tool/bin:/bin' });
});

test('a task’s own values stay, except the marker, which nothing overrides', () => {
  expect(ownEnvironment({ A: '1', HOLDFAST_RUN: '/elsewhere', HOLDFAST_HOME: '/mine' }, marker)).toEqual({
    A: '1',
    HOLDFAST_HOME: '/mine',
    HOLDFAST_TASK: 't',
    HOLDFAST_ATTEMPT: '2',
    HOLDFAST_SESSION: 's',
    HOLDFAST_RUN: '/h/runs/t/2-a',
  });
});

function makeBin() {
  const folder = makeFolder();
  const add = (name: string, mode = 0o755) => {
    mkdirSync(join(folder.path, name, '..'), { recursive: true });
    writeFileSync(join(folder.path, name), '#!/bin/sh\n');
    chmodSync(join(folder.path, name), mode);
    return join(folder.path, name);
  };
  return { path: folder.path, add, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

test('a name is looked up in PATH, in order', () => {
  using bin = makeBin();
  const second = bin.add('b/tool');
  expect(resolveExecutable('tool', '/', `${bin.path}/a:${bin.path}/b`)).toBe(second);
  const first = bin.add('a/tool');
  expect(resolveExecutable('tool', '/', `${bin.path}/a:${bin.path}/b`)).toBe(first);
});

test('a name with a slash, and a relative entry of PATH, count from the working directory', () => {
  using bin = makeBin();
  const tool = bin.add('sub/tool');
  expect(resolveExecutable('./sub/tool', bin.path)).toBe(tool);
  expect(resolveExecutable('sub/tool', bin.path)).toBe(tool);
  expect(resolveExecutable(tool, '/')).toBe(tool);
  expect(resolveExecutable('tool', bin.path, '/nowhere:sub')).toBe(tool);
  expect(resolveExecutable('tool', join(bin.path, 'sub'), '/nowhere:')).toBe(tool);
});

test('what is no executable file is passed over, as a shell does', () => {
  using bin = makeBin();
  mkdirSync(join(bin.path, 'a/tool'), { recursive: true });
  bin.add('b/tool', 0o644);
  bin.add('c', 0o644);
  const tool = bin.add('d/tool');
  const search = ['a', 'b', 'c', 'missing', 'd'].map((name) => join(bin.path, name)).join(':');
  expect(resolveExecutable('tool', '/', search)).toBe(tool);
});

function failure(look: () => string): StartError {
  try {
    look();
  } catch (error) {
    if (error instanceof StartError) return error;
    throw error;
  }
  throw new Error('it was found');
}

test('P8: what cannot be run is refused for good, in words', () => {
  using bin = makeBin();
  const plain = bin.add('a/plain', 0o644);
  symlinkSync('loop', join(bin.path, 'loop'));
  const cases: [string, string, RegExp][] = [
    ['tool', `${bin.path}/a:/nowhere`, /^command not found: tool \(looked in .*\/a, \/nowhere\)$/],
    ['', '/bin', /^command not found: /],
    ['./tool', '', /^command not found: \.\/tool$/],
    ['plain', `${bin.path}/a`, /plain cannot be run: it is not executable$/],
    [plain, '', /plain cannot be run: it is not executable$/],
    [bin.path, '', /cannot be run: it is not a file$/],
    [`${plain}/tool`, '', /^command not found: /],
    [join(bin.path, 'loop'), '', /loop cannot be run: .*\(ELOOP\)$/],
    ['x'.repeat(300), '/bin', /cannot be run: the name is too long \(ENAMETOOLONG\)$/],
  ];
  for (const [command, search, message] of cases) {
    const error = failure(() => resolveExecutable(command, bin.path, search));
    expect(error).toMatchObject({ code: 'spawn_failed', passing: false });
    expect(error.message).toMatch(message);
  }
});

test('a very long PATH is told in part', () => {
  const { message } = failure(() =>
    resolveExecutable('tool', '/', Array.from({ length: 99 }, () => '/nowhere').join(':')),
  );
  expect(message.length).toBeLessThan(400);
  expect(message).toMatch(/…\)$/);
});
