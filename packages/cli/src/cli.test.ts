import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { loadConfig } from '@holdfast/shared';
import { findHome } from './home.ts';
import { answer, makeHome, makeTask, openTerminal, refuse, run, startFakeWeb, taskId } from './test-kit.ts';
import { runCli } from './cli.ts';

test('a mistyped command is a usage error that names the right one', async () => {
  const { code, stdout, stderr } = await run(['lsit']);
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain("holdfast: unknown command 'lsit'");
  expect(stderr).toContain('Did you mean list?');
});

test('a mistyped option is a usage error that names the right one', async () => {
  const { code, stderr } = await run(['run', '--tile', 'x', '--', 'true']);
  expect(code).toBe(2);
  expect(stderr).toContain('Did you mean --title?');
});

test('what other programs call it leads to the right command, not to the nearest letters', async () => {
  for (const [argv, meant] of [
    [['ps'], 'list'],
    [['kill', 'x'], 'cancel'],
    [['stop'], 'cancel'],
    [['rm', 'x'], 'cancel'],
    [['agents', 'rm', 'x'], 'remove'],
    [['pool', 'stop'], 'pause'],
    [['down'], 'help up'],
    [['version'], '--version'],
    [['start'], 'up or run'],
    [['log', 'x'], 'logs'],
    [['tail', 'x'], 'logs'],
    [['status'], 'list or stats or show'],
    [['help', 'ps'], 'list'],
  ] as const) {
    const { code, stdout, stderr } = await run(argv);
    expect([argv, code, stdout]).toEqual([argv, 2, '']);
    expect(stderr).toContain(`(Did you mean ${meant}?)`);
  }
  const tcsh = await run(['completion', 'tcsh']);
  expect([tcsh.code, tcsh.stderr]).toEqual([
    2,
    'holdfast: there is no completion for the shell "tcsh"\n  There are: bash, zsh, fish\n',
  ]);
});

test('options of every level are suggested, of subcommands too', async () => {
  for (const [argv, meant] of [
    [['list', '--jsno'], '--json'],
    [['watch', '--sesion', 's'], '--session'],
    [['pool', 'drain', '--wiat'], '--wait'],
    [['reclaim', '--stael'], '--stale'],
    [['agents', 'add', 'http://x', '--tokenfile', 'f'], '--token-file'],
  ] as const) {
    const { code, stderr } = await run(argv);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`Did you mean ${meant}?`)]);
  }
});

test('no command at all is a usage error, help that was asked for is not', async () => {
  expect((await run([])).code).toBe(2);
  const help = await run(['--help']);
  expect(help.code).toBe(0);
  for (const name of ['up', 'run', 'list', 'logs', 'retry', 'config'])
    expect(help.stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
  expect((await run(['run', '--help'])).stdout).toContain('--agent-url');
});

test('on Windows it says that it needs WSL', async () => {
  const { code, stderr } = await run(['list'], { change: { platform: 'win32' } });
  expect(code).toBe(1);
  expect(stderr).toContain('WSL');
});

test('without a token it says how to start Holdfast', async () => {
  using home = makeHome();
  const { code, stderr } = await run(['list'], { home: home.path });
  expect(code).toBe(1);
  expect(stderr).toContain(`there is no token in ${home.path}/web.token`);
  expect(stderr).toContain('holdfast up');
});

test('a web that does not answer is named, with what to do', async () => {
  const web = await startFakeWeb();
  await using _web = web;
  const terminal = openTerminal({
    argv: ['list'],
    home: web.home,
    change: {
      fetch: () =>
        Promise.reject(
          new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) }),
        ),
    },
  });
  expect(await runCli(terminal.io)).toBe(1);
  expect(terminal.stderr()).toBe(
    `holdfast: Web at ${web.url} cannot be reached: nothing listens there\n  Start it with: holdfast up. ` +
      `(A process ${process.pid} is there; if ps -fp ${process.pid} shows that it is Holdfast’s, it is starting or stopping.)\n`,
  );
});

/** What a request of a service that accepts and never answers comes to. */
const silence = (): Promise<Response> =>
  Promise.reject(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));

test('a web that accepts and never answers is not to be started, but woken or ended, by its pid', async () => {
  await using web = await startFakeWeb();
  const { code, stderr } = await run(['list'], { home: web.home, change: { fetch: silence } });
  expect(code).toBe(1);
  expect(stderr).toBe(
    `holdfast: Web at ${web.url} does not answer: no answer within 20 s\n  Its process (pid ${process.pid}) is ` +
      `there, but stopped, stuck or overloaded. Wake it with: kill -CONT ${process.pid}. If it stays so: ` +
      `kill -KILL ${process.pid}, then holdfast up; tasks go on, and nothing that was accepted is lost.\n`,
  );
});

