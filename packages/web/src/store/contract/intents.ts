/** What holds of what people ask. */
import { expect } from 'vitest';
import { FakeJournal, taskId } from '../../fake-journal.ts';
import { StoreError, type NewIntent } from '../../session-store.ts';
import { NOW, follow, expectSame, newSubmit, submit, settle, answerOf, type Sentence } from './kit.ts';

export function describeIntents(it: Sentence): void {
  it('records a submit as a visible task, names of its environment only, and is harmless when repeated', async ({
    store,
  }) => {
    const intent = newSubmit(taskId(1), { spec: { command: ['make'], env: { SECRET: 'hunter2' } } });
    const { outcome, row } = await store.recordIntent(intent);
    expect(outcome).toBe('recorded');
    expect(row).toMatchObject({
      status: 'submitted',
      agentId: undefined,
      task: { seq: 0, agentId: '', createdAt: NOW, spec: { command: ['make'], env: ['SECRET'] } },
      pending: [{ intent: intent.id, action: 'submit', sinceAt: NOW }],
    });
    expect(await store.task(taskId(1))).toEqual(row);
    const reordered = {
      ...intent,
      id: 'again',
      body: structuredClone(intent.body),
    };
    expect(await store.recordIntent(reordered)).toEqual({ outcome: 'repeated', row });
    const other = newSubmit(taskId(1), { spec: { command: ['make'], env: { SECRET: 'other' } } }, 'other');
    expect((await store.recordIntent(other)).outcome).toBe('conflict');
    expect(await store.dueIntents()).toEqual([
      { id: intent.id, taskId: taskId(1), action: 'submit', body: intent.body, createdAt: NOW, tries: 0 },
    ]);
  });

  it('compares a submit with a task that it knows from an agent alone', async ({ store }) => {
    const journal = await follow(store);
    journal.submit(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    expect((await store.recordIntent(newSubmit(taskId(1)))).outcome).toBe('repeated');
    expect((await store.recordIntent(newSubmit(taskId(1), { title: 'x' }))).outcome).toBe('conflict');
    expect(await store.dueIntents()).toEqual([]);
  });

  it('fixes the agent before the first send and never after', async ({ store }) => {
    await store.recordIntent(newSubmit(taskId(1)));
    await store.assignIntent('intent-1', 'agent-a');
    await store.assignIntent('intent-1', 'agent-a');
    expect(await store.task(taskId(1))).toMatchObject({ agentId: 'agent-a', status: 'submitted' });
    await expect(store.assignIntent('intent-1', 'agent-b')).rejects.toMatchObject({ code: 'assigned' });
    await expect(store.assignIntent('intent-9', 'agent-b')).rejects.toMatchObject({ code: 'no_such_intent' });
    expect(await store.tasks({ agentId: 'agent-a' }, { limit: 9 })).toMatchObject({ total: 1 });
  });

  it('delivers the intents of a task in order, and keeps them over a restart', async (under) => {
    const { store } = under;
    await submit(store, taskId(1), 'agent-a');
    await store.recordIntent({ id: 'cancel-1', taskId: taskId(1), body: { action: 'cancel' }, at: NOW + 1 });
    await submit(store, taskId(2), 'agent-a');
    expect((await store.dueIntents()).map(({ id }) => id)).toEqual(['intent-1', 'intent-2']);
    await store.markSent('intent-1', NOW + 2);
    await store.recordFailure('intent-1', 'connection refused');
    await store.recordFailure('intent-1', 'connection refused');
    const again = await under.reopen();
    const [first] = await again.dueIntents();
    expect(first).toMatchObject({
      id: 'intent-1',
      sentAt: NOW + 2,
      tries: 2,
      lastError: 'connection refused',
    });
    expect((await again.task(taskId(1)))?.pending).toEqual([
      { intent: 'intent-1', action: 'submit', sinceAt: NOW, lastError: 'connection refused' },
      { intent: 'cancel-1', action: 'cancel', sinceAt: NOW + 1 },
    ]);
    await again.settleIntent('intent-1', NOW + 3);
    await again.settleIntent('intent-1', NOW + 3);
    expect((await again.dueIntents()).map(({ id }) => id)).toEqual(['cancel-1', 'intent-2']);
  });

  it('shows what the agent answered only while it is ahead of the stream', async ({ store }) => {
    const journal = await follow(store);
    await submit(store, taskId(1), journal.agentId);
    await store.markSent('intent-1', NOW);
    journal.run(taskId(1));
    const answer = journal.tasks.get(taskId(1))!;
    await store.settleIntent('intent-1', NOW, answer);
    expect(await store.task(taskId(1))).toMatchObject({ status: 'running', task: { seq: 3 }, pending: [] });
    expect(await store.liveDigest(journal.agentId)).toBe('0'.repeat(16));
    for (const entry of journal.log) {
      await store.applyEvents(journal.agentId, [entry], NOW);
      expect((await store.task(taskId(1)))?.status).toBe('running');
    }
    await expectSame(store, journal);
    await store.recordIntent({ id: 'c', taskId: taskId(1), body: { action: 'cancel' }, at: NOW });
    await store.applyEvents(journal.agentId, [journal.end(taskId(1))], NOW);
    await store.settleIntent('c', NOW, { ...answer, stopRequested: { cause: 'cancel', at: NOW } });
    expect(await store.task(taskId(1))).toMatchObject({ status: 'completed' });
  });

  it('leaves a task submitted when its agent falls silent, sent or not (P2)', async ({ store }) => {
    const journal = await follow(store);
    await submit(store, taskId(1), journal.agentId);
    await store.markSent('intent-1', NOW);
    expect(await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW)).toBe(0);
    expect(await store.task(taskId(1))).toMatchObject({ status: 'submitted' });
  });

  it('does not vouch by an answer, and yet shows the end that one tells', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW);
    await store.recordIntent({ id: 'c', taskId: taskId(1), body: { action: 'cancel' }, at: NOW });
    await settle(store, 'c', answerOf(journal, taskId(1), { seq: 4, status: 'running' }));
    expect(await store.task(taskId(1))).toMatchObject({ status: 'unknown', lastStatus: 'running' });
    await store.recordIntent({ id: 'd', taskId: taskId(1), body: { action: 'cancel' }, at: NOW });
    await settle(store, 'd', answerOf(journal, taskId(1), { seq: 5, status: 'cancelled' }));
    expect(await store.task(taskId(1))).toMatchObject({ status: 'cancelled' });
    expect(await store.doubts(taskId(1))).toMatchObject([{ resolvedTo: 'cancelled' }]);
  });

  it('doubts an answer when the agent’s journal became another one since the send', async ({ store }) => {
    const journal = await follow(store);
    journal.submit(taskId(8));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await submit(store, taskId(1), journal.agentId);
    await store.markSent('intent-1', NOW);
    const other = new FakeJournal(journal.agentId, '00000000000000bb');
    await store.takeSnapshot(other.snapshot('epoch'));
    await store.settleIntent('intent-1', NOW, answerOf(journal, taskId(1), { seq: 2 }));
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'unknown',
      doubt: { reason: 'not_on_agent' },
    });
    other.submit(taskId(1));
    await store.applyEvents(other.agentId, other.log, NOW);
    expect(await store.task(taskId(1))).toMatchObject({ status: 'queued', task: { seq: 1 } });
  });

  it('takes a record that begins the send as one that was sent', async (under) => {
    const { store } = under;
    const journal = await follow(store);
    const { agentId } = journal;
    await store.recordIntent({ ...newSubmit(taskId(1)), id: 's', agentId, sentAt: NOW });
    expect(await store.task(taskId(1))).toMatchObject({ agentId, status: 'submitted' });
    const again = await under.reopen();
    expect(await again.dueIntents()).toMatchObject([{ id: 's', agentId, sentAt: NOW }]);
    expect(await again.cancelUnsent(taskId(1), NOW)).toBe(false);
    // In which journal it was sent is on record as well.
    const other = new FakeJournal(agentId, '00000000000000bb');
    await again.takeSnapshot(other.snapshot('epoch'));
    await again.settleIntent('s', NOW, answerOf(journal, taskId(1), { seq: 2 }));
    expect(await again.task(taskId(1))).toMatchObject({
      status: 'unknown',
      doubt: { reason: 'not_on_agent' },
    });
  });

  it('refuses to send a reclaim into another journal than the one its attempt was known in', async (under) => {
    const { store } = under;
    const journal = await follow(store);
    for (const n of [1, 2]) journal.run(taskId(n));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const reclaim = { action: 'reclaim' as const, attempt: 1, reason: 'silent' };
    await store.recordIntent({ id: 'r', taskId: taskId(1), body: reclaim, at: NOW });
    await store.recordIntent({ id: 'c', taskId: taskId(2), body: { action: 'cancel' }, at: NOW });
    await store.markSent('r', NOW);
    const again = await under.reopen();
    await again.takeSnapshot(journal.snapshot());
    await again.markSent('r', NOW);
    // Restored from a copy: the same task, and not the same attempts.
    await again.takeSnapshot(journal.snapshot('ahead'));
    await expect(again.markSent('r', NOW)).rejects.toMatchObject({ code: 'other_journal' });
    await again.markSent('c', NOW);
    await again.refuseIntent('r', 'another journal', NOW);
    await again.recordIntent({ id: 'r2', taskId: taskId(1), body: reclaim, at: NOW });
    await again.markSent('r2', NOW);
  });

  it('ends a refused submit failed with its message and its later intents with it', async ({ store }) => {
    const journal = await follow(store);
    await submit(store, taskId(1), journal.agentId);
    await store.recordIntent({ id: 'c', taskId: taskId(1), body: { action: 'cancel' }, at: NOW });
    await store.refuseIntent('intent-1', 'spec.cwd must be absolute', NOW + 1);
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'failed',
      pending: [],
      refused: { action: 'submit', message: 'spec.cwd must be absolute', at: NOW + 1 },
      task: { status: 'failed', endedAt: NOW + 1 },
    });
    expect(await store.dueIntents()).toEqual([]);
    // Web's verdict yields to an agent's word.
    await store.applyEvents(journal.agentId, [journal.submit(taskId(1))], NOW + 2);
    expect(await store.task(taskId(1))).toMatchObject({ status: 'queued' });
  });

  it('shows a refused action until the next one is asked', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const cancel = { taskId: taskId(1), body: { action: 'cancel' as const }, at: NOW };
    await store.recordIntent({ ...cancel, id: 'c' });
    expect((await store.recordIntent({ ...cancel, id: 'd' })).outcome).toBe('repeated');
    expect((await store.dueIntents())[0]).toMatchObject({ id: 'c', agentId: journal.agentId });
    await store.refuseIntent('c', 'no', NOW);
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'running',
      refused: { action: 'cancel' },
      pending: [],
    });
    await store.recordIntent({ ...cancel, id: 'e' });
    expect(await store.task(taskId(1))).not.toHaveProperty('refused');
    const reclaim = { taskId: taskId(1), at: NOW };
    await store.recordIntent({ ...reclaim, id: 'r1', body: { action: 'reclaim', attempt: 1, reason: 'a' } });
    const repeated = { ...reclaim, id: 'r2', body: { action: 'reclaim' as const, attempt: 1, reason: 'b' } };
    expect((await store.recordIntent(repeated)).outcome).toBe('repeated');
    await expect(store.recordIntent({ ...cancel, id: 'f', taskId: taskId(9) })).rejects.toMatchObject({
      code: 'no_such_task',
    });
  });

  it('takes a reclaim of the same number in another journal as another one', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const ask = (id: string, cursor?: string) =>
      store.recordIntent({
        id,
        taskId: taskId(1),
        body: {
          action: 'reclaim',
          attempt: 1,
          reason: 'silent',
          ...(cursor === undefined ? {} : { cursor }),
        },
        at: NOW,
      });
    const cursorOf = ({ epoch, head, chain }: FakeJournal) => `${epoch}.${head}.${chain}`;
    expect(await ask('r1', cursorOf(journal))).toMatchObject({ outcome: 'recorded' });
    journal.attend(taskId(1), 'odd');
    expect(await ask('r2', cursorOf(journal))).toMatchObject({ outcome: 'repeated' });
    const other = new FakeJournal(journal.agentId, '00000000000000bb');
    other.run(taskId(1));
    await store.takeSnapshot(other.snapshot('epoch'));
    expect(await ask('r3', cursorOf(other))).toMatchObject({ outcome: 'recorded' });
    expect(await ask('r4', cursorOf(other))).toMatchObject({ outcome: 'repeated' });
    // Chosen while the old journal was there: it is that attempt that is meant, and the agent refuses it.
    expect(await ask('r0', cursorOf(journal))).toMatchObject({ outcome: 'recorded' });
    // Restored: the epoch is the same, and the generation another.
    await store.takeSnapshot(other.snapshot('diverged'));
    expect(await ask('r5', cursorOf(other))).toMatchObject({ outcome: 'recorded' });
  });

  it('cancels a submit locally before it was first sent, and never after', async ({ store }) => {
    await submit(store, taskId(1));
    await store.recordIntent({ id: 'c', taskId: taskId(1), body: { action: 'cancel' }, at: NOW });
    expect(await store.cancelUnsent(taskId(1), NOW + 1)).toBe(true);
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'cancelled',
      pending: [],
      task: { endedAt: NOW + 1 },
    });
    expect(await store.dueIntents()).toEqual([]);
    expect(await store.cancelUnsent(taskId(1), NOW + 2)).toBe(false);
    await submit(store, taskId(2), 'agent-a');
    await store.markSent('intent-2', NOW);
    expect(await store.cancelUnsent(taskId(2), NOW)).toBe(false);
    expect(await store.cancelUnsent(taskId(3), NOW)).toBe(false);
    expect(await store.task(taskId(2))).toMatchObject({ status: 'submitted' });
  });

  it('records a retry as a new task that names the old one, on its agent', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1), { title: 'nightly', labels: { team: 'a' } });
    journal.end(taskId(1), 'failed');
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const retry: NewIntent = {
      id: 'r',
      taskId: taskId(2),
      body: { action: 'retry', of: taskId(1) },
      at: NOW,
    };
    const { outcome, row } = await store.recordIntent(retry);
    expect(outcome).toBe('recorded');
    expect(row).toMatchObject({
      status: 'submitted',
      agentId: journal.agentId,
      task: { retryOf: taskId(1), title: 'nightly', labels: { team: 'a' }, attempt: 0, seq: 0 },
    });
    expect((await store.recordIntent({ ...retry, id: 's' })).outcome).toBe('repeated');
    expect((await store.recordIntent(newSubmit(taskId(2)))).outcome).toBe('conflict');
    expect(await store.dueIntents()).toMatchObject([{ id: 'r', agentId: journal.agentId }]);
    const unknown: NewIntent = {
      ...retry,
      id: 't',
      taskId: taskId(3),
      body: { action: 'retry', of: taskId(9) },
    };
    await expect(store.recordIntent(unknown)).rejects.toBeInstanceOf(StoreError);
  });

  it('binds a waiting submit to the agent that turns out to hold it', async ({ store }) => {
    const journal = await follow(store);
    await submit(store, taskId(1));
    await store.applyEvents(journal.agentId, [journal.submit(taskId(1))], NOW);
    expect(await store.task(taskId(1))).toMatchObject({ agentId: journal.agentId, status: 'queued' });
    expect(await store.dueIntents()).toMatchObject([{ id: 'intent-1', agentId: journal.agentId }]);
  });
}
