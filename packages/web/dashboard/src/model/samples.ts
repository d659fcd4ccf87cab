/** Rows for the tests of this folder. */
import type { ShownAgent, ShownTask } from '@holdfast/shared';

export function aTask(change: Partial<ShownTask> = {}): ShownTask {
  return {
    id: '019a9f0e-7c00-7000-8000-000000000001',
    sessionId: 'calm-harbor',
    agentId: 'a1',
    spec: { shell: 'npm test' },
    status: 'running',
    attempt: 1,
    queue: 'default',
    priority: 0,
    labels: {},
    seq: 3,
    createdAt: 1_000_000,
    startedAt: 1_001_000,
    outputBytes: 10,
    updatedAt: 1_001_000,
    knowledge: { state: 'live', asOf: 1_050_000 },
    ...change,
  };
}

export function anAgent(change: Partial<ShownAgent> = {}): ShownAgent {
  return {
    id: 'a1',
    name: 'build-2',
    url: 'http://127.0.0.1:7401',
    state: 'live',
    asOf: 1_050_000,
    lag: 0,
    reconnects: 0,
    ...change,
  };
}
