// oxlint-disable-next-line import/no-unassigned-import -- It stands for the page.
import '../state/fake-page.ts';
import { h, render } from 'preact';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { newLink } from '../model/link.ts';
import { unreachableProblem, type Problem } from '../model/problem.ts';
import { aTask } from '../model/samples.ts';
import { noteFrame, takeLink } from '../state/clock.ts';
import type { Answer } from '../transport/api.ts';
import { useRecord } from './use-record.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

/** Looks at the record of a task that does not move; web answers with the number of the read, or with a problem. */
async function look(problem?: Problem) {
  const seen = { asked: 0, problem, said: {} };
  const read = async (): Promise<Answer<number>> => {
    seen.asked += 1;
    return seen.problem === undefined
      ? { ok: true, value: seen.asked, status: 200 }
      : { ok: false, problem: seen.problem };
  };
  const task = aTask();
  function Looking(): null {
    seen.said = useRecord(task, read);
    return null;
  }
  hear();
  // Nothing is drawn: no more of an element is needed.
  const place: object = { nodeType: 1, childNodes: [], firstChild: null };
  render(h(Looking, {}), place as Element);
  await pass(100);
  return seen;
}

function hear(): void {
  noteFrame(Date.now());
  takeLink({ ...newLink(), phase: 'open' });
}

test('what nobody could answer is asked for again until it was answered, though the link stays live', async () => {
  const seen = await look({ ...unreachableProblem('read'), status: 503 });
  expect(seen.said).toMatchObject({ problem: { status: 503 } });
  seen.problem = undefined;
  await pass(1000);
  expect(seen.said).toEqual({ value: 2 });
  await pass(3000);
  expect(seen.asked).toBe(2);
});

test('what was said while web was not heard is read once it is, though the task has not moved', async () => {
  const seen = await look();
  expect(seen.said).toEqual({ value: 1 });
  takeLink({ ...newLink(), phase: 'waiting', brokenAt: 1 });
  await pass(100);
  expect(seen.said).toEqual({ value: 1 });
  hear();
  await pass(100);
  expect(seen.said).toEqual({ value: 2 });
});
