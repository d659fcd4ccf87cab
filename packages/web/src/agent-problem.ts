/** An agent's refusal as web passes it on. */
import { type ProblemCode, ProblemError, problemTypes } from '@holdfast/shared';
import type { AgentAnswer } from './agent-client.ts';

/**
 * The problem to answer with. What the agent says of the request is passed on as it is. What it says of web's own
 * credential, or what is no problem of the protocol, is 502 `bad_agent`: the caller's credential is not at fault.
 */
export function passOn(answer: Extract<AgentAnswer, { kind: 'refused' }>): ProblemError {
  const { problem, status, message, retryAfterMs } = answer;
  if (problem === undefined || !isProblemCode(problem.code) || problemTypes[problem.code][0] !== status) {
    return new ProblemError('bad_agent', `The agent answered ${status}: ${message}`);
  }
  if (status === 401 || status === 403 || status === 429) {
    return new ProblemError('bad_agent', `The agent refuses web itself: ${message}`);
  }
  return new ProblemError(problem.code, problem.detail, {
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
    ...(problem.taskStatus === undefined ? {} : { extra: { taskStatus: problem.taskStatus } }),
    ...(retryAfterMs === undefined ? {} : { retryAfterSeconds: Math.ceil(retryAfterMs / 1000) }),
  });
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problemTypes, code);
}
