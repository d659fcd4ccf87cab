/**
 * Configuration: flags over environment (`HOLDFAST_…`) over `$HOLDFAST_HOME/config.json` over defaults.
 *
 * One table of settings says names, defaults and bounds; a value that is wrong is refused by the name under
 * which it was given. `sources` says for each value where it came from (`holdfast config show`).
 */
import { readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { hasCode, messageOf } from './errors.ts';
import { type NotificationsConfig, NotificationsSchema } from './notification-config.ts';

export class ConfigError extends Error {
  readonly code = 'bad_config';
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ConfigError';
  }
}

const text = z.string().min(1);
const count = (least: number, most: number) =>
  // Digits and nothing else: coercion would read null, "" and [] as 0.
  z.preprocess(
    (value) => (typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value),
    z.int('must be a whole number').min(least).max(most),
  );
const port = count(0, 65535);
const ms = (least: number, most = 10 * 366 * 24 * 3600 * 1000) => count(least, most);

interface Setting<T> {
  env: string;
  schema: z.ZodType<T>;
  fallback: T | undefined;
  about: string;
}

function setting<T>(env: string, schema: z.ZodType<T>, fallback: T | undefined, about: string): Setting<T> {
  return { env, schema, fallback, about };
}

const DAY_MS = 24 * 3600 * 1000;

