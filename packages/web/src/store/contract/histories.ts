/** Whatever happened in between, the store equals the agent (P6). */
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { FakeJournal, taskId } from '../../fake-journal.ts';
import { StoreError, type AgentPosition, type SessionStore } from '../../session-store.ts';
import { NOW, expectSame, type Sentence, type OpenStore } from './kit.ts';

export function describeHistories(it: Sentence, open: OpenStore): void {
  it('equals the agent after any history, cut and repeated anywhere (P6)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 1, maxLength: 60 }), async (steps) => {
        await using under = await open();
        let { store } = under;
        let journal = new FakeJournal();
        await store.rememberAgent({ id: journal.agentId, name: 'a', url: 'http://a' }, NOW);
        await store.takeSnapshot(journal.snapshot());
        let saved = journal.copy();
        for (const step of steps) {
          switch (step.do) {
            case 'move':
              moveTask(journal, step.task, step.choice);
              break;
            case 'sync':
              await sync(store, journal, step.size);
              break;
            case 'reset':
              await store.takeSnapshot(journal.snapshot(step.reason));
              break;
            case 'doubt':
              await store.markUnknown(journal.agentId, 'agent_unreachable', NOW, NOW);
              break;
            case 'reopen':
              store = await under.reopen();
              break;
            case 'prune':
              journal.prune(journal.floor + Math.floor((journal.head - journal.floor) * step.part));
              break;
            case 'save':
              saved = journal.copy();
              break;
            case 'restore':
              journal = saved.copy();
              break;
            default:
              step satisfies never;
          }
        }
        await sync(store, journal, 1000);
        await store.vouch(journal.agentId, NOW);
        while ((await store.prune(journal.agentId, journal.floor, 20, NOW)).more);
        await expectSame(store, journal);
        const { agents } = { agents: await store.agents() };
        expect(agents[0]?.position).toMatchObject({ seq: journal.head, chain: journal.chain });
      }),
      { numRuns: 60 },
    );
  });
}

type Step =
  | { do: 'move'; task: number; choice: number }
  | { do: 'sync'; size: number }
  | { do: 'reset'; reason: 'no_cursor' | 'bad_cursor' }
  | { do: 'doubt' | 'reopen' | 'save' | 'restore' }
  | { do: 'prune'; part: number };

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constant('move' as const), task: fc.nat(5), choice: fc.nat(9) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('sync' as const), size: fc.integer({ min: 1, max: 9 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('reset' as const),
      reason: fc.constantFrom('no_cursor' as const, 'bad_cursor' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('doubt' as const, 'reopen' as const, 'save' as const, 'restore' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('prune' as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
);

/** Some step that the task's status allows. */
function moveTask(journal: FakeJournal, n: number, choice: number): void {
  const id = taskId(n);
  const task = journal.tasks.get(id);
  switch (task?.status) {
    case undefined:
      // An id whose events are still in the log cannot be used again.
      if (!journal.log.some(({ event }) => event.taskId === id))
        journal.submit(id, { sessionId: `s${n % 2}` });
      break;
    case 'queued':
      if (choice === 0) journal.end(id, 'cancelled');
      else journal.claim(id);
      break;
    case 'starting':
      if (choice < 2) journal.requeue(id);
      else journal.start(id);
      break;
    case 'running':
      if (choice < 2) journal.requeue(id);
      else if (choice < 4) journal.attend(id, 'odd');
      else journal.end(id, choice < 7 ? 'completed' : 'failed');
      break;
    case 'completed':
    case 'failed':
    case 'cancelled':
      break;
  }
}

/** What a connection does: resume by the durable position, or be reset; then every event, in batches. */
async function sync(store: SessionStore, journal: FakeJournal, size: number): Promise<void> {
  const [agent] = await store.agents();
  const { position, reach } = agent!;
  const reason = refusalOf(journal, position!, reach!);
  if (reason !== undefined) await store.takeSnapshot(journal.snapshot(reason));
  try {
    await applyAll(store, journal, reason === undefined ? position!.seq : journal.floor, size);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'diverged') throw error;
    await store.takeSnapshot(journal.snapshot('diverged'));
    await applyAll(store, journal, journal.floor, size);
  }
}

/** What the agent refuses a cursor for, and what web sees in its hello. */
function refusalOf(
  journal: FakeJournal,
  position: AgentPosition,
  reach: { seq: number },
): 'ahead' | 'too_old' | 'diverged' | undefined {
  if (position.seq > journal.head || reach.seq > journal.head) return 'ahead';
  if (position.seq < journal.floor) return 'too_old';
  return position.chain === journal.chainAt(position.seq) ? undefined : 'diverged';
}

async function applyAll(
  store: SessionStore,
  journal: FakeJournal,
  from: number,
  size: number,
): Promise<void> {
  const events = journal.after(from);
  for (let at = 0; at < events.length; at += size) {
    await store.applyEvents(journal.agentId, events.slice(at, at + size), NOW);
  }
}
