import { expect, test } from 'vitest';
import { logEnd, type LogEndInput } from './log-end.ts';
import { aTask } from './samples.ts';

const readAt = new Date(2026, 10, 21, 14, 2, 11).getTime();
const input = (change: Partial<LogEndInput> = {}): LogEndInput => ({
  state: 'following',
  readAt,
  totalBytes: 10,
  task: aTask({ lastOutputAt: readAt }),
  attempt: 1,
  agentName: 'build-2',
  certainty: { state: 'live', asOf: readAt },
  link: 'live',
  now: readAt + 3000,
  ...change,
});
const problem = (status: number, code: string) => ({ status, code, detail: 'Too much.', errors: [] });

test('a log that goes on says when it last did', () => {
  expect(logEnd(input())).toEqual({ kind: 'following', text: 'Following · last output 3 s ago' });
  expect(logEnd(input({ totalBytes: 0 })).text).toBe('Nothing printed yet');
});

test('a worker keeps its output: its log is not said to be waited for', () => {
  const claim = { worker: 'ci-3', leaseExpiresAt: readAt + 9000, lastHeartbeatAt: readAt };
  const text = 'Worker ci-3 keeps its output: no log of it is kept here.';
  expect(logEnd(input({ totalBytes: 0, task: aTask({ claim }) }))).toEqual({ kind: 'elsewhere', text });
  // Over, its claim is gone from the row; a shell line in its spec was its worker's to run all the same.
  for (const spec of [{ payload: { build: 7 } }, { shell: 'make' }]) {
    const ended = aTask({ status: 'completed', queue: 'ci', spec });
    expect(logEnd(input({ state: 'ended', totalBytes: 0, task: ended }))).toEqual({
      kind: 'elsewhere',
      text: 'Its worker keeps its output: no log of it is kept here.',
    });
  }
  const run = aTask({ spec: { runner: 'claude', prompt: 'p' } });
  expect(logEnd(input({ totalBytes: 0, task: run })).kind).toBe('following');
});

test('the end says how it ended and how much there is', () => {
  const task = aTask({ status: 'completed', outcome: { reason: 'exit', exitCode: 0 } });
  expect(logEnd(input({ state: 'ended', task, lineCount: 4312 }))).toEqual({
    kind: 'complete',
    text: 'End of output · exit 0 · 4,312 lines',
  });
  const silent = { ...task, outputBytes: 0 };
  expect(logEnd(input({ state: 'ended', task: silent, totalBytes: 0 })).text).toBe(
    'End of output · exit 0 · nothing was printed',
  );
});

test('a log that was deleted or cut is not said to be all that was printed', () => {
  const task = aTask({ status: 'completed', outputBytes: 20, outcome: { reason: 'exit', exitCode: 0 } });
  expect(logEnd(input({ state: 'ended', task, totalBytes: 0 })).text).toBe(
    'Its log is gone · exit 0 · 20 B were printed, none of it is left',
  );
  expect(logEnd(input({ state: 'ended', task, lineCount: 1 })).text).toBe(
    'End of output · exit 0 · 1 line · 10 B that were counted are missing',
  );
});

test('a log that is still being read is not followed once its task has ended: nothing will be printed', () => {
  const task = aTask({ status: 'completed', lastOutputAt: readAt });
  expect(logEnd(input({ task }))).toEqual({ kind: 'reading', text: 'Reading to the end …' });
});

test('an older attempt is not said to have ended as the newest did', () => {
  const task = aTask({ attempt: 3, status: 'failed', outcome: { reason: 'exit', exitCode: 7 } });
  expect(logEnd(input({ state: 'ended', task, attempt: 2 })).text).toBe(
    'End of output · of attempt 2 · 10 B',
  );
});

test('a stream that stopped is unlike an end: it says who is not heard, and until when it was read', () => {
  const lost = { state: 'unknown', asOf: readAt, reason: 'agent_unreachable' } as const;
  expect(logEnd(input({ certainty: lost }))).toEqual({
    kind: 'stopped',
    who: 'agent',
    text: 'Stream stopped, not ended: build-2 is not heard; this is what was read until 14:02:11. It may have printed more since.',
  });
  expect(logEnd(input({ certainty: { ...lost, reason: 'web_unreachable' }, link: 'blind' }))).toMatchObject({
    kind: 'stopped',
    who: 'web',
  });
  expect(logEnd(input({ state: 'stopped', problem: problem(503, 'agent_unreachable') }))).toMatchObject({
    who: 'agent',
    text: 'build-2 cannot be reached: this is what was read until 14:02:11. It may have printed more since.',
  });
  expect(logEnd(input({ state: 'stopped', problem: problem(0, 'web_unreachable') })).who).toBe('web');
  expect(logEnd(input({ state: 'stopped', problem: problem(429, 'slow_down') })).text).toMatch(
    /^Stream stopped, not ended: Too much\./,
  );
});

test('of a task that has ended nothing more is printed, but its log may not be had now', () => {
  const task = aTask({ status: 'completed' });
  expect(
    logEnd(input({ state: 'stopped', readAt: undefined, task, problem: problem(503, 'agent_unreachable') }))
      .text,
  ).toBe(
    'build-2 cannot be reached: nothing was read yet. The task has ended; the rest of its log is still at its agent.',
  );
});

test('a task that was given up, or that its agent no longer knows, has no end of output, and nobody waits for one', () => {
  expect(logEnd(input({ task: aTask({ status: 'lost' }) }))).toMatchObject({
    kind: 'stopped',
    text: expect.stringMatching(/^Given up, not ended: .*14:02:11/),
  });
  const away = input({
    state: 'stopped',
    problem: problem(503, 'agent_unreachable'),
    task: aTask({ status: 'lost' }),
  });
  expect(logEnd(away).text).toMatch(/It may have printed more since\.$/);
  const unknown = { state: 'unknown', asOf: readAt, reason: 'not_on_agent' } as const;
  expect(logEnd(input({ certainty: unknown })).text).toContain('build-2 no longer knows this task');
});

test('who follows is told how far behind', () => {
  expect(logEnd(input({ behindBytes: 2_900_000 })).text).toMatch(/^Following, 2\.9 MB behind · /);
});

test('output is as old as it is, whatever the clock it was stamped by', () => {
  const certainty = { state: 'live', asOf: readAt, aheadMs: 3_600_000 } as const;
  const task = aTask({ lastOutputAt: readAt + 3_600_000 });
  expect(logEnd(input({ certainty, task })).text).toBe('Following · last output 3 s ago');
});
