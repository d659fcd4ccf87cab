/** A repository for worktrees of tasks, and what is left of them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { System } from '../system.ts';

/** A repository with one commit on `main`. `onCheckout`: what its post-checkout hook runs in each new worktree. */
export function makeRepo(system: System, onCheckout?: string): string {
  const repo = join(system.home, 'repo');
  mkdirSync(repo, { recursive: true });
  writeFileSync(join(repo, 'file'), 'one\n');
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'commit.gpgsign=false'];
  for (const args of [
    ['init', '-q', '-b', 'main'],
    ['add', '.'],
    ['commit', '-qm', 'one'],
  ]) {
    execFileSync('git', ['-C', repo, ...identity, ...args], { env: system.env });
  }
  if (onCheckout !== undefined) {
    const hook = join(repo, '.git/hooks/post-checkout');
    writeFileSync(hook, `#!/bin/sh\n${onCheckout}\n`, { mode: 0o755 });
  }
  return repo;
}

/** Worktrees besides the repository itself, as git knows them and as they lie on the disk. */
export function worktreesOf(system: System, repo: string): string[] {
  const folder = join(system.home, 'worktrees');
  const listed = execFileSync('git', ['-C', repo, 'worktree', 'list', '--porcelain'], {
    env: system.env,
    encoding: 'utf8',
  });
  const known = [...listed.matchAll(/^worktree (.*)$/gm)].map(([, path]) => path!);
  return [...known.slice(1), ...(existsSync(folder) ? readdirSync(folder) : [])];
}
