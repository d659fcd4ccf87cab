import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AlreadyRunningError, takeInstanceLock } from './instance-lock.ts';
import { makeFolder } from './test-support.ts';

const take = (home: string, holder?: { pid: number; url: string }) =>
  takeInstanceLock({ service: 'agent', home, holder: () => holder });

test('one holds the lock, a second is refused at once, and it is free when let go', () => {
  using folder = makeFolder();
  const home = join(folder.path, 'deep', 'home');
  const first = take(home);
  expect(() => take(home)).toThrow(AlreadyRunningError);
  first[Symbol.dispose]();
  using second = take(home);
  expect(second).toBeDefined();
});

test('the refusal names the holder and says what to do; the other service of the home is not refused', () => {
  using folder = makeFolder();
  using _held = take(folder.path);
  expect(() => take(folder.path)).toThrow(/^An agent already runs for .* \(it is just starting\)\. Use it/);
  expect(() => take(folder.path, { pid: 12, url: 'http://127.0.0.1:1' })).toThrow(
    '(pid 12, http://127.0.0.1:1)',
  );
  using web = takeInstanceLock({ service: 'web', home: folder.path, holder: () => undefined });
  expect(web).toBeDefined();
});

test('the lock of a process that was killed is free', async () => {
  using folder = makeFolder();
  const script = `
    import { takeInstanceLock } from ${JSON.stringify(new URL('instance-lock.ts', import.meta.url).href)};
    const home = ${JSON.stringify(folder.path)};
    globalThis.lock = takeInstanceLock({ service: 'agent', home, holder: () => undefined });
    console.log('held');
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(() => take(folder.path)).toThrow(AlreadyRunningError);
  child.kill('SIGKILL');
  await once(child, 'close');
  using lock = take(folder.path);
  expect(lock).toBeDefined();
});
