import { ProblemError } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { noteClock } from './clock-note.ts';
import { viewOf } from './test-kit.ts';

const refusal = (pointer = '/id') =>
  new ProblemError('invalid', 'the time is wrong', { errors: [{ pointer, detail: 'the time is wrong' }] });

test('the refusal of an id says by how much the agent’s clock differs, and what to do', () => {
  const behind = noteClock(refusal(), viewOf({ name: 'build-2', clockAheadMs: -3 * 3_600_000 }));
  expect(behind.message).toBe(
    "The clock of agent build-2 is 3 h behind web's: set it, then submit again. build-2 says: the time is wrong",
  );
  expect(behind).toMatchObject({ code: 'invalid', options: { errors: [{ pointer: '/id' }] } });
  const ahead = noteClock(refusal(), viewOf({ clockAheadMs: 90_000 }));
  expect(ahead.message).toContain("is 90 s ahead of web's");
});

test('a refusal that is of something else, or of an agent whose clock agrees, is passed on as it is', () => {
  const clockAheadMs = -3_600_000;
  const other = refusal('/spec/runner');
  expect(noteClock(other, viewOf({ clockAheadMs }))).toBe(other);
  const full = new ProblemError('task_conflict', 'taken');
  expect(noteClock(full, viewOf({ clockAheadMs }))).toBe(full);
  const agreeing = refusal();
  expect(noteClock(agreeing, viewOf())).toBe(agreeing);
  expect(noteClock(agreeing, undefined)).toBe(agreeing);
});
