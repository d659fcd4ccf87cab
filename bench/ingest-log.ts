/** An agent's log as the ingest benchmark reads it: the whole life of many tasks, a few of them at a time. */
import { applyEvent, firstChain, nextChain, type Task, type TaskEvent } from './internals.ts';
import { AGENT, sampleTask } from './fan-out-frames.ts';

export const EPOCH = '0123456789abcdef';
const TASKS = 10_000;
/** Tasks that live at the same time. */
const TOGETHER = 16;
const AT = 1_790_000_000_000;

export interface LoggedEvent {
  event: TaskEvent;
  json: string;
  chain: string;
  /** The task after the event. */
  task: Task;
}

/** `submitted`, `claimed`, `started`, `completed` for each task, in the order of a log. */
export function makeLog(): LoggedEvent[] {
  const log: LoggedEvent[] = [];
  let chain = firstChain(EPOCH);
  const steps = [submit, claim, start, complete];
  for (let first = 0; first < TASKS; first += TOGETHER) {
    const tasks: (Task | undefined)[] = Array.from({ length: TOGETHER }, () => undefined);
    for (const step of steps) {
      for (const [offset, before] of tasks.entries()) {
        const event = step(log.length + 1, first + offset);
        const json = JSON.stringify(event);
        chain = nextChain(chain, json);
        const task = applyEvent(before, event);
        tasks[offset] = task;
        log.push({ event, json, chain, task });
      }
    }
  }
  return log;
}

function idOf(index: number): string {
  return `0199d5c0-0000-7000-8000-${String(index).padStart(12, '0')}`;
}

function envelope(seq: number, index: number, attempt: number) {
  return { seq, taskId: idOf(index), sessionId: `session-${index % 100}`, attempt, at: AT + seq };
}

function submit(seq: number, index: number): TaskEvent {
  const common = envelope(seq, index, 0);
  const { startedAt: _, process: __, ...sample } = sampleTask(index, seq);
  const { taskId: id, sessionId } = common;
  const task: Task = { ...sample, id, sessionId, agentId: AGENT.id, status: 'queued', attempt: 0 };
  return { ...common, kind: 'submitted', from: null, to: 'queued', data: { task } };
}

function claim(seq: number, index: number): TaskEvent {
  return { ...envelope(seq, index, 1), kind: 'claimed', from: 'queued', to: 'starting' };
}

function start(seq: number, index: number): TaskEvent {
  const data = { process: { pid: 12_345, startedAt: AT, verifiedAt: AT } };
  return { ...envelope(seq, index, 1), kind: 'started', from: 'starting', to: 'running', data };
}

function complete(seq: number, index: number): TaskEvent {
  const data = { outcome: { reason: 'exit', exitCode: 0 }, endedAt: AT + seq, outputBytes: 0 } as const;
  return {
    ...envelope(seq, index, 1),
    kind: 'completed',
    from: 'running',
    to: 'completed',
    reason: 'exit',
    data,
  };
}
