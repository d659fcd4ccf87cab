import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runGit, type RunGit } from './git.ts';
import { StartError } from './start-error.ts';
import { makeFolder, TASK_ID, until } from './test-kit.ts';
import { Workspaces } from './workspace.ts';

const PATH = process.env.PATH ?? '/usr/bin:/bin';
const env = { PATH, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };
const author = [
  '-c',
  'user.name=t',
  '-c',
  'user.email=t@t',
  '-c',
  'init.defaultBranch=main',
  '-c',
  'commit.gpgsign=false',
];

function git(directory: string, ...args: string[]): string {
  return execFileSync('git', ['-C', directory, ...author, ...args], {
    env,
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
}

/** A repository with one commit on `main`, and the workspaces of a home beside it. */
function makeRepo(options: { run?: RunGit; env?: Record<string, string> } = {}) {
  const folder = makeFolder();
  const repo = join(folder.path, 'repo');
  const home = join(folder.path, 'home');
  mkdirSync(repo);
  mkdirSync(home);
  git(repo, 'init', '-q');
  writeFileSync(join(repo, 'file'), 'one\n');
  mkdirSync(join(repo, 'sub'));
  writeFileSync(join(repo, 'sub/inner'), 'inner\n');
  writeFileSync(join(repo, '.gitignore'), 'ignored\n');
  git(repo, 'add', '.');
  git(repo, 'commit', '-qm', 'one');
  const workspaces = new Workspaces({
    home,
    env: { ...env, ...options.env },
    ...(options.run && { run: options.run }),
  });
  const spec = (ref: string, at = repo) => ({ workspace: { worktree: { repo: at, ref } } });
  const plan = (ref: string, at = repo, launchId = '0123456789ab') =>
    workspaces.plan(spec(ref, at), TASK_ID, 1, launchId)!;
  const make = async (ref = 'main', cwd?: string, launchId?: string) => {
    const planned = plan(ref, repo, launchId);
    const full = cwd === undefined ? spec(ref) : { ...spec(ref), cwd };
    return { planned, directory: await workspaces.prepare(full, planned, never()) };
  };
  return {
    root: folder.path,
    repo,
    home,
    workspaces,
    spec,
    plan,
    make,
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

const never = () => new AbortController().signal;

async function failure(promise: Promise<unknown>): Promise<StartError> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof StartError)) throw new Error('it did not fail as a start does', { cause: error });
  return error;
}

/** That nothing of a worktree is left, neither on disk nor in its repository. */
function expectNothingLeft(repo: { repo: string; home: string }): void {
  const folder = join(repo.home, 'worktrees');
  expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
  expect(git(repo.repo, 'worktree', 'list', '--porcelain').match(/^worktree /gm)).toHaveLength(1);
}

test('without a workspace a task starts in its cwd, from its dir, from the home of the user', async () => {
  using repo = makeRepo();
  const start = (spec: object) => repo.workspaces.prepare(spec, undefined, never());
  expect(await start({})).toBe(homedir());
  expect(await start({ cwd: repo.repo })).toBe(repo.repo);
  expect(await start({ cwd: '~' })).toBe(homedir());
  expect(await start({ workspace: { dir: repo.repo } })).toBe(repo.repo);
  expect(await start({ workspace: { dir: repo.repo }, cwd: 'sub' })).toBe(join(repo.repo, 'sub'));
  expect(repo.workspaces.plan({ workspace: { dir: repo.repo } }, TASK_ID, 1, '0123456789ab')).toBeUndefined();
});

// Fails without: `existingDirectory` in workspace.ts.
test('failure mode 1, P8: a directory that is missing or none is refused for good', async () => {
  using repo = makeRepo();
  for (const cwd of [join(repo.repo, 'missing'), join(repo.repo, 'file'), join(repo.repo, 'file/below')]) {
    const error = await failure(repo.workspaces.prepare({ cwd }, undefined, never()));
    expect(error).toMatchObject({ code: 'workspace_failed', passing: false });
    expect(error.message).toContain(cwd);
  }
});

test('a worktree has the files of its ref, apart from the repository, and a cwd within', async () => {
  using repo = makeRepo();
  const { planned, directory } = await repo.make('main', 'sub');
  expect(planned.path).toBe(join(repo.home, 'worktrees', `${TASK_ID}-1-0123456789ab`));
  expect(directory).toBe(join(planned.path, 'sub'));
  expect(readFileSync(join(planned.path, 'file'), 'utf8')).toBe('one\n');
  expect(git(planned.path, 'rev-parse', 'HEAD')).toBe(git(repo.repo, 'rev-parse', 'main'));
});

test('a worktree without changes is removed at the end, ignored files with it', async () => {
  using repo = makeRepo();
  const { planned } = await repo.make();
  writeFileSync(join(planned.path, 'ignored'), 'x');
  expect(await repo.workspaces.release(planned)).toEqual({});
  expectNothingLeft(repo);
  expect(await repo.workspaces.release(planned)).toEqual({});
});

test.each<[string, (path: string) => void, RegExp]>([
  ['an untracked file', (path) => writeFileSync(join(path, 'new'), 'x'), /not committed/],
  ['a changed file', (path) => writeFileSync(join(path, 'file'), 'x'), /not committed/],
  ['a removed file', (path) => rmSync(join(path, 'file')), /not committed/],
  [
    'a commit of its own',
    (path) => git(path, 'commit', '-q', '--allow-empty', '-m', 'x'),
    /no branch or tag has/,
  ],
  ['a lock of somebody', (path) => git(path, 'worktree', 'lock', '--reason', 'mine', path), /locked: mine/],
  ['files, but is no worktree any more', (path) => rmSync(join(path, '.git')), /no longer a worktree/],
])('a worktree that holds %s is kept, with the reason', async (_, change, why) => {
  using repo = makeRepo();
  const { planned } = await repo.make();
  change(planned.path);
  const { kept } = await repo.workspaces.release(planned);
  expect(kept).toMatch(why);
  expect(existsSync(planned.path)).toBe(true);
});

test('commits that a branch has are safe without the worktree', async () => {
  using repo = makeRepo();
  const { planned } = await repo.make();
  git(planned.path, 'checkout', '-q', '-b', 'topic');
  git(planned.path, 'commit', '-q', '--allow-empty', '-m', 'kept');
  expect(await repo.workspaces.release(planned)).toEqual({});
  expectNothingLeft(repo);
  expect(git(repo.repo, 'log', '-1', '--format=%s', 'topic')).toBe('kept');
});

test('P10: what cannot be told is kept', async () => {
  using repo = makeRepo();
  const { planned } = await repo.make();
  rmSync(join(repo.repo, '.git/HEAD'));
  expect((await repo.workspaces.release(planned)).kept).toMatch(/could not be removed/);
  expect(existsSync(join(planned.path, 'file'))).toBe(true);
});

// Fails without: the look at the exit code of `rev-parse --verify` in workspace.ts.
test('failure mode 1, P8: what git refuses for good is told in its words, and undone leaves nothing', async () => {
  using repo = makeRepo();
  const plain = join(repo.root, 'plain');
  mkdirSync(plain);
  const cases: [string, string, RegExp][] = [
    ['no-such-branch', repo.repo, /has no commit "no-such-branch"/],
    ['main', plain, /cannot be used as a repository: .*not a git repository/],
    ['main', join(repo.root, 'missing'), /does not exist/],
  ];
  for (const [ref, at, message] of cases) {
    const planned = repo.plan(ref, at);
    const error = await failure(repo.workspaces.prepare(repo.spec(ref, at), planned, never()));
    expect(error).toMatchObject({ code: 'workspace_failed', passing: false });
    expect(error.message).toMatch(message);
    await repo.workspaces.undo(planned);
    expectNothingLeft(repo);
  }
});

test.each(['--detach', '-b', '--upload-pack=touch /tmp/x'])(
  'a ref that looks like an option (%s) is no option',
  async (ref) => {
    using repo = makeRepo();
    const error = await failure(repo.workspaces.prepare(repo.spec(ref), repo.plan(ref), never()));
    expect(error).toMatchObject({ code: 'workspace_failed', passing: false });
    expectNothingLeft(repo);
  },
);

test('P8: a start that fails in the worktree for a directory that does not exist is undone by force', async () => {
  using repo = makeRepo();
  expect(await failure(repo.make('main', 'missing'))).toMatchObject({ passing: false });
  writeFileSync(join(repo.plan('main').path, 'by-a-hook'), 'x');
  await repo.workspaces.undo(repo.plan('main'));
  expectNothingLeft(repo);
});

test('P8: a start that is cut off ends git with its helpers, can be undone, and may pass', async () => {
  using repo = makeRepo();
  const hook = join(repo.repo, '.git/hooks/post-checkout');
  writeFileSync(hook, `#!/bin/sh\necho $$ > ${repo.root}/hook.pid\nexec sleep 600\n`, { mode: 0o755 });
  const cut = new AbortController();
  const failed = failure(repo.workspaces.prepare(repo.spec('main'), repo.plan('main'), cut.signal));
  await until('the hook runs', () => existsSync(join(repo.root, 'hook.pid')));
  cut.abort();
  expect(await failed).toMatchObject({ code: 'workspace_failed', passing: true });
  await repo.workspaces.undo(repo.plan('main'));
  expectNothingLeft(repo);
  const pid = readFileSync(join(repo.root, 'hook.pid'), 'utf8').trim();
  await until('the hook is gone', () => pid === '' || !existsSync(`/proc/${pid}`));
});

test('a worktree that a crash left half made is not taken for work', async () => {
  using repo = makeRepo();
  const { planned } = await repo.make();
  const admin = git(planned.path, 'rev-parse', '--absolute-git-dir');
  writeFileSync(join(admin, 'locked'), 'initializing');
  rmSync(join(planned.path, 'file'));
  expect(await repo.workspaces.release(planned)).toEqual({});
  expectNothingLeft(repo);
});

test('a worktree whose directory is gone is forgotten by its repository', async () => {
  using repo = makeRepo();
  const { planned } = await repo.make();
  rmSync(planned.path, { recursive: true });
  expect(await repo.workspaces.undo(planned)).toBeUndefined();
  expectNothingLeft(repo);
});

test('a GIT_DIR from outside leads git nowhere', async () => {
  using repo = makeRepo({ env: { GIT_DIR: '/nonexistent', GIT_WORK_TREE: '/nonexistent' } });
  const { planned } = await repo.make();
  expect(await repo.workspaces.release(planned)).toEqual({});
});

test('a worktree inside another repository is judged by itself', async () => {
  using repo = makeRepo();
  git(repo.home, 'init', '-q');
  const { planned } = await repo.make();
  expect(await repo.workspaces.release(planned)).toEqual({});
});

const full: RunGit = (args, options) =>
  args.includes('add')
    ? Promise.resolve({ code: 128, stdout: '', stderr: 'fatal: x\nerror: No space left on device\n' })
    : runGit(args, options);
const stubborn: RunGit = (args, options) =>
  args.includes('remove')
    ? Promise.resolve({ code: 128, stdout: '', stderr: 'fatal: no' })
    : runGit(args, options);

const halfMade = 'fatal: failed to read .git/worktrees/other/commondir: Success\n';
const halfGone = "fatal: could not create directory of '.git/worktrees/own': No such file or directory\n";
const invalid = "fatal: Invalid path '/repo/.git/worktrees/other': No such file or directory\n";

test.each([halfMade, halfGone, invalid])(
  'a git that meets another one at work is run once more: %s',
  async (stderr) => {
    const met = new Set<string>();
    const run: RunGit = (args, options) => {
      const at = args.indexOf('worktree');
      const what = args[at + 1]!;
      if (at === -1 || met.has(what)) return runGit(args, options);
      met.add(what);
      return Promise.resolve({ code: 128, stdout: '', stderr });
    };
    using repo = makeRepo({ run });
    const { planned } = await repo.make();
    expect(await repo.workspaces.release(planned)).toEqual({});
    expect([...met]).toEqual(['add', 'remove']);
    expectNothingLeft(repo);
  },
);

test('a repository that never answers otherwise is no reason to end a task, nor to remove what it may hold', async () => {
  let broken = true;
  const run: RunGit = (args, options) =>
    broken && args.includes('worktree')
      ? Promise.resolve({ code: 128, stdout: '', stderr: halfMade })
      : runGit(args, options);
  using repo = makeRepo({ run });
  const error = await failure(repo.workspaces.prepare(repo.spec('main'), repo.plan('main'), never()));
  expect(error).toMatchObject({ code: 'workspace_failed', passing: true });
  broken = false;
  const { planned } = await repo.make();
  broken = true;
  expect((await repo.workspaces.release(planned)).kept).toContain('could not be removed');
  expect(existsSync(planned.path)).toBe(true);
  broken = false;
  expect(await repo.workspaces.release(planned)).toEqual({});
  expectNothingLeft(repo);
});

test('what prepares a worktree carries the marker, and a daemon of its hook holds up nobody', async () => {
  using repo = makeRepo();
  const seen = join(repo.root, 'seen');
  const hook = `#!/bin/sh\nsetsid sleep 600 &\necho "$! $HOLDFAST_RUN" > ${seen}\n`;
  mkdirSync(join(repo.repo, '.git/hooks'), { recursive: true });
  writeFileSync(join(repo.repo, '.git/hooks/post-checkout'), hook, { mode: 0o755 });
  const planned = repo.plan('main');
  const marker = { HOLDFAST_RUN: '/home/runs/one' };
  await repo.workspaces.prepare(repo.spec('main'), planned, never(), marker);
  const [daemon, run] = readFileSync(seen, 'utf8').trim().split(' ');
  process.kill(Number(daemon), 'SIGKILL');
  expect(run).toBe('/home/runs/one');
});

test('P8: a full disk may pass, a git that is missing will not', async () => {
  using repo = makeRepo({ run: full });
  const planned = repo.plan('main');
  expect(await failure(repo.workspaces.prepare(repo.spec('main'), planned, never()))).toMatchObject({
    passing: true,
  });
  using other = makeRepo({ env: { PATH: '/nowhere' } });
  const error = await failure(other.workspaces.prepare(other.spec('main'), other.plan('main'), never()));
  expect(error).toMatchObject({ code: 'workspace_failed', passing: false });
});

test('P8: a worktree that cannot be undone is told in the words of git', async () => {
  using repo = makeRepo({ run: stubborn });
  const { planned } = await repo.make();
  await expect(repo.workspaces.undo(planned)).rejects.toThrow(/worktree remove .*worktrees.*: fatal: no/);
});

// Fails without: the launch id in the path of a worktree.
test('what an older run of the same attempt number left is never touched: a restored journal gives numbers again', async () => {
  using repo = makeRepo();
  const { planned: older } = await repo.make();
  writeFileSync(join(older.path, 'work'), 'hours of it');
  expect(await repo.workspaces.release(older)).toEqual({ kept: 'it holds changes that are not committed' });
  const { planned } = await repo.make('main', undefined, 'ba9876543210');
  await repo.workspaces.undo(planned);
  expect(readFileSync(join(older.path, 'work'), 'utf8')).toBe('hours of it');
});
