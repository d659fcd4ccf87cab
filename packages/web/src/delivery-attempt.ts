/**
 * One try to deliver an intent: the call that it stands for, and what the answer means for it.
 *
 * Only 400, 409, 413, 415 and 422 are refusals, and the agent's own 404 `no_such_task` to a cancel, a retry or a
 * reclaim: the submit before it was acknowledged, so the agent has lost the task, and asking again cannot bring it
 * back. Everything else is to be tried again (PROTOCOL.md §4).
 */
import { type ProblemError, type Task, TaskSchema } from '@holdfast/shared';
import { type AgentAnswer, type AgentClient, AgentUnreachableError } from './agent-client.ts';
import { passOn } from './agent-problem.ts';
import type { Intent } from './session-store.ts';

export type DeliveryAttempt =
  /** The agent has it. `task` is its answer, where that is a whole task. */
  | { kind: 'acknowledged'; task: Task | undefined }
  /** For good. `message` is the agent's own; `problem` is what whoever asked is answered. */
  | { kind: 'refused'; message: string; problem: ProblemError }
  /** The agent was reached and cannot take this one now; not before `leastMs`. */
  | { kind: 'notNow'; message: string; leastMs: number | undefined }
  /** It would be the same for every intent of this agent. */
  | { kind: 'unusable'; message: string }
  /** The signal ended it. The agent may have it. */
  | { kind: 'aborted' };

type RefusedAnswer = Extract<AgentAnswer, { kind: 'refused' }>;

const refusals = new Set([400, 409, 413, 415, 422]);

/** Throws nothing that has to do with the agent. */
export async function attemptDelivery(
  client: AgentClient,
  intent: Intent,
  signal: AbortSignal,
): Promise<DeliveryAttempt> {
  try {
    return meaningOf(intent, await send(client, intent, signal));
  } catch (error) {
    if (signal.aborted) return { kind: 'aborted' };
    if (!(error instanceof AgentUnreachableError)) throw error;
    return { kind: 'unusable', message: `The agent cannot be reached: ${error.message}.` };
  }
}

function send(client: AgentClient, intent: Intent, signal: AbortSignal): Promise<AgentAnswer> {
  const { body, taskId } = intent;
  switch (body.action) {
    case 'submit':
      return client.call('POST', '/tasks', { body: body.submit, signal });
    case 'cancel':
      return client.call('POST', `/tasks/${taskId}/cancel`, { signal });
    case 'retry':
      return client.call('POST', `/tasks/${body.of}/retry`, { body: { id: taskId }, signal });
    case 'reclaim': {
      const { action: _, cursor, ...reclaim } = body;
      const fence = cursor === undefined ? '' : `?cursor=${cursor}`;
      return client.call('POST', `/tasks/${taskId}/reclaim${fence}`, { body: reclaim, signal });
    }
    default:
      return body satisfies never;
  }
}

function meaningOf(intent: Intent, answer: AgentAnswer): DeliveryAttempt {
  if (answer.kind === 'ok') {
    // A proxy's friendly page acknowledges nothing.
    if (!isAbout(intent.taskId, answer.body)) {
      return {
        kind: 'unusable',
        message: `Its address answered ${answer.status}, but not as an agent does.`,
      };
    }
    const task = TaskSchema.safeParse(answer.body);
    return { kind: 'acknowledged', task: task.success ? task.data : undefined };
  }
  const { message } = answer;
  if (isRefusal(intent, answer)) return { kind: 'refused', message, problem: passOn(answer) };
  if (isOfEvery(answer)) return { kind: 'unusable', message };
  return { kind: 'notNow', message, leastMs: answer.retryAfterMs };
}

function isAbout(taskId: string, body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'id' in body && body.id === taskId;
}

function isRefusal(intent: Intent, answer: RefusedAnswer): boolean {
  if (refusals.has(answer.status)) return true;
  return answer.status === 404 && answer.code === 'no_such_task' && intent.action !== 'submit';
}

/** A proxy's answer, or one about web's own credential. */
function isOfEvery(answer: RefusedAnswer): boolean {
  return (
    answer.code === undefined || answer.status === 401 || answer.status === 403 || answer.code === 'stopping'
  );
}
