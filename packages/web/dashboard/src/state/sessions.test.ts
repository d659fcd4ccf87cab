import { fakeWeb } from './fake-page.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ShownSession } from '@holdfast/shared';
import type { SessionPage } from '../transport/api.ts';
import { sessions } from './agents.ts';
import { isArchiveRead, readMoreSessions, showArchive, takeSessionPage } from './sessions.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  showArchive(false);
});

const session = (id: string, archived = false): ShownSession => ({
  id,
  archived,
  status: 'empty',
  counts: {},
  createdAt: 1,
  updatedAt: 1,
});
const page = (version: number, items: ShownSession[], next?: string): SessionPage => ({
  items,
  cursor: `e.${version}`,
  ...(next === undefined ? {} : { next }),
});
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(1);
const shown = (): string[] => sessions.value.map(({ id }) => id);

test('the archive is read though an older page of the others is awaited, and until it was read', async () => {
  takeSessionPage(page(1, [session('a')], 'older'));
  const older = Promise.withResolvers<Response>();
  let archive = Response.error();
  fakeWeb.answer = (path) => (path.includes('after=') ? older.promise : archive);
  void readMoreSessions();
  showArchive(true);
  await settle();
  expect(isArchiveRead.value).toBe(false);
  archive = Response.json(page(2, [session('old', true)]));
  await vi.advanceTimersByTimeAsync(5000);
  expect([isArchiveRead.value, shown()]).toEqual([true, ['a', 'old']]);
});

test('an older page that was awaited when the list began anew leaves no hole behind it', async () => {
  takeSessionPage(page(11, [session('a')], 'behind a'));
  fakeWeb.answer = () => Response.json(page(11, [session('b')], 'behind b'));
  await readMoreSessions();
  const third = Promise.withResolvers<Response>();
  fakeWeb.answer = () => third.promise;
  const reading = readMoreSessions();
  takeSessionPage(page(12, [session('a')], 'behind a'));
  third.resolve(Response.json(page(12, [session('c')])));
  await reading;
  expect(shown()).toEqual(['a']);
  fakeWeb.answer = () => Response.json(page(12, [session('b')], 'behind b'));
  await readMoreSessions();
  expect(fakeWeb.asked.at(-1)).toContain('after=behind+a');
});
