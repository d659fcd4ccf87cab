import type { Attention } from '@holdfast/shared';
import { expect, test } from 'vitest';
import type { Events } from './events.ts';
import { createAgentMetrics } from './metrics.ts';
import { Pool } from './pool.ts';
import type { Supervisor } from './supervise.ts';
import { makeRunning, openTestJournal } from './test-support.ts';

function openMetrics(counts: () => Promise<{ ghosts: number; strays: number }>) {
  const opened = openTestJournal();
  const state: { low: Attention | undefined } = { low: undefined };
  const disk = {
    get attention() {
      return state.low;
    },
  };
  const { registry } = createAgentMetrics({
    journal: opened.journal,
    pool: new Pool(opened.journal, 4, disk),
    supervisor: { sweptAt: 1000 } as Supervisor,
    events: () => ({ readers: 2 }) as Events,
    auditor: { counts },
    now: () => 3500,
  });
  return {
    journal: opened.journal,
    state,
    async read(name: string): Promise<number> {
      const [line] = (await registry.getSingleMetric(`holdfast_agent_${name}`)!.get()).values;
      return line!.value;
    },
    [Symbol.dispose]: () => opened[Symbol.dispose](),
  };
}

test('what the metrics say is read when they are asked for', async () => {
  using metrics = openMetrics(() => Promise.resolve({ ghosts: 2, strays: 3 }));
  expect(await metrics.read('slots_used')).toBe(0);
  await makeRunning(metrics.journal);
  expect(await metrics.read('slots_used')).toBe(1);
  expect(await metrics.read('sweep_age_seconds')).toBe(2.5);
  expect([await metrics.read('ghosts'), await metrics.read('strays')]).toEqual([2, 3]);
});

test('P10: an audit that fails is told as no number, not as none', async () => {
  using metrics = openMetrics(() => Promise.reject(new Error('EMFILE')));
  expect(await metrics.read('ghosts')).toBeNaN();
  expect(await metrics.read('event_readers')).toBe(2);
});

test('a disk without room is told', async () => {
  using metrics = openMetrics(() => Promise.resolve({ ghosts: 0, strays: 0 }));
  expect(await metrics.read('low_disk')).toBe(0);
  metrics.state.low = { code: 'low_disk', message: 'little', sinceAt: 1 };
  expect(await metrics.read('low_disk')).toBe(1);
});
