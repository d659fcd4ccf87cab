/** What holds of snapshots and generations. */
import { expect } from 'vitest';
import { FakeJournal, taskId } from '../../fake-journal.ts';
import { NOW, follow, positionOf, expectSame, submit, settle, answerOf, type Sentence } from './kit.ts';

export function describeSnapshots(it: Sentence): void {
  it('takes a snapshot and then its history without moving a row back', async ({ store }) => {
    const journal = new FakeJournal();
    journal.run(taskId(1));
    journal.run(taskId(2));
    journal.end(taskId(2));
    await store.rememberAgent({ id: journal.agentId, name: 'a', url: 'http://a' }, NOW);
    await store.takeSnapshot(journal.snapshot());
    expect(await positionOf(store, journal)).toEqual({ ...journal.positionAt(0), generation: 1 });
    const shown = await store.task(taskId(2));
    expect(shown?.status).toBe('completed');
    for (const entry of journal.log) {
      await store.applyEvents(journal.agentId, [entry], NOW);
      expect((await store.task(taskId(2)))?.version).toBe(shown?.version);
    }
    await expectSame(store, journal);
  });

  it('has no position after a snapshot of another journal that broke off, and replaces what was taken of it', async (under) => {
    const journal = await follow(under.store);
    journal.run(taskId(1));
    await under.store.applyEvents(journal.agentId, journal.log, NOW);
    const other = new FakeJournal(journal.agentId, '00000000000000bb');
    for (let n = 2; n < 700; n++) other.run(taskId(n));
    const cut = {
      ...other.snapshot('epoch'),
      *tasks() {
        yield* other.tasks.values();
        throw new Error('cut');
      },
    };
    await expect(under.store.takeSnapshot({ ...cut, tasks: cut.tasks() })).rejects.toThrow('cut');
    const store = await under.reopen();
    expect((await store.agents())[0]?.position).toBeUndefined();
    await expect(store.applyEvents(other.agentId, other.log, NOW)).rejects.toMatchObject({ code: 'gap' });
    const third = new FakeJournal(journal.agentId, '00000000000000cc');
    third.submit(taskId(2));
    await store.takeSnapshot(third.snapshot('no_cursor'));
    await store.applyEvents(third.agentId, third.log, NOW);
    await expectSame(store, third);
    expect(store.counts()).toEqual({ queued: 1, unknown: 500 });
  });

  it('states how far the rows of a snapshot of the same journal may be before it takes the first', async (under) => {
    const journal = await follow(under.store);
    journal.run(taskId(1));
    const cut = {
      ...journal.snapshot('too_old'),
      *tasks() {
        yield* [];
        throw new Error('cut');
      },
    };
    await expect(under.store.takeSnapshot({ ...cut, tasks: cut.tasks() })).rejects.toThrow('cut');
    const store = await under.reopen();
    const [agent] = await store.agents();
    expect(agent).toMatchObject({ position: { seq: 0 }, reach: { seq: journal.head, chain: journal.chain } });
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await expectSame(store, journal);
  });

  it('only moves rows forward by a snapshot of the same generation', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    const old = journal.snapshot('too_old');
    journal.end(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.takeSnapshot({ ...old, seq: journal.head, chain: journal.chain });
    expect(await positionOf(store, journal)).toMatchObject({ generation: 1, seq: 0 });
    expect((await store.task(taskId(1)))?.status).toBe('completed');
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await expectSame(store, journal);
  });

  it('writes nothing for rows of a snapshot that it holds already', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const before = await store.task(taskId(1));
    await store.takeSnapshot(journal.snapshot('no_cursor', NOW + 1));
    expect(await store.task(taskId(1))).toEqual(before);
  });

  for (const reason of ['epoch', 'ahead', 'diverged'] as const) {
    it(`replaces rows whatever their seq after a reset "${reason}" and keeps both logs`, async ({
      store,
    }) => {
      const journal = await follow(store);
      journal.run(taskId(1));
      journal.end(taskId(1));
      journal.run(taskId(2));
      await store.applyEvents(journal.agentId, journal.log, NOW);
      const epoch = reason === 'epoch' ? '00000000000000bb' : journal.epoch;
      const other = new FakeJournal(journal.agentId, epoch);
      other.submit(taskId(1));
      await store.takeSnapshot(other.snapshot(reason, NOW));
      expect(await store.task(taskId(1))).toMatchObject({ status: 'queued' });
      expect(await store.task(taskId(2))).toMatchObject({
        status: 'unknown',
        lastStatus: 'running',
        doubt: { reason: 'not_on_agent' },
      });
      await store.applyEvents(journal.agentId, other.log, NOW);
      expect(await positionOf(store, other)).toEqual({ ...other.positionAt(1), generation: 2 });
      expect((await store.events(taskId(1))).map((entry) => entry.generation)).toEqual([1, 1, 1, 1, 2]);
      expect(await store.liveDigest(journal.agentId)).toBe(other.liveDigest);
      other.run(taskId(2));
      await store.applyEvents(journal.agentId, other.after(1), NOW);
      expect(await store.task(taskId(2))).toMatchObject({ status: 'running' });
      expect(await store.liveDigest(journal.agentId)).toBe(other.liveDigest);
    });
  }

  it('knows another journal by its epoch, its head or its chain, whatever the reset said', async ({
    store,
  }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const other = new FakeJournal(journal.agentId, '00000000000000bb');
    other.submit(taskId(9));
    await store.takeSnapshot(other.snapshot('no_cursor'));
    expect(await positionOf(store, other)).toMatchObject({ generation: 2, epoch: other.epoch });
    await store.applyEvents(other.agentId, other.log, NOW);
    const behind = new FakeJournal(journal.agentId, other.epoch);
    await store.takeSnapshot(behind.snapshot('no_cursor'));
    expect(await positionOf(store, behind)).toMatchObject({ generation: 3, seq: 0 });
    behind.submit(taskId(5));
    await store.applyEvents(behind.agentId, behind.log, NOW);
    const diverged = new FakeJournal(journal.agentId, other.epoch);
    diverged.submit(taskId(6));
    await store.takeSnapshot(diverged.snapshot('bad_cursor'));
    expect(await positionOf(store, diverged)).toMatchObject({ generation: 4 });
    expect(await store.task(taskId(5))).toMatchObject({
      status: 'unknown',
      doubt: { reason: 'not_on_agent' },
    });
  });

  it('marks live rows that a snapshot lacks, and spares those stated or answered after it', async ({
    store,
  }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    journal.run(taskId(2));
    const snapshot = { ...journal.snapshot(), receivedAt: NOW + 5 };
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await submit(store, taskId(3), journal.agentId);
    await settle(store, 'intent-3', answerOf(journal, taskId(3), { seq: 9 }));
    await submit(store, taskId(4), journal.agentId);
    await store.takeSnapshot({
      ...snapshot,
      seq: 6,
      chain: journal.chain,
      tasks: [journal.tasks.get(taskId(2))!],
    });
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'unknown',
      lastStatus: 'running',
      unknownSince: NOW + 5,
      doubt: { reason: 'not_on_agent' },
    });
    expect(await store.task(taskId(2))).toMatchObject({ status: 'running' });
    expect(await store.task(taskId(3))).toMatchObject({ status: 'queued' });
    expect(await store.task(taskId(4))).toMatchObject({ status: 'submitted' });
  });

  it('notices a journal that is not the one its last snapshot came from, though the position fits', async (under) => {
    const journal = await follow(under.store);
    const copy = journal.copy();
    journal.run(taskId(1));
    await under.store.takeSnapshot(journal.snapshot('bad_cursor'));
    const store = await under.reopen();
    const [agent] = await store.agents();
    expect(agent).toMatchObject({ position: { seq: 0 }, reach: { seq: 3, chain: journal.chain } });
    copy.run(taskId(2));
    await expect(store.applyEvents(copy.agentId, copy.log, NOW)).rejects.toMatchObject({ code: 'diverged' });
    expect(await store.task(taskId(2))).toBeUndefined();
  });

  it('takes the agent’s text of an event where it differs from the one received before', async ({
    store,
  }) => {
    const journal = await follow(store);
    journal.submit(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const other = new FakeJournal(journal.agentId, journal.epoch);
    other.submit(taskId(1), { title: 'another text' });
    other.claim(taskId(1));
    await store.takeSnapshot(other.snapshot('no_cursor'));
    await store.applyEvents(journal.agentId, other.log, NOW);
    expect((await store.events(taskId(1))).map(({ event }) => event)).toEqual(
      other.log.map(({ event }) => event),
    );
  });
}
