import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type EventKind, eventKinds, type EventOf, type TaskEvent, TaskEventSchema } from './events.ts';
import { isTerminal, taskStatuses, type TaskStatus } from './status.ts';
import type { Outcome, Task } from './task.ts';
import { freezeDeep, sampleTask, TASK_ID } from './test-support.ts';
import { applyEvent, IllegalTransitionError, nextStatus } from './transition.ts';

type From = TaskStatus | 'none';
const no = 'impossible';

/** The specification once more, cell by cell and by hand; a missing cell does not compile. */
const expected: Record<From, Record<EventKind, TaskStatus | typeof no>> = {
  none: {
    submitted: 'queued',
    claimed: no,
    started: no,
    adopted: no,
    requeued: no,
    stopRequested: no,
    reported: no,
    attention: no,
    completed: no,
    failed: no,
    cancelled: no,
  },
  queued: {
    submitted: no,
    claimed: 'starting',
    started: no,
    adopted: no,
    requeued: no,
    stopRequested: no,
    reported: 'queued',
    attention: 'queued',
    completed: no,
    failed: 'failed',
    cancelled: 'cancelled',
  },
  starting: {
    submitted: no,
    claimed: no,
    started: 'running',
    adopted: no,
    requeued: 'queued',
    stopRequested: 'starting',
    reported: 'starting',
    attention: 'starting',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  },
  running: {
    submitted: no,
    claimed: no,
    started: no,
    adopted: 'running',
    requeued: 'queued',
    stopRequested: 'running',
    reported: 'running',
    attention: 'running',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  },
  completed: allImpossible(),
  failed: allImpossible(),
  cancelled: allImpossible(),
};

function allImpossible(): Record<EventKind, typeof no> {
  return {
    submitted: no,
    claimed: no,
    started: no,
    adopted: no,
    requeued: no,
    stopRequested: no,
    reported: no,
    attention: no,
    completed: no,
    failed: no,
    cancelled: no,
  };
}

const froms: From[] = ['none', ...taskStatuses];
const cells = froms.flatMap((from) => eventKinds.map((kind) => [from, kind, expected[from][kind]] as const));
const outcome: Outcome = { reason: 'exit', exitCode: 1 };
const living = { pid: 41, startedAt: 1900, verifiedAt: 2000 };
const claim = { worker: 'w1', leaseExpiresAt: 9000, lastHeartbeatAt: 2000 };

/** An event of `kind` that a log could hold after a task of this status. */
function makeEvent<K extends EventKind>(kind: K, task: Task | undefined, at?: number): EventOf<K>;
function makeEvent(kind: EventKind, task: Task | undefined, at = 2000): TaskEvent {
  const status = task?.status ?? 'queued';
  const envelope = {
    seq: (task?.seq ?? 0) + 1,
    taskId: TASK_ID,
    sessionId: 'night',
    attempt: (task?.attempt ?? 0) + (kind === 'claimed' ? 1 : 0),
    at,
    from: status,
  };
  const ended = { outcome, endedAt: at - 5, outputBytes: 77, lastOutputAt: at - 9 };
  switch (kind) {
    case 'submitted':
      return { ...envelope, kind, from: null, to: 'queued', data: { task: sampleTask() } };
    case 'claimed':
      return { ...envelope, kind, to: 'starting', data: { claim } };
    case 'started':
      return { ...envelope, kind, to: 'running', data: { process: living, claim } };
    case 'adopted':
      return { ...envelope, kind, to: status, data: { process: { ...living, verifiedAt: at } } };
    case 'requeued':
      return {
        ...envelope,
        kind,
        to: 'queued',
        data: { charged: true, notBeforeAt: at + 1, outcome, outputBytes: 7 },
      };
    case 'stopRequested':
      return { ...envelope, kind, to: status, data: { cause: 'cancel' } };
    case 'reported':
      return { ...envelope, kind, to: status, data: { externalId: 'claude-1' } };
    case 'attention':
      return { ...envelope, kind, to: status, data: { code: 'output_lost', message: 'the log is gone' } };
    case 'completed':
    case 'failed':
    case 'cancelled':
      return { ...envelope, kind, to: kind, data: ended };
    default:
      return kind satisfies never;
  }
}

