import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { HelloSchema } from '@holdfast/shared';
import { FakeJournal, taskId } from './fake-journal.ts';
import { FrameError, readEvent, readFrame, readSnapshot } from './frames.ts';

test('every event of a journal is read as it is', () => {
  const journal = new FakeJournal();
  journal.run(taskId(1), { title: 't', labels: { a: 'b' } });
  journal.attend(taskId(1), 'odd');
  journal.requeue(taskId(1));
  journal.claim(taskId(1));
  journal.start(taskId(1));
  journal.adopt(taskId(1));
  journal.end(taskId(1), 'failed');
  for (const { json, event } of journal.log) expect(readEvent(json)).toEqual(event);
  expect(readSnapshot(JSON.stringify({ tasks: [...journal.tasks.values()] }))).toEqual([
    ...journal.tasks.values(),
  ]);
});

test('an event of a kind that is not known, or without the data of its kind, is foreign', () => {
  const journal = new FakeJournal();
  journal.submit(taskId(1));
  const submitted = journal.log[0]!.event;
  const task = journal.tasks.get(taskId(1));
  const base = { seq: 1, taskId: 't', sessionId: 's', attempt: 1, at: 5, from: 'running', to: 'running' };
  const events: object[] = [
    { ...base, kind: 'teleported' },
    { ...base },
    { ...base, kind: 'started', attempt: '1' },
    { ...base, kind: 'started', data: { process: 'x' } },
    { ...base, kind: 'adopted' },
    { ...base, kind: 'completed', data: { outcome: { reason: 'exit' }, outputBytes: 1 } },
    { ...base, kind: 'failed', data: { endedAt: 1, outputBytes: 1 } },
    { ...base, kind: 'requeued', data: { outcome: {}, outputBytes: 1 } },
    { ...base, kind: 'attention', data: { code: 'x' } },
    { ...base, kind: 'stopRequested', data: null },
    { ...base, kind: 'reported', data: {} },
    { ...submitted, taskId: 'another' },
    { ...submitted, data: { task: { ...task, labels: { a: 1 } } } },
    { ...submitted, data: { task: { ...task, spec: { command: 'true' } } } },
    { ...submitted, data: { task: { ...task, status: 'completed' } } },
  ];
  for (const event of events) {
    const read = readEvent(JSON.stringify(event));
    expect([JSON.stringify(event), 'foreign' in read]).toEqual([JSON.stringify(event), true]);
    expect(read).toMatchObject({ foreign: true, seq: 1 });
  }
});

test('whatever the text, nothing but a FrameError is thrown', () => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record(
        {
          seq: fc.oneof(fc.nat(), fc.anything()),
          taskId: fc.oneof(fc.string(), fc.anything()),
          at: fc.oneof(fc.nat(), fc.anything()),
          attempt: fc.oneof(fc.nat(), fc.anything()),
          sessionId: fc.string(),
          kind: fc.constantFrom('submitted', 'started', 'completed', 'requeued', 'attention', '__proto__'),
          data: fc.object({ key: fc.constantFrom('task', 'outcome', 'process', 'code', 'spec', 'labels') }),
          tasks: fc.oneof(fc.array(fc.object()), fc.anything()),
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(text, (given) => {
      for (const read of [readEvent, readSnapshot, (all: string) => readFrame('hello', HelloSchema, all)]) {
        expect(thrownBy(() => read(given))).toSatisfy(
          (error) => error === undefined || error instanceof FrameError,
        );
      }
    }),
    { numRuns: 500 },
  );
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}
