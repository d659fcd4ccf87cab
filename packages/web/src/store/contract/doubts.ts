/** What holds of doubt, truth and whose word counts. */
import { expect } from 'vitest';
import { FakeJournal, taskId } from '../../fake-journal.ts';
import { NOW, answerOf, follow, positionOf, expectSame, settle, submit, type Sentence } from './kit.ts';

export function describeDoubts(it: Sentence): void {
  it('marks live tasks unknown and takes them back when the agent vouches, with the doubt on record (P9)', async ({
    store,
  }) => {
    const journal = await follow(store);
    for (const n of [1, 2, 3]) journal.run(taskId(n));
    journal.end(taskId(3));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const digest = await store.liveDigest(journal.agentId);
    expect(await store.markUnknown(journal.agentId, 'agent_unreachable', NOW - 9, NOW + 10)).toBe(2);
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'unknown',
      lastStatus: 'running',
      unknownSince: NOW + 10,
      doubt: { reason: 'agent_unreachable', asOf: NOW - 9 },
      task: { status: 'running' },
    });
    expect(store.counts()).toEqual({ unknown: 2, completed: 1 });
    expect(await store.liveDigest(journal.agentId)).toBe(digest);
    expect(await store.markUnknown(journal.agentId, 'agent_stopped', NOW, NOW + 11)).toBe(0);
    expect(await store.vouch(journal.agentId, NOW + 20)).toBe(2);
    expect(store.counts()).toEqual({ running: 2, completed: 1 });
    const row = await store.task(taskId(1));
    expect(row).toMatchObject({ status: 'running' });
    expect(row).not.toHaveProperty('doubt');
    expect(row).not.toHaveProperty('unknownSince');
    expect(row).not.toHaveProperty('lastStatus');
    expect(await store.doubts(taskId(1))).toEqual([
      {
        reason: 'agent_unreachable',
        lastStatus: 'running',
        asOf: NOW - 9,
        since: NOW + 10,
        resolvedAt: NOW + 20,
        resolvedTo: 'running',
      },
    ]);
  });

  it('gives each row of a bulk change a version of its own', async ({ store }) => {
    const journal = await follow(store);
    for (let n = 0; n < 1100; n++) journal.run(taskId(n));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const before = store.version();
    await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW);
    const seen = new Set<string>();
    let version = before;
    for (;;) {
      const changes = await store.changesAfter(version, 100);
      if (changes.tasks.length + changes.sessions.length === 0) break;
      for (const task of changes.tasks) seen.add(task.id);
      expect(changes.tasks.length).toBeLessThanOrEqual(100);
      version = changes.version;
    }
    expect(seen.size).toBe(1100);
    expect(version).toBe(store.version());
  });

  it('ends a doubt by the agent’s next word on that task alone', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    journal.run(taskId(2));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW);
    await store.applyEvents(journal.agentId, [journal.end(taskId(1), 'failed')], NOW + 1);
    expect(await store.task(taskId(1))).toMatchObject({ status: 'failed' });
    expect(await store.task(taskId(2))).toMatchObject({ status: 'unknown' });
    expect(await store.doubts(taskId(1))).toMatchObject([{ resolvedTo: 'failed', resolvedAt: NOW + 1 }]);
    const before = await store.task(taskId(2));
    await store.takeSnapshot(journal.snapshot('no_cursor', NOW + 2));
    expect(await store.task(taskId(2))).toEqual(before);
    journal.attend(taskId(2), 'odd');
    await store.takeSnapshot(journal.snapshot('no_cursor', NOW + 3));
    expect(await store.task(taskId(2))).toMatchObject({ status: 'running' });
    expect(await store.doubts(taskId(2))).toMatchObject([{ resolvedTo: 'running', resolvedAt: NOW + 3 }]);
  });

  it('keeps a task that is not on its agent unknown until its truth arrives', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const lacking = { ...journal.snapshot(), tasks: [] };
    await store.takeSnapshot(lacking);
    expect(await store.vouch(journal.agentId, NOW)).toBe(0);
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'unknown',
      doubt: { reason: 'not_on_agent' },
    });
    expect(await store.liveDigest(journal.agentId)).toBe('0'.repeat(16));
    await store.takeSnapshot(journal.snapshot());
    expect(await store.task(taskId(1))).toMatchObject({ status: 'running' });
    expect(await store.liveDigest(journal.agentId)).toBe(journal.liveDigest);
  });

  it('takes a task anew that its agent did not hold and then accepted again', async ({ store }) => {
    const journal = await follow(store);
    journal.submit(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const other = new FakeJournal(journal.agentId, journal.epoch);
    other.submit(taskId(5));
    other.submit(taskId(6));
    other.prune(2);
    await store.takeSnapshot(other.snapshot('too_old'));
    expect(await store.task(taskId(1))).toMatchObject({ status: 'unknown' });
    other.submit(taskId(1), { title: 'again' });
    await store.applyEvents(other.agentId, other.log, NOW);
    await store.prune(other.agentId, other.floor, 50, NOW);
    await expectSame(store, other);
  });

  it('changes the reason of a doubt when a snapshot lacks the task, and keeps both on record', async ({
    store,
  }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.markUnknown(journal.agentId, 'agent_unreachable', NOW - 1, NOW);
    await store.takeSnapshot({ ...journal.snapshot('no_cursor', NOW + 3), tasks: [] });
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'unknown',
      unknownSince: NOW,
      lastStatus: 'running',
      doubt: { reason: 'not_on_agent', asOf: NOW - 1 },
    });
    expect(await store.doubts(taskId(1))).toMatchObject([
      { reason: 'agent_unreachable', resolvedTo: 'unknown' },
      { reason: 'not_on_agent', lastStatus: 'running' },
    ]);
  });

  it('takes a person’s verdict on an unknown task, which yields to its agent’s word (P5)', async ({
    store,
  }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    expect(await store.resolveLost(taskId(1), 'too early', NOW)).toBe(false);
    expect(await store.resolveLost(taskId(7), undefined, NOW)).toBe(false);
    await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW);
    expect(await store.resolveLost(taskId(1), 'host burnt down', NOW + 1)).toBe(true);
    const lost = await store.task(taskId(1));
    expect(lost).toMatchObject({
      status: 'lost',
      lastStatus: 'running',
      verdict: { at: NOW + 1, note: 'host burnt down' },
    });
    expect(lost).not.toHaveProperty('unknownSince');
    expect(await store.doubts(taskId(1))).toMatchObject([{ resolvedTo: 'lost', resolvedAt: NOW + 1 }]);
    await store.takeSnapshot(journal.snapshot());
    expect(await store.task(taskId(1))).toEqual(lost);
    await store.vouch(journal.agentId, NOW + 2);
    expect(await store.task(taskId(1))).toMatchObject({ status: 'running', verdict: { at: NOW + 1 } });
    // From the verdict to the word that replaced it nobody could see it either (P9).
    expect((await store.doubts(taskId(1)))[1]).toEqual({
      reason: 'agent_unreachable',
      lastStatus: 'running',
      asOf: NOW + 1,
      since: NOW + 1,
      resolvedAt: NOW + 2,
      resolvedTo: 'running',
    });
    expect(await store.liveDigest(journal.agentId)).toBe(journal.liveDigest);
    await store.applyEvents(journal.agentId, [...journal.log, journal.end(taskId(1))], NOW + 3);
    const ended = await store.task(taskId(1));
    expect(ended).toMatchObject({ status: 'completed', verdict: { at: NOW + 1 } });
    expect(await store.doubts(taskId(1))).toHaveLength(2);
    expect(ended).not.toHaveProperty('lastStatus');
  });

  it('puts the time in which web was away on record as a doubt that is over, and changes no row (P9)', async (under) => {
    const journal = await follow(under.store);
    for (const n of [1, 2, 3]) journal.run(taskId(n));
    journal.submit(taskId(4));
    journal.end(taskId(3));
    await under.store.applyEvents(journal.agentId, journal.log, NOW);
    const store = await under.reopen();
    const tasks = await store.liveTasks(journal.agentId);
    expect(new Map(tasks.map(({ id, status }) => [id, status]))).toEqual(
      new Map([
        [taskId(1), 'running'],
        [taskId(2), 'running'],
        [taskId(4), 'queued'],
      ]),
    );
    // While web was away one of them ended and another began.
    const later = [journal.end(taskId(2), 'failed')];
    journal.run(taskId(5));
    await store.applyEvents(journal.agentId, [...later, ...journal.log.slice(-3)], NOW + 50);
    const before = { version: store.version(), counts: store.counts() };
    const absence = { asOf: NOW - 9, since: NOW + 40, until: NOW + 60, tasks };
    expect(await store.recordAbsence(journal.agentId, absence)).toBe(3);
    expect({ version: store.version(), counts: store.counts() }).toEqual(before);
    const seen = { reason: 'web_down', asOf: NOW - 9, since: NOW + 40, resolvedAt: NOW + 60 };
    expect(await store.doubts(taskId(1))).toEqual([
      { ...seen, lastStatus: 'running', resolvedTo: 'running' },
    ]);
    expect(await store.doubts(taskId(2))).toEqual([{ ...seen, lastStatus: 'running', resolvedTo: 'failed' }]);
    expect(await store.doubts(taskId(4))).toMatchObject([{ lastStatus: 'queued' }]);
    for (const n of [3, 5]) expect(await store.doubts(taskId(n))).toEqual([]);
    // A web that died before it recorded the proof does it again.
    expect(await store.recordAbsence(journal.agentId, absence)).toBe(0);
    expect(await store.task(taskId(1))).toMatchObject({ status: 'running' });
    expect(await store.task(taskId(1))).not.toHaveProperty('doubt');
  });

  it('passes over what a doubt covers already, and tasks that are another agent’s', async ({ store }) => {
    const journal = await follow(store);
    const other = await follow(store, new FakeJournal('agent-b', '00000000000000bb'));
    journal.run(taskId(1));
    other.run(taskId(2));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.applyEvents(other.agentId, other.log, NOW);
    const tasks = [1, 2, 3].map((n) => ({ id: taskId(n), status: 'running' as const }));
    await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW + 30);
    expect(await store.liveTasks(journal.agentId)).toEqual([]);
    await store.vouch(journal.agentId, NOW + 40);
    const absence = { asOf: NOW, since: NOW + 10, until: NOW + 40, tasks };
    expect(await store.recordAbsence(journal.agentId, absence)).toBe(0);
    expect(await store.doubts(taskId(1))).toMatchObject([{ reason: 'agent_unreachable' }]);
    expect(await store.doubts(taskId(2))).toEqual([]);
    // The doubt of before ended with a vouch: what came after it is another time.
    const next = { asOf: NOW + 40, since: NOW + 90, until: NOW + 99, tasks };
    expect(await store.recordAbsence(journal.agentId, next)).toBe(1);
  });

  it('removes an agent without losing what it said, and resumes it where it was', async ({ store }) => {
    const journal = await follow(store);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.recordProof(journal.agentId, NOW - 3, 1000);
    const before = store.version();
    await store.removeAgent(journal.agentId, NOW);
    expect(await store.agents()).toEqual([]);
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'unknown',
      doubt: { reason: 'agent_removed', asOf: NOW - 3 },
    });
    expect(await store.events(taskId(1))).toHaveLength(3);
    expect((await store.changesAfter(before, 99)).removed).toEqual([{ kind: 'agent', id: journal.agentId }]);
    await store.rememberAgent({ id: journal.agentId, name: 'back', url: 'http://b' }, NOW);
    const changes = await store.changesAfter(before, 99);
    expect(changes.removed).toEqual([]);
    expect(changes.agents).toEqual([journal.agentId]);
    expect(await positionOf(store, journal)).toMatchObject({ seq: 3 });
    await store.vouch(journal.agentId, NOW);
    expect(await store.task(taskId(1))).toMatchObject({ status: 'running' });
  });

  it('doubts a task whose agent was removed before its answer came, so that a person can end it', async ({
    store,
  }) => {
    const journal = await follow(store);
    await store.recordProof(journal.agentId, NOW - 3, 1000);
    await submit(store, taskId(1), journal.agentId);
    await submit(store, taskId(2), journal.agentId);
    await store.removeAgent(journal.agentId, NOW);
    await settle(store, 'intent-1', answerOf(journal, taskId(1), {}));
    await settle(store, 'intent-2', answerOf(journal, taskId(2), { status: 'completed', endedAt: NOW }));
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'unknown',
      lastStatus: 'queued',
      doubt: { reason: 'agent_removed', asOf: NOW - 3 },
    });
    expect(await store.task(taskId(2))).toMatchObject({ status: 'completed' });
    expect(await store.resolveLost(taskId(1), undefined, NOW)).toBe(true);
  });

  it('takes a verdict on a submit that was sent to an agent that was removed, and yields to that agent’s word', async ({
    store,
  }) => {
    const journal = await follow(store);
    await submit(store, taskId(1), journal.agentId);
    await store.markSent('intent-1', NOW);
    expect(await store.resolveLost(taskId(1), undefined, NOW)).toBe(false);
    await store.removeAgent(journal.agentId, NOW);
    expect(await store.resolveLost(taskId(1), 'it is scrap', NOW + 1)).toBe(true);
    expect(await store.task(taskId(1))).toMatchObject({
      status: 'lost',
      pending: [],
      verdict: { at: NOW + 1, note: 'it is scrap' },
    });
    expect(await store.dueIntents()).toEqual([]);
    await store.rememberAgent({ id: journal.agentId, name: 'a', url: 'http://a' }, NOW + 2);
    journal.run(taskId(1));
    await store.applyEvents(journal.agentId, journal.log, NOW + 2);
    expect(await store.task(taskId(1))).toMatchObject({ status: 'running' });
  });

  it('keeps agents apart: one’s silence never touches another’s tasks (P11)', async ({ store }) => {
    const a = await follow(store);
    const b = await follow(store, new FakeJournal('agent-b', '00000000000000bb'));
    a.run(taskId(1));
    b.run(taskId(2));
    b.submit(taskId(1));
    await store.applyEvents(a.agentId, a.log, NOW);
    await store.applyEvents(b.agentId, b.log, NOW);
    expect(await store.task(taskId(1))).toMatchObject({ agentId: 'agent-a', status: 'running' });
    await store.markUnknown(b.agentId, 'agent_unreachable', NOW, NOW);
    expect(await store.task(taskId(1))).toMatchObject({ status: 'running' });
    expect(await store.task(taskId(2))).toMatchObject({ status: 'unknown' });
    expect(await store.liveDigest(a.agentId)).toBe(a.liveDigest);
    expect((await store.events(taskId(1))).every(({ event }) => event.seq <= 3)).toBe(true);
  });

  it('lets another agent take a task that nobody vouches for any more', async ({ store }) => {
    const a = await follow(store);
    a.run(taskId(1));
    await store.applyEvents(a.agentId, a.log, NOW);
    await store.markUnknown(a.agentId, 'agent_unreachable', NOW, NOW);
    const b = new FakeJournal('agent-b', a.epoch);
    b.run(taskId(1));
    await follow(store, b);
    await store.applyEvents(b.agentId, b.log, NOW);
    expect(await store.task(taskId(1))).toMatchObject({ agentId: 'agent-b', status: 'running' });
    expect(await store.liveDigest('agent-a')).toBe('0'.repeat(16));
    expect(await store.liveDigest('agent-b')).toBe(b.liveDigest);
  });
}
