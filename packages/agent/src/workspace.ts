/**
 * Workspaces: the directory in which an attempt works.
 *
 * `cwd` or `{ dir }` is used as it is. `{ worktree: { repo, ref } }` gets a git worktree of its own, which is
 * removed at the end unless it holds something that is nowhere else: uncommitted or untracked files, or commits
 * that no ref of the repository has. If that cannot be told, it is kept: nobody's work is removed on a guess.
 */
import { accessSync, constants, existsSync, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { messageOf, type PublicSpec } from '@holdfast/shared';
import { gitEnvironment, type GitResult, runGit, type RunGit } from './git.ts';
import { isMissing, StartError, startErrorOf } from './start-error.ts';

/** What has to be released at the end of an attempt; stored before it is made. */
export interface PlannedWorktree {
  path: string;
  repo: string;
  ref: string;
}

export interface WorkspacesOptions {
  home: string;
  /** The environment that git runs in, before it is cleaned. */
  env: Readonly<Record<string, string>>;
  run?: RunGit;
  /** How long it may take to undo or release a worktree. */
  cleanUpMs?: number;
}

const CLEAN_UP_MS = 60_000;
/** What git writes into the lock of a worktree that it is still making. */
const IN_THE_MAKING = 'initializing';
/** What git says when the cause is the machine's, not the task's ("File exists": a lock of another git). */
const MAY_PASS =
  /No space left|Resource temporarily unavailable|Cannot allocate memory|Too many open files|File exists/;

/**
 * Each git that has to do with worktrees reads what the repository keeps of all of them, and dies of one that another
 * git is just making or removing (seen in one of forty calls of six at a time).
 */
const HALF_MADE = /(failed to read|Invalid path|could not create directory of) '?\S*\/worktrees\//;
/** Each time a new process of some milliseconds, while the other git needs less. */
const MOST_TRIES = 10;

export class Workspaces {
  readonly #home: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #git: RunGit;
  readonly #cleanUpMs: number;

  constructor(options: WorkspacesOptions) {
    this.#home = options.home;
    this.#env = gitEnvironment(options.env);
    this.#git = options.run ?? runGit;
    this.#cleanUpMs = options.cleanUpMs ?? CLEAN_UP_MS;
  }

  /**
   * The worktree that an attempt will get, if its spec asks for one. The random launch id keeps it from being that of an
   * older run: a journal that was restored gives attempt numbers again, and what a run left may be nowhere else.
   */
  plan(spec: PublicSpec, taskId: string, attempt: number, launchId: string): PlannedWorktree | undefined {
    const { workspace } = spec;
    if (workspace === undefined || !('worktree' in workspace)) return undefined;
    const { repo, ref } = workspace.worktree;
    const path = join(this.#home, 'worktrees', `${taskId}-${attempt}-${launchId}`);
    return { path, repo: expandHome(repo), ref };
  }

  /**
   * Makes what was planned and returns the directory to start in. Rejects with a `StartError` (`workspace_failed`); an
   * abort is a cause that may pass. What was made by then is left to `undo`, which has to wait until nothing that git
   * started is at work in it any more.
   *
   * What git runs for it carries `marker`: if the agent dies meanwhile, git and its hooks are found as processes of
   * the attempt and stopped before the next one begins.
   */
  async prepare(
    spec: PublicSpec,
    planned: PlannedWorktree | undefined,
    signal: AbortSignal,
    marker: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    if (planned === undefined) return existingDirectory(baseDirectory(spec));
    try {
      await this.#add(planned, signal, marker);
      return existingDirectory(spec.cwd === undefined ? planned.path : resolve(planned.path, spec.cwd));
    } catch (error) {
      throw signal.aborted
        ? abortError(planned, error)
        : startErrorOf('workspace_failed', describe(planned), error);
    }
  }

  /** Takes back a worktree in which nothing has run. Harmless if it was never made. */
  async undo(planned: PlannedWorktree): Promise<void> {
    const { path, repo } = planned;
    const signal = AbortSignal.timeout(this.#cleanUpMs);
    if (existsSync(path) || (await this.#isRegistered(planned, signal))) {
      // Forced twice: what was cut off while it was made is still locked by git itself.
      const removed = await this.#worktree(repo, ['remove', '--force', '--force', '--', path], signal);
      if (removed.code !== 0 && (await this.#isRegistered(planned, signal))) {
        throw new Error(`git worktree remove ${path}: ${lastLine(removed)}`);
      }
    }
    // The directory is the agent's own: what git did not know of it goes too.
    await rm(path, { recursive: true, force: true });
  }

  /** At the end: removes the worktree, or says why it is kept. */
  async release(planned: PlannedWorktree): Promise<{ kept?: string }> {
    try {
      const kept = await this.#whyKept(planned, AbortSignal.timeout(this.#cleanUpMs));
      if (kept !== undefined) return { kept };
      await this.undo(planned);
      return {};
    } catch (error) {
      return { kept: `it could not be removed: ${messageOf(error)}` };
    }
  }

  async #add(
    planned: PlannedWorktree,
    signal: AbortSignal,
    marker: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { path, repo, ref } = planned;
    existingDirectory(repo);
    // git would read it as an option; no revision begins like this (gitrevisions(7)).
    if (ref.startsWith('-'))
      throw new StartError('workspace_failed', `"${ref}" is not a ref`, { passing: false });
    const inside = await this.#run(repo, ['rev-parse', '--git-dir'], signal);
    if (inside.code !== 0) throw failure(`${repo} cannot be used as a repository`, inside);
    const commit = await this.#run(repo, ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], signal);
    if (commit.code !== 0) throw failure(`${repo} has no commit "${ref}"`, commit);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const added = await this.#worktree(
      repo,
      ['add', '--detach', '--', path, commit.stdout.trim()],
      signal,
      marker,
    );
    if (added.code !== 0) throw failure(describe(planned), added);
  }

  async #whyKept(planned: PlannedWorktree, signal: AbortSignal): Promise<string | undefined> {
    const { path } = planned;
    const lock = lockOf(path);
    if (lock === undefined) {
      // Outside a worktree git would look at whatever repository is above.
      return existsSync(path) ? 'it is no longer a worktree' : undefined;
    }
    if (lock.trim() === IN_THE_MAKING) return undefined;
    if (lock !== '') return `it is locked: ${lock.trim()}`;
    const changes = await this.#look(path, ['status', '--porcelain', '--ignored=no'], signal);
    if (changes !== '') return 'it holds changes that are not committed';
    const head = await this.#look(path, ['rev-parse', 'HEAD'], signal);
    // Not `rev-list --not --all`: that counts the HEAD of the worktree itself.
    const refs = await this.#look(planned.repo, ['for-each-ref', '--count=1', '--contains', head], signal);
    return refs === '' ? `it holds commits that no branch or tag has (HEAD is ${head})` : undefined;
  }

  async #look(directory: string, args: readonly string[], signal: AbortSignal): Promise<string> {
    const result = await this.#run(directory, args, signal);
    if (result.code !== 0) throw new Error(`git ${args[0]}: ${lastLine(result)}`);
    return result.stdout.trim();
  }

  /** Whether the repository knows of the worktree; false if there is no such repository. Throws if it does not say. */
  async #isRegistered(planned: PlannedWorktree, signal: AbortSignal): Promise<boolean> {
    if (!existsSync(planned.repo)) return false;
    const listed = await this.#worktree(planned.repo, ['list', '--porcelain'], signal);
    if (listed.code !== 0) {
      if (listed.stderr.includes('not a git repository')) return false;
      throw new Error(`git worktree list: ${lastLine(listed)}`);
    }
    return listed.stdout.split('\n').some((line) => line.endsWith(planned.path.slice(this.#home.length)));
  }

  /** `git worktree`, once more if it met another one at work. */
  async #worktree(
    repo: string,
    args: readonly string[],
    signal: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<GitResult> {
    for (let tries = 1; ; tries += 1) {
      const result = await this.#run(repo, ['worktree', ...args], signal, more);
      if (result.code === 0 || tries === MOST_TRIES || !HALF_MADE.test(result.stderr)) return result;
    }
  }

  #run(
    directory: string,
    args: readonly string[],
    signal: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<GitResult> {
    return this.#git(['-C', directory, ...args], { env: { ...this.#env, ...more }, signal });
  }
}

/** Where a task without a worktree starts: its `cwd`, from its `dir`, from the user's home. */
function baseDirectory(spec: PublicSpec): string {
  const { workspace, cwd } = spec;
  const base = workspace !== undefined && 'dir' in workspace ? expandHome(workspace.dir) : homedir();
  return cwd === undefined ? base : resolve(base, expandTilde(cwd));
}

function expandHome(path: string): string {
  return resolve(homedir(), expandTilde(path));
}

function expandTilde(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}

function existingDirectory(path: string): string {
  try {
    if (statSync(path).isDirectory()) {
      // One that may not be entered would be told as a failure of the command.
      accessSync(path, constants.X_OK);
      return path;
    }
  } catch (error) {
    throw startErrorOf('workspace_failed', `the directory ${path} cannot be used`, error);
  }
  throw new StartError('workspace_failed', `${path} is not a directory`, { passing: false });
}

function describe({ repo, ref }: PlannedWorktree): string {
  return `no worktree of ${repo} at "${ref}" can be made`;
}

/** git(1) ended with an error of its own. */
function failure(what: string, result: GitResult): StartError {
  const said = lastLine(result);
  const message = said === '' ? what : `${what}: ${said}`;
  const passing = MAY_PASS.test(result.stderr) || HALF_MADE.test(result.stderr);
  return new StartError('workspace_failed', message, { passing });
}

function abortError(planned: PlannedWorktree, cause: unknown): StartError {
  return new StartError('workspace_failed', `${describe(planned)}: it took too long or was stopped`, {
    passing: true,
    cause,
  });
}

function lastLine({ stderr }: GitResult): string {
  return stderr.trim().split('\n').at(-1) ?? '';
}

/**
 * The lock of a worktree, which is inside the repository: its text, '' if it is not locked; undefined if the path
 * is no worktree.
 */
function lockOf(path: string): string | undefined {
  try {
    const pointer = join(path, '.git');
    if (!lstatSync(pointer).isFile()) return undefined;
    // gitrepository-layout(5): `gitdir: <where the repository keeps this worktree>`.
    const directory = /^gitdir: (.+)$/m.exec(readFileSync(pointer, 'utf8'))?.[1];
    if (directory === undefined) return undefined;
    return readFileSync(join(resolve(path, directory), 'locked'), 'utf8') || 'without a reason';
  } catch (error) {
    if (!isMissing(error)) throw error;
    return existsSync(join(path, '.git')) ? '' : undefined;
  }
}
