/**
 * Why an attempt could not be started, in words for a person, and whether it is worth another try.
 *
 * Guarantee: whoever throws a `StartError` has left nothing behind: nothing of the attempt runs.
 */
export class StartError extends Error {
  readonly code: 'spawn_failed' | 'workspace_failed';
  /** Whether the cause may pass by itself (a full process table), or not (a missing command). */
  readonly passing: boolean;
  constructor(code: StartError['code'], message: string, options: { passing: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StartError';
    this.code = code;
    this.passing = options.passing;
  }
}

/** Errors that may pass without anybody changing the task. */
const PASSING: Readonly<Record<string, string>> = {
  EAGAIN: 'the system has no room for another process',
  ENOMEM: 'there is not enough memory',
  EMFILE: 'the agent has too many files open',
  ENFILE: 'the system has too many files open',
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the disk quota is used up',
  EBUSY: 'it is in use',
  ETXTBSY: 'it is being written',
  EINTR: 'the call was interrupted',
  EIO: 'the disk gave an error',
  ETIMEDOUT: 'it took too long',
};

const FINAL: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of its path is not a directory',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'it is not permitted',
  E2BIG: 'the arguments and the environment together are too long',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its path has too many symbolic links',
  EROFS: 'the file system is read-only',
};

/** An error of the system as a `StartError`: `what` says what was attempted. */
export function startErrorOf(code: StartError['code'], what: string, error: unknown): StartError {
  if (error instanceof StartError) return error;
  const errno = errnoOf(error);
  const passing = errno !== undefined && Object.hasOwn(PASSING, errno);
  const words = errno === undefined ? undefined : (PASSING[errno] ?? FINAL[errno]);
  const message = error instanceof Error ? error.message : String(error);
  const why = errno === undefined ? message : words === undefined ? errno : `${words} (${errno})`;
  return new StartError(code, `${what}: ${why}`, { passing, cause: error });
}

/** The literal code of an error of Node or of the system, if it has one. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The thing looked for is not there: no such file, or a directory of its path is missing. */
export function isMissing(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

const CANNOT_WATCH = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENOSPC',
  'EMFILE',
  'ENFILE',
  'ENOSYS',
  'EACCES',
  'EPERM',
]);

/** Watching a path only saves waiting for the next look: this says that it cannot be had here, or not now. */
export function cannotWatch(error: unknown): boolean {
  return CANNOT_WATCH.has(errnoOf(error) ?? '');
}
