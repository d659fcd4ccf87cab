import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { SHIM } from './launch.ts';
import { scanProcesses, signalProcess } from './process.ts';
import { commandOf, makeFolder, startShim, TASK_ID, until } from './test-kit.ts';

const shells = ['/bin/sh', '/bin/dash', '/bin/bash'].filter((path) => existsSync(path));

test('the script that the shell gets holds no comments and every step', () => {
  expect(SHIM).not.toMatch(/^\s*#/m);
  for (const step of ['trap :', 'set -C', '/pid"', '/ticket"', 'exec "$@"', '/exit.$code"'])
    expect(SHIM).toContain(step);
});

for (const shell of shells) {
  test.each([
    ['true', 0],
    ['exit 7', 7],
    ['exit 137', 137],
    ['kill -KILL $$', 137],
    ['kill -TERM $$', 143],
    ['kill -INT $$', 130],
    ['kill -PIPE $$', 141],
    ['kill -USR1 $$', 138],
  ])(`${shell}: "%s" is recorded as %d`, async (script, exitCode) => {
    using home = makeFolder();
    await using one = startShim(home.path, ['/bin/sh', '-c', script], { shell });
    expect(await one.ended).toBe(0);
    expect(one.run.readRecord()?.exitCode).toBe(exitCode);
  });

  test(`${shell}: the shim records itself before it takes the ticket, and its words stay out of the log`, async () => {
    using home = makeFolder();
    await using one = startShim(home.path, ['/bin/sh', '-c', 'kill -TERM $$'], { shell });
    await one.ended;
    expect(await one.run.readShim()).toEqual(one.shim);
    expect(one.output()).toBe('');
    const { run } = one;
    expect(statSync(join(run.path, 'pid')).mtimeMs).toBeLessThanOrEqual(
      statSync(join(run.path, 'ticket')).mtimeMs,
    );
    expect(run.takeTicket()).toBe('shim');
  });

  test(`${shell}: signals to the group neither end the shim nor keep it from the record`, async () => {
    using home = makeFolder();
    const script = 'trap "echo asked; exit 9" TERM; echo ready; while :; do sleep 0.01; done';
    await using one = startShim(home.path, ['/bin/sh', '-c', script], { shell });
    await until('the command is ready', () => one.output().includes('ready'));
    for (const name of [
      'SIGHUP',
      'SIGINT',
      'SIGQUIT',
      'SIGUSR1',
      'SIGUSR2',
      'SIGALRM',
      'SIGPIPE',
      'SIGTERM',
    ] as const) {
      process.kill(one.shim.pid, name);
    }
    process.kill(-one.shim.pid, 'SIGTERM');
    expect(await one.ended).toBe(0);
    expect(one.run.readRecord()?.exitCode).toBe(9);
    expect(one.output()).toContain('asked');
  });

  test(`${shell}: the command inherits no ignored and no blocked signal`, async () => {
    using home = makeFolder();
    await using one = startShim(home.path, ['/bin/cat', '/proc/self/status'], { shell });
    await one.ended;
    const status = one.output();
    // Node itself leaves SIGPIPE and others as they are by default in a child.
    expect(status).toMatch(/^SigIgn:\s0+$/m);
    expect(status).toMatch(/^SigBlk:\s0+$/m);
  });

  test(`${shell}: the command gets stdin from nowhere and nothing of the shim's own descriptors`, async () => {
    using home = makeFolder();
    await using one = startShim(
      home.path,
      ['/bin/sh', '-c', 'read x || echo no input; [ -e /proc/$$/fd/3 ] || echo no third'],
      { shell },
    );
    await one.ended;
    expect(one.output()).toBe('no input\nno third\n');
  });

  test(`${shell}: arguments arrive as they were given`, async () => {
    using home = makeFolder();
    const given = ['a b', '', '$HOME `id` "x" \'y\'', 'line\nline', '-n', '*', '\\', 'ü\u{1F600}'];
    await using one = startShim(home.path, ['/usr/bin/printf', '[%s]', ...given], { shell });
    await one.ended;
    expect(one.output()).toBe(given.map((text) => `[${text}]`).join(''));
  });

  test(`${shell}: with the ticket gone nothing runs and nothing is recorded`, async () => {
    using home = makeFolder();
    await using one = startShim(home.path, ['/bin/sh', '-c', 'echo ran'], {
      shell,
      before: (run) => expect(run.takeTicket()).toBe('agent'),
    });
    expect(await one.ended).toBe(125);
    expect(one.run.readRecord()).toBeUndefined();
    expect(one.output()).toBe('');
    expect(one.run.takeTicket()).toBe('agent');
  });

  test(`${shell}: of two shims in one run directory one runs`, async () => {
    using home = makeFolder();
    const argv = ['/bin/sh', '-c', 'echo ran'];
    await using one = startShim(home.path, argv, { shell });
    await using other = startShim(home.path, argv, { shell });
    expect(new Set([await one.ended, await other.ended])).toEqual(new Set([0, 125]));
    expect(one.output()).toBe('ran\n');
  });

  test(`${shell}: a stop that was asked for before the command began keeps it from running, and is on record`, async () => {
    using home = makeFolder();
    await using one = startShim(home.path, ['/bin/sh', '-c', 'echo ran'], {
      shell,
      before: (run) => run.requestStop(),
    });
    await one.ended;
    expect(one.run.readRecord()?.exitCode).toBe(143);
    expect(one.output()).toBe('');
  });

  test(`${shell}: the task's PATH, working directory, limits and shell options do not break the shim`, async () => {
    using home = makeFolder();
    const cwd = join(home.path, 'gone');
    mkdirSync(cwd);
    const script = 'rmdir "$PWD"; ulimit -f 0; ulimit -n 3; ulimit -t 1; exit 5';
    await using one = startShim(home.path, ['/bin/sh', '-c', script], {
      shell,
      cwd,
      env: {
        PATH: '/nowhere',
        IFS: '/',
        SHELLOPTS: 'errexit:nounset:noglob',
        CDPATH: '/tmp',
        POSIXLY_CORRECT: '1',
      },
    });
    expect(await one.ended).toBe(0);
    expect(one.run.readRecord()?.exitCode).toBe(5);
  });

  test(`${shell}: a command that is gone or no program is told in the log, with the code of a shell`, async () => {
    using home = makeFolder();
    await using one = startShim(home.path, [join(home.path, 'missing')], { shell });
    await one.ended;
    expect(one.run.readRecord()?.exitCode).toBe(127);
    expect(one.output()).toContain('missing');
  });

  test(`${shell}: a task that removes its own run directory is recorded all the same`, async () => {
    using home = makeFolder();
    await using one = startShim(home.path, ['/bin/sh', '-c', 'rm -rf "$HOLDFAST_RUN"; exit 7'], { shell });
    expect(await one.ended).toBe(0);
    expect(one.run.readRecord()?.exitCode).toBe(7);
  });

  test(`${shell}: a task whose runs were all removed under it ends without a record`, async () => {
    using home = makeFolder();
    await using one = startShim(home.path, ['/bin/sh', '-c', 'echo ready; exec sleep 600'], { shell });
    await until('the command is ready', () => one.output() === 'ready\n');
    rmSync(dirname(one.run.path), { recursive: true });
    for (const process of one.others()) signalProcess(process, 'SIGKILL');
    expect(await one.ended).toBe(125);
    expect(existsSync(one.run.path)).toBe(false);
  });

  test(`${shell}: a record that a task forged is replaced by the true one`, async () => {
    using home = makeFolder();
    const forge = 'touch "$HOLDFAST_RUN/exit.0" "$HOLDFAST_RUN/exit.3"; exit 3';
    await using one = startShim(home.path, ['/bin/sh', '-c', forge], { shell });
    expect(await one.ended).toBe(0);
    expect(one.run.readRecord()?.exitCode).toBe(3);
  });
}

test('a record that cannot be created is tried again until it can', async () => {
  using home = makeFolder();
  await using one = startShim(home.path, ['/bin/sh', '-c', 'echo ready; exec sleep 600']);
  await until('the command is ready', () => one.output() === 'ready\n');
  // A directory of the record's name stands in its way, as a full disk would.
  mkdirSync(join(one.run.path, 'exit.137'));
  for (const process of one.others()) signalProcess(process, 'SIGKILL');
  await until('the shim waits', () => one.others().length > 0);
  renameSync(join(one.run.path, 'exit.137'), join(one.run.path, 'elsewhere'));
  expect(await one.ended).toBe(0);
  expect(one.run.readRecord()?.exitCode).toBe(137);
});

test.runIf(canMount())('on a full disk the exit code is not lost', async () => {
  using folder = makeFolder();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,nr_inodes=12', 'tmpfs', folder.path]);
  try {
    await using one = startShim(
      folder.path,
      ['/bin/sh', '-c', 'echo ready; read x <"$HOLDFAST_RUN/go"; exit 6'],
      {
        before: (run) => execFileSync('mkfifo', [join(run.path, 'go')]),
      },
    );
    await until('the command is ready', () => one.output() === 'ready\n');
    expect(() => fill(folder.path)).toThrow(/ENOSPC/);
    writeFileSync(join(one.run.path, 'go'), 'go\n');
    await until('the shim waits for room', () => one.others().length > 0);
    expect(one.run.readRecord()).toBeUndefined();
    rmSync(join(folder.path, 'filler-0'));
    expect(await one.ended).toBe(0);
    expect(one.run.readRecord()?.exitCode).toBe(6);
  } finally {
    execFileSync('umount', ['-l', folder.path]);
  }
});

test('a stop that comes while commands begin misses none of them', async () => {
  using home = makeFolder();
  await using all = new AsyncDisposableStack();
  const runs = Array.from({ length: 60 }, (_, index) =>
    all.use(startShim(home.path, ['/bin/sleep', '600'], { attempt: index + 1 })),
  );
  // At different moments of their beginning: each is asked, then signalled once, as the ladder does it.
  for (const { run, shim } of runs) {
    const others = scanProcesses().othersOf(run.path, shim);
    run.requestStop();
    for (const other of others) signalProcess(other, 'SIGTERM');
  }
  expect(await Promise.all(runs.map((one) => one.ended))).toEqual(runs.map(() => 0));
  for (const { run } of runs) expect(run.readRecord()?.exitCode).toBe(143);
});

test('two hundred at once are all recorded, each with its own code', async () => {
  using home = makeFolder();
  const runs = Array.from({ length: 200 }, (_, index) =>
    startShim(home.path, ['/bin/sh', '-c', `exit ${index}`], { launchId: `n${index}` }),
  );
  await Promise.all(runs.map((one) => one.ended));
  const codes = await Promise.all(runs.map(async (one) => one.run.readRecord()?.exitCode));
  expect(codes).toEqual(runs.map((_, index) => index));
  expect(new Set(runs.map((one) => one.shim.pid)).size).toBeGreaterThan(1);
});

test('a shim that is killed leaves its command to be found by its group', async () => {
  using home = makeFolder();
  await using one = startShim(home.path, ['/bin/sleep', '600']);
  await until('the command runs', () => one.others().some(({ pid }) => commandOf(pid) === 'sleep'));
  process.kill(one.shim.pid, 'SIGKILL');
  expect(await one.ended).toBe('SIGKILL');
  expect(scanProcesses().shimOf(one.shim)).toBeUndefined();
  expect(one.others()).toMatchObject([{ group: one.shim.pid, session: one.shim.pid, marker: one.run.path }]);
  expect(one.run.readRecord()).toBeUndefined();
});

test('everything of a run is in its directory', async () => {
  using home = makeFolder();
  await using one = startShim(home.path, ['/bin/true']);
  await one.ended;
  expect(readdirSync(join(home.path, 'runs', TASK_ID))).toEqual(['1-abc']);
  expect(readdirSync(one.run.path).toSorted()).toEqual(['exit.0', 'output.log', 'pid', 'ticket']);
});

/** Creates files until that fails. */
function fill(folder: string): never {
  for (let made = 0; ; made += 1) writeFileSync(join(folder, `filler-${made}`), '');
}

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  using folder = makeFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder.path], { stdio: 'ignore' });
    execFileSync('umount', [folder.path], { stdio: 'ignore' });
    return true;
  } catch {
    // A container without the right to mount.
    return false;
  }
}
