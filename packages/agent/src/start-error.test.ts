import { expect, test } from 'vitest';
import { StartError, startErrorOf } from './start-error.ts';

const systemError = (code: string) => Object.assign(new Error(`${code}: spawn`), { code });

test.each(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC', 'ETIMEDOUT'])('P8: %s may pass', (code) => {
  expect(startErrorOf('spawn_failed', 'it cannot start', systemError(code)).passing).toBe(true);
});

test.each(['ENOENT', 'ENOTDIR', 'EACCES', 'E2BIG', 'EPERM', 'ESOMETHING', 'toString'])(
  'P8: %s will not pass by itself',
  (code) => {
    expect(startErrorOf('spawn_failed', 'it cannot start', systemError(code)).passing).toBe(false);
  },
);

test('a person is told what was attempted and why it failed; the cause is kept', () => {
  const cause = systemError('E2BIG');
  const error = startErrorOf('spawn_failed', 'it cannot start', cause);
  expect(error.message).toBe(
    'it cannot start: the arguments and the environment together are too long (E2BIG)',
  );
  expect(error.cause).toBe(cause);
  expect(startErrorOf('spawn_failed', 'it cannot start', systemError('EODD')).message).toBe(
    'it cannot start: EODD',
  );
  expect(startErrorOf('spawn_failed', 'it cannot start', new Error('odd')).message).toBe(
    'it cannot start: odd',
  );
});

test('what is a StartError already stays as it is', () => {
  const known = new StartError('workspace_failed', 'known', { passing: true });
  expect(startErrorOf('spawn_failed', 'it cannot start', known)).toBe(known);
});
