/**
 * What is fanned out: in each turn of the event loop one batch of changes, of as many tasks. Each change holds the
 * character `~` once, so that a subscriber can count changes without parsing them.
 */
import { type FeedChange, frameText, type ShownAgent, showTask, type Task } from './internals.ts';

/** Changes in one turn. */
export const BATCH = 32;
/** Tasks take turns: none changes twice within a few turns, so that a feed of states has nothing to skip. */
export const TASKS = 2048;

export interface Frame {
  event: string;
  id: string;
  /** One line of JSON text. */
  data: string;
}

const AT = 1_790_000_000_000;
const CHAIN = '0123456789abcdef';

export const AGENT: ShownAgent = {
  id: 'bench-agent',
  name: 'bench',
  url: 'http://127.0.0.1:1',
  state: 'live',
  asOf: AT,
  lag: 0,
  reconnects: 0,
};

export function taskId(index: number): string {
  return `0199d5c0-0000-7000-8000-${String(index % TASKS).padStart(12, '0')}`;
}

export function sampleTask(index: number, seq = index + 1): Task {
  return {
    id: taskId(index),
    agentId: AGENT.id,
    sessionId: 'bench',
    status: 'running',
    spec: { command: ['/usr/bin/make', '-j4', 'all'], cwd: '/home/somebody/project' },
    attempt: 1,
    queue: 'default',
    priority: 0,
    labels: {},
    seq,
    createdAt: AT,
    startedAt: AT,
    process: { pid: 12_345, startedAt: AT, verifiedAt: AT },
    outputBytes: 0,
  };
}

/** The value that a change sets: the one place where `~` stands. */
export function externalIdOf(index: number): string {
  return `~${String(index).padStart(10, '0')}`;
}

/** The frames of one turn as the agent's `/events` sends them. */
export function eventFrames(turn: number): Frame[] {
  return batchOf(turn).map((index) => ({
    event: 'task',
    id: `${CHAIN}.${index + 1}.${CHAIN}`,
    data: JSON.stringify({
      seq: index + 1,
      kind: 'reported',
      taskId: taskId(index),
      sessionId: 'bench',
      attempt: 1,
      from: 'running',
      to: 'running',
      at: AT,
      data: { externalId: externalIdOf(index) },
    }),
  }));
}

/** The frame of one turn as web's `/api/events` sends it: the rows of a turn share one. */
export function changeFrames(turn: number): Frame[] {
  return [changeFrame(turn, batchOf(turn))];
}

/** The same rows for a server that sends each as it changes. */
export function singleChangeFrames(turn: number): Frame[] {
  return batchOf(turn).map((index) => changeFrame(turn, [index]));
}

function changeFrame(turn: number, indices: readonly number[]): Frame {
  const tasks = indices.map((index) => {
    const task = { ...sampleTask(index), externalId: externalIdOf(index) };
    const row = { id: task.id, agentId: AGENT.id, sessionId: task.sessionId, status: task.status, task };
    return showTask({ ...row, updatedAt: AT, version: index, pending: [] }, () => AGENT);
  });
  const change: FeedChange = { tasks, counts: { running: TASKS } };
  return { event: 'change', id: `${CHAIN}.${turn * BATCH}`, data: JSON.stringify(change) };
}

export function textOf(frames: readonly Frame[]): string {
  return frames.map(({ event, id, data }) => frameText(event, data, id)).join('');
}

export function batchOf(turn: number): number[] {
  return Array.from({ length: BATCH }, (_, index) => turn * BATCH + index);
}
