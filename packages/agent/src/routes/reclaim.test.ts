import { createApp, createLogger, type ResetReason, type Task } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { addReclaimRoutes } from './reclaim.ts';

const ID = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b';
const CURSOR = 'aaaaaaaaaaaaaaaa.7.bbbbbbbbbbbbbbbb';

/** Asks for a reclaim of attempt 2 with a cursor that the log answers so. */
async function ask(continuation: 'continues' | ResetReason) {
  const asked: number[] = [];
  const app = createApp({
    title: 'test',
    description: '',
    logger: createLogger('agent', 'silent'),
    guard: (_, next) => next(),
  });
  addReclaimRoutes(app, {
    stops: {
      reclaim: (id, attempt) => {
        asked.push(attempt);
        return Promise.resolve({ id } as Task);
      },
    },
    reclaimer: { reclaimStale: () => Promise.resolve([]) },
    events: { continuation: () => continuation },
  });
  const response = await app.request(`/tasks/${ID}/reclaim?cursor=${CURSOR}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ attempt: 2, reason: 'silent' }),
  });
  return { status: response.status, body: (await response.json()) as { detail?: string }, asked };
}

test('a cursor that the log continues lets the reclaim through', async () => {
  expect(await ask('continues')).toMatchObject({ status: 202, asked: [2] });
});

test('another journal, and a log that was pruned past the cursor, refuse each in its own words', async () => {
  for (const reason of ['epoch', 'ahead', 'diverged'] as const) {
    const { status, body, asked } = await ask(reason);
    expect([status, asked]).toEqual([409, []]);
    expect(body).toMatchObject({ code: 'attempt_changed' });
    expect(body.detail).toContain('it was replaced or restored');
  }
  const { status, body, asked } = await ask('too_old');
  expect([status, asked]).toEqual([409, []]);
  expect(body).toMatchObject({ code: 'attempt_changed' });
  expect(body.detail).toContain('those events were pruned');
  expect(body.detail).not.toContain('replaced');
});
