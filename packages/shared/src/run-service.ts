/**
 * Running a service as a process: settings in, exit code out.
 *
 * It runs until SIGTERM or SIGINT and is then stopped cleanly, once, however often it is asked. What a person can mend
 * is one line on stderr and an exit code; anything else is a fault of Holdfast and is thrown.
 */
import { parseArgs } from 'node:util';
import { isLoopbackAddress } from './access.ts';
import { type Config, ConfigError, flagOf, loadConfig, type SettingName, settings } from './config.ts';
import { DatabaseError } from './database.ts';
import { messageOf } from './errors.ts';
import { keepHeapSmall } from './heap.ts';
import { AlreadyRunningError } from './instance-lock.ts';

type SettingFlags = Partial<Record<SettingName, unknown>>;

export interface RunOptions {
  /** Settings that were given as flags, by name; or the command line that holds them (`--agent-port 0 …`). */
  flags?: SettingFlags;
  argv?: readonly string[];
  env?: NodeJS.ProcessEnv;
  stderr?: { write: (text: string) => unknown };
  /** Where the signals come from. */
  signals?: Pick<NodeJS.EventEmitter, 'on' | 'off'>;
}

export interface ServiceToRun {
  name: 'agent' | 'web';
  /** What it throws is told as `runService` says; whatever it had begun is undone then. */
  start: (config: Config, env: NodeJS.ProcessEnv) => Promise<AsyncDisposable>;
}

/** Resolves with the exit code: 0 after a stop, 1 if it could not start, 2 if it was configured wrongly. */
export async function runService(service: ServiceToRun, options: RunOptions = {}): Promise<number> {
  const { env = process.env, stderr = process.stderr, signals = process } = options;
  keepHeapSmall();
  const asked = Promise.withResolvers<void>();
  const ask = () => asked.resolve();
  signals.on('SIGTERM', ask);
  signals.on('SIGINT', ask);
  try {
    const flags = { ...options.flags, ...readFlags(options.argv ?? []) };
    const { config } = loadConfig({ flags, env });
    await using _running = await service.start(config, env);
    await asked.promise;
  } catch (error) {
    const complaint = complaintOf(error, service.name);
    if (complaint === undefined) throw error;
    stderr.write(`holdfast ${service.name}: ${complaint}\n`);
    return error instanceof ConfigError ? 2 : 1;
  } finally {
    signals.off('SIGTERM', ask);
    signals.off('SIGINT', ask);
  }
  return 0;
}

/** A service that runs commands for whoever reaches it is not opened to a network by accident: `ConfigError`. */
export function refuseOpenDoor(service: 'agent' | 'web', config: Config): void {
  const host = service === 'agent' ? config.agentHost : config.webHost;
  if (isLoopbackAddress(host) || config.allowedHost.length > 0) return;
  const { env } = settings[`${service}Host`];
  throw new ConfigError(
    `${env} is "${host}", which other machines can reach: name the hosts under which the service may be called ` +
      'with HOLDFAST_ALLOWED_HOST (--allowed-host)',
  );
}

/** The settings that were given as flags. Throws `ConfigError` for a flag that does not exist. */
function readFlags(argv: readonly string[]): SettingFlags {
  const names = ['home', ...Object.keys(settings)];
  const nameOf = new Map(names.map((name) => [flagOf(name).slice(2), name]));
  const options = Object.fromEntries([...nameOf.keys()].map((flag) => [flag, { type: 'string' } as const]));
  try {
    const { values } = parseArgs({ args: [...argv], options, allowPositionals: false });
    return Object.fromEntries(Object.entries(values).map(([flag, value]) => [nameOf.get(flag), value]));
  } catch (error) {
    throw new ConfigError(messageOf(error), error);
  }
}

/** What to tell a person about an error that is theirs to mend; undefined for any other. */
function complaintOf(error: unknown, name: ServiceToRun['name']): string | undefined {
  if (
    error instanceof ConfigError ||
    error instanceof AlreadyRunningError ||
    error instanceof DatabaseError
  ) {
    return error.message;
  }
  if (!(error instanceof Error)) return undefined;
  const { code = '', syscall = '' }: NodeJS.ErrnoException = error;
  if (code === 'EADDRINUSE') {
    return `${error.message}. Stop what listens there, or choose another port with --${name}-port.`;
  }
  if (syscall === 'listen' || syscall === 'getaddrinfo') {
    return `${error.message}. Choose another address with --${name}-host or --${name}-port.`;
  }
  // The files of its home: no permission, no space, something else under the name of a folder.
  if (syscall !== '' || code.startsWith('SQLITE_')) {
    return `${error.message}. Make HOLDFAST_HOME a folder that can be written, or choose another (--home).`;
  }
  return undefined;
}
