import { expect, test } from 'vitest';
import { anAgent } from '../model/samples.ts';
import { momentsOf, takeAgents, takeHeartbeat } from './agents.ts';

test('what the page saw of an agent is worded as its row, which may come after the heartbeat that tells of it', () => {
  const agent = anAgent({ id: 'a', state: 'live' });
  const seen = (): string[] =>
    momentsOf('a').map(({ word, detail }) => word + (detail === undefined ? '' : `: ${detail}`));
  takeAgents([agent], [], 1);
  takeHeartbeat([{ id: 'a', state: 'lost', asOf: 1 }]);
  expect(seen()).toEqual(['live', 'silent']);
  const degraded = { ...agent, state: 'lost' as const, reason: 'agent_degraded' as const };
  takeAgents([{ ...degraded, detail: 'its disk is full' }], [], 2);
  takeAgents([{ ...degraded, detail: 'its disk is still full' }], [], 3);
  expect(seen()).toEqual(['live', 'degraded: its disk is full']);
  takeAgents([agent], [], 4);
  expect(seen()).toEqual(['live', 'degraded: its disk is full', 'live']);
});
