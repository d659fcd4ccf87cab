/** `backup`, `service print`, `completion`, `help`: what asks no service. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openDatabase } from '@holdfast/shared';
import { commandTable } from '../command-table.ts';
import { makeHome, run } from '../test-kit.ts';

function fillHome(home: string): void {
  for (const service of ['agent', 'web']) {
    const migrations = fileURLToPath(new URL(`../../../${service}/drizzle`, import.meta.url));
    const database = openDatabase({ path: join(home, `${service}.db`), migrations });
    database.exec("INSERT INTO meta (key, value) VALUES ('epoch', '0123456789abcdef')");
    database.close();
  }
  writeFileSync(join(home, 'agent.id'), 'agent-1\n');
  writeFileSync(join(home, 'agent.token'), 'secret');
}

function metaOf(path: string): Record<string, unknown> {
  const database = new Database(path, { readonly: true });
  const rows = database.prepare<[], { key: string; value: string }>('SELECT key, value FROM meta').all();
  database.close();
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

const mode = (path: string): number => statSync(path).mode & 0o777;

test('backup copies journal and store beside it, marked, private and without the tokens', async () => {
  using home = makeHome();
  fillHome(home.path);
  const file = join(home.path, 'nightly.db');
  const { code, stdout, stderr } = await run(['backup', file], { home: home.path });
  expect(code).toBe(0);
  const names = ['nightly.web.db', 'nightly.db', 'nightly.agent.id'];
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('  ')[0]),
  ).toEqual(names.map((name) => join(home.path, name)));
  expect(stderr).toContain(`cp ${file} ${join(home.path, 'agent.db')}\n`);
  expect(stderr).toContain(`${join(home.path, 'nightly.agent.id')} as agent.id`);
  for (const name of names) expect(mode(join(home.path, name))).toBe(0o600);
  expect(metaOf(file)).toEqual({ epoch: '0123456789abcdef', isCopy: '1' });
  expect(metaOf(join(home.path, 'nightly.web.db'))).toEqual({});
  expect(readdirSync(home.path).filter((name) => name.includes('partial') || name.endsWith('token'))).toEqual(
    ['agent.token'],
  );
});

test('backup into a directory makes a home', async () => {
  using home = makeHome();
  fillHome(home.path);
  mkdirSync(join(home.path, 'copy'), { mode: 0o700 });
  const { code, stdout } = await run(['backup', join(home.path, 'copy'), '--json'], { home: home.path });
  expect(code).toBe(0);
  expect(readdirSync(join(home.path, 'copy')).toSorted()).toEqual(['agent.db', 'agent.id', 'web.db']);
  const report: { home: string; files: { name: string; bytes: number }[] } = JSON.parse(stdout);
  expect(report.home).toBe(home.path);
  expect(report.files.map((one) => one.name)).toEqual(['web.db', 'agent.db', 'agent.id']);
});

test('a home is never its own backup, and no copy is put beside the log of another database', async () => {
  using home = makeHome();
  fillHome(home.path);
  for (const file of ['.', 'web.db', 'agent.db']) {
    const { code, stderr } = await run(['backup', '--force', join(home.path, file)], { home: home.path });
    expect([code, stderr]).toEqual([1, expect.stringContaining('its own backup')]);
  }
  expect(metaOf(join(home.path, 'web.db'))).toEqual({ epoch: '0123456789abcdef' });
  writeFileSync(join(home.path, 'b.db'), '');
  writeFileSync(join(home.path, 'b.db-wal'), '');
  const { code, stderr } = await run(['backup', '--force', join(home.path, 'b.db')], { home: home.path });
  expect([code, stderr]).toEqual([1, expect.stringContaining('is in use')]);
});

test('what a writer commits while the copy is made is in it whole or not at all', async () => {
  using home = makeHome();
  fillHome(home.path);
  const writer = new Database(join(home.path, 'agent.db'));
  writer.exec("INSERT INTO meta VALUES ('a', '1')");
  writer.exec("BEGIN IMMEDIATE; INSERT INTO meta VALUES ('b', '2')");
  const file = join(home.path, 'b.db');
  expect((await run(['backup', file], { home: home.path })).code).toBe(0);
  writer.exec('COMMIT');
  writer.close();
  const meta = metaOf(file);
  expect([meta.a, meta.b]).toEqual(['1', undefined]);
});

test('backup writes over nothing unasked, and leaves nothing half made behind', async () => {
  using home = makeHome();
  fillHome(home.path);
  const file = join(home.path, 'b.db');
  writeFileSync(file, 'precious');
  const refused = await run(['backup', file], { home: home.path });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('--force');
  expect(readFileSync(file, 'utf8')).toBe('precious');
  expect((await run(['backup', file, '--force'], { home: home.path })).code).toBe(0);

  writeFileSync(join(home.path, 'agent.db'), 'no database at all'.repeat(500));
  const broken = await run(['backup', join(home.path, 'c.db')], { home: home.path });
  expect(broken.code).toBe(1);
  expect(broken.stderr).toContain('the backup is not complete');
  expect(existsSync(join(home.path, 'c.db'))).toBe(false);
  expect(readdirSync(home.path).some((name) => name.includes('partial'))).toBe(false);
  const none = await run(['backup', join(home.path, 'none', 'd.db')], { home: home.path });
  expect(none.code).toBe(1);
});

test('in a home of web alone the file is its store; a directory must be there', async () => {
  using home = makeHome();
  fillHome(home.path);
  rmSync(join(home.path, 'agent.db'));
  const file = join(home.path, 'b.db');
  expect((await run(['backup', file], { home: home.path })).code).toBe(0);
  expect(metaOf(file)).toEqual({});
  const { code, stderr } = await run(['backup', `${home.path}/none/`], { home: home.path });
  expect([code, stderr]).toEqual([1, expect.stringContaining(`mkdir -m 700 ${home.path}/none`)]);
});

test('a small file that is there is replaced whole or left as it is, whatever it is linked to', async () => {
  using home = makeHome();
  fillHome(home.path);
  const copy = join(home.path, 'copy');
  mkdirSync(copy, { mode: 0o700 });
  const elsewhere = join(home.path, 'elsewhere');
  writeFileSync(elsewhere, 'not to be written into');
  // A file that is written in place would be written through the link.
  linkSync(elsewhere, join(copy, 'agent.id'));
  expect((await run(['backup', '--force', copy], { home: home.path })).code).toBe(0);
  expect(readFileSync(join(copy, 'agent.id'), 'utf8')).toBe('agent-1\n');
  expect(readFileSync(elsewhere, 'utf8')).toBe('not to be written into');
  expect(mode(join(copy, 'agent.id'))).toBe(0o600);

  // One that cannot be read leaves what was there.
  rmSync(join(home.path, 'agent.id'));
  mkdirSync(join(home.path, 'agent.id'));
  const broken = await run(['backup', '--force', copy], { home: home.path });
  expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining('the backup is not complete')]);
  expect(readFileSync(join(copy, 'agent.id'), 'utf8')).toBe('agent-1\n');
  expect(readdirSync(copy).filter((name) => name.includes('partial'))).toEqual([]);
});

test('a home without databases has nothing to back up', async () => {
  using home = makeHome();
  const { code, stderr } = await run(['backup', 'x.db'], { home: home.path });
  expect(code).toBe(1);
  expect(stderr).toContain('there is nothing to back up');
});

test('systemd stops a service and never its tasks', async () => {
  const env = { PATH: '/opt/my bin:/repo/node_modules/.bin:/usr/bin' };
  const { code, stdout } = await run(['service', 'print', 'agent'], { home: '/var/lib/my 100% $home', env });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^KillMode=process$/m);
  expect(stdout).toMatch(/^ExecStart=\S+ \S+main\.ts agent --home "\/var\/lib\/my 100%% \$\$home"$/m);
  expect(stdout).toMatch(/^Environment="PATH=\/opt\/my bin:\/usr\/bin"$/m);
  expect(stdout).toMatch(/^\[Unit\]/);
  const both = await run(['service', 'print'], { home: '/h', env: { HOME: '/u' } });
  expect(both.stdout).toContain('# /u/.config/systemd/user/holdfast-agent.service\n');
  expect(both.stdout).toContain('# /u/.config/systemd/user/holdfast-web.service\n');
  const none = await run(['service', 'print', 'zz'], { home: '/h' });
  expect(none).toEqual({
    code: 2,
    stdout: '',
    stderr: 'holdfast: there is no service "zz"\n  There are: agent, web\n',
  });
  expect((await run(['service', 'print', '--systemd', '--launchd'], { home: '/h' })).code).toBe(2);
});

test('launchd stops a service and never its tasks', async () => {
  const options = {
    home: '/a & b',
    env: { HOME: '/u', PATH: '/opt/bin' },
    change: { platform: 'darwin' },
  } as const;
  const { stdout } = await run(['service', 'print', '--json'], options);
  const [agent] = JSON.parse(stdout) as { service: string; path: string; text: string }[];
  expect(agent?.path).toBe('/u/Library/LaunchAgents/holdfast.agent.plist');
  expect(agent?.text).toContain('<key>AbandonProcessGroup</key><true/>');
  expect(agent?.text).toContain('<string>/a &amp; b</string>');
  expect(agent?.text).toContain('<key>PATH</key><string>/opt/bin</string>');
  expect((await run(['service', 'print', 'web', '--launchd'], { home: '/h' })).stdout).toContain(
    'holdfast.web',
  );
});

/** What bash would offer for a line, its last word unfinished. */
function complete(script: string, line: string): string[] {
  const words = line.split(' ').map((word) => `'${word}'`);
  const test = `${script}\nCOMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', test], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

test('bash completes commands, subcommands and options, and nothing behind --', async () => {
  const { code, stdout } = await run(['completion', 'bash']);
  expect(code).toBe(0);
  expect(complete(stdout, 'holdfast re')).toEqual(['retry', 'reclaim', 'resolve']);
  expect(complete(stdout, 'holdfast --home x pool ')).toEqual([
    'status',
    'pause',
    'drain',
    'resume',
    'slots',
  ]);
  expect(complete(stdout, 'holdfast reclaim --st')).toEqual(['--stale']);
  expect(complete(stdout, 'holdfast pool drain --w')).toEqual(['--wait']);
  expect(complete(stdout, 'holdfast list --js')).toEqual(['--json']);
  expect(complete(stdout, 'holdfast run -- li')).toEqual([]);
});

/** A shell of this machine, or undefined. */
function findShell(name: string): string | undefined {
  const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** What zsh would offer: its completion system is not loaded without a terminal, so what it is told is printed. */
function completeInZsh(shell: string, script: string, line: string): string[] {
  const words = line.split(' ').map((word) => `'${word}'`);
  const test = `compdef() { :; }; _files() { print -r FILES; }
_describe() { local -a list; [[ $1 == -o ]] && shift; list=("\${(@P)2}"); print -rl -- "\${(@)list%%:*}"; }
${script}
words=(${words.join(' ')}); CURRENT=${words.length}; PREFIX="\${words[CURRENT]}"; _holdfast`;
  const offered = execFileSync(shell, ['-f', '-c', test], { encoding: 'utf8' }).split('\n').filter(Boolean);
  return offered.filter((word) => word.startsWith(line.slice(line.lastIndexOf(' ') + 1)));
}

function completeInFish(shell: string, script: string, line: string): string[] {
  const test = `${script}\ncomplete -C '${line}'`;
  const offered = execFileSync(shell, ['--no-config', '-c', test], { encoding: 'utf8' });
  return offered
    .split('\n')
    .filter(Boolean)
    .map((one) => one.split('\t')[0]!);
}

const zsh = findShell('zsh');
const fish = findShell('fish');

for (const { name, shell, ask } of [
  { name: 'zsh', shell: zsh, ask: completeInZsh },
  { name: 'fish', shell: fish, ask: completeInFish },
]) {
  test.skipIf(shell === undefined)(`${name} completes commands, subcommands and options`, async () => {
    const { stdout } = await run(['completion', name]);
    const offer = (line: string): string[] => ask(shell!, stdout, line).toSorted();
    expect(offer('holdfast re')).toEqual(['reclaim', 'resolve', 'retry']);
    expect(offer('holdfast pool dr')).toEqual(['drain']);
    expect(offer('holdfast pool drain --wa')).toEqual(['--wait']);
    expect(offer('holdfast reclaim --st')).toEqual(['--stale']);
    expect(offer('holdfast list --js')).toEqual(['--json']);
    expect(offer('holdfast run -- recl')).toEqual([]);
  });
}

test('each shell’s script names every command; a shell that is not known is a usage error', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await run(['completion', shell]);
    for (const name of Object.keys(commandTable)) expect(stdout).toContain(name);
    expect(stdout).toContain('dry-run');
  }
  const { code, stderr } = await run(['completion', 'tcsh']);
  expect(code).toBe(2);
  expect(stderr).toContain('bash, zsh, fish');
  expect((await run(['completion', 'bsh'])).stderr).toContain('Did you mean bash?');
  expect((await run(['completion', 'bash', '--json'])).code).toBe(2);
});

test('completion without a shell is a usage error that says what is missing', async () => {
  const { code, stdout, stderr } = await run(['completion']);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toBe("holdfast: missing required argument 'shell'\n  See: holdfast completion --help\n");
});

test('help tells of each command, of its subcommands, and of what is the same for all', async () => {
  expect((await run(['help'])).stdout).toMatch(/^Tasks:$/m);
  expect((await run(['help', 'pool', 'drain'])).stdout).toContain('--wait');
  expect((await run(['help', 'exit-codes'])).stdout).toContain('75');
  const { code, stderr } = await run(['help', 'nothing']);
  expect([code, stderr]).toEqual([
    2,
    'holdfast: there is no help on "nothing"\n  See which commands there are: holdfast --help\n',
  ]);
});

test('a mistyped topic, subcommand or service leads to the right one', async () => {
  for (const [argv, meant] of [
    [['help', 'pol'], 'pool'],
    [['help', 'jsno'], 'json'],
    [['help', 'pool', 'drian'], 'drain'],
    [['service', 'print', 'wbe'], 'web'],
    [['service', 'prnt'], 'print'],
    [['config', 'shwo'], 'show'],
    [['agents', 'rmeove'], 'remove'],
    [['pool', 'reusme'], 'resume'],
    [['sessions', 'unarchve', 's'], 'unarchive'],
    [['list', '--status', 'runing'], 'running'],
  ] as const) {
    const { code, stdout, stderr } = await run(argv);
    expect([argv, code, stdout]).toEqual([argv, 2, '']);
    expect(stderr).toContain(`(Did you mean ${meant}?)`);
  }
});

test('an error of the command line names the help of the very subcommand', async () => {
  for (const [argv, path] of [
    [['pool', 'drain', '--wiat'], 'pool drain'],
    [['agents', 'add'], 'agents add'],
    [['pool', 'drian'], 'pool'],
    [['list', '--jsno'], 'list'],
  ] as const) {
    const { code, stderr } = await run(argv);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`  See: holdfast ${path} --help\n`)]);
  }
});

test('help json names every command that prints JSON', async () => {
  const { stdout } = await run(['help', 'json']);
  const silent = new Set(['agent', 'web', 'help', 'completion', 'logs']);
  const missing = Object.keys(commandTable).filter(
    (name) => !silent.has(name) && !new RegExp(`^  .*\\b${name}\\b`, 'm').test(stdout),
  );
  expect(missing).toEqual([]);
});
