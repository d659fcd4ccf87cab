/** What holds of lists, the feed’s changes and retention. */
import { expect } from 'vitest';
import { changedAt, lengthRank, type Task } from '@holdfast/shared';
import { FakeJournal, taskId } from '../../fake-journal.ts';
import {
  type SessionStore,
  type TaskExclusions,
  type TaskFilter,
  type TaskOrder,
  taskOrders,
  type TaskRow,
} from '../../session-store.ts';
import { newSubmit, submit, NOW, DAY_MS, follow, expectSame, type Sentence } from './kit.ts';

export function describeShown(it: Sentence): void {
  it('finds the retries of a task among any number of others, asked here or there, in every order', async (under) => {
    const { store } = under;
    const journal = await follow(store);
    for (let n = 1; n <= 40; n += 1) journal.run(taskId(n));
    // One that was asked of the agent itself.
    journal.run(taskId(41), { retryOf: taskId(1) });
    journal.end(taskId(1), 'failed');
    journal.end(taskId(41), 'failed');
    await store.applyEvents(journal.agentId, journal.log, NOW);
    for (const [id, of] of [
      [42, 1],
      [43, 1],
      [44, 41],
    ] as const) {
      const body = { action: 'retry', of: taskId(of) } as const;
      await store.recordIntent({ id: `retry-${id}`, taskId: taskId(id), body, at: NOW + id });
    }
    const found = async (filter: TaskFilter, order?: TaskOrder): Promise<string[]> => {
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = { limit: 2, ...(after === undefined ? {} : { after }), ...(order && { order }) };
        const { items, next, total } = await store.tasks(filter, page);
        expect(total).toBe((await store.tasks(filter, { limit: 500 })).items.length);
        seen.push(...items.map(({ id }) => id));
        after = next;
      } while (after !== undefined);
      return seen;
    };
    const retryOf = taskId(1);
    expect(await found({ retryOf })).toEqual([taskId(43), taskId(42), taskId(41)]);
    for (const order of taskOrders) {
      expect((await found({ retryOf }, order)).toSorted()).toEqual([taskId(41), taskId(42), taskId(43)]);
    }
    expect(await found({ retryOf, status: ['failed'] })).toEqual([taskId(41)]);
    expect(await found({ retryOf, sessionId: 'elsewhere' })).toEqual([]);
    expect(await found({ retryOf: taskId(41) })).toEqual([taskId(44)]);
    expect(await found({ retryOf: taskId(2) })).toEqual([]);
    const again = await under.reopen();
    expect((await again.tasks({ retryOf }, { limit: 9 })).total).toBe(3);
  });

  it('lists newest first by page, with an honest total under every filter', async ({ store }) => {
    const journal = await follow(store);
    const other = await follow(store, new FakeJournal('agent-b', '00000000000000bb'));
    for (let n = 0; n < 60; n++) {
      const source = n % 3 === 0 ? other : journal;
      source.now = NOW + Math.floor(n / 4);
      source.run(taskId(n), {
        sessionId: `session-${n % 2}`,
        queue: n % 5 === 0 ? 'ci' : 'default',
        labels: n % 4 === 0 ? { 'team/a.b': n % 8 === 0 ? 'red' : 'blue' } : {},
        spec: { command: ['build', `Part-${n}`] },
      });
      if (n % 7 === 0) source.end(taskId(n));
    }
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.applyEvents(other.agentId, other.log, NOW);
    const all = [...journal.tasks.values(), ...other.tasks.values()].toSorted(
      (a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1),
    );
    const cases: [TaskFilter, (task: Task) => boolean][] = [
      [{}, () => true],
      [{ status: ['completed'] }, (task) => task.status === 'completed'],
      [{ status: ['running', 'completed', 'lost'] }, () => true],
      [{ status: [] }, () => false],
      [{ sessionId: 'session-1' }, (task) => task.sessionId === 'session-1'],
      [
        { sessionId: 'session-1', agentId: 'agent-b', status: ['running'] },
        (task) => task.sessionId === 'session-1' && task.agentId === 'agent-b' && task.status === 'running',
      ],
      [{ agentId: 'agent-a' }, (task) => task.agentId === 'agent-a'],
      [{ queue: 'ci' }, (task) => task.queue === 'ci'],
      [{ labels: ['team/a.b'] }, (task) => 'team/a.b' in task.labels],
      [
        { labels: ['team/a.b=red'], status: ['running'] },
        (task) => task.labels['team/a.b'] === 'red' && task.status === 'running',
      ],
      [{ q: 'PART-1' }, (task) => task.spec.command![1]!.startsWith('Part-1')],
      [{ q: taskId(7).toUpperCase() }, (task) => task.id === taskId(7)],
      [{ q: 'nowhere' }, () => false],
    ];
    for (const [filter, matches] of cases) {
      const expected = all.filter(matches).map(({ id }) => id);
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await store.tasks(filter, { limit: 7, ...(after === undefined ? {} : { after }) });
        expect(page.total).toBe(expected.length);
        expect(page.cursor).toBe(`${store.epoch}.${store.version()}`);
        seen.push(...page.items.map(({ id }) => id));
        after = page.next;
      } while (after !== undefined);
      expect(seen).toEqual(expected);
    }
    await expect(store.tasks({}, { limit: 1, after: 'nonsense' })).rejects.toMatchObject({
      code: 'bad_page',
    });
  });

  it('puts what was just claimed, or went back to the queue, first by change, whenever it was made', async (under) => {
    const journal = await follow(under.store);
    for (const n of [1, 2, 3]) journal.submit(taskId(n));
    journal.now += 1000;
    journal.run(taskId(4));
    journal.claim(taskId(2));
    journal.claim(taskId(1));
    journal.start(taskId(1));
    journal.requeue(taskId(1));
    const expected = [1, 2, 4, 3].map(taskId);
    await under.store.applyEvents(journal.agentId, journal.log, NOW);
    const idsOf = async (store: SessionStore) =>
      (await store.tasks({}, { limit: 9, order: 'changed' })).items.map(({ id }) => id);
    expect(await idsOf(under.store)).toEqual(expected);
    // Stated whole, by a snapshot, it has the same place.
    const store = await under.reopen();
    const other = { ...journal.snapshot('epoch'), epoch: '00000000000000bb' };
    await store.takeSnapshot(other);
    expect(await idsOf(store)).toEqual(expected);
  });

  it('lists by the last change of the status and by length, as each task’s own times say', async (under) => {
    let { store } = under;
    const journal = await follow(store);
    const other = await follow(store, new FakeJournal('agent-b', '00000000000000bb'));
    for (let n = 0; n < 40; n++) {
      const source = n % 4 === 0 ? other : journal;
      source.now = NOW + n * 100;
      const more = { sessionId: `session-${n % 2}` };
      if (n % 5 === 0) source.submit(taskId(n), more);
      else source.run(taskId(n), more);
      if (n % 3 === 0 && n % 5 !== 0) {
        source.now += (n * 7919) % 3000;
        source.end(taskId(n), n % 2 === 0 ? 'completed' : 'failed');
      }
    }
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.applyEvents(other.agentId, other.log, NOW);
    await store.markUnknown(other.agentId, 'agent_unreachable', NOW, NOW + 9000);
    const lost = taskId(4);
    await store.resolveLost(lost, undefined, NOW + 9500);
    const check = async (): Promise<void> => {
      const everything = (await store.tasks({}, { limit: 500 })).items;
      const times = ({ status, unknownSince, verdict, task }: TaskRow) => ({
        ...task,
        status,
        unknownSince,
        verdictAt: verdict?.at,
      });
      const byId = (a: TaskRow, b: TaskRow) => (a.id < b.id ? -1 : 1);
      const expected = {
        changed: everything.toSorted((a, b) => changedAt(times(b)) - changedAt(times(a)) || byId(b, a)),
        longest: everything.toSorted((a, b) => lengthRank(times(a)) - lengthRank(times(b)) || byId(a, b)),
      };
      const filters: [TaskFilter, (row: TaskRow) => boolean][] = [
        [{}, () => true],
        [{ status: ['running', 'failed'] }, ({ status }) => status === 'running' || status === 'failed'],
        [{ sessionId: 'session-1' }, ({ sessionId }) => sessionId === 'session-1'],
        [{ agentId: 'agent-b' }, ({ agentId }) => agentId === 'agent-b'],
        [{ marks: { is: ['needsYou'], at: NOW } }, ({ status }) => status === 'unknown'],
      ];
      for (const order of ['changed', 'longest'] as const) {
        for (const [filter, matches] of filters) {
          const ids = expected[order].filter(matches).map(({ id }) => id);
          const seen: string[] = [];
          let after: string | undefined;
          do {
            const page = await store.tasks(filter, {
              limit: 7,
              order,
              ...(after === undefined ? {} : { after }),
            });
            expect(page.total).toBe(ids.length);
            seen.push(...page.items.map(({ id }) => id));
            after = page.next;
          } while (after !== undefined);
          expect(seen).toEqual(ids);
        }
      }
    };
    await check();
    await store.vouch(other.agentId, NOW + 10_000);
    other.now = NOW + 20_000;
    const head = other.log.length;
    other.end(taskId(8));
    await store.applyEvents(other.agentId, other.log.slice(head), NOW + 20_000);
    store = await under.reopen();
    await check();
  });

  it('leaves out exactly what the same part of a filter finds', async ({ store }) => {
    const journal = await follow(store);
    const other = await follow(store, new FakeJournal('agent-b', '00000000000000bb'));
    for (let n = 0; n < 24; n++) {
      const source = n % 3 === 0 ? other : journal;
      source.now = NOW + n * 1000;
      source.run(taskId(n), {
        sessionId: `session-${n % 2}`,
        queue: n % 5 === 0 ? 'ci' : 'default',
        labels: n % 4 === 0 ? { team: n % 8 === 0 ? 'red' : 'blue' } : {},
      });
      if (n % 7 === 0) source.attend(taskId(n), 'claim_silent');
      if (n % 6 === 1) source.end(taskId(n), n % 4 === 1 ? 'failed' : 'completed');
    }
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.applyEvents(other.agentId, other.log, NOW);
    await submit(store, taskId(99));
    const marksAt = NOW + 60_000;
    const ids = async (filter: TaskFilter): Promise<string[]> => {
      const { items, total } = await store.tasks(filter, { limit: 500 });
      expect(total).toBe(items.length);
      return items.map(({ id }) => id);
    };
    const all = await ids({});
    const pairs: [TaskFilter, TaskExclusions][] = [
      [{ sessionId: 'session-1' }, { sessionIds: ['session-1'] }],
      [{ agentId: 'agent-b' }, { agentIds: ['agent-b'] }],
      [{ queue: 'ci' }, { queues: ['ci'] }],
      [{ labels: ['team'] }, { labels: ['team'] }],
      [{ labels: ['team=red'] }, { labels: ['team=red'] }],
      [{ marks: { is: ['stale'], at: marksAt } }, { marks: { is: ['stale'], at: marksAt } }],
      [{ marks: { is: ['needsYou'], at: marksAt } }, { marks: { is: ['needsYou'], at: marksAt } }],
      [{ since: NOW + 8000 }, { since: NOW + 8000 }],
      [{ attempt: { op: '>', value: 0 } }, { attempts: [{ op: '>', value: 0 }] }],
      [{ exitCode: { op: '=', value: 0 } }, { exitCodes: [{ op: '=', value: 0 }] }],
    ];
    for (const [filter, not] of pairs) {
      const found = await ids(filter);
      expect([filter, found.length > 0 && found.length < all.length]).toEqual([filter, true]);
      expect([not, await ids({ not })]).toEqual([not, all.filter((id) => !found.includes(id))]);
      expect(await ids({ ...filter, not })).toEqual([]);
    }
    const red = await ids({ labels: ['team=red'] });
    const ci = await ids({ queue: 'ci' });
    expect(await ids({ not: { labels: ['team=red'], queues: ['ci'] } })).toEqual(
      all.filter((id) => !red.includes(id) && !ci.includes(id)),
    );
  });

  it('makes sessions when first named, titles them by their earliest task, and derives their status', async (under) => {
    const { store } = under;
    const journal = await follow(store);
    journal.now = NOW;
    journal.submit(taskId(2), { sessionId: 's', title: 'later', createdAt: NOW + 50 });
    journal.submit(taskId(1), { sessionId: 's', title: 'first', createdAt: NOW + 1 });
    journal.submit(taskId(3), { sessionId: 'untitled', spec: { shell: 'make all\nmake more' } });
    await store.applyEvents(journal.agentId, journal.log, NOW);
    expect(await store.session('s')).toEqual({
      id: 's',
      title: 'first',
      archived: false,
      createdAt: NOW + 1,
      updatedAt: NOW + 2,
      status: 'queued',
      counts: { queued: 2 },
    });
    expect(await store.session('untitled')).toMatchObject({ title: 'make all' });
    expect(await store.session('nobody')).toBeUndefined();
    const before = store.version();
    await store.applyEvents(journal.agentId, [journal.claim(taskId(2)), journal.start(taskId(2))], NOW);
    const changes = await store.changesAfter(before, 99);
    expect(changes.sessions).toMatchObject([
      { id: 's', status: 'running', counts: { queued: 1, running: 1 } },
    ]);
    expect(await store.renameSession('s', { title: 'mine' }, NOW)).toMatchObject({
      title: 'mine',
      archived: false,
    });
    expect(await store.renameSession('s', { archived: true }, NOW)).toMatchObject({
      title: 'mine',
      archived: true,
    });
    expect(await store.renameSession('nobody', { archived: true }, NOW)).toBeUndefined();
    journal.submit(taskId(4), { sessionId: 's', title: 'older', createdAt: 1 });
    await store.applyEvents(journal.agentId, journal.after(5), NOW);
    const again = await under.reopen();
    expect(await again.session('s')).toMatchObject({
      title: 'mine',
      createdAt: 1,
      counts: { queued: 2, running: 1 },
    });
  });

  it('lists sessions by newest activity, by page, archived or not, and by text', async ({ store }) => {
    const journal = await follow(store);
    for (let n = 0; n < 7; n++) journal.submit(taskId(n), { sessionId: `s${n}`, title: `Title ${n % 2}` });
    journal.claim(taskId(3));
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.renameSession('s5', { archived: true }, NOW);
    const first = await store.sessions({}, { limit: 4 });
    expect(first.items.map(({ id }) => id)).toEqual(['s3', 's6', 's5', 's4']);
    const rest = await store.sessions({}, { limit: 4, after: first.next! });
    expect(rest.items.map(({ id }) => id)).toEqual(['s2', 's1', 's0']);
    expect(rest.next).toBeUndefined();
    const open = await store.sessions({ archived: false, q: 'title 1' }, { limit: 9 });
    expect(open.items.map(({ id }) => id)).toEqual(['s3', 's1']);
  });

  it('gives the changes above any version, each row once and newest, and the feed misses none', async ({
    store,
  }) => {
    const journal = await follow(store);
    for (let n = 0; n < 10; n++) journal.submit(taskId(n), { sessionId: `s${n % 3}` });
    await store.applyEvents(journal.agentId, journal.log, NOW);
    await store.touchAgent(journal.agentId);
    const whole = await store.changesAfter(0, 1000);
    expect(whole.version).toBe(store.version());
    expect(whole.agents).toEqual([journal.agentId]);
    const versions = whole.tasks.map(({ version }) => version);
    expect(new Set(versions).size).toBe(10);
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    for (let from = 0; from <= store.version(); from++) {
      const some = await store.changesAfter(from, 3);
      const count = some.tasks.length + some.sessions.length + some.agents.length;
      expect(count).toBeLessThanOrEqual(3);
      if (from < store.version()) expect(some.version).toBeGreaterThan(from);
      expect(some.tasks).toEqual(
        whole.tasks.filter(({ version }) => version > from && version <= some.version),
      );
    }
  });

  it('tells listeners once a commit, after it, and never of what changed nothing', async ({ store }) => {
    const journal = await follow(store);
    const heard: [number, number][] = [];
    const stop = store.onChange((version) => heard.push([version, store.version()]));
    journal.submit(taskId(1));
    journal.submit(taskId(2));
    const [one, two] = journal.log;
    await Promise.all([
      store.applyEvents(journal.agentId, [one!], NOW),
      store.applyEvents(journal.agentId, [two!], NOW),
      store.touchAgent(journal.agentId),
    ]);
    await store.applyEvents(journal.agentId, [one!], NOW);
    await store.recordProof(journal.agentId, NOW, 1000);
    expect(heard).toEqual([[store.version(), store.version()]]);
    expect(await store.agents()).toMatchObject([{ asOf: NOW }]);
    stop();
    await store.touchAgent(journal.agentId);
    expect(heard).toHaveLength(1);
  });

  it('prunes what the agent pruned, page by page, and leaves tombstones', async (under) => {
    let { store } = under;
    const journal = await follow(store);
    journal.run(taskId(0), { sessionId: 'long' });
    for (let n = 1; n <= 10; n++) {
      journal.run(taskId(n), { sessionId: n < 5 ? 'gone' : 'kept' });
      journal.end(taskId(n));
    }
    await store.applyEvents(journal.agentId, journal.log, NOW);
    const before = store.version();
    journal.prune(31);
    let pages = 0;
    while ((await store.prune(journal.agentId, journal.floor, 5, NOW)).more) pages += 1;
    expect(pages).toBeGreaterThan(2);
    await expectSame(store, journal);
    expect(await store.session('gone')).toBeUndefined();
    expect(await store.session('kept')).toMatchObject({ counts: { completed: 3 } });
    const { removed } = await store.changesAfter(before, 99);
    expect(removed).toContainEqual({ kind: 'task', id: taskId(1) });
    expect(removed).toContainEqual({ kind: 'session', id: 'gone' });
    expect(removed).toHaveLength(8);
    expect(store.oldestVersion()).toBe(0);
    const buried = store.version();
    await store.prune(journal.agentId, journal.floor, 5, NOW + 8 * DAY_MS);
    expect((await store.changesAfter(before, 99)).removed).toEqual([]);
    expect(store.oldestVersion()).toBeGreaterThan(before);
    expect(store.oldestVersion()).toBeLessThanOrEqual(buried);
    const oldest = store.oldestVersion();
    store = await under.reopen();
    expect(store.oldestVersion()).toBe(oldest);
    expect(store.version()).toBeGreaterThanOrEqual(buried);
  });

  it('prunes what is left of earlier journals once it is as old, and web’s own verdicts', async ({
    store,
  }) => {
    const old = await follow(store);
    old.run(taskId(1));
    old.end(taskId(1));
    await store.applyEvents(old.agentId, old.log, old.now);
    await store.recordIntent({ ...newSubmit(taskId(2)), at: old.now });
    await store.cancelUnsent(taskId(2), old.now);
    const journal = new FakeJournal(old.agentId, '00000000000000bb');
    journal.now = old.now + 10;
    await store.takeSnapshot(journal.snapshot('epoch'));
    journal.run(taskId(3));
    await store.applyEvents(journal.agentId, journal.log, journal.now);
    await store.prune(journal.agentId, 0, 50, NOW);
    expect(await store.task(taskId(1))).toBeDefined();
    await store.prune(journal.agentId, 1, 50, NOW);
    expect(await store.task(taskId(1))).toBeUndefined();
    expect(await store.task(taskId(2))).toBeUndefined();
    expect(await store.task(taskId(3))).toMatchObject({ status: 'running' });
    expect(store.counts()).toEqual({ running: 1 });
  });
}
