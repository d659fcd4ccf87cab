/** What holds of the filters by marks, times and numbers, and of what is counted beside lists. */
import { expect } from 'vitest';
import type { Task } from '@holdfast/shared';
import { FakeJournal, taskId } from '../../fake-journal.ts';
import type { SessionStore, TaskFilter } from '../../session-store.ts';
import { DAY_MS, follow, NOW, type Sentence } from './kit.ts';

export function describeMarks(it: Sentence): void {
  it('finds what needs a person: the unknown, the stale, what asks for attention, what was refused', async ({
    store,
  }) => {
    const journal = await follow(store);
    const lost = await follow(store, new FakeJournal('agent-b', '00000000000000bb'));
    const [calm, silent, asking, ended, refused, rejected] = [1, 2, 3, 4, 5, 6].map(taskId) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    for (const id of [calm, silent, asking, ended, refused]) journal.run(id);
    journal.attend(silent, 'claim_silent');
    journal.attend(asking, 'disk_slow');
    journal.attend(ended, 'output_lost');
    journal.end(ended, 'failed');
    lost.run(taskId(7));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.applyEvents(lost.agentId, lost.log, NOW);
    await store.markUnknown(lost.agentId, 'agent_unreachable', NOW, NOW);
    const intent = { id: 'i1', taskId: refused, agentId: 'agent-a', at: NOW };
    await store.recordIntent({ ...intent, body: { action: 'cancel' } });
    expect(await found(store, { marks: { is: ['pending'], at: NOW } })).toEqual([refused]);
    await store.refuseIntent('i1', 'no', NOW);
    const submit = { id: rejected, sessionId: 's', spec: { shell: 'x' } };
    await store.recordIntent({
      id: 'i2',
      taskId: rejected,
      agentId: 'agent-a',
      at: NOW,
      body: { action: 'submit', submit },
    });
    await store.refuseIntent('i2', 'no', NOW);

    const marked = (is: 'needsYou' | 'stale' | 'attention' | 'refused' | 'pending', at = NOW) =>
      found(store, { marks: { is: [is], at } });
    expect(await marked('stale')).toEqual([silent]);
    expect(await marked('attention')).toEqual([silent, asking]);
    expect(await marked('refused')).toEqual([refused, rejected]);
    expect(await marked('pending')).toEqual([]);
    expect(await marked('needsYou')).toEqual([silent, asking, refused, rejected, taskId(7)]);
    // Nobody can do more about a refused submit of yesterday.
    expect(await marked('needsYou', NOW + DAY_MS + 1)).toEqual([silent, asking, refused, taskId(7)]);
    expect(await found(store, { marks: { is: ['needsYou', 'stale'], at: NOW }, status: ['queued'] })).toEqual(
      [],
    );
    expect(await found(store, { marks: { is: ['needsYou'], at: NOW }, agentId: 'agent-b' })).toEqual([
      taskId(7),
    ]);
  });

  it('finds a claim stale once its lease is over, also where only its activity told of the lease', async ({
    store,
  }) => {
    const journal = await follow(store);
    const claim = { worker: 'w', leaseExpiresAt: NOW + 1000, lastHeartbeatAt: NOW };
    const task: Task = {
      id: taskId(1),
      sessionId: 's',
      agentId: journal.agentId,
      spec: {},
      status: 'running',
      attempt: 1,
      queue: 'ci',
      priority: 0,
      labels: {},
      seq: 1,
      createdAt: NOW,
      outputBytes: 0,
      claim,
    };
    await store.takeSnapshot({
      ...journal.snapshot('epoch'),
      tasks: [task],
      seq: 1,
      epoch: '00000000000000cc',
    });
    const stale = (at: number, aheadMs = {}) => found(store, { marks: { is: ['stale'], at, aheadMs } });
    expect(await stale(NOW + 999)).toEqual([]);
    expect(await stale(NOW + 1000)).toEqual([task.id]);
    const later = { leaseExpiresAt: NOW + 5000, lastHeartbeatAt: NOW + 500 };
    await store.applyActivity(journal.agentId, [{ id: task.id, attempt: 1, outputBytes: 0, ...later }], NOW);
    expect(await stale(NOW + 1000)).toEqual([]);
    expect(await stale(NOW + 5000)).toEqual([task.id]);
    // The lease is by the clock of its agent.
    expect(await stale(NOW + 5000, { [journal.agentId]: -1 })).toEqual([]);
    expect(await stale(NOW + 4000, { [journal.agentId]: 1000, other: 0 })).toEqual([task.id]);
    const ahead = { at: NOW + 5000, aheadMs: { [journal.agentId]: -1 } };
    expect(await found(store, { marks: { is: ['needsYou'], ...ahead } })).toEqual([]);
    expect(await found(store, { not: { marks: { is: ['stale'], ...ahead } } })).toEqual([task.id]);
  });

  it('finds by end, attempt and exit code, oldest first if asked, and counts labels', async ({ store }) => {
    const journal = await follow(store);
    for (let n = 0; n < 6; n++) {
      journal.now = NOW + n * 1000;
      journal.run(taskId(n), { labels: n < 4 ? { team: n === 0 ? 'a' : 'b' } : {} });
      if (n % 2 === 1) {
        journal.requeue(taskId(n));
        journal.claim(taskId(n));
        journal.start(taskId(n));
      }
      if (n < 4) journal.end(taskId(n), n === 3 ? 'failed' : 'completed');
    }
    await store.applyEvents(journal.agentId, journal.log, NOW + 6000);
    const ids = (...ns: number[]) => ns.map(taskId);
    expect(await found(store, { since: NOW + 2000 })).toEqual(ids(2, 3, 4, 5));
    expect(await found(store, { since: NOW + 2000, status: ['completed', 'failed'] })).toEqual(ids(2, 3));
    expect(await found(store, { attempt: { op: '=', value: 2 } })).toEqual(ids(1, 3, 5));
    expect(await found(store, { attempt: { op: '>', value: 1 }, since: NOW + 2000 })).toEqual(ids(3, 5));
    expect(await found(store, { attempt: { op: '<', value: 2 } })).toEqual(ids(0, 2, 4));
    expect(await found(store, { exitCode: { op: '=', value: 0 } })).toEqual(ids(0, 1, 2, 3));
    expect(await found(store, { exitCode: { op: '!', value: 0 } })).toEqual([]);
    const first = await store.tasks({}, { limit: 4, order: 'oldest' });
    const rest = await store.tasks({}, { limit: 4, order: 'oldest', after: first.next! });
    expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(ids(0, 1, 2, 3, 4, 5));
    expect(rest.next).toBeUndefined();
    const several = await store.tasks({ status: ['running', 'failed'] }, { limit: 9, order: 'oldest' });
    expect(several.items.map(({ id }) => id)).toEqual(ids(3, 4, 5));
    expect(await store.labels(9)).toEqual([
      { label: 'team=b', tasks: 3 },
      { label: 'team=a', tasks: 1 },
    ]);
    expect(await store.labels(1)).toHaveLength(1);
  });
}

/** Ids by id; the total must say how many they are. */
async function found(store: SessionStore, filter: TaskFilter): Promise<string[]> {
  const page = await store.tasks(filter, { limit: 100 });
  expect(page.total).toBe(page.items.length);
  return page.items.map(({ id }) => id).toSorted();
}