test('a process that has ended is not to be killed, nor one that nobody announced', async () => {
  await using web = await startFakeWeb();
  const gone = spawnSync('true').pid;
  writeFileSync(join(web.home, 'web.json'), JSON.stringify({ url: web.url, pid: gone }));
  const { stderr } = await run(['list'], { home: web.home, change: { fetch: silence } });
  expect(stderr).toContain(`Its process (pid ${gone}) is gone. Start it with: holdfast up`);
  const direct = ['list', '--agent-url', web.url, '--token-file', join(web.home, 'web.token')];
  const agent = await run(direct, { change: { fetch: silence } });
  expect(agent.stderr).toContain('check --agent-url');
  expect(agent.stderr).not.toContain('kill');
});

test('the token that is not taken is named by its file', async () => {
  await using web = await startFakeWeb();
  writeFileSync(join(web.home, 'web.token'), 'another');
  const { code, stderr } = await run(['list'], { home: web.home });
  expect(code).toBe(4);
  expect(stderr).toContain(`does not take the token in ${join(web.home, 'web.token')}\n`);
});

test('after too many wrong tokens it is still the file that is named, with what to do', async () => {
  await using web = await startFakeWeb();
  web.intercept = (_request, response) => {
    refuse(response, 429, 'rate_limited', 'Too many failed attempts. Wait 42 s.');
    return true;
  };
  const { code, stderr } = await run(['list'], { home: web.home });
  expect(code).toBe(4);
  const file = join(web.home, 'web.token');
  expect(stderr).toContain(`does not take the token in ${file}: Too many failed attempts. Wait 42 s\n`);
  expect(stderr).toContain('check HOLDFAST_HOME or give --home');
  const direct = ['list', '--agent-url', web.url, '--token-file', file];
  expect((await run(direct)).stderr).toContain('Give the file that holds this agent’s token: --token-file.');
});

test('whoever sits at a terminal is told, once, what it is that takes so long', async () => {
  await using web = await startFakeWeb();
  const held = new Set<() => void>();
  const waits: number[] = [];
  const change = {
    startTimer: (run: () => void, delayMs: number) => {
      waits.push(delayMs);
      held.add(run);
      return { cancel: () => void held.delete(run) };
    },
  };
  // Answers only when the time was over for every request that is under way.
  web.intercept = (request) => {
    if (request.path !== '/api/tasks') return false;
    for (const run of held) run();
    return false;
  };
  const terminal = openTerminal({ argv: ['list'], home: web.home, change });
  terminal.io.stderr.isTTY = true;
  expect(await runCli(terminal.io)).toBe(0);
  expect(new Set(waits)).toEqual(new Set([2000]));
  expect(terminal.stderr()).toBe(
    `holdfast: waiting for web at ${web.url} …\nThere are no tasks yet. Run one with: holdfast run -- echo hello\n`,
  );
  expect(held.size).toBe(0);
  waits.length = 0;
  await run(['list'], { home: web.home, change });
  expect(waits).toEqual([]);
});

test('where web is stuck the agent of this home is offered', async () => {
  await using web = await startFakeWeb();
  const file = join(web.home, 'agents', 'a1.json');
  writeFileSync(file, JSON.stringify({ id: 'a1', url: 'http://127.0.0.1:7401', pid: process.pid }));
  const { stderr } = await run(['list'], { home: web.home, change: { fetch: silence } });
  expect(stderr).toMatch(/ Until then go round it: --agent-url http:\/\/127\.0\.0\.1:7401\n$/);
  writeFileSync(file, JSON.stringify({ id: 'a1', url: 'http://127.0.0.1:7401', pid: spawnSync('true').pid }));
  expect((await run(['list'], { home: web.home, change: { fetch: silence } })).stderr).not.toContain('round');
});

