import { type ClaimRequest, createLogger, type Grant, ProblemError } from '@holdfast/shared';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ClaimLine } from './claim-line.ts';

/** A queue of numbered tasks; `held`: grants wait until it is opened. */
function openLine(tasks: number[] = []) {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const rounds: string[][] = [];
  const state = {
    held: Promise.resolve(),
    fails: false,
    isUnreadable: false,
    delayedAt: undefined as number | undefined,
  };
  const line = new ClaimLine({
    claims: {
      isKnown: ({ claimId }) => claimId === 'known',
      isGrantable: () => {
        if (state.isUnreadable) throw new Error('EIO');
        return tasks.length > 0;
      },
      async grant(requests) {
        rounds.push(requests.map(({ claimId }) => claimId));
        await state.held;
        if (state.fails) throw new Error('disk');
        const answers: (Grant | ProblemError | undefined)[] = [];
        for (const { claimId } of requests) {
          if (claimId === 'known') answers.push(new ProblemError('claim_lost', 'over'));
          else if (tasks.length === 0) answers.push(undefined);
          else answers.push({ claim: { token: `task ${tasks.shift()}` } } as Grant);
        }
        return answers;
      },
    },
    nextDelayedAt: () => state.delayedAt,
    logger: createLogger('agent', 'silent'),
    now: () => Date.now(),
  });
  const take = async (claimId: string, waitMs = 0, signal?: AbortSignal) => {
    const request: ClaimRequest = { claimId, queue: 'ci', worker: 'w', waitMs };
    return (await line.take(request, signal))?.claim.token;
  };
  return { line, take, tasks, rounds, state };
}

test('who does not wait gets what is there, and asks the disk for nothing if there is nothing', async () => {
  const { take, rounds } = openLine([1]);
  expect(await take('a')).toBe('task 1');
  expect(await take('b')).toBeUndefined();
  expect(rounds).toEqual([['a']]);
});

test('first come, first served, in one change for all; the rest wait on in their order', async () => {
  const { line, take, tasks, rounds } = openLine();
  const taken = ['a', 'b', 'c'].map((id) => take(id, 1000));
  tasks.push(1, 2);
  line.wake();
  expect(await Promise.all(taken.slice(0, 2))).toEqual(['task 1', 'task 2']);
  tasks.push(3);
  line.wake();
  expect(await taken[2]).toBe('task 3');
  expect(rounds).toEqual([['a', 'b', 'c'], ['c']]);
});

test('whoever comes while others wait does not overtake them', async () => {
  const { line, take, tasks } = openLine();
  const first = take('a', 1000);
  tasks.push(1);
  expect(await take('b')).toBeUndefined();
  line.wake();
  expect(await first).toBe('task 1');
});

test('the wait ends after its time, with the client, and with the agent', async () => {
  const { line, take } = openLine();
  const gone = new AbortController();
  const taken = [take('a', 100), take('b', 10_000, gone.signal), take('c', 10_000)];
  await vi.advanceTimersByTimeAsync(100);
  expect(await taken[0]).toBeUndefined();
  gone.abort();
  expect(await taken[1]).toBeUndefined();
  expect(line.length).toBe(1);
  line.stop();
  expect(await taken[2]).toBeUndefined();
  expect(await take('d', 10_000)).toBeUndefined();
});

test('nobody leaves with nothing while a task is being given to it', async () => {
  const { line, take, tasks, state } = openLine();
  const held = Promise.withResolvers<void>();
  state.held = held.promise;
  const taken = [take('a', 100), take('b', 100)];
  tasks.push(1);
  line.wake();
  await vi.advanceTimersByTimeAsync(200);
  held.resolve();
  expect(await Promise.all(taken)).toEqual(['task 1', undefined]);
});

test('what comes while others are served is not overlooked', async () => {
  const { line, take, tasks, state } = openLine([]);
  const held = Promise.withResolvers<void>();
  state.held = held.promise;
  const first = take('a', 1000);
  tasks.push(1);
  line.wake();
  const second = take('b', 1000);
  tasks.push(2);
  line.wake();
  held.resolve();
  expect(await Promise.all([first, second])).toEqual(['task 1', 'task 2']);
});

test('a claim that was granted before stands in no line, and its problem is its own', async () => {
  const { line, take, tasks } = openLine();
  const waiting = take('a', 1000);
  await expect(take('known', 1000)).rejects.toMatchObject({ code: 'claim_lost' });
  tasks.push(1);
  line.wake();
  expect(await waiting).toBe('task 1');
});

test('a disk that fails is told to those whom it was about, and to nobody after them', async () => {
  const { line, take, tasks, state } = openLine();
  const taken = take('a', 1000);
  tasks.push(1);
  state.fails = true;
  line.wake();
  await expect(taken).rejects.toThrow('disk');
  state.fails = false;
  expect(await take('b')).toBe('task 1');
});

test('a look that fails ends nothing: everyone waits on, and is served when it works again', async () => {
  const { line, take, tasks, state } = openLine();
  const taken = take('a', 1000);
  state.isUnreadable = true;
  line.wake();
  await vi.advanceTimersByTimeAsync(1);
  state.isUnreadable = false;
  tasks.push(1);
  line.wake();
  expect(await taken).toBe('task 1');
});

test('a delayed task is looked for when it is due', async () => {
  const { line, take, tasks, state } = openLine();
  state.delayedAt = Date.now() + 500;
  const taken = take('a', 1000);
  line.wake();
  await vi.advanceTimersByTimeAsync(499);
  tasks.push(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await taken).toBe('task 1');
});
