/** What `/metrics` says of the agent, read when it is asked for. */
import { createMetrics, type SqliteDatabase, taskStatuses } from '@holdfast/shared';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Auditor } from './audit.ts';
import type { Events } from './events.ts';
import type { Journal } from './journal.ts';
import type { Pool } from './pool.ts';
import type { Supervisor } from './supervise.ts';

export interface MetricsOptions {
  journal: Journal;
  pool: Pool;
  supervisor: Supervisor;
  events: () => Events;
  auditor: Pick<Auditor, 'counts'>;
  now: () => number;
}

export interface AgentMetrics {
  registry: Registry;
  /** Readers of the event stream that were dropped, by cause. */
  dropped: Counter<'why'>;
}

export function createAgentMetrics(options: MetricsOptions): AgentMetrics {
  const registry = createMetrics('agent');
  const registers = [registry];
  const { journal, pool, supervisor, events, auditor, now } = options;
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `holdfast_agent_${name}`,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('journal_head', 'seq of the last event', () => journal.head);
  gauge('journal_floor', 'events up to this seq were pruned', () => journal.floor);
  gauge('journal_healthy', '1 while the journal can be written', () => Number(journal.healthy));
  gauge('slots', 'tasks that may run at a time', () => pool.view.slots);
  gauge('slots_used', 'tasks that are starting or running', () => pool.view.running);
  gauge('paused', '1 while no task is started', () => Number(pool.view.paused || pool.view.draining));
  gauge('low_disk', '1 while the disk is nearly full and nothing is started', () =>
    Number(pool.view.attention !== undefined),
  );
  gauge('event_readers', 'connections to /events', () => events().readers);
  gauge(
    'sweep_age_seconds',
    'time since the last sweep over the live tasks',
    () => (now() - supervisor.sweptAt) / 1000,
  );
  for (const [name, what] of [
    ['ghosts', 'live rows that nothing works on'],
    ['strays', 'living processes of this home that belong to no live row'],
  ] as const) {
    registry.registerMetric(
      new Gauge({
        name: `holdfast_agent_${name}`,
        help: `${what}, as of the last audit`,
        registers: [],
        async collect() {
          try {
            this.set((await auditor.counts())[name]);
          } catch {
            // The processes could not be looked at: that is not 0, and no reason to tell no metric at all.
            this.set(Number.NaN);
          }
        },
      }),
    );
  }
  const tasks = new Gauge({
    name: 'holdfast_agent_tasks',
    help: 'tasks by status',
    labelNames: ['status'],
    registers: [],
    collect() {
      const counts = countByStatus(journal.database);
      for (const status of taskStatuses) this.set({ status }, counts.get(status) ?? 0);
    },
  });
  registry.registerMetric(tasks);
  const dropped = new Counter({
    name: 'holdfast_agent_event_readers_dropped_total',
    help: 'connections to /events that the agent ended',
    labelNames: ['why'],
    registers,
  });
  return { registry, dropped };
}

function countByStatus(database: SqliteDatabase): Map<string, number> {
  const rows = database.prepare('SELECT status, count(*) AS n FROM tasks GROUP BY status').all() as {
    status: string;
    n: number;
  }[];
  return new Map(rows.map((row) => [row.status, row.n]));
}
