import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { ConfigError, flagOf, loadConfig, type SettingName, settings } from './config.ts';
import { makeFolder } from './test-support.ts';

/** A home with this config.json; `load` adds flags and environment. */
function makeHome(file?: unknown) {
  const folder = makeFolder();
  if (file !== undefined) {
    writeFileSync(join(folder.path, 'config.json'), typeof file === 'string' ? file : JSON.stringify(file));
  }
  return {
    path: folder.path,
    load: (flags: Partial<Record<SettingName, unknown>> = {}, env: NodeJS.ProcessEnv = {}) =>
      loadConfig({ flags, env: { HOLDFAST_HOME: folder.path, ...env } }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}

test('flags go before the environment, which goes before the file, which goes before the defaults', () => {
  using home = makeHome({ slots: 2, queueLimit: 20, sweepPage: 21 });
  const env = { HOLDFAST_SLOTS: '3', HOLDFAST_QUEUE_LIMIT: '30' };
  const { config, sources } = home.load({ slots: '5' }, env);
  expect(config).toMatchObject({ slots: 5, queueLimit: 30, sweepPage: 21, maxAttempts: 3 });
  expect(sources).toMatchObject({
    home: 'environment',
    slots: 'flag',
    queueLimit: 'environment',
    sweepPage: 'file',
    maxAttempts: 'default',
    runners: 'default',
  });
});

test('without anything given the defaults are those of the product', () => {
  using home = makeHome();
  const { config, sources } = home.load();
  expect(config).toMatchObject({
    home: home.path,
    webHost: '127.0.0.1',
    webPort: 7400,
    agentHost: '127.0.0.1',
    agentPort: 7401,
    heartbeatMs: 5000,
    lostAfterMs: undefined,
    slots: 4,
    queueLimit: 10_000,
    retentionMs: 30 * 24 * 3600 * 1000,
    prepareMs: 60_000,
    leaseMs: 60_000,
    sweepMs: 5000,
    sweepPage: 200,
    maxAttempts: 3,
    retryDelayMs: 1000,
    killGraceMs: 10_000,
    outputLimitBytes: 256 * 1024 * 1024,
    allowedHost: [],
    runners: {},
    notifications: { channels: {} },
  });
  expect(Object.keys(config).toSorted()).toEqual(
    [...Object.keys(settings), 'home', 'runners', 'notifications'].toSorted(),
  );
  expect(Object.keys(sources).toSorted()).toEqual(Object.keys(config).toSorted());
});

test('the names that scripts rely on are these', () => {
  expect(Object.values(settings).map((setting) => setting.env)).toEqual(
    expect.arrayContaining(
      [
        'AGENT_HOST',
        'AGENT_PORT',
        'WEB_HOST',
        'WEB_PORT',
        'AGENT_NAME',
        'SLOTS',
        'HEARTBEAT_MS',
        'LOST_AFTER_MS',
      ]
        .concat(['SWEEP_MS', 'KILL_GRACE_MS', 'RETRY_DELAY_MS', 'MAX_ATTEMPTS', 'LEASE_MS', 'SWEEP_PAGE'])
        .concat(['RETENTION_MS'])
        .map((name) => `HOLDFAST_${name}`),
    ),
  );
  expect(flagOf('agentPort')).toBe('--agent-port');
  expect(flagOf('outputLimitBytes')).toBe('--output-limit-bytes');
});

test('HOLDFAST_LOST_AFTER_MS is absent unless given', () => {
  using home = makeHome();
  expect(home.load().config.lostAfterMs).toBeUndefined();
  expect(home.load({}, { HOLDFAST_LOST_AFTER_MS: '900' }).config.lostAfterMs).toBe(900);
  expect(refusal(() => home.load({}, { HOLDFAST_LOST_AFTER_MS: '1' }))).toContain(
    'HOLDFAST_LOST_AFTER_MS is "1"',
  );
});

const homeOf = (env: NodeJS.ProcessEnv, flags = {}) => loadConfig({ env, flags }).config.home;

test('the state is kept where XDG says, below the home directory, or where HOLDFAST_HOME says', () => {
  using home = makeFolder();
  const { path } = home;
  expect(homeOf({ HOME: path })).toBe(join(path, '.local/state/holdfast'));
  expect(homeOf({ HOME: path, XDG_STATE_HOME: join(path, 'x') })).toBe(join(path, 'x/holdfast'));
  // "If an implementation encounters a relative path in any of these variables it should ignore it."
  expect(homeOf({ HOME: path, XDG_STATE_HOME: 'x' })).toBe(join(path, '.local/state/holdfast'));
  expect(homeOf({ HOME: path, HOLDFAST_HOME: join(path, 'h'), XDG_STATE_HOME: join(path, 'x') })).toBe(
    join(path, 'h'),
  );
  expect(homeOf({ HOME: path, HOLDFAST_HOME: join(path, 'h') }, { home: join(path, 'f') })).toBe(
    join(path, 'f'),
  );
  expect(homeOf({ HOME: path, HOLDFAST_HOME: '' })).toBe(join(path, '.local/state/holdfast'));
  expect(homeOf({ HOME: '' })).toMatch(/^\/.+\/\.local\/state\/holdfast$/);
});

test('a list is given by commas, as an array in the file, or by a repeated flag', () => {
  using home = makeHome({ allowedHost: ['build.example', 'b:8080'] });
  expect(home.load().config.allowedHost).toEqual(['build.example', 'b:8080']);
  expect(home.load({}, { HOLDFAST_ALLOWED_HOST: 'a, b:1,,' }).config.allowedHost).toEqual(['a', 'b:1']);
  expect(home.load({ allowedHost: ['c'] }).config.allowedHost).toEqual(['c']);
  const message = refusal(() => home.load({ allowedHost: ['http://c'] }));
  expect(message).toContain('--allowed-host is ["http://c"]');
  expect(message).toContain('must be a host name, or name:port');
});

test.each(['', 'abc', '4.5', '1e3', '0x10', '99999', ' 4', '-1', true, null, [], [4], {}])(
  '%j is no port, by flag or in the file',
  (value) => {
    using home = makeHome({ agentPort: value });
    expect(refusal(() => home.load())).toContain(`"agentPort" in config.json is ${JSON.stringify(value)}`);
    expect(refusal(() => home.load({ agentPort: value ?? 'null' }))).toContain('--agent-port is ');
  },
);

test.each([
  ['HOLDFAST_SLOTS', 'many'],
  ['HOLDFAST_HEARTBEAT_MS', '0'],
  ['HOLDFAST_LEASE_MS', '4999'],
  ['HOLDFAST_LEASE_MS', '3600001'],
  ['HOLDFAST_LOG_LEVEL', 'loud'],
  ['HOLDFAST_AGENT_NAME', 'x'.repeat(65)],
])('%s=%s is refused by that name and with what the setting is', (name, value) => {
  using home = makeHome();
  const message = refusal(() => home.load({}, { [name]: value }));
  expect(message.startsWith(`${name} is "${value}": `)).toBe(true);
  const about = Object.values(settings).find((setting) => setting.env === name)?.about;
  expect(message.endsWith(`(${about})`)).toBe(true);
});

test('an empty variable is as good as none', () => {
  using home = makeHome();
  const { config, sources } = home.load({}, { HOLDFAST_SLOTS: '' });
  expect(config.slots).toBe(4);
  expect(sources.slots).toBe('default');
});

test('0 is a value: any free port, no slots', () => {
  using home = makeHome({ slots: 0 });
  expect(home.load({ agentPort: '0' }).config).toMatchObject({ slots: 0, agentPort: 0 });
});

test.each([
  ['slot', 'slots'],
  ['agentPrt', 'agentPort'],
  ['hearbeatMs', 'heartbeatMs'],
  ['HeartbeatMS', 'heartbeatMs'],
  ['runner', 'runners'],
  ['maxattempt', 'maxAttempts'],
])('for the unknown "%s" in the file it suggests "%s"', (key, near) => {
  using home = makeHome({ [key]: 1 });
  const message = refusal(() => home.load());
  expect(message).toContain(join(home.path, 'config.json'));
  expect(message).toContain(`there is no setting "${key}"; did you mean "${near}"?`);
});

test.each(['', 'zz', 'toString', 'constructor'])('for the unknown "%s" it suggests nothing', (key) => {
  using home = makeHome({ [key]: 1 });
  expect(refusal(() => home.load())).toMatch(/there is no setting ".*"$/);
});

test.each(['{', '', '[]', '3', 'null', '"x"'])('a config.json of %j is refused by its path', (content) => {
  using home = makeHome(content);
  expect(refusal(() => home.load())).toContain(join(home.path, 'config.json'));
});

test.each(['{"notifications": hunter2}', '{"a": "hunter2" "b": 1}', '{"a": "hunter2'])(
  'a config.json of %j is refused without quoting it: it may hold secrets',
  (content) => {
    using home = makeHome(content);
    const error = failure(() => home.load());
    expect(error).toBeInstanceOf(ConfigError);
    expect(inspect(error)).toContain('is not JSON');
    expect(inspect(error)).not.toContain('hunter2');
  },
);

test('a config.json that cannot be read is refused, not passed over', () => {
  using home = makeFolder();
  // A file in the place of the folder: ENOTDIR, for root too.
  writeFileSync(join(home.path, 'file'), '');
  const env = { HOLDFAST_HOME: join(home.path, 'file') };
  expect(refusal(() => loadConfig({ env }))).toContain('cannot be read');
});

test('runners come from the file, and a faulty one is named', () => {
  const claude = {
    command: ['claude', '-p', '{prompt}'],
    resume: ['claude', '{externalId}'],
    externalIdPattern: '(x)',
  };
  using home = makeHome({ runners: { claude } });
  expect(home.load().config.runners).toEqual({ claude });
  expect(home.load().sources.runners).toBe('file');
  using empty = makeHome({ runners: { claude: { command: [] } } });
  expect(refusal(() => empty.load())).toContain('"runners" in config.json: claude.command: ');
  using odd = makeHome({ runners: { claude: { ...claude, externalIdPattern: '(' } } });
  expect(refusal(() => odd.load())).toContain('claude.externalIdPattern: must be a regular expression');
});