test('whatever is written and has no answer may have been done: 75, with what to do', async () => {
  await using web = await startFakeWeb();
  for (const n of [1, 2]) web.tasks.set(taskId(n), makeTask(n, { status: 'running', attempt: 1 }));
  const tokenFile = join(web.home, 'build-2.token');
  writeFileSync(tokenFile, 'secret');
  // Reads are answered; of writes the connection is cut after they have arrived.
  web.intercept = (request, response) => {
    if (request.method === 'GET') return false;
    response.destroy();
    return true;
  };
  const id = taskId(1);
  for (const argv of [
    ['run', '--', 'true'],
    ['cancel', id],
    ['retry', id],
    ['resolve', id, '--lost'],
    ['reclaim', id, '--reason', 'hangs'],
    ['reclaim', '--stale', '-y'],
    ['pool', 'pause'],
    ['pool', 'drain', '--wait'],
    ['pool', 'resume'],
    ['pool', 'slots', '3'],
    ['agents', 'add', 'http://build-2.lan:7401', '--token-file', tokenFile],
    ['agents', 'remove', 'laptop'],
    ['sessions', 'rename', 'nightly', 'Every night'],
    ['sessions', 'archive', 'nightly'],
    ['sessions', 'unarchive', 'nightly'],
  ]) {
    const { code, stdout, stderr } = await run(argv, { home: web.home });
    expect([argv, code, stdout]).toEqual([argv, 75, '']);
    expect(stderr).toMatch(/: whether .* is not known\n {2}\S/);
  }
});

test('a problem of 4xx is exit code 4 and every fault is named; one of 5xx is exit code 1', async () => {
  await using web = await startFakeWeb();
  web.intercept = (request, response) => {
    if (request.path !== '/api/tasks') return false;
    const errors = ['/id must be a UUIDv7', '/queue is too long'].map((text) => ({
      pointer: text.split(' ')[0],
      detail: text.slice(text.indexOf(' ') + 1),
    }));
    refuse(response, 422, 'invalid', 'The body is not valid: /id must be a UUIDv7', errors);
    return true;
  };
  const refused = await run(['run', '--', 'true'], { home: web.home });
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain('The body is not valid: /id must be a UUIDv7; /queue is too long');
  web.intercept = (request, response) => {
    if (request.path !== '/api/tasks') return false;
    refuse(response, 503, 'queue_full', 'The queue is full.');
    return true;
  };
  expect((await run(['run', '--', 'true'], { home: web.home })).code).toBe(1);
});

test('an answer of something in between is no word of web', async () => {
  await using web = await startFakeWeb();
  web.intercept = (_request, response) => {
    response.writeHead(502, { 'content-type': 'text/html' });
    response.end('<h1>Bad gateway</h1>');
    return true;
  };
  const { code, stderr } = await run(['list'], { home: web.home });
  expect(code).toBe(1);
  expect(stderr).toContain('its address answered 502');
});

test('a redirect is not followed: the token stays with the service', async () => {
  await using elsewhere = await startFakeWeb();
  await using web = await startFakeWeb();
  web.intercept = (_request, response) => {
    response.writeHead(307, { location: `${elsewhere.url}/api/tasks` });
    response.end();
    return true;
  };
  expect((await run(['list'], { home: web.home })).code).toBe(1);
  expect(elsewhere.requests).toEqual([]);
});

test('a wrong value of the configuration is a usage error that names the setting', async () => {
  using home = makeHome();
  const { code, stderr } = await run(['config', 'show', '--slots', 'many'], { home: home.path });
  expect(code).toBe(2);
  expect(stderr).toContain('--slots is "many"');
  // It would say the same again.
  expect(stderr).not.toMatch(/config show$/m);
});

test('a config.json that cannot be read, or is none, is a wrong configuration, by its path', async () => {
  using home = makeHome();
  const path = join(home.path, 'config.json');
  mkdirSync(path);
  for (const words of ['cannot be read', 'is not JSON']) {
    const { code, stdout, stderr } = await run(['config', 'show'], { home: home.path });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`${path} ${words}`);
    rmSync(path, { recursive: true });
    writeFileSync(path, '{');
  }
});

test('config alone is config show, its options with it', async () => {
  using home = makeHome();
  const { code, stdout } = await run(['config', '--slots', '7', '--json'], { home: home.path });
  expect(code).toBe(0);
  expect(stdout).toBe((await run(['config', 'show', '--slots', '7', '--json'], { home: home.path })).stdout);
  expect((await run(['config', 'shwo'], { home: home.path })).stderr).toContain('Did you mean show?');
});

test('config show says each value and where it came from', async () => {
  using home = makeHome();
  const options = { home: home.path, env: { HOLDFAST_SLOTS: '9' } };
  const { code, stdout } = await run(['config', 'show', '--agent-port', '0', '--json'], options);
  expect(code).toBe(0);
  const rows: { name: string; value: unknown; source: string }[] = JSON.parse(stdout);
  const row = (name: string): unknown => rows.find((one) => one.name === name);
  expect(row('home')).toMatchObject({ value: home.path, source: 'environment', flag: '--home' });
  expect(row('slots')).toMatchObject({ value: 9, source: 'environment', env: 'HOLDFAST_SLOTS' });
  expect(row('agentPort')).toMatchObject({ value: 0, source: 'flag', flag: '--agent-port' });
  expect(row('webPort')).toMatchObject({ value: 7400, source: 'default' });
  expect((await run(['config', 'show'], options)).stdout).toMatch(/^slots +9 +environment +HOLDFAST_SLOTS$/m);
});

