/** Web's figures for Prometheus. They are read when asked for, never kept up to date beside the truth. */
import { agentStates, createMetrics, shownStatuses } from '@holdfast/shared';
import { Gauge } from 'prom-client';
import type { Agents, LinkCounters } from './agents.ts';
import type { Feed } from './feed.ts';
import type { Intents } from './intents.ts';
import type { SessionStore } from './session-store.ts';

export interface WebMetrics {
  read(): Promise<{ text: string; contentType: string }>;
}

export interface MetricsOptions {
  store: SessionStore;
  agents: Agents;
  intents: Intents;
  feed: Feed;
  now: () => number;
}

const linkFigures: [keyof LinkCounters, string][] = [
  ['reconnects', 'Times that the connection to an agent was made anew'],
  ['gaps', 'Events of an agent that were missing when they were due'],
  ['chainBreaks', 'Times that an agent sent other content than its chain says'],
  ['resyncs', 'Snapshots taken of an agent'],
  ['digestMismatches', 'Times that web’s copy of the live tasks differed from the agent’s'],
];

export function startMetrics({ store, agents, intents, feed, now }: MetricsOptions): WebMetrics {
  const registry = createMetrics('holdfast-web');
  const registers = [registry];

  function figure(name: string, help: string, value: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(value()) });
  }

  const tasks: Gauge<'status'> = new Gauge({
    name: 'holdfast_web_tasks',
    help: 'Tasks by the status that people are shown',
    labelNames: ['status'],
    registers,
    collect: () => {
      const counts = store.counts();
      for (const status of shownStatuses) tasks.set({ status }, counts[status] ?? 0);
    },
  });

  const links: Gauge<'state'> = new Gauge({
    name: 'holdfast_web_agents',
    help: 'Agents by the state of the link to them',
    labelNames: ['state'],
    registers,
    collect: () => {
      const views = agents.views();
      for (const state of agentStates)
        links.set({ state }, views.filter((view) => view.state === state).length);
    },
  });

  for (const [key, help] of linkFigures) {
    const name = `holdfast_web_agent_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    const gauge: Gauge<'agent'> = new Gauge({
      name,
      help,
      labelNames: ['agent'],
      registers,
      collect: () => {
        gauge.reset();
        for (const { id, counters } of agents.counters()) gauge.set({ agent: id }, counters[key]);
      },
    });
  }

  const proofs: Gauge<'agent'> = new Gauge({
    name: 'holdfast_web_agent_proof_age_seconds',
    help: 'Time since an agent last vouched for its tasks',
    labelNames: ['agent'],
    registers,
    collect: () => {
      proofs.reset();
      for (const { id, asOf } of agents.views())
        if (asOf > 0) proofs.set({ agent: id }, (now() - asOf) / 1000);
    },
  });

  const clocks: Gauge<'agent'> = new Gauge({
    name: 'holdfast_web_agent_clock_ahead_seconds',
    help: 'How far the clock of an agent is ahead of web’s, negative if it is behind; 0 within 2 s and while it is not known',
    labelNames: ['agent'],
    registers,
    collect: () => {
      clocks.reset();
      for (const { id, clockAheadMs = 0 } of agents.views()) clocks.set({ agent: id }, clockAheadMs / 1000);
    },
  });

  figure('holdfast_web_feed_clients', 'Readers of the feed', () => feed.readers);
  figure(
    'holdfast_web_feed_slow_drops',
    'Readers that were dropped because they did not read',
    () => feed.slowDrops,
  );
  figure('holdfast_web_intents', 'Intents that no agent has answered yet', () => intents.waiting().count);
  figure('holdfast_web_intent_oldest_age_seconds', 'Age of the oldest of them; 0 if there is none', () => {
    const { oldestAt } = intents.waiting();
    return oldestAt === undefined ? 0 : Math.max(0, (now() - oldestAt) / 1000);
  });

  return {
    read: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
  };
}