function taskIn(from: From): Task | undefined {
  if (from === 'none') return undefined;
  return sampleTask({
    status: from,
    seq: 8,
    attempt: from === 'queued' ? 0 : 1,
    attention: [{ code: 'slow_disk', message: 'slow', sinceAt: 5 }],
  });
}

test.each(cells.filter(([, , to]) => to === no))('from %s an event %s is %s', (from, kind) => {
  const task = taskIn(from);
  expect(() => nextStatus(from, kind)).toThrow(IllegalTransitionError);
  expect(() => applyEvent(task, makeEvent(kind, task))).toThrow(IllegalTransitionError);
});

test.each(cells.filter(([, , to]) => to !== no))('from %s an event %s leads to %s', (from, kind, to) => {
  const task = freezeDeep(taskIn(from));
  const event = freezeDeep(makeEvent(kind, task));
  expect(TaskEventSchema.parse(event)).toEqual(event);
  expect(nextStatus(from, kind)).toBe(to);
  // Both are frozen to the bottom: a fold that wrote to its input would throw here.
  const next = applyEvent(task, event);
  expect(next).toMatchObject({ status: to, seq: event.seq });
  expect(next).not.toBe(task);
});

test('a refusal names the status and the event', () => {
  expect(() => nextStatus('completed', 'claimed')).toThrow(
    'an event "claimed" cannot follow the status "completed"',
  );
});

test('no event follows a terminal status (P5)', () => {
  for (const status of taskStatuses.filter((one) => isTerminal(one))) {
    for (const kind of eventKinds) expect(() => nextStatus(status, kind)).toThrow(IllegalTransitionError);
  }
});

const choices = fc.array(fc.nat(), { maxLength: 60 });

/** A walk through the log of one task: each number chooses among the events that may follow. */
function walk(numbers: number[]): TaskEvent[] {
  const events: TaskEvent[] = [];
  let task: Task | undefined;
  for (const number of numbers) {
    const from: From = task?.status ?? 'none';
    const possible = eventKinds.filter((kind) => expected[from][kind] !== no);
    const kind = possible[number % possible.length];
    if (kind === undefined) break;
    const event = makeEvent(kind, task, 2000 + events.length);
    events.push(event);
    task = applyEvent(task, event);
  }
  return events;
}

test('a log that obeys the table folds without a throw, and any event outside it is refused', () => {
  fc.assert(
    fc.property(choices, (numbers) => {
      let task: Task | undefined;
      for (const event of walk(numbers)) {
        for (const kind of eventKinds) {
          if (expected[task?.status ?? 'none'][kind] !== no) continue;
          expect(() => applyEvent(task, makeEvent(kind, task))).toThrow(IllegalTransitionError);
        }
        task = applyEvent(task, event);
        expect(task.status).toBe(event.to);
        expect(task.seq).toBe(event.seq);
      }
    }),
  );
});

const fold = (start: Task | undefined, part: TaskEvent[]) =>
  part.reduce<Task | undefined>((task, event) => applyEvent(task, event), start);

test('two sides that fold the same log hold the same task, also through JSON and in two pieces', () => {
  fc.assert(
    fc.property(choices, fc.nat(), (numbers, cut) => {
      const events = walk(numbers);
      const there = fold(undefined, TaskEventSchema.array().parse(JSON.parse(JSON.stringify(events))));
      const at = events.length === 0 ? 0 : cut % events.length;
      const here = fold(fold(undefined, events.slice(0, at)), events.slice(at));
      expect(JSON.stringify(there)).toBe(JSON.stringify(here));
    }),
  );
});

test('a submitted task is queued with the number of its event, whatever the event claims inside', () => {
  const event = makeEvent('submitted', undefined);
  const odd = { ...event, seq: 12, data: { task: sampleTask({ status: 'running', seq: 3 }) } };
  expect(applyEvent(undefined, odd)).toEqual(sampleTask({ status: 'queued', seq: 12 }));
});