test('a reader of standard output that has gone away ends the command quietly, and not as a success', async () => {
  await using web = await startFakeWeb();
  web.tasks.set('x', makeTask(1));
  const terminal = openTerminal({ argv: ['list'], home: web.home });
  terminal.io.stdout.write = (_chunk: unknown, done?: unknown) => {
    if (typeof done === 'function') done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    return false;
  };
  expect(await runCli(terminal.io)).toBe(141);
  expect(terminal.stderr()).toBe('');
});

test('the home is the one that the services would use', () => {
  for (const env of [
    { HOLDFAST_HOME: 'rel/h' },
    { XDG_STATE_HOME: '/x' },
    { HOME: '/h' },
    { HOLDFAST_HOME: '', XDG_STATE_HOME: '' },
    {},
  ]) {
    expect(findHome(undefined, env)).toBe(loadConfig({ env }).config.home);
    expect(findHome('a/b', env)).toBe(loadConfig({ env, flags: { home: 'a/b' } }).config.home);
  }
});

test('with --agent-url one agent is asked, at its own routes and with the token that was named', async () => {
  await using agent = await startFakeWeb();
  const seen: string[] = [];
  agent.intercept = (request, response) => {
    seen.push(request.path);
    answer(
      response,
      200,
      request.path === '/agent' ? { agentId: 'agent-1', name: 'build-2' } : { items: [makeTask(1)] },
    );
    return true;
  };
  const { code, stdout } = await run([
    'list',
    '--agent-url',
    `${agent.url}/`,
    '--token-file',
    `${agent.home}/web.token`,
  ]);
  expect(code).toBe(0);
  expect(seen.toSorted()).toEqual(['/agent', '/tasks']);
  expect(stdout).toContain('build-2');
});

test('a token file without an agent, and an address that is none, are usage errors', async () => {
  await using web = await startFakeWeb();
  expect((await run(['list', '--token-file', 'x'], { home: web.home })).code).toBe(2);
  expect((await run(['list', '--agent-url', 'build-2'], { home: web.home })).code).toBe(2);
});

test('what only the services need is not loaded to list tasks, nor by the help of all commands', async () => {
  await using web = await startFakeWeb();
  const hook = `
    import { registerHooks } from 'node:module';
    registerHooks({ resolve: (name, context, next) => (process.stderr.write(name + '\\n'), next(name, context)) });
  `;
  const preload = `data:text/javascript,${encodeURIComponent(hook)}`;
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  for (const argv of [['list'], ['run', '--', 'true'], ['--help'], ['pool', 'status'], ['stats']]) {
    const { stderr } = await promisify(execFile)(process.execPath, ['--import', preload, main, ...argv], {
      env: { ...process.env, HOLDFAST_HOME: web.home },
    });
    const loaded = new Set(stderr.split('\n'));
    expect(loaded).toContain('commander');
    for (const name of [
      'better-sqlite3',
      'hono',
      'zod',
      'pino',
      '@holdfast/shared',
      '@holdfast/agent',
      '@holdfast/web',
    ]) {
      expect(loaded).not.toContain(name);
    }
  }
});

test('the program itself keeps standard output clean and ends with the command’s exit code', async () => {
  await using web = await startFakeWeb();
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const runMain = (...argv: string[]): Promise<{ code: unknown; stdout: string }> =>
    promisify(execFile)(process.execPath, [main, ...argv], {
      env: { ...process.env, HOLDFAST_HOME: web.home },
    }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: unknown; stdout: string }) => error,
    );
  expect(await runMain('list', '--json')).toEqual({ code: 0, stdout: '[]\n' });
  expect(await runMain('show', 'ffff')).toMatchObject({ code: 4, stdout: '' });
});

test('where web has not said that it runs, nobody is shown its token', async () => {
  using home = makeHome();
  writeFileSync(join(home.path, 'web.token'), 'a-token-of-this-home');
  let asked = 0;
  const fetch = (): Promise<Response> => Promise.reject(new Error(String((asked += 1))));
  const { code, stderr } = await run(['list'], { home: home.path, change: { fetch } });
  expect(code).toBe(1);
  expect(stderr).toContain(`web does not run for ${home.path}`);
  expect(asked).toBe(0);
});