/** Every setting that can be given by flag and environment. The flag of `agentPort` is `--agent-port`. */
export const settings = {
  agentHost: setting('HOLDFAST_AGENT_HOST', text, '127.0.0.1', 'address the agent listens on'),
  agentPort: setting('HOLDFAST_AGENT_PORT', port, 7401, 'port of the agent; 0 for any free one'),
  agentName: setting('HOLDFAST_AGENT_NAME', text.max(64), hostname(), 'name of this agent, for people'),
  webHost: setting('HOLDFAST_WEB_HOST', text, '127.0.0.1', 'address web listens on'),
  webPort: setting('HOLDFAST_WEB_PORT', port, 7400, 'port of web; 0 for any free one'),
  allowedHost: setting<string[]>(
    'HOLDFAST_ALLOWED_HOST',
    z.preprocess(
      (value) =>
        typeof value === 'string'
          ? value
              .split(',')
              .map((name) => name.trim())
              .filter((name) => name !== '')
          : value,
      z.array(z.string().regex(/^[^\s/?#@\\]+$/, 'must be a host name, or name:port')),
    ),
    [],
    'host names besides loopback under which the services may be called, comma-separated',
  ),
  slots: setting('HOLDFAST_SLOTS', count(0, 10_000), 4, 'tasks that run at a time'),
  queueLimit: setting('HOLDFAST_QUEUE_LIMIT', count(1, 10_000_000), 10_000, 'queued tasks at most'),
  heartbeatMs: setting('HOLDFAST_HEARTBEAT_MS', ms(50), 5000, 'heartbeat on /events'),
  lostAfterMs: setting<number | undefined>(
    'HOLDFAST_LOST_AFTER_MS',
    ms(100).optional(),
    undefined,
    'silence after which an agent is lost; default 2 heartbeats + 5 s, never below 2 heartbeats',
  ),
  sweepMs: setting('HOLDFAST_SWEEP_MS', ms(50), 5000, 'time between two sweeps over the live tasks'),
  sweepPage: setting('HOLDFAST_SWEEP_PAGE', count(1, 100_000), 200, 'tasks in one page of a sweep'),
  prepareMs: setting('HOLDFAST_PREPARE_MS', ms(100), 60_000, 'time to prepare a start'),
  killGraceMs: setting('HOLDFAST_KILL_GRACE_MS', ms(0), 10_000, 'time between SIGTERM and SIGKILL'),
  retryDelayMs: setting(
    'HOLDFAST_RETRY_DELAY_MS',
    ms(0),
    1000,
    'first delay before a retry; doubles, at most 60 s',
  ),
  maxAttempts: setting('HOLDFAST_MAX_ATTEMPTS', count(1, 100), 3, 'attempts of a task that is lost'),
  leaseMs: setting('HOLDFAST_LEASE_MS', ms(5000, 3_600_000), 60_000, 'lease of a claim'),
  retentionMs: setting(
    'HOLDFAST_RETENTION_MS',
    ms(1000),
    30 * DAY_MS,
    'how long ended tasks and events are kept',
  ),
  outputLimitBytes: setting(
    'HOLDFAST_OUTPUT_LIMIT_BYTES',
    count(1024, Number.MAX_SAFE_INTEGER),
    256 * 1024 * 1024,
    'output of an attempt, after which it is stopped',
  ),
  lowDiskBytes: setting(
    'HOLDFAST_LOW_DISK_BYTES',
    count(0, Number.MAX_SAFE_INTEGER),
    500 * 1024 * 1024,
    'free space of the home below which nothing is started; at most 5 % of the disk',
  ),
  logLevel: setting(
    'HOLDFAST_LOG_LEVEL',
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']),
    'info',
    'what the services log',
  ),
} as const;

const RunnerSchema = z.strictObject({
  command: z.array(text).min(1),
  resume: z.array(text).min(1).optional(),
  /** A regular expression whose first group is the runner's own session id in the output. */
  externalIdPattern: text.refine(isPattern, 'must be a regular expression').optional(),
});

function isPattern(source: string): boolean {
  try {
    return new RegExp(source) instanceof RegExp;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
export type Runner = z.infer<typeof RunnerSchema>;

type Values = { -readonly [K in keyof typeof settings]: z.infer<(typeof settings)[K]['schema']> };

export interface Config extends Values {
  home: string;
  runners: Record<string, Runner>;
  notifications: NotificationsConfig;
}

export type SettingName = keyof Config;
export type Source = 'flag' | 'environment' | 'file' | 'default';

export interface LoadedConfig {
  config: Config;
  sources: Record<SettingName, Source>;
}

export interface LoadConfigOptions {
  /** Values by setting name, e.g. `{ agentPort: '0' }`. */
  flags?: Partial<Record<SettingName, unknown>>;
  env?: NodeJS.ProcessEnv;
}

/** Throws `ConfigError`, whose message names the setting, where it came from and what would be right. */
export function loadConfig(options: LoadConfigOptions = {}): LoadedConfig {
  const { flags = {}, env = process.env } = options;
  const home = homeOf(flags.home, env);
  const file = readConfigFile(join(home.path, 'config.json'));
  const config: Record<string, unknown> = { home: home.path, runners: {}, notifications: { channels: {} } };
  const sources: Record<string, Source> = {
    home: home.source,
    runners: 'default',
    notifications: 'default',
  };
  for (const [name, one] of Object.entries(settings)) {
    const [raw, source] = pick(name, one.env, flags, env, file);
    sources[name] = source;
    if (source === 'default') {
      config[name] = one.fallback;
      continue;
    }
    const parsed = (one.schema as z.ZodType).safeParse(raw);
    if (!parsed.success) {
      throw new ConfigError(
        `${givenAs(name, one.env, source)} is ${quote(raw)}: ${issueText(parsed.error)} (${one.about})`,
      );
    }
    config[name] = parsed.data;
  }
  if ('runners' in file) {
    const parsed = z.record(text, RunnerSchema).safeParse(file.runners);
    if (!parsed.success) throw new ConfigError(`"runners" in config.json: ${issueText(parsed.error)}`);
    config.runners = parsed.data;
    sources.runners = 'file';
  }
  if ('notifications' in file) {
    const parsed = NotificationsSchema.safeParse(file.notifications);
    if (!parsed.success) throw new ConfigError(`"notifications" in config.json: ${issueText(parsed.error)}`);
    config.notifications = parsed.data;
    sources.notifications = 'file';
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the loop filled in each name of `settings`
  return { config: config as unknown as Config, sources };
}

/** The flag of a setting: `agentPort` → `--agent-port`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function homeOf(flag: unknown, env: NodeJS.ProcessEnv): { path: string; source: Source } {
  if (typeof flag === 'string' && flag !== '') return { path: resolve(flag), source: 'flag' };
  if (env.HOLDFAST_HOME) return { path: resolve(env.HOLDFAST_HOME), source: 'environment' };
  const { XDG_STATE_HOME: xdg = '' } = env;
  // The XDG specification: a relative path is invalid and to be ignored.
  const state = isAbsolute(xdg) ? xdg : join(env.HOME || homedir(), '.local', 'state');
  return { path: resolve(state, 'holdfast'), source: 'default' };
}

function readConfigFile(path: string): Record<string, unknown> {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return {};
    throw new ConfigError(`${path} cannot be read: ${messageOf(error)}`, error);
  }
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (error) {
    throw new ConfigError(`${path} is not JSON${placeOf(error)}`);
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(json);
  if (!parsed.success) throw new ConfigError(`${path} must hold a JSON object`);
  const known = [...Object.keys(settings), 'runners', 'notifications'];
  for (const key of Object.keys(parsed.data)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    throw new ConfigError(
      `${path}: there is no setting "${key}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    );
  }
  return parsed.data;
}

/** Where a syntax error is. V8's own text quotes the file, which holds secrets. */
function placeOf(error: unknown): string {
  const [place] = /line \d+ column \d+|^Unexpected token '.{1,2}'/.exec(messageOf(error)) ?? [];
  return place === undefined ? '' : `: ${place}`;
}

/** The known name that begins most like `key`, if at least three letters agree. */
function nearest(key: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let most = 2;
  for (const name of known) {
    let length = 0;
    while (length < key.length && key[length]?.toLowerCase() === name[length]?.toLowerCase()) length += 1;
    if (length > most) [best, most] = [name, length];
  }
  return best;
}

function pick(
  name: string,
  envName: string,
  flags: Partial<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
  file: Record<string, unknown>,
): [unknown, Source] {
  if (flags[name] !== undefined) return [flags[name], 'flag'];
  const fromEnv = env[envName];
  if (fromEnv !== undefined && fromEnv !== '') return [fromEnv, 'environment'];
  if (name in file) return [file[name], 'file'];
  return [undefined, 'default'];
}

function givenAs(name: string, envName: string, source: Source): string {
  if (source === 'flag') return flagOf(name);
  return source === 'environment' ? envName : `"${name}" in config.json`;
}

function quote(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

function issueText(error: z.ZodError): string {
  return error.issues
    .map((issue) => (issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`))
    .join('; ');
}