test('a claim begins a new attempt and forgets the last one', () => {
  const waiting = sampleTask({
    attempt: 1,
    outcome,
    notBeforeAt: 5,
    startedAt: 4,
    stopRequested: { cause: 'reclaim', at: 3 },
    outputBytes: 10,
    lastOutputAt: 4,
  });
  const event = makeEvent('claimed', waiting);
  expect(applyEvent(waiting, event)).toEqual(
    sampleTask({ status: 'starting', statusAt: event.at, attempt: 2, seq: 2, outputBytes: 0, claim }),
  );
  const { data: _, ...managed } = event;
  expect(applyEvent(waiting, managed)).not.toHaveProperty('claim');
});

test('a start tells when and as which process, an adoption only verifies the process anew', () => {
  const starting = sampleTask({ status: 'starting', attempt: 1 });
  const running = applyEvent(starting, makeEvent('started', starting, 2000));
  expect(running).toMatchObject({ startedAt: 2000, process: living, claim });
  const { data: _, ...bare } = makeEvent('started', starting, 2000);
  expect(applyEvent({ ...starting, claim }, bare)).toMatchObject({ status: 'running', claim });
  const adopted = applyEvent(running, makeEvent('adopted', running, 7000));
  expect(adopted).toEqual({ ...running, seq: running.seq + 1, process: { ...living, verifiedAt: 7000 } });
});

test('a requeue keeps the outcome of the lost attempt and drops what belonged to its process', () => {
  const running = sampleTask({
    status: 'running',
    attempt: 1,
    startedAt: 5,
    process: living,
    claim,
    stopRequested: { cause: 'reclaim', at: 6 },
    attention: [{ code: 'x', message: 'y', sinceAt: 1 }],
    lastOutputAt: 9,
  });
  expect(applyEvent(running, makeEvent('requeued', running))).toEqual(
    sampleTask({
      status: 'queued',
      statusAt: 2000,
      attempt: 1,
      seq: 2,
      outcome,
      notBeforeAt: 2001,
      outputBytes: 7,
    }),
  );
});

test('a stop request is kept to the end, so that it can be seen who asked', () => {
  const running = sampleTask({ status: 'running', attempt: 1, process: living });
  const stopping = applyEvent(running, makeEvent('stopRequested', running, 3000));
  expect(stopping).toMatchObject({ status: 'running', stopRequested: { cause: 'cancel', at: 3000 } });
  const ended = applyEvent(stopping, makeEvent('cancelled', stopping, 4000));
  expect(ended).toEqual(
    sampleTask({
      status: 'cancelled',
      statusAt: 4000,
      attempt: 1,
      seq: 3,
      stopRequested: { cause: 'cancel', at: 3000 },
      outcome,
      endedAt: 3995,
      outputBytes: 77,
      lastOutputAt: 3991,
    }),
  );
});

test('a task says when it came to its status; what changes no status does not move that', () => {
  const queued = sampleTask({ status: 'queued', seq: 1 });
  expect(queued).not.toHaveProperty('statusAt');
  const starting = applyEvent(queued, makeEvent('claimed', queued, 2000));
  const running = applyEvent(starting, makeEvent('started', starting, 3000));
  const adopted = applyEvent(running, makeEvent('adopted', running, 4000));
  const again = applyEvent(adopted, makeEvent('requeued', adopted, 5000));
  expect([starting, running, adopted, again].map(({ statusAt }) => statusAt)).toEqual([
    2000, 3000, 3000, 5000,
  ]);
});

test('attention is one entry for each code: raised anew it is replaced, cleared it goes', () => {
  const task = sampleTask({ status: 'running', attempt: 1 });
  const raise = (code: string, at: number) => ({
    ...makeEvent('attention', task, at),
    data: { code, message: code },
  });
  const clear = (code: string) => ({
    ...makeEvent('attention', task),
    data: { code, cleared: true as const },
  });
  const both = applyEvent(applyEvent(applyEvent(task, raise('a', 1)), raise('b', 2)), raise('a', 3));
  expect(both.attention).toEqual([
    { code: 'b', message: 'b', sinceAt: 2 },
    { code: 'a', message: 'a', sinceAt: 3 },
  ]);
  const one = applyEvent(both, clear('b'));
  expect(one.attention).toEqual([{ code: 'a', message: 'a', sinceAt: 3 }]);
  expect(applyEvent(one, clear('a'))).not.toHaveProperty('attention');
  expect(applyEvent(one, clear('never raised')).attention).toEqual(one.attention);
});
