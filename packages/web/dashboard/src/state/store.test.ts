import { fakeWeb, pageOf } from './fake-page.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { aTask } from '../model/samples.ts';
import { newLink } from '../model/link.ts';
import { counts } from './agents.ts';
import { takeLink } from './clock.ts';
import { isResyncing, reread, startStore } from './store.ts';
import { listProblem, loading, watchTask } from './tasks.ts';

const state = { agents: [], counts: {}, cursor: 'e.10', version: '0.1.0' };
const reads = (): number => fakeWeb.asked.filter((path) => path === '/api/state').length;
const asMuchAs = (path: string): Response => (path === '/api/state' ? Response.json(state) : pageOf(10, []));

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  fakeWeb.asked = [];
});

test('a list that web refuses is no reason to read everything again: the rest is in step, and the list says why', async () => {
  const refusal = { code: 'invalid', detail: 'There is no such session id.' };
  fakeWeb.answer = (path) =>
    path.startsWith('/api/tasks') ? Response.json(refusal, { status: 422 }) : asMuchAs(path);
  reread();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(reads()).toBe(1);
  expect(isResyncing.value).toBe(false);
  expect([loading.value, listProblem.value?.detail]).toEqual([undefined, refusal.detail]);
});

test('what failed once is read again until it was read, and by nobody who is signed out', async () => {
  fakeWeb.answer = () => Response.error();
  reread();
  await vi.advanceTimersByTimeAsync(3000);
  expect([reads(), isResyncing.value]).toEqual([2, true]);
  takeLink({ ...newLink(), phase: 'signedOut' });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(reads()).toBe(2);
  takeLink({ ...newLink(), phase: 'connecting' });
  fakeWeb.answer = asMuchAs;
  reread();
  await vi.advanceTimersByTimeAsync(1);
  expect(isResyncing.value).toBe(false);
});

test('a store that was put back speaks of versions that were told before: what it says now counts', async () => {
  const sources: EventTarget[] = [];
  class FakeSource extends EventTarget {
    close = (): void => undefined;
    constructor() {
      super();
      sources.push(this);
    }
  }
  vi.stubGlobal('EventSource', FakeSource);
  const send = (type: string, data: object, lastEventId = ''): unknown =>
    sources.at(-1)?.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId }));
  fakeWeb.answer = asMuchAs;
  startStore();
  await vi.waitFor(() => expect(sources).toHaveLength(1));
  await vi.advanceTimersByTimeAsync(1);
  send('hello', { version: '0.1.0', at: Date.now(), heartbeatMs: 5000 });
  send('change', { tasks: [aTask({ id: 'a' })], counts: { running: 1 } }, 'e.90');
  expect([counts.value, watchTask('a').value?.status]).toEqual([{ running: 1 }, 'running']);
  send('reset', { reason: 'ahead' });
  await vi.waitFor(() => expect(sources).toHaveLength(2));
  await vi.advanceTimersByTimeAsync(1);
  send('hello', { version: '0.1.0', at: Date.now(), heartbeatMs: 5000 });
  send('change', { tasks: [aTask({ id: 'a', status: 'queued' })], counts: { queued: 1 } }, 'e.11');
  expect([counts.value, watchTask('a').value?.status]).toEqual([{ queued: 1 }, 'queued']);
});
