/** What holds of events and activity, one after the other. */
import { expect } from 'vitest';
import { TaskEventSchema, type Task } from '@holdfast/shared';
import { FakeJournal, taskId } from '../../fake-journal.ts';
import { NOW, follow, positionOf, expectSame, type Sentence } from './kit.ts';

export function describeEvents(it: Sentence): void {
  it('applies events to rows exactly as the agent does, and keeps their text (P6)', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    journal.end(taskId(1));
    journal.run(taskId(2), { title: 'second', labels: { team: 'a' }, sessionId: 'session-2' });
    journal.attend(taskId(2), 'output_lost');
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await expectSame(store, journal);
    expect((await store.task(taskId(2)))?.updatedAt).toBe(NOW);
    expect(store.counts()).toEqual({ completed: 1, running: 1 });
  });

  it('changes nothing when a batch is applied again', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const version = store.version();
    await store.applyEvents(journal.agentId, journal.log, NOW + 1);
    expect(store.version()).toBe(version);
    await expectSame(store, journal);
  });

  it('refuses events that leave a hole, and applies nothing of the batch', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    const [first, , third] = journal.log;
    await expect(store.applyEvents(journal.agentId, [first!, third!], NOW)).rejects.toMatchObject({
      code: 'gap',
    });
    expect(await store.task(taskId(1))).toBeUndefined();
    expect(store.counts()).toEqual({});
    expect(await positionOf(store, journal)).toMatchObject({ seq: 0 });
  });

  it('refuses events before the first snapshot, and events of an agent that nobody named', async ({
    store,
  }) => {
    const journal = new FakeJournal();
    journal.submit(taskId(1));
    await expect(store.applyEvents(journal.agentId, journal.log, NOW)).rejects.toMatchObject({
      code: 'no_such_agent',
    });
    await store.rememberAgent({ id: journal.agentId, name: 'a', url: 'http://a' }, NOW);
    await expect(store.applyEvents(journal.agentId, journal.log, NOW)).rejects.toMatchObject({ code: 'gap' });
  });

  it('keeps events that it cannot fold, moves the position and leaves the row', async ({ store }) => {
    const journal = await follow(store);
    journal.submit(taskId(1));
    const foreign = journal.appendForeign(taskId(1));
    const claimed = journal.claim(taskId(1));
    const [submitted] = journal.log;
    const batch = [
      submitted!,
      { ...foreign, event: { foreign: true as const, seq: 2, taskId: taskId(1), at: foreign.event.at } },
      claimed,
    ];
    await store.applyEvents(journal.agentId, batch, NOW);
    await expectSame(store, journal);
  });

  it('leaves a row alone that an event does not fit, whatever is in the log (P5)', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    journal.end(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const ended = await store.task(taskId(1));
    const late = TaskEventSchema.parse({ ...journal.log[3]!.event, seq: 5, kind: 'failed', to: 'failed' });
    await store.applyEvents(journal.agentId, [{ event: late, json: JSON.stringify(late), chain: 'x' }], NOW);
    expect(await store.task(taskId(1))).toEqual(ended);
    expect(await store.events(taskId(1))).toHaveLength(5);
  });

  it('survives closing: rows, events, position, counts, digest, versions (P1)', async (under) => {
    const journal = await follow(under.store);
    journal.run(taskId(1));
    journal.run(taskId(2));
    journal.end(taskId(2));
    await under.store.applyEvents(journal.agentId, journal.log, NOW);
    const { epoch } = under.store;
    const version = under.store.version();
    const store = await under.reopen();
    expect(store.epoch).toBe(epoch);
    expect(store.version()).toBe(version);
    expect(store.counts()).toEqual({ running: 1, completed: 1 });
    await expectSame(store, journal);
  });

  it('lays activity over the attempt that it belongs to, and loses none of it to an event', async ({
    store,
  }) => {
    const journal = await follow(store);
    journal.submit(taskId(1));
    journal.claim(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const claim = { worker: 'w', leaseExpiresAt: NOW, lastHeartbeatAt: NOW };
    const started = journal.start(taskId(1));
    const event = TaskEventSchema.parse({ ...started.event, data: { claim } });
    await store.applyActivity(
      journal.agentId,
      [
        {
          id: taskId(1),
          attempt: 1,
          outputBytes: 10,
          lastOutputAt: 500,
          lastLine: 'ten',
          progress: { done: 1 },
        },
      ],
      NOW + 1,
    );
    await store.applyEvents(journal.agentId, [{ ...started, event }], NOW + 2);
    const shown = async (): Promise<Task | undefined> => (await store.task(taskId(1)))?.task;
    expect(await shown()).toMatchObject({
      outputBytes: 10,
      lastOutputAt: 500,
      claim: { worker: 'w', progress: { done: 1 } },
    });
    await store.applyActivity(journal.agentId, [{ id: taskId(1), attempt: 1, outputBytes: 20 }], NOW + 3);
    expect(await shown()).toMatchObject({
      outputBytes: 20,
      lastOutputAt: 500,
      lastLine: 'ten',
      claim: { progress: { done: 1 } },
    });
    const version = store.version();
    await store.applyActivity(journal.agentId, [{ id: taskId(1), attempt: 1, outputBytes: 20 }], NOW + 4);
    await store.applyActivity(journal.agentId, [{ id: taskId(1), attempt: 0, outputBytes: 99 }], NOW + 4);
    await store.applyActivity('agent-b', [{ id: taskId(1), attempt: 1, outputBytes: 99 }], NOW + 4);
    expect(store.version()).toBe(version);
    await store.applyEvents(journal.agentId, [journal.requeue(taskId(1)), journal.claim(taskId(1))], NOW + 5);
    expect((await shown())?.outputBytes).toBe(0);
    await store.applyActivity(journal.agentId, [{ id: taskId(1), attempt: 2, outputBytes: 3 }], NOW + 6);
    expect(await shown()).toMatchObject({ attempt: 2, outputBytes: 3 });
    expect(await shown()).not.toHaveProperty('lastOutputAt');
    expect(await shown()).not.toHaveProperty('lastLine');
    await store.applyEvents(
      journal.agentId,
      [journal.start(taskId(1)), journal.end(taskId(1), 'completed', 5)],
      NOW + 7,
    );
    expect((await shown())?.outputBytes).toBe(5);
    await store.applyActivity(journal.agentId, [{ id: taskId(1), attempt: 2, outputBytes: 50 }], NOW + 8);
    expect((await shown())?.outputBytes).toBe(5);
  });

  it('lays lease, heartbeat and progress of a claim over the same attempt, and tells the feed', async ({
    store,
  }) => {
    const journal = await follow(store);
    journal.submit(taskId(1), { queue: 'ci' });
    const claimed = journal.claim(taskId(1));
    const claim = { worker: 'w', leaseExpiresAt: NOW + 60_000, lastHeartbeatAt: NOW, progress: 'begun' };
    const event = TaskEventSchema.parse({ ...claimed.event, data: { claim } });
    await store.applyEvents(journal.agentId, [journal.log[0]!, { ...claimed, event }], NOW);
    const shown = async (): Promise<Task | undefined> => (await store.task(taskId(1)))?.task;
    expect((await shown())?.claim).toEqual(claim);
    const entry = { id: taskId(1), attempt: 1, outputBytes: 0 };
    const before = store.version();
    await store.applyActivity(
      journal.agentId,
      [{ ...entry, leaseExpiresAt: NOW + 65_000, lastHeartbeatAt: NOW + 5000, progress: { done: 3 } }],
      NOW + 5000,
    );
    const renewed = {
      worker: 'w',
      leaseExpiresAt: NOW + 65_000,
      lastHeartbeatAt: NOW + 5000,
      progress: { done: 3 },
    };
    expect((await shown())?.claim).toEqual(renewed);
    const changes = await store.changesAfter(before, 10);
    expect(changes.tasks.map((row) => row.task.claim)).toEqual([renewed]);
    const version = store.version();
    // Late or repeated words change nothing.
    await store.applyActivity(
      journal.agentId,
      [{ ...entry, leaseExpiresAt: NOW + 61_000, lastHeartbeatAt: NOW + 1000 }],
      NOW + 6000,
    );
    expect(store.version()).toBe(version);
    expect((await shown())?.claim).toEqual(renewed);
    // The next attempt has a claim of its own.
    const requeued = journal.requeue(taskId(1));
    const again = journal.claim(taskId(1));
    const other = { worker: 'x', leaseExpiresAt: NOW + 70_000, lastHeartbeatAt: NOW + 10_000 };
    const taken = TaskEventSchema.parse({ ...again.event, data: { claim: other } });
    await store.applyEvents(journal.agentId, [requeued, { ...again, event: taken }], NOW + 10_000);
    expect((await shown())?.claim).toEqual(other);
    await store.applyActivity(
      journal.agentId,
      [{ ...entry, leaseExpiresAt: NOW + 99_000, lastHeartbeatAt: NOW + 39_000, progress: 'late' }],
      NOW + 11_000,
    );
    expect((await shown())?.claim).toEqual(other);
  });

  it('shows the claim of a snapshot that is ahead of the last activity, whole', async (under) => {
    const journal = await follow(under.store);
    journal.submit(taskId(1), { queue: 'ci' });
    journal.claim(taskId(1));
    const claim = { worker: 'w', leaseExpiresAt: NOW + 60_000, lastHeartbeatAt: NOW };
    const claimed = { ...journal.tasks.get(taskId(1))!, claim };
    await under.store.takeSnapshot({ ...journal.snapshot(), tasks: [claimed] });
    await under.store.applyActivity(
      journal.agentId,
      [
        {
          id: taskId(1),
          attempt: 1,
          outputBytes: 0,
          leaseExpiresAt: NOW + 61_000,
          lastHeartbeatAt: NOW + 1000,
          progress: 'old',
        },
      ],
      NOW + 1000,
    );
    const newer = {
      worker: 'w',
      leaseExpiresAt: NOW + 80_000,
      lastHeartbeatAt: NOW + 20_000,
      progress: 'new',
    };
    await under.store.takeSnapshot({
      ...journal.snapshot('bad_cursor'),
      tasks: [{ ...claimed, claim: newer }],
    });
    const store = await under.reopen();
    expect((await store.task(taskId(1)))?.task.claim).toEqual(newer);
  });
}
