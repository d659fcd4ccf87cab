import { afterEach, expect, test, vi } from 'vitest';
import { cancelTask, readOutput, readTask } from './api.ts';

afterEach(() => vi.unstubAllGlobals());

/** An answer of `status` whose connection is cut within its body. */
function cut(status: number): Response {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"id":')),
    pull: (controller) => controller.error(new TypeError('network error')),
  });
  return new Response(body, { status });
}

test('an answer that is cut within its body is one that did not come: every call ends', async () => {
  vi.stubGlobal('fetch', async () => cut(200));
  const unheard = { ok: false, problem: { status: 0 } };
  expect(await readTask('t')).toMatchObject(unheard);
  expect(await cancelTask('t')).toMatchObject(unheard);
  expect(await readOutput('t', { attempt: 1, offset: 0, limit: 9 })).toMatchObject(unheard);
  vi.stubGlobal('fetch', async () => cut(503));
  expect(await readOutput('t', { attempt: 1, offset: 0, limit: 9 })).toMatchObject(unheard);
});
